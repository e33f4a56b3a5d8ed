//! ONNX graphs at run time on any Burn backend, without code generation.
//!
//! [`Model::load`] reads a file (parsed and shape-inferred by `onnx-ir`); [`Model::network`] runs
//! it once on Burn's capture backend for a concrete input shape and gives a
//! [`linearscope::Network`] that keeps the file's own node names; [`Model::run`] runs it on any
//! [`Backend`](burn_backend::Backend), with or without the interpreter.
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
mod error;
mod execute;
mod model;
mod names;
mod ops;
mod prepare;

pub use context::Value;
pub use error::{Error, Result};
pub use model::{Model, Signature};
