//! Nothing: this crate only asks for features.
//!
//! Cargo compiles a crate once for each set of features, and which set it is depends on what is built
//! together. Burn sits on top of crates such as `serde_json` and `regex`; without this one, each
//! `cargo test -p …` would compile all of Burn anew. Every member of the workspace depends on it,
//! so that any selection of them asks for the same features. It is
//! what `cargo hakari` makes, written by hand because there is little of it; to check it, compare
//! `cargo tree -e normal,dev -f '{p} {f}'` of one member with that of the workspace.
//!
//! It is not published, and nothing that is published needs it. Published crates have it as a
//! dev-dependency without a version, which cargo leaves out of what it publishes. The program is
//! built without its dev-dependencies by `cargo run` and `cargo build`; there this crate takes part because
//! it is one of the workspace's default members, and cargo unifies the features of all that it builds.
