//! The program as a process, each test in a folder of its own.

mod attack;
mod attribute;
mod book;
mod box_layouts;
mod contributions;
mod detectors;
mod dimensions;
mod ends;
mod evaluate;
#[cfg(feature = "explore")]
mod explore;
mod fetch;
mod fields;
mod folder;
mod inspect;
mod jobs;
mod made;
mod maps;
mod matrix;
mod mean;
mod memory;
mod messages;
mod names;
mod pictures;
mod project;
mod recipe;
mod refusals;
mod report;
mod spectrum;
mod suite;
mod svd;
mod verify;
mod votes;
mod walk;
mod zoo;
