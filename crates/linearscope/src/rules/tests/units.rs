//! Non-linear units and norms against their slow twins.

use super::*;
use crate::smooth::{Entries, Smooth};

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
    let taylor = Pointwise::Taylor;
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

/// Every smooth unit, by secant and by tangent, from its own definition.
#[test]
fn more_smooth_units() {
    type H = fn(f64) -> f64;
    let taylor = Pointwise::Taylor;
    // Abramowitz and Stegun 7.1.5: the series converges everywhere.
    fn erf(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..80 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }
    fn quarter(x: ScopeTensor<Flex>) -> ScopeTensor<Flex> {
        S::float_mul_scalar(x, scalar(0.25))
    }
    let units: [(&str, Op, H, H); 19] = [
        ("exp", S::float_exp, f64::exp, f64::exp),
        (
            "log1p",
            |x| S::float_log1p(S::float_abs(x)),
            |x| x.abs().ln_1p(),
            |x| x.signum() / (1.0 + x.abs()),
        ),
        ("erf", S::float_erf, erf, |x| {
            std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp()
        }),
        ("sin", S::float_sin, f64::sin, f64::cos),
        ("cos", S::float_cos, f64::cos, |x| -x.sin()),
        (
            "cube",
            |x| S::float_powf_scalar(x, scalar(3.0)),
            |x| x * x * x,
            |x| 3.0 * x * x,
        ),
        (
            "cube by a whole power",
            |x| S::float_powi_scalar(x, Scalar::Int(3)),
            |x| x * x * x,
            |x| 3.0 * x * x,
        ),
        (
            "gelu",
            S::gelu,
            |x| 0.5 * x * (1.0 + erf(x / 2f64.sqrt())),
            |x| {
                let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
                0.5 * (1.0 + erf(x / 2f64.sqrt())) + x * density
            },
        ),
        (
            "log_sigmoid",
            S::log_sigmoid,
            |x| -(-x).exp().ln_1p(),
            |x| 1.0 / (1.0 + x.exp()),
        ),
        (
            "sigmoid",
            S::sigmoid,
            |x| 1.0 / (1.0 + (-x).exp()),
            |x| {
                let y = 1.0 / (1.0 + (-x).exp());
                y * (1.0 - y)
            },
        ),
        ("tanh", S::float_tanh, f64::tanh, |x| 1.0 - x.tanh().powi(2)),
        ("sinh", S::float_sinh, f64::sinh, f64::cosh),
        ("cosh", S::float_cosh, f64::cosh, f64::sinh),
        ("tan", S::float_tan, f64::tan, |x| x.cos().powi(-2)),
        ("atan", S::float_atan, f64::atan, |x| 1.0 / (1.0 + x * x)),
        ("asinh", S::float_asinh, f64::asinh, |x| {
            1.0 / (1.0 + x * x).sqrt()
        }),
        // Into their domain: x/4.
        (
            "asin",
            |x| S::float_asin(quarter(x)),
            |x| (x / 4.0).asin(),
            |x| 0.25 / (1.0 - x * x / 16.0).sqrt(),
        ),
        (
            "acos",
            |x| S::float_acos(quarter(x)),
            |x| (x / 4.0).acos(),
            |x| -0.25 / (1.0 - x * x / 16.0).sqrt(),
        ),
        (
            "atanh",
            |x| S::float_atanh(quarter(x)),
            |x| (x / 4.0).atanh(),
            |x| 0.25 / (1.0 - x * x / 16.0),
        ),
    ];
    for (name, op, h, derivative) in units {
        let secant = move |x0: f64, x1: f64| (h(x0) - h(0.0)) / x0 * x1 + h(0.0);
        let tangent = move |x0: f64, x1: f64| h(x0) + derivative(x0) * (x1 - x0);
        equals_twin(name, &[9], rules(), op, each(secant));
        equals_twin(name, &[9], taylor, op, each(tangent));
    }
    // Not finite at 0, or with an infinite slope there: the tangent by either rule.
    let tangents: [(&str, Op, H, H); 5] = [
        (
            "log",
            |x| S::float_log(S::float_abs(x)),
            |x| x.abs().ln(),
            f64::recip,
        ),
        (
            "sqrt",
            |x| S::float_sqrt(S::float_abs(x)),
            |x| x.abs().sqrt(),
            |x| 0.5 * x.signum() / x.abs().sqrt(),
        ),
        ("recip", S::float_recip, f64::recip, |x| -1.0 / (x * x)),
        (
            "acosh",
            |x| S::float_acosh(S::float_add_scalar(S::float_abs(x), scalar(1.5))),
            |x| (x.abs() + 1.5).acosh(),
            |x| x.signum() / ((x.abs() + 1.5).powi(2) - 1.0).sqrt(),
        ),
        (
            "power",
            |x| S::float_powf_scalar(S::float_abs(x), scalar(1.7)),
            |x| x.abs().powf(1.7),
            |x| 1.7 * x.signum() * x.abs().powf(0.7),
        ),
    ];
    for (name, op, h, derivative) in tangents {
        let tangent = move |x0: f64, x1: f64| h(x0) + derivative(x0) * (x1 - x0);
        equals_twin(name, &[9], rules(), op, each(tangent));
    }
    equals_twin(
        "hard_sigmoid",
        &[9],
        rules(),
        |x| {
            S::hard_sigmoid(
                S::float_mul_scalar(x, scalar(2.0)),
                scalar(0.4),
                scalar(0.5),
            )
        },
        each(|x0, x1| match 0.8 * x0 + 0.5 {
            y if y <= 0.0 => 0.0,
            y if y > 1.0 => 1.0,
            _ => 0.8 * x1 + 0.5,
        }),
    );
}

