//! Kernels for one convolution, chosen once.
//!
//! A convolution of stride 1 is also a transposed convolution, and its adjoint also a convolution,
//! with weights flipped and their channels exchanged. Which of the two a backend does faster depends
//! on the channels: one gathers k² inputs for each output, the other scatters k² outputs for each
//! input.

use std::sync::Arc;

use burn_backend::{
    Backend, Shape, TensorMetadata, ops::ConvTransposeOptions, tensor::FloatTensor,
};

use super::{
    Cut, Filters, LinearMap, Locality, Region, Restricted, Storage, Stored, Structure, Transform,
    Weighted, batch, conv::Conv2d, locality::as_plain, structure::weighted_as_plain,
};
use crate::coefficient::Coefficient;

/// How one direction is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    /// As the network does it: `conv2d`, and `conv2d_x_backward` for the adjoint.
    Plain,
    /// With the turned weights: a transposed convolution, and a convolution for the adjoint.
    Turned,
}

/// `conv2d` of stride 1 with a kernel for each direction; input `[n, c, h, w]`.
#[derive(Debug)]
pub(crate) struct ConvolutionKernels<B: Backend> {
    plain: Conv2d<B>,
    /// `[c_in, c_out, kh, kw]`, flipped.
    turned: FloatTensor<B>,
    /// Padding of the turned kernels: d(k − 1) − p.
    padding: [(usize, usize); 2],
    forward: Kernel,
    adjoint: Kernel,
}

/// Bytes of scattered columns that stay in a core's cache.
const CACHED: usize = 2 << 20;

/// A direction of a convolution: channels in and out, cells of a window, bytes of a plane.
#[derive(Clone, Copy, Debug)]
struct Direction {
    from: usize,
    to: usize,
    window: usize,
    plane: usize,
}

impl Direction {
    /// Gathering lays out `from · window` inputs for each cell, scattering adds up `to · window`
    /// outputs. See `docs/book/src/performance.md` for the measurement.
    fn scatters(self) -> bool {
        let Self {
            from,
            to,
            window,
            plane,
        } = self;
        // A window of one cell is a product of matrices, and few channels to few have a kernel of
        // their own that lays out nothing.
        if window == 1 || (from <= 4 && to <= 16) {
            return false;
        }
        4 * to <= from || to * window * plane <= CACHED
    }
}

/// Which kernel is faster for `[forward, adjoint]`. The network's own forward is kept but for few
/// outputs, where what is gathered does not stay in the cache while it serves them.
fn faster(shape: &Shape, input: &Shape, size: usize) -> [Kernel; 2] {
    let (c_out, c_in, window) = (shape[0], shape[1], shape[2] * shape[3]);
    let plane = input[2] * input[3] * size;
    let direction = |from, to| Direction {
        from,
        to,
        window,
        plane,
    };
    let choose = |turned: bool| {
        if turned {
            Kernel::Turned
        } else {
            Kernel::Plain
        }
    };
    [
        choose(c_out <= 8 && 4 * c_out <= c_in && direction(c_in, c_out).scatters()),
        choose(!direction(c_out, c_in).scatters()),
    ]
}

impl<B: Backend> ConvolutionKernels<B> {
    /// `None` where the network's own kernels are the faster ones.
    pub(crate) fn new(plain: Conv2d<B>) -> Option<Self> {
        let weight = plain.weight.value();
        let mut kernels = faster(&weight.shape(), &plain.input, weight.dtype().size());
        if plain.options.is_asymmetric() {
            kernels[0] = Kernel::Plain;
        }
        (kernels != [Kernel::Plain; 2])
            .then(|| Self::with(plain, kernels))
            .flatten()
    }

    /// With given kernels; `None` where the convolution has no turned form.
    fn with(plain: Conv2d<B>, [forward, adjoint]: [Kernel; 2]) -> Option<Self> {
        let (weight, options) = (plain.weight.value(), &plain.options);
        let shape = weight.shape();
        if options.groups != 1 || options.stride != [1, 1] {
            return None;
        }
        let mut padding = [(0, 0); 2];
        for axis in 0..2 {
            let span = options.dilation[axis] * (shape[axis + 2] - 1);
            let (begin, end) = options.padding[axis];
            padding[axis] = (span.checked_sub(begin)?, span.checked_sub(end)?);
        }
        if forward == Kernel::Turned && padding.iter().any(|(a, b)| a != b) {
            return None;
        }
        let flipped = B::float_flip(weight.clone(), &[2, 3]);
        Some(Self {
            turned: contiguous::<B>(B::float_swap_dims(flipped, 0, 1)),
            plain,
            padding,
            forward,
            adjoint,
        })
    }
}

