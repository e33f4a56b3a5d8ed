//! Units and functions of one tensor, against the ONNX standard's own formulas; and the rule each
//! has: exact at x₀ once frozen.

mod made;

use std::sync::Arc;

use burn_backend::{DType, TensorData, ops::FloatTensorOps};
use burn_flex::{Flex, FlexDevice};
use linearscope::{Loaded, Recorded, RuleSet, host};
use made::*;
use onnx_ir::AttributeProto;

fn softplus(x: f64) -> f64 {
    x.exp().ln_1p()
}

fn elu(x: f64, alpha: f64) -> f64 {
    if x > 0.0 { x } else { alpha * x.exp_m1() }
}

fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..80 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

#[test]
fn equal_the_standard_and_freeze_exactly() {
    type Unit = (&'static str, Vec<AttributeProto>, fn(f64) -> f64);
    let units: Vec<Unit> = vec![
        ("Celu", vec![float("alpha", 1.5)], |x| {
            x.max(0.0) + (1.5 * (x / 1.5).exp_m1()).min(0.0)
        }),
        ("Cos", vec![], f64::cos),
        ("Elu", vec![], |x| elu(x, 1.0)),
        ("Elu", vec![float("alpha", 0.5)], |x| elu(x, 0.5)),
        ("Erf", vec![], erf),
        ("Exp", vec![], f64::exp),
        ("Gelu", vec![], |x| 0.5 * x * (1.0 + erf(x / 2f64.sqrt()))),
        ("HardSigmoid", vec![], |x| (0.2 * x + 0.5).clamp(0.0, 1.0)),
        ("HardSwish", vec![], |x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0)),
        ("Reciprocal", vec![], f64::recip),
        ("Selu", vec![], |x| 1.050_701 * elu(x, 1.673_263_2)),
        ("Sin", vec![], f64::sin),
        ("Softplus", vec![], softplus),
        ("Softsign", vec![], |x| x / (1.0 + x.abs())),
        ("ThresholdedRelu", vec![float("alpha", 0.7)], |x| {
            if x > 0.7 { x } else { 0.0 }
        }),
    ];
    let x = [-3.5, -1.25, -0.4, 0.3, 0.9, 2.75f32];
    for (op, attributes, expected) in units {
        let node = node(op, &["x"], "y", attributes);
        let y = run(&[6], vec![node.clone()], vec![], x.to_vec());
        for (x, y) in x.iter().zip(&y) {
            let expected = expected(f64::from(*x));
            let gap = (f64::from(*y) - expected).abs();
            assert!(
                gap < 2e-6 * expected.abs().max(1.0),
                "{op}({x}) is {y}, not {expected}"
            );
        }
        let network = model(&[6], vec![node], vec![])
            .network(&[vec![6]])
            .expect("runs");
        let loaded = Loaded::<Flex>::new(Arc::new(network), FlexDevice, DType::F64).expect("loads");
        let x0 = TensorData::new(x.map(f64::from).to_vec(), [6]);
        let x0 = Flex::float_from_data(x0, &FlexDevice);
        let probe = Flex::float_reshape(x0.clone(), vec![1, 6].into());
        let frozen = Recorded::new(Arc::new(loaded), vec![x0], RuleSet::default())
            .unwrap_or_else(|error| panic!("{op}: {error}"));
        let y1 = host::<Flex>(frozen.affine(&[probe]).expect("applies").remove(0)).unwrap();
        let y0 = host::<Flex>(frozen.reference()[0].clone()).unwrap();
        for (a, b) in y1.iter().zip(&y0) {
            assert!(
                (a - b).abs() <= 1e-12 * b.abs().max(1.0),
                "{op}: {y1:?} {y0:?}"
            );
        }
    }
}

#[test]
fn powers_logarithms_and_roots() {
    let x = vec![0.25, 1.0, 2.5, 7.0f32];
    for (op, expected) in [("Log", f64::ln as fn(f64) -> f64), ("Sqrt", f64::sqrt)] {
        let y = run(&[4], vec![node(op, &["x"], "y", vec![])], vec![], x.clone());
        for (x, y) in x.iter().zip(&y) {
            assert!(
                (f64::from(*y) - expected(f64::from(*x))).abs() < 1e-6,
                "{op}({x}) is {y}"
            );
        }
    }
    for exponent in [2.0, 0.5, -1.0, 3.0f32] {
        let weights = vec![floats("c", &[1], vec![exponent])];
        let y = run(
            &[4],
            vec![node("Pow", &["x", "c"], "y", vec![])],
            weights,
            x.clone(),
        );
        for (x, y) in x.iter().zip(&y) {
            assert!(
                (y - x.powf(exponent)).abs() < 1e-4 * x.powf(exponent),
                "{x}^{exponent}"
            );
        }
    }
    // One exponent an entry.
    let exponents = vec![1.0, 2.0, 0.5, -1.0f32];
    let y = run(
        &[4],
        vec![node("Pow", &["x", "c"], "y", vec![])],
        vec![floats("c", &[4], exponents.clone())],
        x.clone(),
    );
    for ((x, exponent), y) in x.iter().zip(exponents).zip(&y) {
        assert!((y - x.powf(exponent)).abs() < 1e-5, "{x}^{exponent}");
    }
}

#[test]
fn softmaxes_along_an_axis() {
    let x = vec![0.5, -1.0, 2.0, 0.0, 1.0, -0.5f32];
    let along = |op: &str| {
        let node = node(op, &["x"], "y", vec![int("axis", 1)]);
        run(&[2, 3], vec![node], vec![], x.clone())
    };
    let (soft, log) = (along("Softmax"), along("LogSoftmax"));
    for row in 0..2 {
        let part = &x[3 * row..3 * row + 3];
        let sum: f32 = part.iter().map(|v| v.exp()).sum();
        for i in 0..3 {
            assert!((soft[3 * row + i] - part[i].exp() / sum).abs() < 1e-6);
            assert!((log[3 * row + i] - (part[i] - sum.ln())).abs() < 1e-6);
        }
    }
}
