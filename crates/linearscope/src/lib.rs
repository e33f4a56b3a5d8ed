//! Linear interpreters of convolutional networks, for Burn.
//!
//! Freeze what every non-linear unit of a network decided for one input x₀ and the network
//! becomes an affine map y(x) = F x + r. This crate builds that map for any captured Burn graph
//! and applies it, both ways, to batches of probes.
//!
//! - [`LinearScope`] is a Burn backend that carries probes beside values.
//! - [`Network`] is a captured graph; [`Loaded`] is one on a device; [`Interpreter`] is one
//!   frozen at x₀.
//! - [`program::Program`] is the recorded map: linear maps and sources, replayed forwards
//!   (columns, projections) and backwards (rows, contributions).
//!
//! It follows *A Tour of Convolutional Networks Guided by Linear Interpreters* (ICCV 2019).

mod backend;
pub mod device;
mod driver;
mod error;
mod interpreter;
pub mod linear;
mod network;
mod ops;
pub mod program;
mod rules;
pub mod scope;
pub mod survey;
pub mod tensor;
pub mod training;

pub use backend::LinearScope;
pub use driver::Loaded;
pub use error::{Error, Place, Result, panic_message};
pub use interpreter::{Interpreter, SourceShare, host, one_hot};
pub use network::{Network, Port, Ports, Role, check_input};
pub use rules::{
    Choices, Entry, Kinks, Normalisation, Own, PRESETS, Pointwise, Product, Reference, Rule,
    RuleSet,
};
pub use tensor::{Lineage, ScopeTensor, Tracked};
