//! Convolutions that replay by the direct kernel.

use std::sync::Arc;

use burn_backend::{Backend, Shape, TensorMetadata, tensor::FloatTensor};

use super::{Direct, Way};
use crate::{
    coefficient::Coefficient,
    interrupt::Interrupt,
    linear::{
        Amount, Cut, Filters, LinearMap, Locality, Region, Restricted, Storage, Stored, Structure,
        Transform, Weighted,
        conv::{Conv2d, ConvTranspose2d, Convolution},
        locality::as_plain,
        structure::weighted_as_plain,
        unstopped,
    },
};

/// What the kernel asks of a convolution in two dimensions.
pub(in crate::linear) trait Windowed {
    /// Which way it goes forwards.
    const FORWARD: Way;

    /// Padding before the first row and column.
    fn before(&self) -> [usize; 2];

    /// The size of what it makes of a picture.
    fn made(&self, size: [usize; 2]) -> [usize; 2];

    /// The size of the picture that it makes this of.
    fn read(&self, size: [usize; 2]) -> [usize; 2];
}

impl<B: Backend> Windowed for Conv2d<B> {
    const FORWARD: Way = Way::Gather;

    fn before(&self) -> [usize; 2] {
        self.options.padding.map(|(before, _)| before)
    }

    fn made(&self, size: [usize; 2]) -> [usize; 2] {
        let shape = self.weight.value().shape();
        [0, 1].map(|axis| {
            let (before, after) = self.options.padding[axis];
            let span = self.options.dilation[axis] * (shape[axis + 2] - 1) + 1;
            (size[axis] + before + after - span) / self.options.stride[axis] + 1
        })
    }

    fn read(&self, _size: [usize; 2]) -> [usize; 2] {
        [self.input[2], self.input[3]]
    }
}

impl<B: Backend> Windowed for ConvTranspose2d<B> {
    const FORWARD: Way = Way::Scatter;

    fn before(&self) -> [usize; 2] {
        self.options.padding
    }

    fn made(&self, size: [usize; 2]) -> [usize; 2] {
        let shape = self.weight.value().shape();
        [0, 1].map(|axis| {
            let span = self.options.dilation[axis] * (shape[axis + 2] - 1) + 1;
            (size[axis] - 1) * self.options.stride[axis] + span + self.options.padding_out[axis]
                - 2 * self.options.padding[axis]
        })
    }

    fn read(&self, size: [usize; 2]) -> [usize; 2] {
        let shape = self.weight.value().shape();
        [0, 1].map(|axis| {
            let span = self.options.dilation[axis] * (shape[axis + 2] - 1) + 1;
            (size[axis] + 2 * self.options.padding[axis] - span) / self.options.stride[axis] + 1
        })
    }
}

/// A convolution and both ways of its weights.
#[derive(Debug)]
pub(in crate::linear) struct OnHost<M> {
    plain: M,
    /// Gathering and scattering.
    ways: [Direct; 2],
}

impl<M> OnHost<M> {
    pub(in crate::linear) fn new(plain: M, ways: &[Direct; 2]) -> Self {
        Self {
            plain,
            ways: ways.clone(),
        }
    }

    fn way(&self, way: Way) -> &Direct {
        match way {
            Way::Gather => &self.ways[0],
            Way::Scatter => &self.ways[1],
        }
    }
}

impl<M: Windowed> OnHost<M> {
    /// What it makes of x `[n, c, h, w]`, with a bias `[c]`; numbers that mean nothing once `interrupt` is stopped.
    pub(in crate::linear) fn value<B: Backend>(
        &self,
        x: &FloatTensor<B>,
        bias: Option<&FloatTensor<B>>,
        interrupt: &Interrupt,
    ) -> FloatTensor<B>
    where
        M: Convolution<B>,
    {
        let shape = x.shape();
        let made = self.plain.made([shape[2], shape[3]]);
        let weight = self.plain.weight().value();
        self.way(M::FORWARD)
            .pictures::<B>((weight, bias), x, self.plain.before(), made, interrupt)
    }
}

/// Height and width of `[k, n, c, h, w]`.
fn size<T: TensorMetadata>(x: &T) -> [usize; 2] {
    let shape = x.shape();
    [shape[3], shape[4]]
}

impl<B: Backend, M: Convolution<B> + Windowed> LinearMap<B> for OnHost<M> {
    fn name(&self) -> &'static str {
        self.plain.name()
    }

    unstopped!();

    fn apply_until(&self, x: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
        let made = self.plain.made(size(&x));
        let weight = self.plain.weight().value();
        self.way(M::FORWARD)
            .run::<B>(weight, x, self.plain.before(), made, interrupt)
    }

    fn adjoint_until(&self, y: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
        let read = self.plain.read(size(&y));
        let weight = self.plain.weight().value();
        self.way(M::FORWARD.reversed())
            .run::<B>(weight, y, self.plain.before(), read, interrupt)
    }

    fn structure(&self) -> Structure<'_, B> {
        Structure::Weighted(self)
    }
}

