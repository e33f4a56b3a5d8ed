//! Burn's backend traits, one file each, in the trait's order. The files are index tables: each
//! row names the class of an op (see [`classes`]); the mathematics lives in `rules` and `linear`.

#[macro_use]
mod classes;

mod activation;
mod bool;
mod distributed;
mod float;
mod int;
mod module;
mod quantized;
mod transaction;
