//! The program as a process, each test in a folder of its own.

mod contributions;
mod fields;
mod folder;
mod inspect;
mod matrix;
mod recipe;
mod refusals;
mod report;
mod svd;
mod verify;
