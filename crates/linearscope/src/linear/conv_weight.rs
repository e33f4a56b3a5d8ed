//! Convolutions and transposed convolutions as functions of their *weight*: y = w ∗ x for a frozen
//! x.
//!
//! k probes of the weight are one convolution of x with k times as many output channels (on the host, k
//! convolutions). They lie within each group, because a group's channels must be neighbours. The adjoint is Burn's
//! backward convolution with respect to the weight.

use std::sync::Arc;

use burn_backend::{
    Backend, Shape, Slice, TensorMetadata,
    ops::{ConvOptions, ConvTransposeOptions},
    tensor::FloatTensor,
};

use super::{
    Cut, Filters, LinearMap, Locality, Region, Restricted, Storage, Stored, Structure, Transform,
    Weighted, batch, direct, locality::everywhere, unstopped,
};
use crate::{coefficient::Coefficient, interrupt::Interrupt};

/// What is asked of maps whose weights are the picture `x`, alike.
macro_rules! of_a_picture {
    ($name:ident) => {
        impl<B: Backend> Storage<B> for $name<B> {
            fn stored(&self) -> Stored {
                Stored::of(&self.x)
            }
        }

        impl<B: Backend> Weighted<B> for $name<B> {
            fn with_weights(&self, transform: Transform) -> Arc<dyn LinearMap<B>> {
                Arc::new(Self {
                    x: self.x.clone().map(|x| transform.of::<B>(x)),
                    options: self.options.clone(),
                    weight: self.weight.clone(),
                })
            }

            fn filters(&self) -> Option<Filters<'_, B>> {
                None
            }

            fn adjoint_has_gradient(&self) -> bool {
                true
            }
        }
    };
}

/// Exchange two neighbouring blocks of axes: `[a, b, c, ..rest] → [b, a, c, ..rest]` given a, b, c.
fn exchange<B: Backend>(x: FloatTensor<B>, [a, b, c]: [usize; 3]) -> FloatTensor<B> {
    let rest = x.shape().num_elements() / (a * b * c);
    let x = B::float_reshape(x, Shape::from(vec![a, b, c, rest]));
    B::float_permute(x, &[1, 0, 2, 3])
}

/// `[n, groups·k·share, ..] → [k, n, groups·share, ..]`.
fn by_probe<B: Backend>(y: FloatTensor<B>, k: usize, groups: usize) -> FloatTensor<B> {
    let mut shape = y.shape();
    let n = shape[0];
    let share = shape[1] / (groups * k);
    let y = B::float_reshape(
        y,
        Shape::from(vec![n * groups, k, shape.num_elements() / (n * groups * k)]),
    );
    let y = B::float_swap_dims(y, 0, 1);
    shape[1] = groups * share;
    B::float_reshape(y, batch::shape_of(k, &shape))
}

/// Undo [`by_probe`].
fn by_group<B: Backend>(y: FloatTensor<B>, groups: usize) -> FloatTensor<B> {
    let shape = y.shape();
    let (k, n) = (shape[0], shape[1]);
    let y = B::float_reshape(
        y,
        Shape::from(vec![k, n * groups, shape.num_elements() / (k * n * groups)]),
    );
    let y = B::float_swap_dims(y, 0, 1);
    let mut dims = shape[1..].to_vec();
    dims[1] *= k;
    B::float_reshape(y, Shape::from(dims))
}

/// `work` on k probes, on the host one after the other: side by side they would be channels of one
/// convolution, and the backend sums in an order that suits how many there are. Once `interrupt` is stopped
/// the rest is what the first one was.
pub(crate) fn singly<B: Backend>(
    x: FloatTensor<B>,
    interrupt: &Interrupt,
    work: impl Fn(FloatTensor<B>) -> FloatTensor<B>,
) -> FloatTensor<B> {
    let shape = x.shape();
    let k = shape[0];
    if k == 1 || !direct::on_host::<B>(&x.device()) {
        return work(x);
    }
    let one = |row: usize| {
        let mut ranges: Vec<Slice> = shape.iter().map(|&size| Slice::from(0..size)).collect();
        ranges[0] = Slice::from(row..row + 1);
        work(B::float_slice(x.clone(), &ranges))
    };
    let mut made = vec![one(0)];
    for row in 1..k {
        made.push(match interrupt.is_stopped() {
            true => made[0].clone(),
            false => one(row),
        });
    }
    B::float_cat(made, 0)
}

