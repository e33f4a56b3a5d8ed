//! What the tests of all crates share, and nothing of the project itself: this crate may serve the unit
//! tests of any other without a second copy of that one's types.
//!
//! - [`needs`]: what a test wants of the machine beyond the checkout, and the runner that says *ignored*,
//!   with the reason, where it is absent;
//! - [`machine`]: where those things are;
//! - [`browser`]: a browser driven as a person would;
//! - [`networks`]: the bundled and the real networks, and shapes for them;
//! - [`numbers`]: inputs that any language can make, and small measures;
//! - [`process`]: a program run in a folder of its own;
//! - [`server`]: a program that serves pages, and requests to it;
//! - [`shrinking`]: random cases, and the smallest that fails.

pub mod browser;
pub mod machine;
pub mod needs;
pub mod networks;
pub mod numbers;
pub mod process;
pub mod server;
pub mod shrinking;

use std::path::{Path, PathBuf};

/// The root of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The bundled networks and pictures.
pub fn assets() -> PathBuf {
    root().join("assets")
}
