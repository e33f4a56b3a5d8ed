//! ONNX graphs at run time on any Burn backend, without code generation.
//!
//! [`Model::load`] reads a file through `onnx-ir`'s protobuf types; [`Model::network`] runs it once
//! on Burn's capture backend for a concrete input shape and gives a [`linearscope::Network`] that
//! names nodes after the modules they came from; [`Model::run`] runs it on any
//! [`Backend`](burn_backend::Backend), with or without the interpreter. Shapes are not inferred:
//! they are concrete where an op runs, and what rests on constants is computed on the host.
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