/// Every row of the table is frozen by the decorator's op for it: with its secant, or its slope, and as a
/// gate where it is one.
#[test]
fn every_row_has_its_op() {
    // Within every domain: acosh has x ≥ 1, asin x ≤ 1.
    for (x0, left_out) in [
        (0.75, &[Smooth::Acosh][..]),
        (1.25, &[Smooth::Asin, Smooth::Acos, Smooth::Atanh]),
    ] {
        for h in Smooth::all() {
            if left_out.contains(&h) {
                continue;
            }
            let y0 = h.of(Entries::<Flex>(tensor(&[x0], &[1])));
            let value = numbers(y0.0.clone());
            for pointwise in [Pointwise::Secant, Pointwise::Taylor] {
                let run = crate::run::Run::paired(pointwise.into(), false);
                let tracer = run.probe(tensor(&[1.0], &[1, 1]), &Shape::from(vec![1]));
                let x = ScopeTensor::traced(tensor(&[x0], &[1]), tracer.expect("fits"));
                let y = h.of(Entries::<S>(x)).0;
                let tracer = y.tracer().cloned().expect("traced");
                assert!(run.error().is_none(), "{h:?}: {:?}", run.error());
                assert_eq!(tracer.is_gate(), h.is_gate(), "{h:?}");
                assert_eq!(numbers(y.into_value()), value, "{h:?}");
                let x = Entries::<Flex>(tensor(&[x0], &[1]));
                let secant = h
                    .secant(x.clone(), y0.clone())
                    .filter(|_| pointwise == Pointwise::Secant);
                let gain = secant.unwrap_or_else(|| h.slope(x, y0.clone()));
                let found = numbers(tracer.into_batch().expect("fits"));
                assert_eq!(found, numbers(gain.0), "{h:?}, {pointwise:?}");
            }
        }
    }
}

/// A branch nobody selects, with an infinite gain, never makes a NaN: elu at large x.
#[test]
fn unselected_branches_stay_silent() {
    let elu: Op = |x| {
        let below = S::float_lower_equal_elem(x.clone(), scalar(0.0), BoolDType::Native);
        let left = S::float_add_scalar(S::float_exp(x.clone()), scalar(-1.0));
        S::float_mask_where(x, below, left)
    };
    let x0 = [800.0, -2.0, 0.5];
    let frozen = Frozen::new(&x0, &[3], rules(), elu).expect("freezes");
    let gain = ((-2.0f64).exp() - 1.0) / -2.0;
    assert_close(
        "elu",
        &frozen.apply(&[1.0, 1.0, 1.0], true),
        &[1.0, gain, 1.0],
        1e-14,
    );
    assert_close(
        "elu, back",
        &frozen.adjoint(&[1.0, 1.0, 1.0]),
        &[1.0, gain, 1.0],
        1e-14,
    );
}

