//! Networks that burn-onnx imported in `build.rs`: Burn source and weights, unchanged.

#![allow(missing_docs)]

macro_rules! imported {
    ($($name:ident)*) => {$(
        #[allow(clippy::all, clippy::pedantic, unreachable_pub, missing_debug_implementations, dead_code)]
        pub mod $name {
            include!(concat!(env!("OUT_DIR"), "/imported/", stringify!($name), ".rs"));
        }
    )*};
}

imported! { vgg edsr cyclegan }
