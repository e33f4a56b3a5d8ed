//! The explorer: a page about one network at one picture, and the server behind it.
//!
//! ```text
//! connection ──► guard ──► routes ──► asked (what is asked, checked) ──► cache ──► queue ──► compute, on one thread
//! ```
//!
//! The server itself lives on one thread and computes nothing; questions wait in a bounded [`queue`] for the one thread that
//! does, each with an interrupt of its own that a client who leaves raises. [`compute`] makes the calls that the commands
//! make, so that what is served is what they write, bit by bit. docs/book/src/explorer.md is the description for users.

mod answer;
mod asked;
mod cache;
mod compute;
mod connection;
mod desk;
mod export;
mod guard;
mod page;
mod params;
mod points;
mod queue;
mod refusal;
mod routes;
mod server;
mod stream;

pub(crate) use export::{Wish, export};
pub(crate) use points::Points;
pub(crate) use server::{Address, serve};
