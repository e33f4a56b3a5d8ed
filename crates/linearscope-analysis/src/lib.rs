//! What a linear interpreter says: columns, rows, projections, contributions, singular vectors,
//! certificates.
//!
//! Everything here sees a network through [`LinearOperator`] — shapes, `apply` and
//! `apply_adjoint` on batches of flat vectors — and, for contributions, its sources.
//! [`FrozenNetwork`] gives a captured network at one x₀ that form; [`operator`] has those made of others, and any
//! type of a user's can implement it.
//!
//! | question | module |
//! | --- | --- |
//! | which pixels does an output use, where does a pixel go | [`projection`] |
//! | what passes, and how much | [`svd`], [`spectrum`] |
//! | which layer's biases made a score | [`contribution`] |
//! | how much does each pixel add to a score | [`attribution`] |
//! | is a method any good | [`evaluation`] |
//! | what does each pixel say, and for which class | [`discussion`], [`votes`] |
//! | what does an attack change | [`attack`], [`difference`], [`comparison`] |
//! | how far does it reach, what is copied, what is a template | [`maps`] |
//! | what do singular vectors look like | [`descriptors`] |
//! | all of F | [`matrix`] |
//! | how exact is it, where does it hold | [`certificate`], [`conformance`], [`validity`], [`decisions`] |
//! | what does it cost | [`mod@bench`] |
//!
//! **Results** are plain data with serde. **Errors** are one enum, [`Error`]; a singular value decomposition that
//! did not converge carries what it found, in [`svd::SvdError`]. **Long computations** tell an observer their
//! [`Progress`], and stop when it says so, or when the network's
//! [`Interrupt`](linearscope::Interrupt) is stopped ([`Error::is_stopped`]); what was finished by then is the result where
//! there is any. **Ties** of scores go to the first ([`ranking`]). **A ±** says what it is
//! ([`Estimate`]).

/// Builder-style setters of a configuration, one a field.
macro_rules! setters {
    ($config:ident: $($with:ident $field:ident: $type:ty),+ $(,)?) => {
        impl $config {$(
            #[doc = concat!("The same with another [`", stringify!($field), "`](Self::", stringify!($field), ").")]
            #[must_use]
            pub fn $with(mut self, $field: $type) -> Self {
                self.$field = $field;
                self
            }
        )+}
    };
}

pub mod attack;
pub mod attribution;
pub mod bench;
pub mod certificate;
pub mod comparison;
pub mod conformance;
pub mod contribution;
pub mod decisions;
pub mod descriptors;
pub mod difference;
pub mod discussion;
mod error;
mod estimate;
pub mod evaluation;
mod frozen;
mod locality;
pub mod maps;
pub mod matrix;
pub mod operator;
pub mod progress;
pub mod projection;
mod ranking;
pub mod spectrum;
mod sub_network;
pub mod svd;
pub mod validity;
pub mod vectors;
pub mod votes;

pub use error::{Error, Result};
pub use estimate::{Bar, Estimate, MeanStd, MeanStdTotals};
pub use frozen::FrozenNetwork;
pub use linearscope::{SplitMix64, noise};
pub use operator::{Dense, LinearOperator};
pub use progress::Progress;
pub use ranking::{argmax, ranking};
pub use sub_network::SubNetwork;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
