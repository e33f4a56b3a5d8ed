//! Linear interpreters of convolutional networks, for Burn.
//!
//! Freeze what every non-linear unit of a network decided for one input x₀, and the network becomes
//! an affine map y(x) = F x + r. This crate builds that map for any captured Burn graph and applies
//! it, forwards and backwards, to batches of probes.
//!
//! - [`LinearScope`] is a Burn backend that traces values back to the input.
//! - [`Network`] is a captured graph. [`Loaded`] is a network on a device. [`Interpreter`] is a
//!   network frozen at x₀, with Burn's tensors in and out.
//! - [`Recorded`] and [`Paired`] are the engine beneath it. They work on the primitives of any
//!   backend, with any number of inputs and outputs.
//! - [`program::Program`] is the recorded map: linear maps and sources, replayed forwards
//!   (columns, projections) and backwards (rows, contributions).
//!
//! The crate follows *A Tour of Convolutional Networks Guided by Linear Interpreters* (ICCV 2019).

mod backend;
pub mod coefficient;
pub mod conformance;
pub mod device;
mod driver;
mod error;
mod findings;
mod frozen;
mod host;
mod interpreter;
mod interrupt;
pub mod linear;
mod network;
mod ops;
pub mod program;
mod random;
pub mod report;
mod rule_set;
mod rules;
pub mod run;
mod smooth;
pub mod survey;
pub mod training;

pub use backend::LinearScope;
pub use driver::{Kernels, Loaded};
pub use error::{Error, Place, Result, panic_message};
pub use findings::{DecisionsAtRisk, NearKink, NodeAtRisk, UnitFlips};
pub use frozen::{Frozen, Paired, Point, Recorded, SourceShare};
pub use host::{delivered, host, one_hot};
pub use interpreter::Interpreter;
pub use interrupt::Interrupt;
pub use network::{Network, Port, Ports, Role, check_input};
pub use random::{SplitMix64, noise};
pub use rule_set::{
    Choices, CustomRule, Entry, Normalisation, PRESETS, Pointwise, Product, Reference, Rule,
    RuleSet,
};
pub use run::{Lineage, ScopeTensor, Tracked};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
