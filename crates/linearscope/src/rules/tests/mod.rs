//! Every op of the decorator against a slow twin: a naive f64 function of (x₀, x₁) written from
//! the op's definition and the rule's formula, sharing no code with the rule.

mod bilinear;
mod carry;
mod convolution;
mod entries;
mod gradients;
mod indexing;
mod infinite;
mod random;
mod receptive;
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

pub(super) use linearscope_test_support::numbers::Random;

use crate::{
    Error, LinearScope, Normalisation, Pointwise, Result, Rule, RuleSet, ScopeTensor,
    conformance::{Allowed, Check, Floor, Interpreted, all_hold, gap, promises, transposed},
    host,
    linear::batch,
    program::Program,
    run::Run,
};

type S = LinearScope<Flex>;
type Op = fn(ScopeTensor<Flex>) -> ScopeTensor<Flex>;

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

/// A frozen op, to be asked for its promises.
struct Asked<'a, F> {
    frozen: &'a Frozen,
    x0: &'a [f64],
    rules: &'a RuleSet,
    op: F,
}

impl<F: Fn(ScopeTensor<Flex>) -> ScopeTensor<Flex>> Interpreted for Asked<'_, F> {
    type Error = crate::Error;

    fn x0(&self) -> Result<Vec<f64>> {
        Ok(self.x0.to_vec())
    }

    fn plain(&self) -> Result<Vec<f64>> {
        let x0 = constant(self.x0, &self.frozen.input.to_vec());
        Ok(numbers((self.op)(x0).into_value()))
    }

    fn reference(&self) -> Result<Vec<f64>> {
        Ok(self.frozen.y0.clone())
    }

    fn apply(&self, x: &[f64]) -> Result<Vec<f64>> {
        Ok(self.frozen.apply(x, false))
    }

    fn affine(&self, x: &[f64]) -> Result<Vec<f64>> {
        Ok(self.frozen.apply(x, true))
    }

    fn adjoint(&self, y: &[f64]) -> Result<Vec<f64>> {
        Ok(self.frozen.adjoint(y))
    }

    fn paired(&self, x: &[f64], sources: bool) -> Result<Vec<f64>> {
        let (run, shape) = (Run::paired(self.rules.clone(), sources), &self.frozen.input);
        let k = x.len() / self.x0.len();
        let probes = tensor(x, &batch::shape_of(k, shape).to_vec());
        let tracer = run.probe(probes, shape)?;
        let out = (self.op)(ScopeTensor::traced(
            tensor(self.x0, &shape.to_vec()),
            tracer,
        ));
        let paired = out.tracer().cloned().and_then(|p| p.into_batch());
        Ok(numbers(paired.expect("a paired run carries batches")))
    }
}

/// What errors may be, beside the entries of about 1 of these tests.
const ALLOWED: Allowed = Allowed {
    reference: 0.0,
    exact: 1e-12,
    other: 1e-12,
    floor: Floor::Size(1.0),
};

/// The promises every op and network keeps: those of [`crate::conformance`]; the adjoint the transpose of
/// the dense matrix; and the same of F alone with gains folded into weights. An error tells what is broken.
pub(super) fn promised(
    x0: &[f64],
    shape: &[usize],
    rules: impl Into<RuleSet>,
    op: impl Fn(ScopeTensor<Flex>) -> ScopeTensor<Flex>,
) -> Result<Frozen, String> {
    let text = |error: Error| error.to_string();
    let rules: RuleSet = rules.into();
    let frozen = Frozen::new(x0, shape, rules.clone(), &op).map_err(text)?;
    let asked = |frozen| Asked {
        frozen,
        x0,
        rules: &rules,
        op: &op,
    };
    let mut checks = promises(&asked(&frozen), &ALLOWED).map_err(text)?;
    checks.push(transposed(&asked(&frozen), 1e-12).map_err(text)?);

    let folded = frozen.folded();
    let eye = identity(x0.len());
    let columns = [&frozen, &folded].map(|frozen| frozen.apply(&eye, false));
    checks.push(Check {
        promise: "gains folded into weights leave F what it is",
        error: gap(&columns[1], &columns[0], 1.0),
        limit: 1e-12,
    });
    checks.push(Check {
        promise: "and Fᵀ its transpose",
        ..transposed(&asked(&folded), 1e-12).map_err(text)?
    });
    all_hold(&checks)?;
    Ok(frozen)
}

/// [`promised`], where it must be.
pub(super) fn keeps_promises(
    what: &str,
    x0: &[f64],
    shape: &[usize],
    rules: impl Into<RuleSet>,
    op: impl Fn(ScopeTensor<Flex>) -> ScopeTensor<Flex>,
) -> Frozen {
    promised(x0, shape, rules, op).unwrap_or_else(|broken| panic!("{what}: {broken}"))
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
