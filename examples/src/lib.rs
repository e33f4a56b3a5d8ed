//! What the example programs share: networks that burn-onnx imported in `build.rs` (Burn source and
//! weights, unchanged), and networks trained with their interpreter in the loss.

#![allow(missing_docs)]

pub mod training;

/// The Rust of the README and the book, compiled and run as documentation tests.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../../README.md")]
    mod readme {}
    #[doc = include_str!("../../docs/book/src/start.md")]
    mod start {}
    #[doc = include_str!("../../docs/book/src/howto-burn.md")]
    mod howto_burn {}
    #[doc = include_str!("../../docs/book/src/howto-extend.md")]
    mod howto_extend {}
}

macro_rules! imported {
    ($($name:ident)*) => {$(
        #[allow(clippy::all, clippy::pedantic, unreachable_pub, missing_debug_implementations, dead_code)]
        pub mod $name {
            include!(concat!(env!("OUT_DIR"), "/imported/", stringify!($name), ".rs"));
        }
    )*};
}

imported! { vgg edsr cyclegan }
