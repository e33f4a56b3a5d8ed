//! Products of two probed operands in one op: convolutions with probed weights, in one to three
//! dimensions, and their backward ops; prelu with a probed slope; attention; dense layers.

use burn_backend::ops::AttentionModuleOptions;

use super::*;

/// Every index of a shape, in C order.
fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for &size in shape {
        all = all
            .into_iter()
            .flat_map(|head| (0..size).map(move |i| [&head[..], &[i]].concat()))
            .collect();
    }
    all
}

fn at(shape: &[usize], index: &[usize]) -> usize {
    index
        .iter()
        .zip(shape)
        .fold(0, |flat, (i, size)| flat * size + i)
}

/// A convolution `[n, c, ..] ∗ [o, c/groups, ..]`, or its transpose with weights `[c, o/groups, ..]`.
#[derive(Clone)]
struct Conv {
    xs: Vec<usize>,
    ws: Vec<usize>,
    ys: Vec<usize>,
    stride: Vec<usize>,
    pad: Vec<usize>,
    dilation: Vec<usize>,
    groups: usize,
    transposed: bool,
}

impl Conv {
    /// Σ over all that touches: every (input entry, weight entry, output entry) of the definition.
    fn touch(&self, mut each: impl FnMut(usize, usize, usize)) {
        // The side with the coarse grid, and the one the kernel reaches into.
        let (coarse, fine) = match self.transposed {
            false => (&self.ys, &self.xs),
            true => (&self.xs, &self.ys),
        };
        let (rows, share) = (self.ws[0] / self.groups, self.ws[1]);
        for w in indices(&self.ws) {
            for p in indices(&coarse[2..]) {
                let reached: Vec<usize> = (0..p.len())
                    .map(|d| {
                        (p[d] * self.stride[d] + w[2 + d] * self.dilation[d])
                            .wrapping_sub(self.pad[d])
                    })
                    .collect();
                if reached.iter().zip(&fine[2..]).any(|(r, size)| r >= size) {
                    continue;
                }
                for n in 0..self.xs[0] {
                    let inner = w[0] / rows * share + w[1];
                    let on_coarse = at(coarse, &[&[n, w[0]], &p[..]].concat());
                    let on_fine = at(fine, &[&[n, inner], &reached[..]].concat());
                    match self.transposed {
                        false => each(on_fine, at(&self.ws, &w), on_coarse),
                        true => each(on_coarse, at(&self.ws, &w), on_fine),
                    }
                }
            }
        }
    }

    fn naive(&self, x: &[f64], w: &[f64]) -> Vec<f64> {
        let mut y = vec![0.0; self.ys.iter().product()];
        self.touch(|i, j, o| y[o] += x[i] * w[j]);
        y
    }

    fn x_gradient(&self, w: &[f64], g: &[f64]) -> Vec<f64> {
        let mut x = vec![0.0; self.xs.iter().product()];
        self.touch(|i, j, o| x[i] += g[o] * w[j]);
        x
    }

    fn weight_gradient(&self, x: &[f64], g: &[f64]) -> Vec<f64> {
        let mut w = vec![0.0; self.ws.iter().product()];
        self.touch(|i, j, o| w[j] += g[o] * x[i]);
        w
    }

    fn dims(&self) -> usize {
        self.xs.len() - 2
    }

    fn options<const D: usize>(&self) -> ConvOptions<D> {
        let of = |v: &[usize]| <[usize; D]>::try_from(v).expect("as many as axes");
        ConvOptions::new(
            of(&self.stride),
            of(&self.pad),
            of(&self.dilation),
            self.groups,
        )
    }

    fn transposed_options<const D: usize>(&self) -> ConvTransposeOptions<D> {
        let of = |v: &[usize]| <[usize; D]>::try_from(v).expect("as many as axes");
        let out: Vec<usize> = (0..D)
            .map(|d| {
                let kernel = self.dilation[d] * (self.ws[2 + d] - 1) + 1;
                let size = (self.xs[2 + d] - 1) * self.stride[d] + kernel - 2 * self.pad[d];
                self.ys[2 + d] - size
            })
            .collect();
        ConvTransposeOptions::new(
            of(&self.stride),
            of(&self.pad),
            of(&out),
            of(&self.dilation),
            self.groups,
        )
    }

    fn run(
        &self,
        x: ScopeTensor<Flex>,
        w: ScopeTensor<Flex>,
        bias: Option<ScopeTensor<Flex>>,
    ) -> ScopeTensor<Flex> {
        match (self.transposed, self.dims()) {
            (false, 1) => S::conv1d(x, w, bias, self.options()),
            (false, 2) => S::conv2d(x, w, bias, self.options()),
            (false, _) => S::conv3d(x, w, bias, self.options()),
            (true, 1) => S::conv_transpose1d(x, w, bias, self.transposed_options()),
            (true, 2) => S::conv_transpose2d(x, w, bias, self.transposed_options()),
            (true, _) => S::conv_transpose3d(x, w, bias, self.transposed_options()),
        }
    }

