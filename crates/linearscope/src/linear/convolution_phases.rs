//! The adjoint of a strided, dilated or grouped convolution as convolutions of stride 1.
//!
//! Along one axis, y[o] = Σₜ W[t] x[o s + t d − p]. Its adjoint gives to x[i] what the taps t with i + p − t d = o s bring it. For
//! the cells i = j s + r of one *phase* r these are every (s / g)-th tap, g the common divisor of s and d, from the first that
//! meets the phase, and o changes by d / g from one to the next: a convolution of stride 1 and dilation d / g with those
//! taps, turned. The phases of all axes, s₁ s₂ of them, are interleaved. Each tap is in one phase, so that
//! together they cost what the convolution costs. Convolutions are what backends are best at; a kernel of their own for the way
//! back of a stride tests for each tap whether it meets the cell.

use std::sync::Arc;

use burn_backend::{
    Backend, Shape, Slice, TensorData, TensorMetadata, get_or_init_device_settings,
    ops::ConvOptions, tensor::FloatTensor,
};

use super::{
    Cut, Filters, LinearMap, Locality, Region, Restricted, Storage, Stored, Structure, Transform,
    Weighted, batch, conv::Conv2d, locality::as_plain, place::common_divisor,
    structure::weighted_as_plain,
};
use crate::coefficient::Coefficient;

/// `conv2d` with any stride, dilation and groups; input `[n, c, h, w]`.
#[derive(Debug)]
pub(crate) struct ConvolutionPhases<B: Backend> {
    plain: Conv2d<B>,
    /// Cells of a phase along either axis, ⌈size / stride⌉.
    cells: [usize; 2],
    /// By phase of the rows, then of the columns; `None` where no tap meets it.
    phases: Vec<Option<Phase<B>>>,
}

/// The cells of x whose rows and columns leave given rests.
#[derive(Debug)]
struct Phase<B: Backend> {
    /// Turned taps, `[c_in, c_out / groups, kh, kw]`.
    weight: FloatTensor<B>,
    options: ConvOptions<2>,
    /// Rows and columns of y that are read.
    of: [std::ops::Range<usize>; 2],
}

/// A phase along one axis.
#[derive(Clone, Debug, PartialEq, Eq)]
struct AxisPhase {
    /// Taps in the order in which the convolution takes them.
    taps: Vec<usize>,
    dilation: usize,
    padding: (usize, usize),
    of: std::ops::Range<usize>,
}

/// A convolution along one axis.
#[derive(Clone, Copy, Debug)]
struct Axis {
    stride: usize,
    dilation: usize,
    before: usize,
    taps: usize,
    inputs: usize,
    outputs: usize,
}

impl Axis {
    fn cells(self) -> usize {
        self.inputs.div_ceil(self.stride)
    }

    /// The phase of rest r: x[j s + r] = Σₘ W[first + m step] y[j + q − m dilation].
    fn phase(self, rest: usize) -> Option<AxisPhase> {
        let stride = self.stride as isize;
        // Of tap t, which meets the phase where the stride divides it.
        let offset = |tap: usize| (rest + self.before) as isize - (tap * self.dilation) as isize;
        let first = (0..self.taps).find(|&tap| offset(tap) % stride == 0)?;
        let divisor = common_divisor(self.stride as u128, self.dilation as u128) as usize;
        let (step, dilation) = (self.stride / divisor, self.dilation / divisor);
        let mut taps: Vec<usize> = (first..self.taps).step_by(step).collect();
        taps.reverse();
        let q = offset(first) / stride;
        // Of y, for the first cell by the last tap, and for the last cell by the first.
        let low = q - ((taps.len() - 1) * dilation) as isize;
        let high = q + self.cells() as isize;
        let outputs = self.outputs as isize;
        let of = low.clamp(0, outputs) as usize..high.clamp(0, outputs) as usize;
        if of.is_empty() {
            return None;
        }
        Some(AxisPhase {
            taps,
            dilation,
            padding: (
                (of.start as isize - low) as usize,
                (high - of.end as isize) as usize,
            ),
            of,
        })
    }
}

/// Some entries of an axis, in this order.
fn selected<B: Backend>(x: FloatTensor<B>, axis: usize, entries: &[usize]) -> FloatTensor<B> {
    let device = x.device();
    let dtype = get_or_init_device_settings::<B>(&device).int_dtype;
    let entries: Vec<i64> = entries.iter().map(|&entry| entry as i64).collect();
    let shape = [entries.len()];
    let data = TensorData::new(entries, shape).convert_dtype(dtype.into());
    B::float_select(x, axis, B::int_from_data(data, &device))
}