impl<B: Backend, M: Convolution<B>> Storage<B> for OnHost<M> {
    fn stored(&self) -> Stored {
        let dtype = self.plain.weight().value().dtype();
        let packed = Amount {
            bytes: self.ways.iter().map(|way| way.bytes(dtype)).sum(),
            coefficients: 0,
        };
        let packed = Stored::amount(self.plain.weight().origin(), packed);
        self.plain.stored().and(packed)
    }
}

impl<B: Backend, M: Convolution<B>> Weighted<B> for OnHost<M> {
    weighted_as_plain!();

    /// It is not used on a device whose ops go on a tape.
    fn adjoint_has_gradient(&self) -> bool {
        false
    }
}

impl<B: Backend, M: Convolution<B>> Locality<B> for OnHost<M> {
    as_plain!();
}

#[cfg(test)]
mod tests {
    use burn_backend::{
        DType, TensorData,
        ops::{ConvOptions, ConvTransposeOptions, FloatTensorOps, ModuleOps},
    };
    use burn_flex::{Flex, FlexDevice, FlexTensor};

    use super::*;
    use crate::linear::{Conv1d, ConvTranspose1d};

    fn tensor(shape: &[usize], seed: usize, dtype: DType) -> FlexTensor {
        let values: Vec<f64> = (0..shape.iter().product())
            .map(|i| ((i * 37 + seed * 11) % 19) as f64 / 9.0 - 1.0)
            .collect();
        let data = TensorData::new(values, shape.to_vec()).convert_dtype(dtype);
        Flex::float_from_data(data, &FlexDevice)
    }

    fn weight(shape: &[usize], dtype: DType) -> Coefficient<FlexTensor> {
        Coefficient::weight(tensor(shape, 1, dtype))
    }

    fn assert_close(made: FlexTensor, expected: FlexTensor, dtype: DType, what: &str) {
        assert_eq!(made.shape(), expected.shape(), "{what}");
        assert_eq!(made.dtype(), dtype);
        let made = crate::host::<Flex>(made).expect("reads");
        let expected = crate::host::<Flex>(expected).expect("reads");
        let scale = expected.iter().fold(1.0f64, |m, x| m.max(x.abs()));
        let limit = if dtype == DType::F64 { 1e-14 } else { 2e-6 };
        for (a, b) in made.iter().zip(&expected) {
            assert!((a - b).abs() <= limit * scale, "{what}: {a} and {b}");
        }
    }

    /// Both ways against the backend's own ops.
    fn assert_same<M: Weighted<Flex> + LinearMap<Flex>>(
        plain: &M,
        input: &[usize],
        dtype: DType,
        what: &str,
    ) {
        let Some(made) = plain.prepared() else {
            panic!("{what} has no direct form");
        };
        let x = tensor(&[&[3], input].concat(), 2, dtype);
        let y = plain.apply(x.clone());
        assert_close(made.apply(x), y.clone(), dtype, what);
        let q = tensor(&y.shape().to_vec(), 3, dtype);
        assert_close(made.adjoint(q.clone()), plain.adjoint(q), dtype, what);
    }

    #[test]
    fn convolutions_are_the_backends() {
        for dtype in [DType::F32, DType::F64] {
            for (c_in, c_out, groups) in [(3, 4, 1), (1, 9, 1), (20, 3, 1), (8, 6, 2), (4, 16, 4)] {
                for (window, stride, padding, dilation) in [
                    ([3, 3], [1, 1], [(1, 1), (1, 1)], [1, 1]),
                    ([3, 5], [1, 1], [(0, 0), (2, 2)], [1, 1]),
                    ([2, 3], [1, 1], [(1, 0), (4, 4)], [1, 2]),
                    ([3, 3], [2, 2], [(1, 1), (1, 1)], [1, 1]),
                    ([4, 1], [3, 2], [(0, 0), (0, 0)], [1, 1]),
                    ([2, 2], [3, 4], [(0, 0), (1, 1)], [2, 3]),
                ] {
                    let mut options = ConvOptions::new(stride, [0, 0], dilation, groups);
                    options.padding = padding;
                    let input = [2, c_in, 9, 35];
                    let plain = Conv2d::<Flex> {
                        weight: weight(&[c_out, c_in / groups, window[0], window[1]], dtype),
                        options,
                        input: Shape::from(input.to_vec()),
                        direct: Default::default(),
                    };
                    let what = format!("{c_in} to {c_out} by {groups}, {window:?} {stride:?}");
                    assert_same(&plain, &input, dtype, &what);
                }
            }
        }
    }

