//! Max pools of the reference on the host, the winning cells alongside the values.
//!
//! Nothing is summed, so the bits are the backend's. Its kernel looks at window after window; here a row of windows looks
//! at one cell of each after the other, and values and indices come from one pass. Cells that a stride apart lie side by
//! side, so that this is a vector's work.

use burn_backend::{
    Backend, DType, Element, Shape, TensorData, TensorMetadata, get_or_init_device_settings,
    tensor::{FloatTensor, IntTensor},
};
use num_traits::Float;
use pulp::Arch;
use rayon::prelude::*;

use super::on_host;
use crate::host::{self, Floats};

/// The windows of a max pool over pictures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pooling {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
    /// A last window may reach beyond the padding.
    pub ceil: bool,
}

/// One axis of the windows, over cells of a picture.
#[derive(Clone, Copy, Debug)]
struct Axis {
    kernel: usize,
    stride: usize,
    padding: usize,
    dilation: usize,
    /// Cells that are read, windows that are made.
    from: usize,
    to: usize,
}

impl Axis {
    /// As PyTorch and ONNX count: with `ceil` a last window may begin within the picture or its padding and reach beyond.
    /// `None` where no window fits.
    fn new(pooling: &Pooling, axis: usize, from: usize) -> Option<Self> {
        let (kernel, stride) = (pooling.kernel[axis], pooling.stride[axis]);
        let (padding, dilation) = (pooling.padding[axis], pooling.dilation[axis]);
        let rest = (from + 2 * padding).checked_sub(dilation * kernel.checked_sub(1)? + 1)?;
        let mut to = match pooling.ceil {
            true => rest.div_ceil(stride) + 1,
            false => rest / stride + 1,
        };
        if pooling.ceil && (to - 1) * stride >= from + padding {
            to -= 1;
        }
        Some(Self {
            kernel,
            stride,
            padding,
            dilation,
            from,
            to,
        })
    }

    /// The cell that window `to` has at `tap`, if it is none of the padding.
    fn cell(&self, to: usize, tap: usize) -> Option<usize> {
        let cell = (to * self.stride + tap * self.dilation).checked_sub(self.padding)?;
        (cell < self.from).then_some(cell)
    }

    /// How many parts a line has of cells a stride apart, and the cells of each: no more parts than cells.
    fn parts(&self) -> (usize, usize) {
        (self.stride.min(self.from), self.from.div_ceil(self.stride))
    }

    /// The windows that have a cell at `tap`.
    fn windows(&self, tap: usize) -> std::ops::Range<usize> {
        let ahead = tap * self.dilation;
        let first = self.padding.saturating_sub(ahead).div_ceil(self.stride);
        let beyond = (self.from + self.padding).saturating_sub(ahead);
        let end = beyond.div_ceil(self.stride).min(self.to);
        first.min(end)..end
    }
}

/// Entries of a line whose place is 0 modulo the stride, then 1, …, in lanes of one length; as many as there are lanes.
#[inline(always)]
pub(crate) fn deal<T: Copy>(x: &[T], stride: usize, lanes: &mut [T]) {
    let width = x.len().div_ceil(stride);
    match stride {
        1 => lanes.copy_from_slice(x),
        // The usual one, in vectors.
        2 => {
            let (even, odd) = lanes.split_at_mut(width);
            let (pairs, rest) = x.as_chunks::<2>();
            for ((even, odd), [a, b]) in even.iter_mut().zip(odd).zip(pairs) {
                (*even, *odd) = (*a, *b);
            }
            even[pairs.len()..].copy_from_slice(rest);
        }
        _ => {
            for (phase, lane) in lanes.chunks_mut(width).enumerate() {
                let entries = x.iter().skip(phase).step_by(stride);
                lane.iter_mut()
                    .zip(entries)
                    .for_each(|(to, from)| *to = *from);
            }
        }
    }
}

/// What one thread needs for a plane: places of the winners of a row of windows, and the plane's lines in parts.
struct Scratch<T> {
    places: Vec<i32>,
    parts: Vec<T>,
}