impl<B: Backend> ConvolutionPhases<B> {
    /// Of any convolution. Cost: a copy of its weights.
    pub(crate) fn new(plain: Conv2d<B>) -> Self {
        let (weight, options) = (plain.weight.value().clone(), &plain.options);
        let shape = weight.shape();
        let axis = |at: usize| {
            let (before, after) = options.padding[at];
            let (inputs, taps) = (plain.input[at + 2], shape[at + 2]);
            let (stride, dilation) = (options.stride[at], options.dilation[at]);
            Axis {
                stride,
                dilation,
                before,
                taps,
                inputs,
                outputs: (inputs + before + after - dilation * (taps - 1) - 1) / stride + 1,
            }
        };
        let axes = [axis(0), axis(1)];
        // Channels of either side exchanged, group by group.
        let (groups, out, of) = (options.groups, shape[0] / options.groups, shape[1]);
        let window = [shape[2], shape[3]];
        let grouped = [&[groups, out, of][..], &window].concat();
        let turned = B::float_swap_dims(B::float_reshape(weight, Shape::from(grouped)), 1, 2);
        let exchanged = [&[groups * of, out][..], &window].concat();
        let turned = B::float_reshape(turned, Shape::from(exchanged));
        let mut phases = Vec::new();
        for row in 0..axes[0].stride {
            for column in 0..axes[1].stride {
                let both = axes[0].phase(row).zip(axes[1].phase(column));
                phases.push(both.map(|(rows, columns)| {
                    let taps = selected::<B>(turned.clone(), 2, &rows.taps);
                    let dilation = [rows.dilation, columns.dilation];
                    let mut options = ConvOptions::new([1, 1], [0, 0], dilation, groups);
                    options.padding = [rows.padding, columns.padding];
                    Phase {
                        weight: selected::<B>(taps, 3, &columns.taps),
                        options,
                        of: [rows.of, columns.of],
                    }
                }));
            }
        }
        Self {
            cells: axes.map(Axis::cells),
            phases,
            plain,
        }
    }

    /// `[n, c_in, cells, cells]` of one phase.
    fn part(&self, phase: &Option<Phase<B>>, y: &FloatTensor<B>) -> FloatTensor<B> {
        let shape = y.shape();
        let Some(phase) = phase else {
            let [rows, columns] = self.cells;
            let cells = Shape::from(vec![shape[0], self.plain.input[1], rows, columns]);
            return B::float_zeros(cells, &y.device(), y.dtype().into());
        };
        let ranges = [
            Slice::from(0..shape[0]),
            Slice::from(0..shape[1]),
            Slice::from(phase.of[0].clone()),
            Slice::from(phase.of[1].clone()),
        ];
        let y = match phase.of == [0..shape[2], 0..shape[3]] {
            true => y.clone(),
            false => B::float_slice(y.clone(), &ranges),
        };
        B::conv2d(y, phase.weight.clone(), None, phase.options.clone())
    }
}

impl<B: Backend> LinearMap<B> for ConvolutionPhases<B> {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        self.plain.apply(x)
    }

    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        let (y, k) = batch::merge::<B>(y);
        let (n, input) = (y.shape()[0], &self.plain.input);
        let [rows, columns] = self.cells;
        let stride = self.plain.options.stride;
        // [n, c, cells, 1, cells, 1], put next to each other along the axes of 1.
        let alone = Shape::from(vec![n, input[1], rows, 1, columns, 1]);
        let lines = self.phases.chunks(stride[1]).map(|line| {
            let parts = line
                .iter()
                .map(|phase| B::float_reshape(self.part(phase, &y), alone.clone()));
            joined::<B>(parts.collect(), 5)
        });
        let x = joined::<B>(lines.collect(), 3);
        let (height, width) = (rows * stride[0], columns * stride[1]);
        let mut x = B::float_reshape(x, Shape::from(vec![n, input[1], height, width]));
        if (height, width) != (input[2], input[3]) {
            let ranges = [n, input[1], input[2], input[3]].map(|size| Slice::from(0..size));
            x = B::float_slice(x, &ranges);
        }
        batch::split::<B>(x, k)
    }

    fn structure(&self) -> Structure<'_, B> {
        Structure::Weighted(self)
    }
}