    #[test]
    fn transposed_convolutions_are_the_backends() {
        for dtype in [DType::F32, DType::F64] {
            for (c_in, c_out, groups) in [(3, 4, 1), (10, 1, 1), (6, 8, 2)] {
                for (window, stride, padding, out, dilation) in [
                    ([3, 3], [1, 1], [1, 1], [0, 0], [1, 1]),
                    ([3, 3], [2, 2], [1, 1], [1, 1], [1, 1]),
                    ([4, 2], [3, 2], [2, 0], [1, 0], [1, 1]),
                    ([2, 3], [4, 3], [0, 2], [2, 1], [3, 2]),
                ] {
                    let plain = ConvTranspose2d::<Flex> {
                        weight: weight(&[c_in, c_out / groups, window[0], window[1]], dtype),
                        options: ConvTransposeOptions::new(stride, padding, out, dilation, groups),
                        direct: Default::default(),
                    };
                    let what = format!("{c_in} to {c_out} by {groups}, {window:?} {stride:?}");
                    assert_same(&plain, &[2, c_in, 6, 19], dtype, &what);
                }
            }
        }
    }

    /// The value of a convolution, its bias in the sums, one alone as alongside others.
    #[test]
    fn values_with_a_bias_are_the_backends() {
        for dtype in [DType::F32, DType::F64] {
            for (c_in, c_out, groups, window, stride, dilation) in [
                (3, 19, 1, [3, 3], [1, 1], [1, 1]),
                (8, 6, 2, [3, 3], [2, 2], [1, 1]),
                (12, 20, 1, [1, 1], [1, 1], [1, 1]),
                (8, 12, 4, [1, 1], [3, 2], [1, 1]),
                (4, 4, 4, [5, 3], [1, 1], [1, 2]),
                // Groups enough that each is a task.
                (192, 192, 192, [3, 3], [1, 1], [1, 1]),
            ] {
                let mut options = ConvOptions::new(stride, [1, 1], dilation, groups);
                options.padding = [(1, 0), (2, 1)];
                let shape = [c_out, c_in / groups, window[0], window[1]];
                let (weight, bias) = (weight(&shape, dtype), tensor(&[c_out], 7, dtype));
                let own = Conv2d::<Flex> {
                    weight: weight.clone(),
                    options: options.clone(),
                    input: Shape::from([2, c_in, 9, 35]),
                    direct: Default::default(),
                };
                let x = tensor(&[2, c_in, 9, 35], 2, dtype);
                let what =
                    format!("{c_in} to {c_out} by {groups}, {window:?} {stride:?} {dilation:?}");
                let value = |x: &FlexTensor| {
                    own.value(x, Some(&bias), &Interrupt::new())
                        .expect("on the host")
                };
                let made = value(&x);
                let plain = weight.value().clone();
                let expected = Flex::conv2d(x.clone(), plain, Some(bias.clone()), options);
                assert_close(made.clone(), expected, dtype, &what);
                let first = Flex::float_slice(x, &[(0..1).into()]);
                let of_both = Flex::float_slice(made, &[(0..1).into()]);
                let numbers = |x| crate::host::<Flex>(x).expect("reads");
                assert_eq!(numbers(value(&first)), numbers(of_both), "{what}");

                let options = ConvTransposeOptions::new([3, 2], [0, 0], [1, 1], dilation, groups);
                let shape = [c_in, c_out / groups, window[0], window[1]];
                let weight = super::tests::weight(&shape, dtype);
                let own = ConvTranspose2d::<Flex> {
                    weight: weight.clone(),
                    options: options.clone(),
                    direct: Default::default(),
                };
                let x = tensor(&[1, c_in, 6, 19], 2, dtype);
                let made = own.value(&x, Some(&bias), &Interrupt::new());
                let plain = weight.value().clone();
                let expected = Flex::conv_transpose2d(x, plain, Some(bias.clone()), options);
                assert_close(made.expect("on the host"), expected, dtype, &what);
            }
            // Over one axis.
            let bias = tensor(&[6], 7, dtype);
            let options = ConvOptions::new([2], [1], [2], 2);
            let own = Conv1d::<Flex> {
                weight: weight(&[6, 2, 3], dtype),
                options: options.clone(),
                input: Shape::from([2, 4, 21]),
                direct: Default::default(),
            };
            let x = tensor(&[2, 4, 21], 2, dtype);
            let made = own.value(&x, Some(&bias), &Interrupt::new());
            let plain = own.weight.value().clone();
            let expected = Flex::conv1d(x.clone(), plain, Some(bias.clone()), options);
            assert_close(made.expect("on the host"), expected, dtype, "conv1d");
            let options = ConvTransposeOptions::new([3], [1], [1], [1], 2);
            let own = ConvTranspose1d::<Flex> {
                weight: weight(&[4, 3, 2], dtype),
                options: options.clone(),
                direct: Default::default(),
            };
            let made = own.value(&x, Some(&bias), &Interrupt::new());
            let plain = own.weight.value().clone();
            let expected = Flex::conv_transpose1d(x, plain, Some(bias), options);
            assert_close(
                made.expect("on the host"),
                expected,
                dtype,
                "conv_transpose1d",
            );
        }
    }
}
