//! Every op of the decorator against a slow twin: a naive f64 function of (x₀, x₁) written from
//! the op's definition and the rule's formula, sharing no code with the rule.

mod bilinear;
mod carry;
mod convolution;
mod entries;
mod gradients;
mod indexing;
mod random;
mod refusals;
mod resampling;
mod sampling;
mod units;
mod weighted;
mod windows;
mod winners;

use burn_backend::{
    BoolDType, DType, IntDType, Scalar, Shape, Slice, TensorData, TensorMetadata,
    ops::{
        ActivationOps, BoolTensorOps, ConvOptions, ConvTransposeOptions, FloatTensorOps,
        IntTensorOps, InterpolateMode, InterpolateOptions, ModuleOps, PadMode,
    },
};
use burn_flex::{Flex, FlexDevice, FlexTensor};

use crate::{
    Error, LinearScope, Normalisation, Pointwise, Result, Rule, RuleSet, ScopeTensor, host,
    linear::batch, program::Program, run::Run,
};

type S = LinearScope<Flex>;
type Op = fn(ScopeTensor<Flex>) -> ScopeTensor<Flex>;

/// A small deterministic generator (splitmix64).
pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [−1, 1).
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    pub(super) fn vector(&mut self, len: usize) -> Vec<f64> {
        (0..len).map(|_| self.unit()).collect()
    }
}

pub(super) fn tensor(values: &[f64], shape: &[usize]) -> FlexTensor {
    let data = TensorData::new(values.to_vec(), shape.to_vec());
    Flex::float_from_data(data, &FlexDevice)
}

pub(super) fn constant(values: &[f64], shape: &[usize]) -> ScopeTensor<Flex> {
    ScopeTensor::constant(tensor(values, shape))
}

pub(super) fn numbers(x: FlexTensor) -> Vec<f64> {
    host::<Flex>(x).expect("flex reads back")
}

/// One op, or a whole small network, frozen at x₀ in f64.
pub(super) struct Frozen {
    pub program: Program<Flex>,
    pub y0: Vec<f64>,
    pub input: Shape,
    pub output: Vec<usize>,
}

impl Frozen {
    pub(super) fn new(
        x0: &[f64],
        shape: &[usize],
        rules: impl Into<RuleSet>,
        op: impl Fn(ScopeTensor<Flex>) -> ScopeTensor<Flex>,
    ) -> Result<Self> {
        let run = Run::recording(rules.into());
        let input = Shape::from(shape.to_vec());
        let x0 = tensor(x0, shape);
        let tracer = run.input(0, &x0);
        let out = op(ScopeTensor::traced(x0, tracer));
        if let Some(error) = run.error() {
            return Err(error);
        }
        let tracer = out.tracer().cloned().ok_or_else(|| Error::LostTrace {
            output: "y".into(),
            because: "in a test".into(),
        })?;
        let y0 = out.into_value();
        Ok(Self {
            program: run.finish(&[tracer], DType::F64, &[])?,
            output: y0.shape().to_vec(),
            y0: numbers(y0),
            input,
        })
    }

    /// F x (+ r) for k probes, row by row.
    pub(super) fn apply(&self, x: &[f64], sources: bool) -> Vec<f64> {
        let k = x.len() / self.input.num_elements();
        let x = tensor(x, &batch::shape_of(k, &self.input).to_vec());
        let starts = [(self.program.inputs()[0], x)];
        let y = self
            .program
            .forward(&starts, self.program.outputs(), sources);
        numbers(y.unwrap().remove(0))
    }

    /// The same with gains folded into weights and no sources.
    pub(super) fn folded(&self) -> Self {
        Self {
            program: self.program.homogeneous(),
            y0: self.y0.clone(),
            input: self.input.clone(),
            output: self.output.clone(),
        }
    }

    /// Fᵀ y for k cotangents.
    pub(super) fn adjoint(&self, y: &[f64]) -> Vec<f64> {
        let k = y.len() / self.y0.len();
        let output = Shape::from(self.output.clone());
        let y = tensor(y, &batch::shape_of(k, &output).to_vec());
        let seeds = [(self.program.outputs()[0], y)];
        let found = self.program.backward(&seeds, self.program.inputs());
        match found.unwrap().into_iter().next().flatten() {
            Some(x) => numbers(x),
            None => vec![0.0; k * self.input.num_elements()],
        }
    }
}

pub(super) fn assert_close(what: &str, a: &[f64], b: &[f64], limit: f64) {
    assert_eq!(a.len(), b.len(), "{what}: length");
    let scale = b.iter().fold(1.0f64, |m, v| m.max(v.abs()));
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        // Negated so that NaN fails.
        assert!(
            (a - b).abs() <= limit * scale,
            "{what}: entry {i} is {a}, expected {b}"
        );
    }
}

fn identity(n: usize) -> Vec<f64> {
    let mut eye = vec![0.0; n * n];
    eye.iter_mut().step_by(n + 1).for_each(|v| *v = 1.0);
    eye
}

