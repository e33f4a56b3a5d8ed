//! Convolutions in one to three dimensions against their definition: with constant and with probed
//! weights, and their backward ops.

use super::{
    bilinear::{sigmoid, two},
    *,
};

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

/// A convolution `[n, c, ..] ∗ [o, c/groups, ..]`, or its transpose with weights
/// `[c, o/groups, ..]`.
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

fn sum(a: Vec<f64>, b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

fn half(a: &[f64]) -> Vec<f64> {
    a.iter().map(|v| v / 2.0).collect()
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