    fn run_x_gradient(&self, w: ScopeTensor<Flex>, g: ScopeTensor<Flex>) -> ScopeTensor<Flex> {
        let x = constant(&vec![0.0; self.xs.iter().product()], &self.xs);
        match (self.transposed, self.dims()) {
            (false, 1) => S::conv1d_x_backward(x, w, g, self.options()),
            (false, 2) => S::conv2d_x_backward(x, w, g, self.options()),
            (false, _) => S::conv3d_x_backward(x, w, g, self.options()),
            (true, 1) => S::conv_transpose1d_x_backward(w, g, self.transposed_options()),
            (true, 2) => S::conv_transpose2d_x_backward(w, g, self.transposed_options()),
            (true, _) => S::conv_transpose3d_x_backward(w, g, self.transposed_options()),
        }
    }

    fn run_weight_gradient(&self, x: ScopeTensor<Flex>, g: ScopeTensor<Flex>) -> ScopeTensor<Flex> {
        let w = constant(&vec![0.0; self.ws.iter().product()], &self.ws);
        match (self.transposed, self.dims()) {
            (false, 1) => S::conv1d_weight_backward(x, w, g, self.options()),
            (false, 2) => S::conv2d_weight_backward(x, w, g, self.options()),
            (false, _) => S::conv3d_weight_backward(x, w, g, self.options()),
            (true, 1) => S::conv_transpose1d_weight_backward(x, w, g, self.transposed_options()),
            (true, 2) => S::conv_transpose2d_weight_backward(x, w, g, self.transposed_options()),
            (true, _) => S::conv_transpose3d_weight_backward(x, w, g, self.transposed_options()),
        }
    }

    fn run_bias_gradient(&self, g: ScopeTensor<Flex>) -> ScopeTensor<Flex> {
        let x = constant(&vec![0.0; self.xs.iter().product()], &self.xs);
        let b = constant(&vec![0.0; self.ys[1]], &[self.ys[1]]);
        match (self.transposed, self.dims()) {
            (false, 1) => S::conv1d_bias_backward(x, b, g),
            (false, 2) => S::conv2d_bias_backward(x, b, g),
            (false, _) => S::conv3d_bias_backward(x, b, g),
            (true, 1) => S::conv_transpose1d_bias_backward(x, b, g),
            (true, 2) => S::conv_transpose2d_bias_backward(x, b, g),
            (true, _) => S::conv_transpose3d_bias_backward(x, b, g),
        }
    }
}

/// Plain and with stride, padding, dilation, groups, batch 2; in one to three dimensions.
fn convs() -> Vec<(String, Conv)> {
    let mut all = Vec::new();
    for dims in 1..=3 {
        let take = |v: [usize; 3]| v[..dims].to_vec();
        let shape = |a: usize, b: usize, v: [usize; 3]| [&[a, b], &v[..dims]].concat();
        for transposed in [false, true] {
            let plain = Conv {
                xs: shape(2, 2, [3, 4, 3]),
                ws: if transposed {
                    shape(2, 3, [2, 2, 2])
                } else {
                    shape(3, 2, [2, 2, 2])
                },
                ys: shape(2, 3, if transposed { [4, 5, 4] } else { [2, 3, 2] }),
                stride: take([1; 3]),
                pad: take([0; 3]),
                dilation: take([1; 3]),
                groups: 1,
                transposed,
            };
            let grouped = Conv {
                xs: shape(2, 4, if transposed { [2, 3, 2] } else { [5, 4, 3] }),
                ws: if transposed {
                    shape(4, 1, [2, 3, 2])
                } else {
                    shape(2, 2, [2, 3, 2])
                },
                // Transposed, the first axis has one more by padding_out.
                ys: shape(2, 2, if transposed { [4, 3, 3] } else { [3, 4, 2] }),
                stride: take([2, 1, 1]),
                pad: take([1, 1, 0]),
                dilation: take([2, 1, 1]),
                groups: 2,
                transposed,
            };
            let kind = if transposed { "transposed " } else { "" };
            all.push((format!("{kind}convolution in {dims} dimensions"), plain));
            all.push((
                format!("grouped {kind}convolution in {dims} dimensions"),
                grouped,
            ));
        }
    }
    all
}

/// The first n entries of a flat tensor and the rest, shaped.
fn two(z: ScopeTensor<Flex>, a: &[usize], b: &[usize]) -> [ScopeTensor<Flex>; 2] {
    let (n, m): (usize, usize) = (a.iter().product(), b.iter().product());
    let x = S::float_slice(z.clone(), &[Slice::from(0..n)]);
    let y = S::float_slice(z, &[Slice::from(n..n + m)]);
    [
        S::float_reshape(x, a.to_vec().into()),
        S::float_reshape(y, b.to_vec().into()),
    ]
}

