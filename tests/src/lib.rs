//! What the conformance tests share: where the shared data lies, inputs that any language can
//! make, and small measures.

pub mod certified;
pub mod promises;
pub mod random;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{Device, Tensor},
};
use burn_backend::{Backend, DType, TensorData, tensor::FloatTensor};
use linearscope::{Loaded, Network};
use linearscope_onnx::Model;

/// The folder of real networks and pictures, if there is one: `LINEARSCOPE_DATA`, else
/// `../shared/data` beside the checkout.
pub fn shared_data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let path = std::env::var_os("LINEARSCOPE_DATA").map_or_else(beside, PathBuf::from);
    path.join("models").is_dir().then_some(path)
}

/// The project's own networks.
pub fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets")
}

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

/// Say that a test had to be skipped.
pub fn skipped(test: &str) {
    eprintln!("SKIPPED {test}: no shared data (set LINEARSCOPE_DATA to the folder)");
}

/// Number `i` of a fixed sequence in [0, 1), the same in every language: Knuth's multiplicative
/// hash of i.
pub fn pseudo(i: usize) -> f64 {
    let hash = (i as u64 + 1).wrapping_mul(2_654_435_761) % (1 << 32);
    hash as f64 / (1u64 << 32) as f64
}

/// `scale` times the fixed sequence, as data of a shape.
pub fn pseudo_input(shape: &[usize], scale: f64, offset: usize) -> TensorData {
    let numel = shape.iter().product();
    let values: Vec<f32> = (0..numel)
        .map(|i| (scale * pseudo(i + offset)) as f32)
        .collect();
    TensorData::new(values, shape.to_vec())
}

/// Data on the device in `dtype`.
pub fn upload<B: Backend>(data: &TensorData, device: &B::Device, dtype: DType) -> FloatTensor<B> {
    B::float_from_data(data.clone().convert_dtype(dtype), device)
}

/// Draws a module's parameters: Burn does it when they are first read.
struct Draw;

impl ModuleVisitor for Draw {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        parameter.val();
    }
}

/// The module that `make` makes, its parameters drawn from `seed`. A device has one generator for the
/// whole process, and tests run side by side: they take turns here.
pub fn seeded<M: Module>(device: &Device, seed: u64, make: impl FnOnce() -> M) -> M {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    device.seed(seed);
    let module = make();
    module.visit(&mut Draw);
    module
}

/// A model captured for `shape` and loaded on a device.
pub fn load<B: Backend>(
    path: &Path,
    shape: &[usize],
    device: &B::Device,
    dtype: DType,
) -> Arc<Loaded<B>> {
    let network = network(path, shape);
    Arc::new(Loaded::new(Arc::new(network), device.clone(), dtype).expect("the network loads"))
}

/// A model captured for `shape`.
pub fn network(path: &Path, shape: &[usize]) -> Network {
    let model = Model::load(path).expect("the model reads");
    model
        .network(&[shape.to_vec()])
        .expect("the model is captured")
}

/// √Σx².
pub fn norm(x: &[f64]) -> f64 {
    x.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// ‖a − b‖ / ‖b‖.
pub fn relative(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "vectors of different length");
    let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    norm(&difference) / norm(b).max(f64::MIN_POSITIVE)
}

/// Σ aᵢ bᵢ.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

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
