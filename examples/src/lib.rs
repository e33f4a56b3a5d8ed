//! What the example programs share: networks that burn-onnx imported in `build.rs` (Burn source and
//! weights, unchanged), and networks trained with their interpreter in the loss.

#![allow(missing_docs)]

pub mod training;

macro_rules! imported {
    ($($name:ident)*) => {$(
        #[allow(clippy::all, clippy::pedantic, unreachable_pub, missing_debug_implementations, dead_code)]
        pub mod $name {
            include!(concat!(env!("OUT_DIR"), "/imported/", stringify!($name), ".rs"));
        }
    )*};
}

imported! { vgg edsr cyclegan }