fn sum(a: Vec<f64>, b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

fn half(a: &[f64]) -> Vec<f64> {
    a.iter().map(|v| v / 2.0).collect()
}

fn sigmoid(x: &[f64]) -> Vec<f64> {
    x.iter().map(|v| 1.0 / (1.0 + (-v).exp())).collect()
}

#[test]
fn convolutions_in_every_dimension() {
    for (what, conv) in convs() {
        let w = Random(31).vector(conv.ws.iter().product());
        equals_twin(
            &what,
            &conv.xs,
            rules(),
            |x| conv.run(x, constant(&w, &conv.ws), None),
            linear(|x| conv.naive(x, &w)),
        );
    }
}

#[test]
fn convolutions_with_probed_weights() {
    for (what, conv) in convs() {
        let (n, m): (usize, usize) = (conv.xs.iter().product(), conv.ws.iter().product());
        let x = Random(32).vector(n);
        let bias = Random(33).vector(conv.ys[1]);
        let spread = |bias: &[f64]| -> Vec<f64> {
            let plane: usize = conv.ys[2..].iter().product();
            let all: usize = conv.ys.iter().product();
            (0..all).map(|i| bias[i / plane % conv.ys[1]]).collect()
        };
        equals_twin(
            &format!("{what}, weight probed"),
            &conv.ws,
            rules(),
            |w| {
                let bias = constant(&bias, &[conv.ys[1]]);
                conv.run(constant(&x, &conv.xs), w, Some(bias))
            },
            linear(|w| sum(conv.naive(&x, w), &spread(&bias))),
        );
        equals_twin(
            &format!("{what}, both probed"),
            &[n + m],
            rules(),
            |z| {
                let [x, w] = two(z, &conv.xs, &conv.ws);
                conv.run(x, w, None)
            },
            |z0, z1| {
                let picture = conv.naive(&z1[..n], &z0[n..]);
                half(&sum(picture, &conv.naive(&z0[..n], &z1[n..])))
            },
        );
        equals_twin(
            &format!("{what}, the weight a gate"),
            &[n + m],
            rules(),
            |z| {
                let [x, w] = two(z, &conv.xs, &conv.ws);
                conv.run(x, S::sigmoid(w), None)
            },
            |z0, z1| conv.naive(&z1[..n], &sigmoid(&z0[n..])),
        );
        let w = Random(34).vector(m);
        equals_twin(
            &format!("{what}, bias probed"),
            &[conv.ys[1]],
            rules(),
            |bias| conv.run(constant(&x, &conv.xs), constant(&w, &conv.ws), Some(bias)),
            linear(|bias| sum(conv.naive(&x, &w), &spread(bias))),
        );
        equals_twin(
            &format!("{what}, picture and bias probed"),
            &[n + conv.ys[1]],
            rules(),
            |z| {
                let [x, bias] = two(z, &conv.xs, &[conv.ys[1]]);
                conv.run(x, constant(&w, &conv.ws), Some(bias))
            },
            linear(|z| sum(conv.naive(&z[..n], &w), &spread(&z[n..]))),
        );
    }
}

#[test]
fn backward_convolutions_are_linear_in_the_gradient() {
    for (what, conv) in convs() {
        let x = Random(35).vector(conv.xs.iter().product());
        let w = Random(36).vector(conv.ws.iter().product());
        equals_twin(
            &format!("{what}, x backward"),
            &conv.ys,
            rules(),
            |g| conv.run_x_gradient(constant(&w, &conv.ws), g),
            linear(|g| conv.x_gradient(&w, g)),
        );
        equals_twin(
            &format!("{what}, weight backward"),
            &conv.ys,
            rules(),
            |g| conv.run_weight_gradient(constant(&x, &conv.xs), g),
            linear(|g| conv.weight_gradient(&x, g)),
        );
        let plane: usize = conv.ys[2..].iter().product();
        equals_twin(
            &format!("{what}, bias backward"),
            &conv.ys,
            rules(),
            |g| conv.run_bias_gradient(g),
            linear(|g| {
                let mut b = vec![0.0; conv.ys[1]];
                g.iter()
                    .enumerate()
                    .for_each(|(i, g)| b[i / plane % conv.ys[1]] += g);
                b
            }),
        );
        // Where something else depends on the input as well, the op says so.
        let error = Frozen::new(&w, &conv.ws, rules(), |w| {
            conv.run_x_gradient(w, constant(&vec![0.0; conv.ys.iter().product()], &conv.ys))
        });
        let error = error.err().expect("refused").to_string();
        assert!(
            error.contains("linear in its output gradient alone"),
            "{error}"
        );
    }
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