/// The promises every op and network keeps: reference untouched, exact at x₀, affine, the adjoint
/// the transpose of the dense matrix, the paired run the same as the replay.
pub(super) fn keeps_promises(
    what: &str,
    x0: &[f64],
    shape: &[usize],
    rules: impl Into<RuleSet>,
    op: impl Fn(ScopeTensor<Flex>) -> ScopeTensor<Flex>,
) -> Frozen {
    let rules: RuleSet = rules.into();
    let frozen =
        Frozen::new(x0, shape, rules.clone(), &op).unwrap_or_else(|e| panic!("{what}: {e}"));
    let plain = numbers(op(constant(x0, shape)).into_value());
    let bits = |v: &[f64]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(
        bits(&frozen.y0),
        bits(&plain),
        "{what}: the reference changed"
    );
    assert_close(
        &format!("{what}, x1 = x0"),
        &frozen.apply(x0, true),
        &frozen.y0,
        1e-12,
    );

    let (n, m) = (x0.len(), frozen.y0.len());
    let columns = frozen.apply(&identity(n), false);
    let rows = frozen.adjoint(&identity(m));
    let transposed: Vec<f64> = (0..m * n).map(|i| columns[(i % n) * m + i / n]).collect();
    assert_close(&format!("{what}, adjoint"), &rows, &transposed, 1e-12);

    // F alone, with gains folded into weights, is the same F.
    let folded = frozen.program.homogeneous();
    let eye = tensor(&identity(n), &batch::shape_of(n, &frozen.input).to_vec());
    let starts = [(folded.inputs()[0], eye)];
    let folded_columns = numbers(
        folded
            .forward(&starts, folded.outputs(), false)
            .unwrap()
            .remove(0),
    );
    assert_close(&format!("{what}, folded"), &folded_columns, &columns, 1e-12);
    let shape_out = batch::shape_of(m, &Shape::from(frozen.output.clone())).to_vec();
    let seeds = [(folded.outputs()[0], tensor(&identity(m), &shape_out))];
    let folded_rows = folded.backward(&seeds, folded.inputs()).unwrap().remove(0);
    let folded_rows = folded_rows.map_or(vec![0.0; m * n], numbers);
    assert_close(
        &format!("{what}, folded adjoint"),
        &folded_rows,
        &rows,
        1e-12,
    );

    let mut random = Random(99);
    let (a, b, t) = (random.vector(n), random.vector(n), 0.3);
    let mix: Vec<f64> = a
        .iter()
        .zip(&b)
        .map(|(a, b)| t * a + (1.0 - t) * b)
        .collect();
    let (ya, yb) = (frozen.apply(&a, true), frozen.apply(&b, true));
    let expected: Vec<f64> = ya
        .iter()
        .zip(&yb)
        .map(|(a, b)| t * a + (1.0 - t) * b)
        .collect();
    assert_close(
        &format!("{what}, affine"),
        &frozen.apply(&mix, true),
        &expected,
        1e-12,
    );

    for (sources, replayed) in [(true, ya), (false, frozen.apply(&a, false))] {
        let run = Run::paired(rules.clone(), sources);
        let batch_shape = [&[1], shape].concat();
        let tracer = run
            .probe(tensor(&a, &batch_shape), &Shape::from(shape.to_vec()))
            .expect("the probe fits");
        let out = op(ScopeTensor::traced(tensor(x0, shape), tracer));
        let paired = out.tracer().cloned().and_then(|p| p.into_batch());
        let paired = numbers(paired.expect("a paired run carries batches"));
        assert_close(&format!("{what}, paired run"), &paired, &replayed, 1e-12);
    }
    frozen
}

/// An op against its slow twin, at several x₀ and x₁.
pub(super) fn equals_twin(
    what: &str,
    shape: &[usize],
    rules: impl Into<RuleSet>,
    op: impl Fn(ScopeTensor<Flex>) -> ScopeTensor<Flex>,
    twin: impl Fn(&[f64], &[f64]) -> Vec<f64>,
) {
    let rules: RuleSet = rules.into();
    let mut random = Random(7);
    let n = shape.iter().product();
    for round in 0..3 {
        let x0: Vec<f64> = random.vector(n).iter().map(|v| 3.0 * v).collect();
        let x1 = random.vector(n);
        let frozen = keeps_promises(what, &x0, shape, rules.clone(), &op);
        windows::windows_agree(what, &frozen, &mut random);
        assert_close(
            &format!("{what}, twin, round {round}"),
            &frozen.apply(&x1, true),
            &twin(&x0, &x1),
            1e-12,
        );
    }
}

fn rules() -> RuleSet {
    RuleSet::default()
}

fn scalar(x: f64) -> Scalar {
    Scalar::Float(x)
}

/// An entrywise twin.
fn each(f: impl Fn(f64, f64) -> f64) -> impl Fn(&[f64], &[f64]) -> Vec<f64> {
    move |x0, x1| x0.iter().zip(x1).map(|(&x0, &x1)| f(x0, x1)).collect()
}

/// A linear twin: the same naive function whatever x₀ is.
fn linear(f: impl Fn(&[f64]) -> Vec<f64>) -> impl Fn(&[f64], &[f64]) -> Vec<f64> {
    move |_, x1| f(x1)
}