/// Products: the gate is frozen, else half of each; quotients freeze the divisor.
#[test]
fn products_and_gates() {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    equals_twin(
        "silu",
        &[2, 3],
        rules(),
        |x| S::float_mul(x.clone(), S::sigmoid(x)),
        each(move |x0, x1| sigmoid(x0) * x1),
    );
    equals_twin(
        "gate from the left, moved and scaled",
        &[2, 3],
        rules(),
        |x| {
            let gate = S::float_mul_scalar(S::sigmoid(x.clone()), scalar(2.0));
            let gate = S::float_reshape(gate, Shape::from(vec![6]));
            S::float_mul(gate, S::float_reshape(x, Shape::from(vec![6])))
        },
        each(move |x0, x1| 2.0 * sigmoid(x0) * x1),
    );
    equals_twin(
        "hard swish",
        &[2, 3],
        rules(),
        |x| {
            let shifted = S::float_add_scalar(x.clone(), scalar(3.0));
            let gate = S::float_clamp(shifted, scalar(0.0), scalar(6.0));
            S::float_mul(x, S::float_div_scalar(gate, scalar(6.0)))
        },
        each(|x0, x1| (x0 + 3.0).clamp(0.0, 6.0) / 6.0 * x1),
    );
    equals_twin(
        "square",
        &[2, 3],
        rules(),
        |x| S::float_mul(x.clone(), x),
        each(|x0, x1| x0 * x1),
    );
    equals_twin(
        "no gates: half of each",
        &[2, 3],
        rules(),
        |x| S::float_mul(S::float_tanh(x.clone()), x),
        each(|x0, x1| 0.5 * (x0.tanh() / x0 * x1 * x0 + x0.tanh() * x1)),
    );
    equals_twin(
        "a sum with a gate is none",
        &[2, 3],
        rules(),
        |x| S::float_mul(S::float_add_scalar(S::sigmoid(x.clone()), scalar(1.0)), x),
        each(move |x0, x1| {
            let left = (sigmoid(x0) - 0.5) / x0 * x1 + 1.5;
            0.5 * (left * x0 + (sigmoid(x0) + 1.0) * x1)
        }),
    );
    equals_twin(
        "quotient",
        &[2, 3],
        rules(),
        |x| {
            S::float_div(
                S::float_tanh(x.clone()),
                S::float_add_scalar(x, scalar(3.0)),
            )
        },
        each(|x0, x1| x0.tanh() / x0 * x1 / (x0 + 3.0)),
    );
    equals_twin(
        "constant over probed",
        &[2, 3],
        rules(),
        |x| {
            let c = constant(&[1.0, -2.0, 0.5], &[1, 3]);
            S::float_div(c, S::float_add_scalar(x, scalar(3.0)))
        },
        |x0, x1| {
            let c = [1.0, -2.0, 0.5];
            (0..6)
                .map(|i| {
                    let b = x0[i] + 3.0;
                    c[i % 3] / b - c[i % 3] / (b * b) * (x1[i] - x0[i])
                })
                .collect()
        },
    );
    // Broadcast: one gate a channel, as in squeeze-and-excitation.
    equals_twin(
        "squeeze and excite",
        &[1, 2, 3],
        rules(),
        |x| {
            let gate = S::sigmoid(S::float_mean_dim(x.clone(), 2));
            S::float_mul(x, gate)
        },
        move |x0, x1| {
            let mean = |c: usize| x0[3 * c..3 * c + 3].iter().sum::<f64>() / 3.0;
            (0..6).map(|i| sigmoid(mean(i / 3)) * x1[i]).collect()
        },
    );
}

/// √(x² + y²): the tangent, with no source where both sides come from the input, and 0 at 0.
#[test]
fn lengths_of_edges() {
    let edge = |x0: f64, x1: f64, y0: f64, y1: f64| (x0 * x1 + y0 * y1) / x0.hypot(y0);
    equals_twin(
        "both sides, one broadcast",
        &[9],
        rules(),
        |z| {
            let [x, y] = bilinear::two(z, &[2, 3], &[1, 3]);
            S::float_hypot(x, y)
        },
        move |z0, z1| {
            let of = |i: usize| edge(z0[i], z1[i], z0[6 + i % 3], z1[6 + i % 3]);
            (0..6).map(of).collect()
        },
    );
    let c = [0.5, -1.0, 2.0];
    for swapped in [false, true] {
        equals_twin(
            "a constant side",
            &[2, 3],
            rules(),
            |x| {
                let c = constant(&c, &[1, 3]);
                match swapped {
                    false => S::float_hypot(x, c),
                    true => S::float_hypot(c, x),
                }
            },
            move |x0, x1| {
                let of = |i: usize| edge(x0[i], x1[i], c[i % 3], c[i % 3]);
                (0..6).map(of).collect()
            },
        );
    }
    let frozen = Frozen::new(&[0.0, 0.0, 3.0, -4.0], &[4], rules(), |z| {
        let [x, y] = bilinear::two(z, &[2], &[2]);
        S::float_hypot(x, y)
    });
    let frozen = frozen.expect("freezes");
    // (0, 3) and (0, −4).
    assert_eq!(frozen.adjoint(&[1.0, 1.0]), [0.0, 0.0, 1.0, -1.0]);
}

