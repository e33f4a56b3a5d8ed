//! What the conformance tests share beyond [`linearscope_test_support`]: whole networks, their promises
//! and their certificates.

pub mod certified;
pub mod overview;
pub mod promises;
pub mod random;
pub mod risk;
pub mod rows;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{Device, Tensor},
};
use burn_backend::{Backend, DType, TensorData, tensor::FloatTensor};
use linearscope::{Loaded, Network};
use linearscope_onnx::Model;
pub use linearscope_test_support::{
    assets, machine, needing, needs,
    networks::{BUNDLED, REAL_NETWORKS, RealNetwork},
    numbers::{dot, norm, pseudo, relative, signed},
};

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
