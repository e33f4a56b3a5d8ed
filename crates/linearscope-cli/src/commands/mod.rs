//! One file per subcommand.

pub(crate) mod analyse;
pub(crate) mod attack;
pub(crate) mod bases;
pub(crate) mod bench;
pub(crate) mod contributions;
pub(crate) mod demo;
pub(crate) mod fields;
pub(crate) mod inspect;
pub(crate) mod maps;
pub(crate) mod matrix;
pub(crate) mod position;
pub(crate) mod project;
pub(crate) mod run;
pub(crate) mod spectrum;
pub(crate) mod svd;
pub(crate) mod verify;
pub(crate) mod votes;