/// softmax, its logarithm, and softmin, each with the log-normaliser of x₀.
#[test]
fn softmaxes() {
    fn normaliser(x0: &[f64], row: usize, sign: f64) -> f64 {
        let sum: f64 = x0[3 * row..3 * row + 3]
            .iter()
            .map(|x| (sign * x).exp())
            .sum();
        sum.ln()
    }
    equals_twin(
        "log_softmax",
        &[2, 3],
        rules(),
        |x| S::log_softmax(x, 1),
        |x0, x1| (0..6).map(|i| x1[i] - normaliser(x0, i / 3, 1.0)).collect(),
    );
    fn twin(x0: &[f64], x1: &[f64], sign: f64) -> Vec<f64> {
        (0..6)
            .map(|i| {
                let l = normaliser(x0, i / 3, sign);
                let (z0, z1) = (sign * x0[i] - l, sign * x1[i] - l);
                (z0.exp() - 1.0) / z0 * z1 + 1.0
            })
            .collect()
    }
    equals_twin(
        "softmax",
        &[2, 3],
        rules(),
        |x| S::softmax(x, 1),
        |x0, x1| twin(x0, x1, 1.0),
    );
    equals_twin(
        "softmin",
        &[2, 3],
        rules(),
        |x| S::softmin(x, 1),
        |x0, x1| twin(x0, x1, -1.0),
    );
    let taylor = Pointwise::Taylor;
    equals_twin(
        "softmax taylor",
        &[2, 3],
        taylor,
        |x| S::softmax(x, 1),
        |x0, x1| {
            (0..6)
                .map(|i| (x0[i] - normaliser(x0, i / 3, 1.0)).exp() * (1.0 + x1[i] - x0[i]))
                .collect()
        },
    );
    // With products' tangents the normaliser follows too: the Jacobian.
    fn jacobian(x0: &[f64], x1: &[f64], i: usize) -> (f64, f64) {
        let weight = |j: usize| (x0[j] - normaliser(x0, i / 3, 1.0)).exp();
        let row = i / 3 * 3..i / 3 * 3 + 3;
        let mean: f64 = row.map(|j| weight(j) * (x1[j] - x0[j])).sum();
        (weight(i), x1[i] - x0[i] - mean)
    }
    equals_twin(
        "softmax, jacobian",
        &[2, 3],
        Rule::Taylor,
        |x| S::softmax(x, 1),
        |x0, x1| {
            let y = |i| {
                let (p, delta) = jacobian(x0, x1, i);
                p * (1.0 + delta)
            };
            (0..6).map(y).collect()
        },
    );
    equals_twin(
        "log_softmax, jacobian",
        &[2, 3],
        Rule::Taylor,
        |x| S::log_softmax(x, 1),
        |x0, x1| {
            let y = |i| {
                let (p, delta) = jacobian(x0, x1, i);
                p.ln() + delta
            };
            (0..6).map(y).collect()
        },
    );
    // Attention: softmax(x xᵀ) x with its weights frozen.
    let x0: Vec<f64> = Random(4).vector(6);
    let attention: Op = |x| {
        let scores = S::float_matmul(x.clone(), S::float_transpose(x.clone()));
        S::float_matmul(S::softmax(scores, 1), x)
    };
    let frozen = keeps_promises("attention", &x0, &[2, 3], rules(), attention);
    let dot = |i: usize, j: usize| (0..3).map(|c| x0[3 * i + c] * x0[3 * j + c]).sum::<f64>();
    let expected: Vec<f64> = (0..6)
        .map(|at| {
            let (i, c) = (at / 3, at % 3);
            let (a, b) = (dot(i, 0).exp(), dot(i, 1).exp());
            (a * f64::from(c == 0) + b * f64::from(c + 3 == 4)) / (a + b)
        })
        .collect();
    let probe = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    assert_close(
        "attention weights",
        &frozen.apply(&probe, false),
        &expected,
        1e-12,
    );
}