/// Tensors next to each other along an axis.
fn joined<B: Backend>(mut parts: Vec<FloatTensor<B>>, axis: usize) -> FloatTensor<B> {
    match parts.len() {
        1 => parts.remove(0),
        _ => B::float_cat(parts, axis),
    }
}

impl<B: Backend> Storage<B> for ConvolutionPhases<B> {
    fn stored(&self) -> Stored {
        self.plain.stored_twice()
    }
}

impl<B: Backend> Weighted<B> for ConvolutionPhases<B> {
    weighted_as_plain!();

    fn adjoint_has_gradient(&self) -> bool {
        true
    }
}

impl<B: Backend> Locality<B> for ConvolutionPhases<B> {
    as_plain!();
}

#[cfg(test)]
mod tests {
    use burn_backend::ops::FloatTensorOps;
    use burn_flex::{Flex, FlexDevice};

    use super::*;
    use crate::random::noise;

    fn tensor(shape: &[usize], seed: u64) -> burn_flex::FlexTensor {
        let values = noise(shape.iter().product(), seed);
        Flex::float_from_data(TensorData::new(values, shape.to_vec()), &FlexDevice)
    }

    fn numbers(x: burn_flex::FlexTensor) -> Vec<f64> {
        crate::host::<Flex>(x).expect("reads")
    }

    /// Against the backend's own way back, and ⟨A x, y⟩ = ⟨x, Aᵀ y⟩, in f64.
    #[test]
    fn phases_are_the_adjoint() {
        let mut compared = 0;
        for (stride, dilation) in [
            ([2, 2], [1, 1]),
            ([2, 3], [2, 1]),
            ([4, 2], [2, 3]),
            ([1, 1], [2, 2]),
            ([3, 1], [3, 1]),
        ] {
            for (window, padding) in [
                ([1, 1], [(0, 0), (0, 0)]),
                ([3, 3], [(1, 1), (1, 1)]),
                ([3, 2], [(0, 0), (2, 2)]),
                ([5, 3], [(4, 1), (0, 3)]),
            ] {
                for (groups, size) in [(1, [13, 12]), (2, [11, 14]), (4, [9, 9])] {
                    let mut options = ConvOptions::new(stride, [0, 0], dilation, groups);
                    options.padding = padding;
                    let convolution = || Conv2d::<Flex> {
                        weight: Coefficient::weight(tensor(
                            &[8, 4 / groups, window[0], window[1]],
                            1,
                        )),
                        options: options.clone(),
                        input: Shape::from(vec![2, 4, size[0], size[1]]),
                        direct: Default::default(),
                    };
                    let plain = convolution();
                    let x = tensor(&[3, 2, 4, size[0], size[1]], 2);
                    let forward = plain.apply(x.clone());
                    let y = tensor(&forward.shape().to_vec(), 3);
                    let expected = numbers(plain.adjoint(y.clone()));
                    let phases = ConvolutionPhases::new(convolution());
                    let made = phases.adjoint(y.clone());
                    assert_eq!(made.shape(), x.shape());
                    let made = numbers(made);
                    let what = format!("{stride:?} {dilation:?} {window:?} {padding:?} {groups}");
                    for (a, b) in made.iter().zip(&expected) {
                        assert!((a - b).abs() < 1e-12, "{what}: {a} and {b}");
                    }
                    let dot =
                        |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
                    let (there, back) =
                        (dot(&numbers(forward), &numbers(y)), dot(&numbers(x), &made));
                    assert!((there - back).abs() < 1e-10, "{what}: {there} and {back}");
                    compared += 1;
                }
            }
        }
        assert_eq!(compared, 5 * 4 * 3);
    }

    /// Each tap is in one phase, so that all phases together cost what the convolution does.
    #[test]
    fn taps_are_divided_among_phases() {
        for stride in 1..5 {
            for dilation in 1..5 {
                let axis = Axis {
                    stride,
                    dilation,
                    before: 3,
                    taps: 5,
                    inputs: 40,
                    outputs: (40 + 6 - 4 * dilation - 1) / stride + 1,
                };
                let phases = (0..stride).filter_map(|rest| axis.phase(rest));
                let mut taps: Vec<usize> = phases.flat_map(|phase| phase.taps).collect();
                taps.sort_unstable();
                let divisor = common_divisor(stride as u128, dilation as u128) as usize;
                assert_eq!(taps, [0, 1, 2, 3, 4], "{stride} {dilation} {divisor}");
            }
        }
    }
}
