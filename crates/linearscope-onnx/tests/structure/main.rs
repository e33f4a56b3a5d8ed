//! What a file may hold beside plain nodes: functions of its own, bodies, inputs that are no
//! pictures, weights of few bits, quantisers, and the forms ops had in other versions of the standard.

mod control;
mod ends;
mod functions;
mod inputs;
#[path = "../made/mod.rs"]
mod made;
mod names;
mod opsets;
mod order;
mod quantised;
