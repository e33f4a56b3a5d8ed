//! Analyses by a linear interpreter: columns, rows, projections, contributions, singular vectors,
//! certificates.
//!
//! Everything here sees a network through [`LinearOperator`], that is, shapes and `apply` and `apply_adjoint` on
//! batches of flat vectors. Contributions also use its sources. [`FrozenNetwork`] implements the trait for a
//! captured network at one x₀, [`operator`] combines operators into others, and your own types can implement it.
//!
//! | question | module |
//! | --- | --- |
//! | which pixels does an output use, and where does a pixel go | [`projection`] |
//! | what does the network pass on, and how much of it | [`svd`], [`spectrum`] |
//! | which layer's biases made a score | [`contribution`] |
//! | how much does each pixel add to a score | [`attribution`] |
//! | how good is an attribution method | [`evaluation`] |
//! | how much does each pixel support each class | [`discussion`], [`votes`] |
//! | what does an attack change | [`attack`], [`difference`], [`comparison`] |
//! | how far do fields reach, what is copied, what is a template | [`maps`] |
//! | what do singular vectors look like | [`descriptors`] |
//! | all of F | [`matrix`] |
//! | how exact is it, where does it hold | [`certificate`], [`conformance`], [`validity`], [`decisions`] |
//! | what does it cost | [`mod@bench`] |
//!
//! **Results** are plain data with serde. **Errors** are one enum, [`Error`]; a singular value decomposition that did
//! not converge carries what it found, in [`svd::SvdError`]. **Long computations** report their [`Progress`] to an
//! observer. They stop when the observer says so, or when the network's [`Interrupt`](linearscope::Interrupt) is
//! stopped ([`Error::is_stopped`]); whatever was finished by then is the result. **Ties** of scores go to the first
//! ([`ranking`]). **A ±** always states its meaning ([`Estimate`]).

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
