//! Ops of several probed operands: prelu with a probed slope, attention; and dense layers.

use burn_backend::ops::AttentionModuleOptions;

use super::*;

/// The first n entries of a flat tensor and the rest, shaped.
pub(super) fn two(z: ScopeTensor<Flex>, a: &[usize], b: &[usize]) -> [ScopeTensor<Flex>; 2] {
    let (n, m): (usize, usize) = (a.iter().product(), b.iter().product());
    let x = S::float_slice(z.clone(), &[Slice::from(0..n)]);
    let y = S::float_slice(z, &[Slice::from(n..n + m)]);
    [
        S::float_reshape(x, a.to_vec().into()),
        S::float_reshape(y, b.to_vec().into()),
    ]
}

pub(super) fn sigmoid(x: &[f64]) -> Vec<f64> {
    x.iter().map(|v| 1.0 / (1.0 + (-v).exp())).collect()
}

#[test]
fn prelu_with_a_probed_slope() {
    let shape = [2, 3, 4];
    let spread = |alpha: &[f64], i: usize| alpha[i / 4 % 3];
    type Entry = fn(f64, f64, f64, f64) -> f64;
    let cases: [(&str, bool, Entry); 2] = [
        ("prelu, both probed", false, |x0, x1, a0, a1| {
            0.5 * (a0 * x1 + a1 * x0)
        }),
        ("prelu, the slope a gate", true, |_, x1, a0, _| {
            x1 / (1.0 + (-a0).exp())
        }),
    ];
    for (what, gate, left) in cases {
        equals_twin(
            what,
            &[27],
            rules(),
            |z| {
                let [x, alpha] = two(z, &shape, &[1, 3, 1]);
                S::prelu(x, if gate { S::sigmoid(alpha) } else { alpha })
            },
            |z0, z1| {
                (0..24)
                    .map(|i| match z0[i] > 0.0 {
                        true => z1[i],
                        false => left(z0[i], z1[i], spread(&z0[24..], i), spread(&z1[24..], i)),
                    })
                    .collect()
            },
        );
    }
    let x = Random(37).vector(24);
    equals_twin(
        "prelu of a constant",
        &[1, 3, 1],
        rules(),
        |alpha| S::prelu(constant(&x, &shape), alpha),
        linear(|alpha| {
            (0..24)
                .map(|i| {
                    if x[i] > 0.0 {
                        x[i]
                    } else {
                        spread(alpha, i) * x[i]
                    }
                })
                .collect()
        }),
    );
    // At the kink the left part counts: half of x₀ α₁ is 0 there, half of α₀ x₁ is not.
    let frozen = Frozen::new(&[0.0, 0.5], &[2], rules(), |z| {
        let [x, alpha] = two(z, &[1], &[1]);
        S::prelu(x, alpha)
    });
    let frozen = frozen.expect("freezes");
    assert_eq!(frozen.adjoint(&[1.0]), [0.25, 0.0]);
}

#[test]
fn cross_products() {
    // Along the middle axis of [2, 3, 2].
    let shape = [2, 3, 2];
    let naive = |x: &[f64], y: &[f64]| -> Vec<f64> {
        (0..12)
            .map(|o| {
                let of = |i: usize| o / 6 * 6 + i % 3 * 2 + o % 2;
                let (a, b) = (of(o / 2 % 3 + 1), of(o / 2 % 3 + 2));
                x[a] * y[b] - x[b] * y[a]
            })
            .collect()
    };
    let c = Random(43).vector(12);
    equals_twin(
        "x × c",
        &shape,
        rules(),
        |x| S::float_cross(x, constant(&c, &shape), 1),
        linear(|x| naive(x, &c)),
    );
    equals_twin(
        "c × x",
        &shape,
        rules(),
        |x| S::float_cross(constant(&c, &shape), x, 1),
        linear(|x| naive(&c, x)),
    );
    equals_twin(
        "x × y, both probed",
        &[24],
        rules(),
        |z| {
            let [x, y] = two(z, &shape, &shape);
            S::float_cross(x, y, 1)
        },
        |z0, z1| {
            let (left, right) = (naive(&z1[..12], &z0[12..]), naive(&z0[..12], &z1[12..]));
            left.iter().zip(right).map(|(a, b)| (a + b) / 2.0).collect()
        },
    );
    equals_twin(
        "x × y, y a gate",
        &[24],
        rules(),
        |z| {
            let [x, y] = two(z, &shape, &shape);
            S::float_cross(x, S::sigmoid(y), 1)
        },
        |z0, z1| naive(&z1[..12], &sigmoid(&z0[12..])),
    );
}

#[derive(Clone, Copy)]
struct Attention {
    scale: Option<f64>,
    softcap: Option<f64>,
    is_causal: bool,
    masked: bool,
    biased: bool,
}

/// n = 2 pictures, 2 heads, 3 queries, 4 keys, 2 features, 3 values.
const QUERY: [usize; 4] = [2, 2, 3, 2];
const KEY: [usize; 4] = [2, 2, 4, 2];
const VALUE: [usize; 4] = [2, 2, 4, 3];

impl Attention {
    /// Bias and mask of score (picture·head, query, key); all keys of one query are masked.
    fn bias(i: usize) -> f64 {
        ((i * 37) % 11) as f64 / 5.0 - 1.0
    }

    fn hidden(i: usize) -> bool {
        i % 5 == 2 || i / 4 == 7
    }

