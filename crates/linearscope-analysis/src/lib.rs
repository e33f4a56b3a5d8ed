//! What a linear interpreter says: columns, rows, projections, contributions, singular vectors,
//! certificates.
//!
//! Everything here sees a network through [`LinearOperator`] — shapes, `apply` and
//! `apply_adjoint` on batches of flat vectors — and, for contributions, its sources.
//! [`FrozenNetwork`] gives a captured network at one x₀ that form.

pub mod attack;
pub mod bases;
pub mod bench;
pub mod certificate;
pub mod change;
pub mod conformance;
pub mod contribution;
pub mod decisions;
pub mod discussion;
mod frozen;
pub mod locality;
pub mod maps;
pub mod matrix;
mod operator;
pub mod outcome;
pub mod projection;
mod random;
pub mod spectrum;
mod spread;
mod sub_network;
pub mod svd;
pub mod validity;
pub mod votes;

pub use frozen::{FrozenNetwork, host};
pub use linearscope::Error;
pub use operator::{LinearOperator, Result};
pub use random::{Stream, noise};
pub use spread::Spread;
pub use sub_network::SubNetwork;
