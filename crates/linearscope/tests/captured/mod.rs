//! Small networks captured from a closure, and the promises that every frozen one keeps.

#![allow(dead_code)]

use std::sync::Arc;

use burn::{nn::Relu, tensor::Tensor};
use burn_backend::{DType, Shape, TensorData, ops::FloatTensorOps};
use burn_flex::{Flex, FlexDevice, FlexTensor};
use linearscope::{Loaded, Network, Paired, Recorded, RuleSet, host};

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

/// A fixed sequence in [−1, 1).
pub fn pseudo(count: usize, offset: usize) -> Vec<f64> {
    let number = |i: usize| {
        let hash = (i as u64 + 1).wrapping_mul(2_654_435_761) % (1 << 32);
        2.0 * hash as f64 / (1u64 << 32) as f64 - 1.0
    };
    (offset..offset + count).map(number).collect()
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

    /// y₀ is the plain run's to the bit; exact at x₀; affine; Fᵀ the transpose of F; the paired run
    /// is the replay.
    pub fn keeps_promises(&self, what: &str, rules: &RuleSet, limit: f64) {
        let (n, m) = (self.x0.len(), self.y0().len());
        let loaded = self.interpreter.loaded();
        let input = || upload(&self.x0, &self.input(), self.dtype);
        let plain = host::<Flex>(loaded.forward(vec![input()]).unwrap().remove(0)).unwrap();
        let bits = |v: &[f64]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&plain), bits(&self.y0()), "{what}: the reference");
        close(
            &format!("{what}, x1 = x0"),
            &self.affine(&self.x0),
            &self.y0(),
            limit,
        );

        let eye = |n: usize| {
            let mut eye = vec![0.0; n * n];
            eye.iter_mut().step_by(n + 1).for_each(|v| *v = 1.0);
            eye
        };
        let (columns, rows) = (self.apply(&eye(n)), self.adjoint(&eye(m)));
        let transposed: Vec<f64> = (0..m * n).map(|i| columns[(i % n) * m + i / n]).collect();
        close(&format!("{what}, adjoint"), &rows, &transposed, limit);

        let (a, b) = (pseudo(n, 100), pseudo(n, 900));
        let mix: Vec<f64> = a.iter().zip(&b).map(|(a, b)| 0.3 * a + 0.7 * b).collect();
        let (ya, yb) = (self.affine(&a), self.affine(&b));
        let expected: Vec<f64> = ya.iter().zip(&yb).map(|(a, b)| 0.3 * a + 0.7 * b).collect();
        close(
            &format!("{what}, affine"),
            &self.affine(&mix),
            &expected,
            limit,
        );

        for (sources, replayed) in [(true, &ya), (false, &self.apply(&a))] {
            let probes = self.batch(&a, &self.input());
            let (_, paired) =
                Paired::beside(loaded, vec![input()], vec![probes], rules.clone(), sources)
                    .unwrap();
            let paired = host::<Flex>(paired[0].clone()).unwrap();
            close(&format!("{what}, paired"), &paired, replayed, limit);
        }
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