/// The largest cell of each window in one plane, and where it is in the plane, −1 in a window of padding alone. The first
/// of equals wins, and the last NaN.
#[inline(always)]
fn plane<T: Float>(
    x: &[T],
    [down, across]: [Axis; 2],
    y: &mut [T],
    mut indices: Option<&mut [i64]>,
    scratch: &mut Scratch<T>,
) {
    let Scratch { places, parts } = scratch;
    let (count, part) = across.parts();
    let parts: &[T] = match across.stride {
        1 => x,
        _ => {
            let lines = x.chunks(across.from);
            for (line, parts) in lines.zip(parts.chunks_mut(count * part)) {
                deal(line, across.stride, parts);
            }
            parts
        }
    };
    for (row, y) in y.chunks_mut(across.to).enumerate() {
        y.fill(T::neg_infinity());
        places.fill(-1);
        for below in 0..down.kernel {
            let Some(line) = down.cell(row, below) else {
                continue;
            };
            for beside in 0..across.kernel {
                let windows = across.windows(beside);
                if windows.is_empty() {
                    continue;
                }
                let first = across
                    .cell(windows.start, beside)
                    .expect("a cell of the picture");
                let begin = (line * count + first % across.stride) * part;
                let read = &parts[begin + first / across.stride..][..windows.len()];
                let best = &mut y[windows.clone()];
                if indices.is_none() {
                    for (best, &x) in best.iter_mut().zip(read) {
                        *best = if (x > *best) | x.is_nan() { x } else { *best };
                    }
                    continue;
                }
                let (begin, stride) = ((line * across.from + first) as i32, across.stride as i32);
                let places = &mut places[windows];
                for (number, ((best, at), &x)) in best.iter_mut().zip(places).zip(read).enumerate()
                {
                    let wins = (*at < 0) | (x > *best) | x.is_nan();
                    *best = if wins { x } else { *best };
                    *at = if wins {
                        begin + stride * number as i32
                    } else {
                        *at
                    };
                }
            }
        }
        if let Some(all) = &mut indices {
            let row = &mut all[row * across.to..][..across.to];
            for (into, &at) in row.iter_mut().zip(places.iter()) {
                *into = i64::from(at);
            }
        }
    }
}

/// A plane and where its windows' winners go.
type Piece<'a, T> = (&'a [T], &'a mut [T], Option<&'a mut [i64]>);

fn planes<T: Float + Send + Sync>(
    x: &[T],
    axes: [Axis; 2],
    count: usize,
    with_indices: bool,
) -> (Vec<T>, Option<Vec<i64>>) {
    let [down, across] = axes;
    let (read, made) = (down.from * across.from, down.to * across.to);
    let mut y = vec![T::zero(); count * made];
    let mut indices = with_indices.then(|| vec![0i64; count * made]);
    let winners: Vec<Option<&mut [i64]>> = match &mut indices {
        Some(indices) => indices.chunks_mut(made).map(Some).collect(),
        None => (0..count).map(|_| None).collect(),
    };
    let pieces: Vec<Piece<'_, T>> = x
        .chunks(read)
        .zip(y.chunks_mut(made))
        .zip(winners)
        .map(|((x, y), indices)| (x, y, indices))
        .collect();
    let arch = Arch::new();
    let (count, part) = across.parts();
    let parts = match across.stride {
        1 => 0,
        _ => down.from * count * part,
    };
    pieces.into_par_iter().for_each_init(
        || Scratch {
            places: vec![0; across.to],
            parts: vec![T::zero(); parts],
        },
        |scratch, (x, y, indices)| {
            arch.dispatch(
                #[inline(always)]
                || plane(x, axes, y, indices, scratch),
            );
        },
    );
    (y, indices)
}

/// The max pool of x `[n, c, h, w]`, and with `with_indices` which cell of its plane won each window; `None` where x is not
/// in this process's memory or is no picture of f32 or f64.
pub(crate) fn max_pool<B: Backend>(
    x: &FloatTensor<B>,
    pooling: &Pooling,
    with_indices: bool,
) -> Option<(FloatTensor<B>, Option<IntTensor<B>>)> {
    let (shape, device) = (x.shape(), x.device());
    let float = matches!(x.dtype(), DType::F32 | DType::F64);
    if !float || shape.num_dims() != 4 || !on_host::<B>(&device) {
        return None;
    }
    let axes = [
        Axis::new(pooling, 0, shape[2])?,
        Axis::new(pooling, 1, shape[3])?,
    ];
    let count = shape[0] * shape[1];
    let sizes = axes.iter().flat_map(|axis| [axis.from, axis.to]);
    // Places are counted in 32 bits.
    if count == 0 || sizes.clone().any(|size| size == 0) || shape[2] * shape[3] > i32::MAX as usize
    {
        return None;
    }
    let made = Shape::from([shape[0], shape[1], axes[0].to, axes[1].to]);
    let (y, indices) = match host::look::<B>(x).ok()? {
        Floats::F32(x) => of(&x, axes, count, with_indices, &made),
        Floats::F64(x) => of(&x, axes, count, with_indices, &made),
    };
    let dtype = get_or_init_device_settings::<B>(&device).int_dtype;
    let indices = indices.map(|indices| {
        let indices = TensorData::new(indices, made).convert_dtype(dtype.into());
        B::int_from_data(indices, &device)
    });
    Some((B::float_from_data(y, &device), indices))
}