/// Gains in f32 against f64 for |x₀| from 1e-8 to 30: neither exactness nor the adjoint sees a
/// bad one. And x₀ = 0 gives h′(0).
#[test]
fn gains_are_accurate_in_f32() {
    let gain = |op: Op, x0: f64, dtype| {
        let data = TensorData::new(vec![x0], [1]).convert_dtype(dtype);
        let run = crate::run::Run::paired(rules(), false);
        let one = TensorData::new(vec![1.0], [1, 1]).convert_dtype(dtype);
        let tracer = run
            .probe(
                Flex::float_from_data(one, &FlexDevice),
                &Shape::from(vec![1]),
            )
            .expect("fits");
        let out = op(ScopeTensor::traced(
            Flex::float_from_data(data, &FlexDevice),
            tracer,
        ));
        numbers(out.tracer().cloned().unwrap().into_batch().unwrap())[0]
    };
    // Where a gain crosses zero, or Burn's own f32 value loses its digits by cancellation (gelu far to
    // the left), the error is held against 1.
    let half = std::f64::consts::FRAC_2_SQRT_PI;
    let ops: [(&str, Op, f64, f64); 17] = [
        ("tanh", S::float_tanh, 1.0, 0.0),
        ("sigmoid", S::sigmoid, 0.25, 0.0),
        ("exp", S::float_exp, 1.0, 0.0),
        ("log1p", |x| S::float_log1p(S::float_abs(x)), 1.0, 0.0),
        ("erf", S::float_erf, half, 0.0),
        ("sin", S::float_sin, 1.0, 1.0),
        ("cos", S::float_cos, 0.0, 1.0),
        ("gelu", S::gelu, 0.5, 1.0),
        ("log_sigmoid", S::log_sigmoid, 0.5, 0.0),
        ("sinh", S::float_sinh, 1.0, 0.0),
        ("cosh", S::float_cosh, 0.0, 0.0),
        ("tan", S::float_tan, 1.0, 0.0),
        ("atan", S::float_atan, 1.0, 0.0),
        ("asinh", S::float_asinh, 1.0, 0.0),
        ("asin", S::float_asin, 1.0, 0.0),
        ("acos", S::float_acos, -1.0, 0.0),
        ("atanh", S::float_atanh, 1.0, 0.0),
    ];
    let bounded = ["asin", "acos", "atanh"];
    for (name, op, at_zero, scale) in ops {
        let found = gain(op, 0.0, burn_backend::DType::F32);
        let slope = if name == "log1p" { -at_zero } else { at_zero };
        assert!(
            (found - slope).abs() <= 1e-7 * slope.abs(),
            "{name} at 0: {found}"
        );
        for step in 0..400 {
            // Exact in f32, so that both dtypes see the same x₀.
            let x0 = f64::from((1e-8 * (30.0f64 / 1e-8).powf(step as f64 / 399.0)) as f32);
            if bounded.contains(&name) && x0 >= 1.0 {
                continue;
            }
            for x0 in [x0, -x0] {
                // Burn's own f32 atanh cancels next to −1; the gain follows the value, exact at x₀.
                if name == "atanh" && x0 < -0.9 {
                    continue;
                }
                let narrow = gain(op, x0, burn_backend::DType::F32);
                let wide = gain(op, x0, burn_backend::DType::F64);
                assert!(
                    (narrow - wide).abs() <= 4e-7 * wide.abs().max(scale),
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
    let std_only = Normalisation::StdOnly;
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
    equals_twin(
        "layer_norm, taylor",
        &[4, 3],
        Normalisation::Taylor,
        layer_norm,
        |x0, x1| {
            (0..12)
                .map(|i| {
                    let row = i / 3 * 3..i / 3 * 3 + 3;
                    let (m0, std) = stats(&x0[row.clone()]);
                    let (m1, _) = stats(&x1[row.clone()]);
                    // y₀ + γ/σ₀ (δ − d₀ mean(d₀ δ)/σ₀²), δ the centred x₁ − x₀.
                    let delta = |i: usize| (x1[i] - m1) - (x0[i] - m0);
                    let along = row.map(|j| (x0[j] - m0) * delta(j)).sum::<f64>() / 3.0;
                    let d0 = x0[i] - m0;
                    let tangent = delta(i) - d0 * along / (std * std);
                    g[i % 3] * (d0 + tangent) / std + b[i % 3]
                })
                .collect()
        },
    );
}
