//! Non-linear units and norms against their slow twins.

use super::*;

#[test]
fn slopes() {
    let shape = [2, 3, 4];
    equals_twin(
        "relu",
        &shape,
        rules(),
        S::relu,
        each(|x0, x1| if x0 > 0.0 { x1 } else { 0.0 }),
    );
    equals_twin(
        "leaky_relu",
        &shape,
        rules(),
        |x| S::leaky_relu(x, scalar(0.1)),
        each(|x0, x1| if x0 > 0.0 { x1 } else { 0.1 * x1 }),
    );
    equals_twin(
        "abs",
        &shape,
        rules(),
        S::float_abs,
        each(|x0, x1| x0.signum() * x1),
    );
    equals_twin(
        "prelu",
        &shape,
        rules(),
        |x| S::prelu(x, constant(&[0.1, -0.2, 0.3], &[1, 3, 1])),
        |x0, x1| {
            let slope = [0.1, -0.2, 0.3];
            (0..24)
                .map(|i| {
                    if x0[i] > 0.0 {
                        x1[i]
                    } else {
                        slope[i / 4 % 3] * x1[i]
                    }
                })
                .collect()
        },
    );
    equals_twin(
        "clamp",
        &shape,
        rules(),
        |x| S::float_clamp(x, scalar(-1.0), scalar(0.5)),
        each(|x0, x1| {
            if x0 < -1.0 {
                -1.0
            } else if x0 > 0.5 {
                0.5
            } else {
                x1
            }
        }),
    );
    equals_twin(
        "clamp_min",
        &shape,
        rules(),
        |x| S::float_clamp_min(x, scalar(0.2)),
        each(|x0, x1| if x0 < 0.2 { 0.2 } else { x1 }),
    );
    equals_twin(
        "clamp_max",
        &shape,
        rules(),
        |x| S::float_clamp_max(x, scalar(0.2)),
        each(|x0, x1| if x0 > 0.2 { 0.2 } else { x1 }),
    );
}

/// At a kink the left slope counts, and the value is exact.
#[test]
fn kinks_take_the_left_slope() {
    let at_zero = |op: Op| {
        let frozen = Frozen::new(&[0.0], &[1], rules(), op).expect("freezes");
        (
            frozen.apply(&[1.0], false)[0],
            frozen.apply(&[0.0], true)[0],
        )
    };
    assert_eq!(at_zero(S::relu), (0.0, 0.0));
    assert_eq!(at_zero(S::float_abs), (-1.0, 0.0));
    assert_eq!(
        at_zero(|x| S::leaky_relu(x, Scalar::Float(0.1))),
        (0.1, 0.0)
    );
}

#[test]
fn smooth_units() {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let taylor = RuleSet {
        pointwise: Pointwise::Taylor,
        ..rules()
    };
    equals_twin(
        "tanh secant",
        &[7],
        rules(),
        S::float_tanh,
        each(|x0, x1| x0.tanh() / x0 * x1),
    );
    equals_twin(
        "tanh taylor",
        &[7],
        taylor,
        S::float_tanh,
        each(|x0, x1| x0.tanh() + (1.0 - x0.tanh().powi(2)) * (x1 - x0)),
    );
    equals_twin(
        "sigmoid secant",
        &[7],
        rules(),
        S::sigmoid,
        each(move |x0, x1| 0.5 + (sigmoid(x0) - 0.5) / x0 * x1),
    );
    equals_twin(
        "sigmoid taylor",
        &[7],
        taylor,
        S::sigmoid,
        each(move |x0, x1| {
            let y = sigmoid(x0);
            y + y * (1.0 - y) * (x1 - x0)
        }),
    );
}

/// Gains in f32 against f64 for |x₀| from 1e-8 to 30: neither exactness nor the adjoint sees a
/// bad one. And x₀ = 0 gives h′(0).
#[test]
fn gains_are_accurate_in_f32() {
    let gain = |op: Op, x0: f64, dtype| {
        let data = TensorData::new(vec![x0], [1]).convert_dtype(dtype);
        let scope = crate::scope::Scope::paired(rules(), false);
        let one = TensorData::new(vec![1.0], [1, 1]).convert_dtype(dtype);
        let probe = scope
            .probe(
                Flex::float_from_data(one, &FlexDevice),
                &Shape::from(vec![1]),
            )
            .expect("fits");
        let out = op(ScopeTensor::probed(
            Flex::float_from_data(data, &FlexDevice),
            probe,
        ));
        numbers(out.probe().cloned().unwrap().into_batch().unwrap())[0]
    };
    let ops: [(&str, Op, f64); 2] = [("tanh", S::float_tanh, 1.0), ("sigmoid", S::sigmoid, 0.25)];
    for (name, op, at_zero) in ops {
        assert_eq!(gain(op, 0.0, burn_backend::DType::F32), at_zero);
        for step in 0..400 {
            // Exact in f32, so that both dtypes see the same x₀.
            let x0 = f64::from((1e-8 * (30.0f64 / 1e-8).powf(step as f64 / 399.0)) as f32);
            for x0 in [x0, -x0] {
                let narrow = gain(op, x0, burn_backend::DType::F32);
                let wide = gain(op, x0, burn_backend::DType::F64);
                assert!(
                    (narrow - wide).abs() <= 4e-7 * wide.abs(),
                    "{name} at {x0:e}: f32 gain {narrow}, f64 gain {wide}"
                );
            }
        }
    }
}

#[test]
fn norms() {
    let xs = [2, 3, 2, 2];
    let (g, b, m, v) = (
        [1.5, -0.5, 2.0],
        [0.1, 0.2, 0.3],
        [0.5, -1.0, 0.0],
        [1.0, 4.0, 0.25],
    );
    equals_twin(
        "batch_norm",
        &xs,
        rules(),
        |x| {
            let [g, b, m, v] = [g, b, m, v].map(|p| constant(&p, &[3]));
            S::batch_norm(x, g, b, m, v, 1e-3)
        },
        linear(|x| {
            (0..24)
                .map(|i| {
                    let c = i / 4 % 3;
                    g[c] * (x[i] - m[c]) / (v[c] + 1e-3f64).sqrt() + b[c]
                })
                .collect()
        }),
    );
    let stats = |x: &[f64]| {
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let var = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / x.len() as f64;
        (mean, (var + 1e-3).sqrt())
    };
    let layer_norm = |x| S::layer_norm(x, constant(&g, &[3]), Some(constant(&b, &[3])), 1e-3);
    equals_twin("layer_norm", &[4, 3], rules(), layer_norm, |x0, x1| {
        (0..12)
            .map(|i| {
                let (mean, std) = stats(&x0[i / 3 * 3..i / 3 * 3 + 3]);
                g[i % 3] * (x1[i] - mean) / std + b[i % 3]
            })
            .collect()
    });
    let std_only = RuleSet {
        normalisation: Normalisation::StdOnly,
        ..rules()
    };
    equals_twin(
        "layer_norm, std only",
        &[4, 3],
        std_only,
        layer_norm,
        |x0, x1| {
            (0..12)
                .map(|i| {
                    let row = i / 3 * 3..i / 3 * 3 + 3;
                    let (_, std) = stats(&x0[row.clone()]);
                    let (mean, _) = stats(&x1[row]);
                    g[i % 3] * (x1[i] - mean) / std + b[i % 3]
                })
                .collect()
        },
    );
}
