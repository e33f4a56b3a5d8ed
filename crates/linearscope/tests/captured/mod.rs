//! Small networks captured from a closure, and the promises that every frozen one keeps.

#![allow(dead_code)]

use std::sync::Arc;

use burn::{nn::Relu, tensor::Tensor};
use burn_backend::{DType, Shape, TensorData, ops::FloatTensorOps};
use burn_flex::{Flex, FlexDevice, FlexTensor};
use linearscope::{
    Loaded, Network, Recorded, RuleSet,
    conformance::{Allowed, Floor, OneToOne, all_hold, promises, transposed},
    host,
};
pub use linearscope_test_support::numbers::signed as pseudo;

/// A network of one tensor.
pub fn network<const D: usize, const E: usize>(
    shape: [usize; D],
    f: impl Fn(Tensor<D>) -> Tensor<E>,
) -> Network {
    Network::capture(&Relu::new(), |_, ports| {
        let x = ports.input("x", shape);
        ports.output("y", f(x));
    })
    .expect("captures")
}

pub fn upload(values: &[f64], shape: &[usize], dtype: DType) -> FlexTensor {
    let data = TensorData::new(values.to_vec(), shape.to_vec());
    Flex::float_from_data(data.convert_dtype(dtype), &FlexDevice)
}

/// A network frozen at x₀.
pub struct Frozen {
    pub interpreter: Recorded<Flex>,
    x0: Vec<f64>,
    dtype: DType,
}

impl Frozen {
    pub fn new(network: Network, x0: &[f64], rules: RuleSet, dtype: DType) -> Self {
        let shape = network.inputs()[0].shape.to_vec();
        let loaded = Loaded::<Flex>::new(Arc::new(network), FlexDevice, dtype).expect("loads");
        let input = upload(x0, &shape, dtype);
        let interpreter = Recorded::new(Arc::new(loaded), vec![input], rules).expect("freezes");
        Self {
            interpreter,
            x0: x0.to_vec(),
            dtype,
        }
    }

    fn input(&self) -> Vec<usize> {
        self.interpreter.loaded().network().inputs()[0]
            .shape
            .to_vec()
    }

    fn output(&self) -> Vec<usize> {
        self.interpreter.loaded().network().outputs()[0]
            .shape
            .to_vec()
    }

    pub fn y0(&self) -> Vec<f64> {
        host::<Flex>(self.interpreter.reference()[0].clone()).unwrap()
    }

    fn batch(&self, x: &[f64], shape: &[usize]) -> FlexTensor {
        let k = x.len() / shape.iter().product::<usize>();
        upload(x, &[&[k], shape].concat(), self.dtype)
    }

    /// F x.
    pub fn apply(&self, x: &[f64]) -> Vec<f64> {
        let x = self.batch(x, &self.input());
        host::<Flex>(self.interpreter.apply(&[x]).unwrap().remove(0)).unwrap()
    }

    /// F x + r.
    pub fn affine(&self, x: &[f64]) -> Vec<f64> {
        let x = self.batch(x, &self.input());
        host::<Flex>(self.interpreter.affine(&[x]).unwrap().remove(0)).unwrap()
    }

    /// Fᵀ y.
    pub fn adjoint(&self, y: &[f64]) -> Vec<f64> {
        let y = self.batch(y, &self.output());
        host::<Flex>(self.interpreter.adjoint(&[y]).unwrap().remove(0)).unwrap()
    }

    /// Every promise, and Fᵀ the transpose of F.
    pub fn keeps_promises(&self, what: &str, limit: f64) {
        let x0 = upload(&self.x0, &self.input(), self.dtype);
        let allowed = Allowed {
            floor: Floor::Size(1.0),
            ..Allowed::bitwise(limit)
        };
        let checks = OneToOne::new(&self.interpreter, x0).and_then(|asked| {
            let mut checks = promises(&asked, &allowed)?;
            checks.push(transposed(&asked, limit)?);
            Ok(checks)
        });
        let broken = all_hold(&checks.expect("is asked"));
        broken.unwrap_or_else(|broken| panic!("{what}: {broken}"));
    }
}

pub fn close(what: &str, found: &[f64], expected: &[f64], limit: f64) {
    assert_eq!(found.len(), expected.len(), "{what}: length");
    let scale = expected.iter().fold(1.0f64, |m, v| m.max(v.abs()));
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        // Negated so that NaN fails.
        assert!(
            (a - b).abs() <= limit * scale,
            "{what}: entry {i} is {a}, expected {b}"
        );
    }
}

/// The shape of probes.
pub fn with_batch(x: FlexTensor, shape: &[usize]) -> FlexTensor {
    Flex::float_reshape(x, Shape::from([&[1], shape].concat()))
}
