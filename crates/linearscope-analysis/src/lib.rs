//! What a linear interpreter says: columns, rows, projections, contributions, singular vectors,
//! certificates.
//!
//! Everything here sees a network through [`LinearOperator`] — shapes, `apply` and
//! `apply_adjoint` on batches of flat vectors — and, for contributions, its sources.
//! [`FrozenNetwork`] gives a captured network at one x₀ that form.

pub mod bench;
pub mod certificate;
pub mod conformance;
pub mod contribution;
pub mod discussion;
mod frozen;
pub mod locality;
pub mod matrix;
mod operator;
pub mod projection;
mod random;
mod sub_network;
pub mod svd;

pub use frozen::{FrozenNetwork, host};
pub use linearscope::Error;
pub use operator::{LinearOperator, Result};
pub use random::{Stream, noise};
pub use sub_network::SubNetwork;
