//! Runs ONNX graphs on any Burn backend, at run time and without code generation.
//!
//! [`Model::load`] reads a file through `onnx-ir`'s protobuf types. [`Model::network`] runs the
//! graph once on Burn's capture backend, for a concrete input shape. It returns a
//! [`linearscope::Network`] that names nodes after the modules they came from. [`Model::run`] runs
//! the graph on any [`Backend`](burn_backend::Backend), with or without the interpreter. Shapes are
//! not inferred: they are concrete where an op runs, and whatever depends on constants alone is
//! computed on the host.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model = linearscope_onnx::Model::load("model.onnx")?;
//! let network = model.network(&[vec![1, 3, 224, 224]])?;
//! println!("{} parameters", network.parameters());
//! # Ok(())
//! # }
//! ```

mod context;
mod ends;
mod error;
mod execute;
mod foreign;
mod graph;
mod initialiser;
mod inliner;
mod low_precision;
mod model;
mod names;
mod ops;
mod scope;
mod signature;
mod skeleton;
mod types;
mod value;

pub use error::{Error, Result, hint_for_op};
pub use initialiser::tensor_from_bytes;
pub use model::{Model, NodeInfo};
pub use ops::OPS as SUPPORTED_OPS;
pub use signature::Signature;
pub use value::Value;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
