#![doc = include_str!("README.md")]

/// A file of this folder, as a path below it and the bytes.
macro_rules! bundled {
    ($($path:literal)*) => {
        [$(($path, include_bytes!($path).as_slice())),*]
    };
}

/// What `linearscope demo` shows: five networks and bicubic interpolation, each with its recipe, and a picture for each. A
/// file's name is its path in this folder. A `.toml` file has to lie beside its network, where recipes are looked for.
pub const DEMO: [(&str, &[u8]); 15] = bundled! {
    "vgg/vgg.onnx" "vgg/vgg.toml" "vgg_bn/vgg_bn.onnx" "vgg_bn/vgg_bn.toml" "pictures/kinds.txt"
    "pixelshuffle/pixelshuffle.onnx" "pixelshuffle/pixelshuffle.toml"
    "edsr/edsr.onnx" "edsr/edsr.toml" "facade/facade.onnx" "facade/facade.toml"
    "graphs/bicubic.onnx"
    "pictures/scene.png" "pictures/facade.png" "pictures/cat.png"
};

/// An upscaler (×2) of grey pictures small enough for examples, and a picture for it: `[1, 1, h, w]` becomes
/// `[1, 1, 2h, 2w]`.
pub const TINY: [(&str, &[u8]); 2] = bundled! { "tiny_sr/tiny_sr.onnx" "tiny_sr/input.png" };

/// The bytes of a file of [`DEMO`] or [`TINY`], by its path in this folder.
///
/// ```
/// assert!(linearscope_assets::file("vgg/vgg.onnx").is_some());
/// assert!(linearscope_assets::file("vgg/missing.onnx").is_none());
/// ```
pub fn file(path: &str) -> Option<&'static [u8]> {
    DEMO.iter()
        .chain(&TINY)
        .find(|(name, _)| *name == path)
        .map(|(_, bytes)| *bytes)
}