    fn naive(&self, q: &[f64], k: &[f64], v: &[f64]) -> Vec<f64> {
        let mut y = Vec::new();
        for row in 0..2 * 2 * 3 {
            let (head, query) = (row / 3, row % 3);
            let weights: Vec<f64> = (0..4)
                .map(|key| {
                    let (i, j) = (row * 2, (head * 4 + key) * 2);
                    let dot = q[i] * k[j] + q[i + 1] * k[j + 1];
                    let mut score = dot * self.scale.unwrap_or(0.5f64.sqrt());
                    if let Some(cap) = self.softcap {
                        score = cap * (score / cap).tanh();
                    }
                    let at = row * 4 + key;
                    // The last query sees the last key.
                    if (self.masked && Self::hidden(at)) || (self.is_causal && key > query + 1) {
                        return 0.0;
                    }
                    if self.biased {
                        score += Self::bias(at);
                    }
                    score.exp()
                })
                .collect();
            let total: f64 = weights.iter().sum();
            for e in 0..3 {
                let sum: f64 = (0..4)
                    .map(|key| weights[key] * v[(head * 4 + key) * 3 + e])
                    .sum();
                y.push(if total == 0.0 { 0.0 } else { sum / total });
            }
        }
        y
    }

    fn run(
        &self,
        q: ScopeTensor<Flex>,
        k: ScopeTensor<Flex>,
        v: ScopeTensor<Flex>,
    ) -> ScopeTensor<Flex> {
        let scores = [2, 2, 3, 4];
        let mask = self.masked.then(|| {
            let mask: Vec<bool> = (0..48).map(Self::hidden).collect();
            S::bool_from_data(TensorData::new(mask, scores), &FlexDevice)
        });
        let bias = self.biased.then(|| {
            let bias: Vec<f64> = (0..48).map(Self::bias).collect();
            constant(&bias, &scores)
        });
        let options = AttentionModuleOptions {
            scale: self.scale,
            softcap: self.softcap,
            is_causal: self.is_causal,
        };
        S::attention(q, k, v, mask, bias, options)
    }
}

#[test]
fn attentions() {
    let plain = Attention {
        scale: None,
        softcap: None,
        is_causal: false,
        masked: false,
        biased: false,
    };
    let cases = [
        plain,
        Attention {
            scale: Some(1.3),
            softcap: Some(2.0),
            ..plain
        },
        Attention {
            is_causal: true,
            ..plain
        },
        Attention {
            masked: true,
            biased: true,
            ..plain
        },
    ];
    for (i, case) in cases.into_iter().enumerate() {
        // Queries, keys and values all from the input: weights frozen, values pass.
        equals_twin(
            &format!("attention {i}"),
            &[24 + 32 + 48],
            rules(),
            |z| {
                let [q, rest] = two(z, &QUERY, &[80]);
                let [k, v] = two(rest, &KEY, &VALUE);
                case.run(q, k, v)
            },
            |z0, z1| case.naive(&z0[..24], &z0[24..56], &z1[56..]),
        );
        let q = Random(38).vector(24);
        let k = Random(39).vector(32);
        equals_twin(
            &format!("attention {i}, values alone"),
            &VALUE,
            rules(),
            |v| case.run(constant(&q, &QUERY), constant(&k, &KEY), v),
            linear(|v| case.naive(&q, &k, v)),
        );
    }
    let error = Frozen::new(&[0.1; 24], &QUERY, rules(), |q| {
        plain.run(q, constant(&[0.1; 32], &KEY), constant(&[0.1; 48], &VALUE))
    });
    let error = error.err().expect("refused").to_string();
    assert!(error.contains("its values are constant"), "{error}");
}

/// Dense layers and their backward ops are inherited from Burn: matrix products and a sum.
#[test]
fn dense_layers() {
    let w = Random(40).vector(20);
    let b = Random(41).vector(5);
    let x = Random(42).vector(24);
    let (weight, bias) = (|| constant(&w, &[4, 5]), || constant(&b, &[5]));
    equals_twin(
        "linear",
        &[2, 3, 4],
        rules(),
        |x| S::linear(x, weight(), Some(bias())),
        linear(|x| {
            (0..30)
                .map(|o| {
                    b[o % 5]
                        + (0..4)
                            .map(|i| x[o / 5 * 4 + i] * w[i * 5 + o % 5])
                            .sum::<f64>()
                })
                .collect()
        }),
    );
    equals_twin(
        "linear_x_backward",
        &[2, 3, 5],
        rules(),
        |g| S::linear_x_backward(weight(), g),
        linear(|g| {
            (0..24)
                .map(|o| (0..5).map(|j| g[o / 4 * 5 + j] * w[o % 4 * 5 + j]).sum())
                .collect()
        }),
    );
    equals_twin(
        "linear_weight_backward",
        &[2, 3, 5],
        rules(),
        |g| S::linear_weight_backward(constant(&x, &[2, 3, 4]), g),
        linear(|g| {
            (0..20)
                .map(|o| {
                    (0..6)
                        .map(|row| x[row * 4 + o / 5] * g[row * 5 + o % 5])
                        .sum()
                })
                .collect()
        }),
    );
    equals_twin(
        "linear_bias_backward",
        &[2, 3, 5],
        rules(),
        S::linear_bias_backward,
        linear(|g| {
            (0..5)
                .map(|j| (0..6).map(|row| g[row * 5 + j]).sum())
                .collect()
        }),
    );
}
