//! The networks that tests run on.

use std::path::PathBuf;

use crate::machine::{Found, shared};

/// The bundled networks that are small enough for every device, and shapes for them.
pub const BUNDLED: &[(&str, &[usize])] = &[
    ("tiny_ops/tiny_ops.onnx", &[1, 3, 11, 13]),
    ("tiny_sr/tiny_sr.onnx", &[1, 1, 12, 12]),
    ("graphs/bicubic.onnx", &[1, 1, 8, 8]),
    ("pixelshuffle/pixelshuffle.onnx", &[1, 1, 12, 12]),
    ("edsr/edsr.onnx", &[1, 3, 12, 12]),
    ("vgg_bn/vgg_bn.onnx", &[1, 3, 48, 48]),
    ("facade/facade.onnx", &[1, 3, 16, 16]),
];

/// One real network of the shared data and how to feed it.
#[derive(Clone, Copy, Debug)]
pub struct RealNetwork {
    /// File name without `.onnx`.
    pub name: &'static str,
    /// Input shape used in the tests.
    pub shape: [usize; 4],
    /// Range of the inputs.
    pub scale: f64,
}

impl RealNetwork {
    /// Its file.
    ///
    /// # Errors
    /// Where the shared data, or this network of them, are absent.
    pub fn file(&self) -> Found {
        model(self.name)
    }
}

/// The file of a network of the shared data, by its name without `.onnx`.
///
/// # Errors
/// Where the shared data, or this network of them, are absent.
pub fn model(name: &str) -> Found<PathBuf> {
    shared(&format!("models/{name}.onnx"))
}

/// Every network of the shared data, at small sizes.
pub const REAL_NETWORKS: &[RealNetwork] = &[
    real("super_resolution_x3", [1, 1, 224, 224], 1.0),
    real("super_resolution_x3_dyn", [1, 1, 32, 32], 1.0),
    real("squeezenet1.1", [1, 3, 224, 224], 1.0),
    real("tiny_darknet", [1, 3, 224, 224], 1.0),
    real("resnet20_cifar10", [1, 3, 32, 32], 1.0),
    real("resnet56_cifar10", [1, 3, 32, 32], 1.0),
    real("mnist_cnn", [1, 1, 28, 28], 1.0),
    real("edsr_small_d8_w32_x4", [1, 3, 24, 24], 255.0),
    real("carn_m_x4", [1, 3, 24, 24], 1.0),
    real("espcn_x3", [1, 1, 24, 24], 1.0),
    real("fsrcnn_x3", [1, 1, 24, 24], 1.0),
    real("srgan_x4_leftthomas", [1, 3, 16, 16], 1.0),
    real("fns_mosaic", [1, 3, 48, 48], 255.0),
    real("style_lengstrom_wave", [1, 3, 48, 48], 255.0),
    real("tiny_style_bedroom", [1, 3, 48, 48], 255.0),
    real("tiny_style_la-campesinos", [1, 3, 32, 32], 255.0),
    real("tiny_style_red-vineyards", [1, 3, 32, 32], 255.0),
    real("tiny_style_self-portrait", [1, 3, 32, 32], 255.0),
    real("tiny_style_sien-with-a-cigar", [1, 3, 32, 32], 255.0),
    real("tiny_style_soup-distribution", [1, 3, 32, 32], 255.0),
    real("tiny_style_starry-night", [1, 3, 32, 32], 255.0),
    real("tiny_style_sunflowers-bew", [1, 3, 32, 32], 255.0),
    real("tiny_style_wheatfield_with_crows", [1, 3, 32, 32], 255.0),
];

const fn real(name: &'static str, shape: [usize; 4], scale: f64) -> RealNetwork {
    RealNetwork { name, shape, scale }
}