macro_rules! conv_weight {
    ($name:ident, $dims:literal, $label:literal, $apply:ident, $adjoint:ident) => {
        #[doc = concat!("`", $label, "` of a frozen `[n, c, ..]` with probed weights `[o, c/groups, ..]`.")]
        #[derive(Debug)]
        pub(crate) struct $name<B: Backend> {
            pub x: Coefficient<FloatTensor<B>>,
            pub options: ConvOptions<$dims>,
            pub weight: Shape,
        }

        impl<B: Backend> LinearMap<B> for $name<B> {
            fn name(&self) -> &'static str {
                concat!($label, " weight")
            }

            unstopped!();

            fn apply_until(&self, w: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
                singly::<B>(w, interrupt, |w| {
                    let (k, groups) = (w.shape()[0], self.options.groups);
                    let mut shape = self.weight.clone();
                    let w = exchange::<B>(w, [k, groups, shape[0] / groups]);
                    shape[0] *= k;
                    let w = B::float_reshape(w, shape);
                    let y = B::$apply(self.x.value().clone(), w, None, self.options.clone());
                    by_probe::<B>(y, k, groups)
                })
            }

            fn adjoint_until(&self, y: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
                singly::<B>(y, interrupt, |y| {
                    let (k, groups) = (y.shape()[0], self.options.groups);
                    let y = by_group::<B>(y, groups);
                    let like = batch::shape_only::<B>(&y, k, &self.weight);
                    let w = B::$adjoint(self.x.value().clone(), like, y, self.options.clone());
                    let w = exchange::<B>(w, [groups, k, self.weight[0] / groups]);
                    B::float_reshape(w, batch::shape_of(k, &self.weight))
                })
            }

            fn structure(&self) -> Structure<'_, B> {
                Structure::Weighted(self)
            }
        }

        of_a_picture!($name);

        impl<B: Backend> Locality<B> for $name<B> {
            fn flops(&self, _weight: &Shape, output: &Shape) -> u64 {
                let window = self.weight.num_elements() / self.weight[0];
                2 * (output.num_elements() * window) as u64
            }
            everywhere!();
        }
    };
}

macro_rules! conv_transpose_weight {
    ($name:ident, $dims:literal, $label:literal, $apply:ident, $adjoint:ident) => {
        #[doc = concat!("`", $label, "` of a frozen `[n, c, ..]` with probed weights `[c, o/groups, ..]`.")]
        #[derive(Debug)]
        pub(crate) struct $name<B: Backend> {
            pub x: Coefficient<FloatTensor<B>>,
            pub options: ConvTransposeOptions<$dims>,
            pub weight: Shape,
        }

        impl<B: Backend> LinearMap<B> for $name<B> {
            fn name(&self) -> &'static str {
                concat!($label, " weight")
            }

            unstopped!();

            fn apply_until(&self, w: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
                singly::<B>(w, interrupt, |w| {
                    let k = w.shape()[0];
                    let mut shape = self.weight.clone();
                    let w = exchange::<B>(w, [k, shape[0], shape[1]]);
                    shape[1] *= k;
                    let w = B::float_reshape(w, shape);
                    let y = B::$apply(self.x.value().clone(), w, None, self.options.clone());
                    by_probe::<B>(y, k, self.options.groups)
                })
            }

            fn adjoint_until(&self, y: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
                singly::<B>(y, interrupt, |y| {
                    let k = y.shape()[0];
                    let y = by_group::<B>(y, self.options.groups);
                    let mut shape = self.weight.clone();
                    shape[1] *= k;
                    let like = B::float_empty(shape, &y.device(), y.dtype().into());
                    let w = B::$adjoint(self.x.value().clone(), like, y, self.options.clone());
                    let w = exchange::<B>(w, [self.weight[0], k, self.weight[1]]);
                    B::float_reshape(w, batch::shape_of(k, &self.weight))
                })
            }

            fn structure(&self) -> Structure<'_, B> {
                Structure::Weighted(self)
            }
        }

        of_a_picture!($name);

        impl<B: Backend> Locality<B> for $name<B> {
            fn flops(&self, _weight: &Shape, _output: &Shape) -> u64 {
                let picture = self.x.value().shape().num_elements();
                2 * (picture * self.weight.num_elements() / self.weight[0]) as u64
            }
            everywhere!();
        }
    };
}

conv_weight!(Conv1dWeight, 1, "conv1d", conv1d, conv1d_weight_backward);
conv_weight!(Conv2dWeight, 2, "conv2d", conv2d, conv2d_weight_backward);
conv_weight!(Conv3dWeight, 3, "conv3d", conv3d, conv3d_weight_backward);
conv_transpose_weight!(
    ConvTranspose1dWeight,
    1,
    "conv_transpose1d",
    conv_transpose1d,
    conv_transpose1d_weight_backward
);
conv_transpose_weight!(
    ConvTranspose2dWeight,
    2,
    "conv_transpose2d",
    conv_transpose2d,
    conv_transpose2d_weight_backward
);
conv_transpose_weight!(
    ConvTranspose3dWeight,
    3,
    "conv_transpose3d",
    conv_transpose3d,
    conv_transpose3d_weight_backward
);