fn of<T: Float + Element>(
    x: &[T],
    axes: [Axis; 2],
    count: usize,
    with_indices: bool,
    made: &Shape,
) -> (TensorData, Option<Vec<i64>>) {
    let (y, indices) = planes(x, axes, count, with_indices);
    (TensorData::new(y, made.clone()), indices)
}

#[cfg(test)]
mod tests {
    use burn_backend::{
        IntDType,
        ops::{FloatTensorOps, ModuleOps},
    };
    use burn_flex::{Flex, FlexDevice};

    use super::*;

    /// Against the backend's own, bit by bit: every border, ties, infinities, NaN, windows that reach beyond.
    #[test]
    fn max_pools_are_the_backends_bit_by_bit() {
        for (kernel, stride, padding, dilation) in [
            ([3, 3], [2, 2], [0, 0], [1, 1]),
            ([3, 3], [2, 2], [1, 1], [1, 1]),
            ([2, 2], [2, 2], [0, 0], [1, 1]),
            ([3, 2], [1, 3], [1, 1], [1, 1]),
            ([2, 3], [1, 1], [1, 1], [3, 2]),
            ([5, 5], [4, 4], [2, 2], [1, 1]),
            ([1, 1], [2, 1], [0, 0], [1, 1]),
            ([2, 2], [3, 5], [1, 0], [1, 1]),
            ([1, 1], [1, 20], [0, 0], [1, 1]),
        ] {
            for (ceil, special) in [(false, false), (true, false), (false, true), (true, true)] {
                let (h, w) = (9, 14);
                let mut values: Vec<f32> = (0..6 * h * w)
                    .map(|i| ((i * 37) % 11) as f32 - 5.0)
                    .collect();
                if special {
                    for (i, value) in values.iter_mut().enumerate() {
                        match i % 13 {
                            3 => *value = f32::NAN,
                            5..=7 => *value = f32::NEG_INFINITY,
                            9 => *value = -0.0,
                            _ => {}
                        }
                    }
                }
                for dtype in [DType::F32, DType::F64] {
                    let data = TensorData::new(values.clone(), [2, 3, h, w]).convert_dtype(dtype);
                    let x = Flex::float_from_data(data, &FlexDevice);
                    let pooling = Pooling {
                        kernel,
                        stride,
                        padding,
                        dilation,
                        ceil,
                    };
                    let expected = Flex::max_pool2d_with_indices(
                        x.clone(),
                        kernel,
                        stride,
                        padding,
                        dilation,
                        ceil,
                        IntDType::I64,
                    );
                    let what = format!("{kernel:?} {stride:?} {padding:?} {dilation:?} {ceil}");
                    let bits = |x| {
                        let values = host::host::<Flex>(x).expect("reads");
                        values.into_iter().map(f64::to_bits).collect::<Vec<_>>()
                    };
                    let expected_bits = bits(expected.output);
                    let (alone, none) = max_pool::<Flex>(&x, &pooling, false).expect("on the host");
                    assert!(none.is_none());
                    assert_eq!(bits(alone), expected_bits, "{what}");
                    let (y, indices) = max_pool::<Flex>(&x, &pooling, true).expect("on the host");
                    assert_eq!(bits(y), expected_bits, "{what}");
                    let indices = host::ints::<Flex>(indices.as_ref().expect("asked"));
                    let expected = host::ints::<Flex>(&expected.indices).expect("reads");
                    assert_eq!(indices.expect("reads"), expected, "{what}");
                }
            }
        }
    }
}