/// The same numbers in C order: a copy made once here and not in every replay.
fn contiguous<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let shape = x.shape();
    let zeros = B::float_zeros(shape, &x.device(), x.dtype().into());
    B::float_add(zeros, x)
}

impl<B: Backend> LinearMap<B> for ConvolutionKernels<B> {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        if self.forward == Kernel::Plain {
            return self.plain.apply(x);
        }
        let (x, k) = batch::merge::<B>(x);
        let options = ConvTransposeOptions::new(
            [1, 1],
            self.padding.map(|(begin, _)| begin),
            [0, 0],
            self.plain.options.dilation,
            1,
        );
        let y = B::conv_transpose2d(x, self.turned.clone(), None, options);
        batch::split::<B>(y, k)
    }

    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        if self.adjoint == Kernel::Plain {
            return self.plain.adjoint(y);
        }
        let (y, k) = batch::merge::<B>(y);
        let mut options = self.plain.options.clone();
        options.padding = self.padding;
        let x = B::conv2d(y, self.turned.clone(), None, options);
        batch::split::<B>(x, k)
    }

    fn structure(&self) -> Structure<'_, B> {
        Structure::Weighted(self)
    }
}

impl<B: Backend> Storage<B> for ConvolutionKernels<B> {
    fn stored(&self) -> Stored {
        self.plain.stored_twice()
    }
}

impl<B: Backend> Weighted<B> for ConvolutionKernels<B> {
    weighted_as_plain!();

    fn adjoint_has_gradient(&self) -> bool {
        true
    }
}

impl<B: Backend> Locality<B> for ConvolutionKernels<B> {
    as_plain!();
}

#[cfg(test)]
mod tests {
    use burn_backend::{
        TensorData,
        ops::{ConvOptions, FloatTensorOps},
    };
    use burn_flex::{Flex, FlexDevice};

    use super::*;

    fn numbers(len: usize, seed: usize) -> Vec<f64> {
        (0..len)
            .map(|i| ((i * 37 + seed * 11) % 19) as f64 / 9.0 - 1.0)
            .collect()
    }

    fn tensor(shape: &[usize], seed: usize) -> burn_flex::FlexTensor {
        let values = numbers(shape.iter().product(), seed);
        Flex::float_from_data(TensorData::new(values, shape.to_vec()), &FlexDevice)
    }

    #[test]
    fn turned_kernels_are_the_same_map() {
        for (size, padding, dilation) in [
            ([1, 1], [(0, 0), (0, 0)], [1, 1]),
            ([3, 3], [(1, 1), (1, 1)], [1, 1]),
            ([3, 5], [(0, 0), (2, 2)], [1, 1]),
            ([2, 3], [(1, 1), (2, 2)], [1, 2]),
            ([3, 3], [(2, 1), (0, 2)], [2, 1]),
        ] {
            let weight = tensor(&[4, 3, size[0], size[1]], 1);
            let input = Shape::from(vec![2, 3, 8, 9]);
            let mut options = ConvOptions::new([1, 1], [0, 0], dilation, 1);
            options.padding = padding;
            let convolution = || Conv2d::<Flex> {
                weight: Coefficient::weight(weight.clone()),
                options: options.clone(),
                input: input.clone(),
                direct: Default::default(),
            };
            let plain = convolution();
            let x = tensor(&[5, 2, 3, 8, 9], 2);
            let y = plain.apply(x.clone());
            let q = tensor(&y.shape().to_vec(), 3);
            let expected = [plain.apply(x.clone()), plain.adjoint(q.clone())];
            for kernels in [
                [Kernel::Plain, Kernel::Turned],
                [Kernel::Turned, Kernel::Plain],
                [Kernel::Turned, Kernel::Turned],
            ] {
                let symmetric = padding.iter().all(|(a, b)| a == b);
                let found = ConvolutionKernels::<Flex>::with(convolution(), kernels);
                let Some(found) = found else {
                    assert!(!symmetric && kernels[0] == Kernel::Turned);
                    continue;
                };
                let made = [found.apply(x.clone()), found.adjoint(q.clone())];
                for (made, expected) in made.into_iter().zip(expected.clone()) {
                    let made = crate::host::<Flex>(made).expect("reads");
                    let expected = crate::host::<Flex>(expected).expect("reads");
                    assert_eq!(made.len(), expected.len());
                    for (a, b) in made.iter().zip(&expected) {
                        assert!((a - b).abs() < 1e-12, "{size:?} {padding:?}: {a} and {b}");
                    }
                }
            }
        }
    }
}
