//! Products of matrices on the host, each entry of which is summed in one order.
//!
//! Libraries choose the order of a sum by how large the whole product is, so that a row comes out
//! otherwise alongside other rows than alone. Here an entry is Σₖ aₖ bₖ over k in order, or in as many
//! interleaved sums as a register has lanes, and nothing else decides it: not how many rows and columns
//! there are, not which of them are asked for, not how many threads share the work.

use burn_backend::{Backend, DType, Shape, TensorData, TensorMetadata, tensor::FloatTensor};
use burn_flex::FlexTensor;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::{
    kernel::{Block, CACHED, SLACK, cut, scratch, sum},
    lanes::Lanes,
    on_host,
};
use crate::{host, interrupt::Interrupt};

/// Columns of which a task has at least so many, where there are as many: whole tiles of every form.
const WIDTH: usize = 96;

/// Multiply-adds that are worth a task of their own.
const WORTH: usize = 1 << 18;

/// Terms of a dot product that stay in a core's cache while all rows read them.
const TERMS: usize = 1024;

/// A factor's numbers: where the first one is, and how far it is to the next row and column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factor<'a, T> {
    pub numbers: &'a [T],
    pub rows: usize,
    pub columns: usize,
}

/// One product: C `[m, n]` from A `[m, k]`, in blocks of rows, and B `[k, n]`.
#[derive(Debug)]
pub(super) struct Product<'a, T> {
    pub left: &'a [Block<T>],
    /// What the sums of each row begin with, or nothing.
    pub bias: &'a [T],
    pub right: Factor<'a, T>,
    pub made: &'a mut [T],
}

/// Some rows and columns of one product.
struct Task<'a, T> {
    blocks: &'a [Block<T>],
    /// What the sums of each block's rows begin with.
    biases: Vec<&'a [T]>,
    right: Factor<'a, T>,
    /// The first column.
    first: usize,
    /// Row after row, the columns of the task.
    made: Vec<&'a mut [T]>,
}

/// All of them, side by side. The interrupt is looked at in every chunk of columns.
pub(super) fn products<T: Lanes>(
    products: Vec<Product<'_, T>>,
    k: usize,
    n: usize,
    interrupt: &Interrupt,
) {
    if n == 0 || products.is_empty() {
        return;
    }
    let rows: usize = products.iter().map(|p| p.made.len() / n).sum();
    let most = (4 * rayon::current_num_threads()).min(rows * n * k / WORTH + 1);
    let each = most.div_ceil(products.len());
    let across = each.min(n.div_ceil(WIDTH));
    let width = n.div_ceil(across).next_multiple_of(WIDTH).min(n);
    let mut tasks = Vec::new();
    for product in products {
        let down = each.div_ceil(across).min(product.left.len()).max(1);
        let per = product.left.len().div_ceil(down).max(1);
        let mut rows = product.made.chunks_mut(n);
        let mut biases = cut(product.bias, product.left);
        for blocks in product.left.chunks(per) {
            let biases: Vec<&[T]> = biases.by_ref().take(blocks.len()).collect();
            let mut own: Vec<Vec<&mut [T]>> = (0..n.div_ceil(width)).map(|_| Vec::new()).collect();
            let channels = blocks.iter().map(Block::channels).sum();
            for row in rows.by_ref().take(channels) {
                for (own, part) in own.iter_mut().zip(row.chunks_mut(width)) {
                    own.push(part);
                }
            }
            for (number, made) in own.into_iter().enumerate() {
                tasks.push(Task {
                    blocks,
                    biases: biases.clone(),
                    right: product.right,
                    first: number * width,
                    made,
                });
            }
        }
    }
    let arch = Arch::new();
    // So many columns of B stay in a core's cache while all blocks read them.
    let chunk = CACHED / 2 / size_of::<T>() / k.max(1) / WIDTH * WIDTH;
    let chunk = chunk.max(WIDTH).min(width);
    let offsets = |apart: usize| -> Vec<usize> { (0..k).map(|tap| tap * apart).collect() };
    let packed = offsets(chunk);
    let in_place = offsets(tasks.first().map_or(0, |task| task.right.rows));
    tasks.into_par_iter().for_each(|mut task| {
        let columns = task.made.first().map_or(0, |row| row.len());
        for start in (0..columns).step_by(chunk) {
            if interrupt.is_stopped() {
                return;
            }
            let some = chunk.min(columns - start);
            let first = task.first + start;
            // One block reads B once: it may as well read it where it lies.
            let last = k.saturating_sub(1) * task.right.rows + first + some + SLACK;
            let alone = task.blocks.len() == 1 && task.right.columns == 1;
            let mut fill = |input: &[T], offsets: &[usize]| {
                let mut row = 0;
                for (block, &bias) in task.blocks.iter().zip(&task.biases) {
                    let rows = &mut task.made[row..row + block.channels()];
                    row += block.channels();
                    let columns = start..start + some;
                    arch.dispatch(Columns {
                        input,
                        block,
                        bias,
                        offsets,
                        rows,
                        columns,
                    });
                }
            };
            if alone && last <= task.right.numbers.len() {
                fill(&task.right.numbers[first..], &in_place);
                continue;
            }
            let mut kept = scratch::<T>(k * chunk + SLACK);
            for (tap, into) in kept.chunks_mut(chunk).take(k).enumerate() {
                let from =
                    &task.right.numbers[tap * task.right.rows + first * task.right.columns..];
                match task.right.columns {
                    1 => into[..some].copy_from_slice(&from[..some]),
                    apart => into
                        .iter_mut()
                        .zip(from.iter().step_by(apart))
                        .take(some)
                        .for_each(|(into, &from)| *into = from),
                }
            }
            fill(&kept, &packed);
        }
    });
}

/// Columns of the rows of a block.
struct Columns<'a, 'b, T> {
    input: &'a [T],
    block: &'a Block<T>,
    bias: &'a [T],
    offsets: &'a [usize],
    rows: &'a mut [&'b mut [T]],
    columns: std::ops::Range<usize>,
}

impl<T: Lanes> WithSimd for Columns<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        super::kernel::by_channels!(S, self.rows.len(), self, fill, simd)
    }
}

impl<T: Lanes> Columns<'_, '_, T> {
    #[inline(always)]
    fn fill<S: Simd, const CHANNELS: usize, const VECTORS: usize>(self, simd: S) {
        let run = VECTORS * T::lanes::<S>();
        let mut tile = vec![T::default(); CHANNELS * run];
        let weights = (self.block.weights(), self.bias);
        let count = self.columns.len();
        for at in (0..count).step_by(run) {
            let input = &self.input[at..];
            let kept = run.min(count - at);
            // The last columns take no more vectors than they fill: the sums are the same.
            let run = match kept.div_ceil(T::lanes::<S>()) {
                1 => T::lanes::<S>(),
                2 if VECTORS > 2 => 2 * T::lanes::<S>(),
                _ => run,
            };
            let tile = &mut tile[..CHANNELS * run];
            match run / T::lanes::<S>() {
                1 => sum::<S, T, CHANNELS, 1>(simd, input, weights, self.offsets, tile),
                2 => sum::<S, T, CHANNELS, 2>(simd, input, weights, self.offsets, tile),
                _ => sum::<S, T, CHANNELS, VECTORS>(simd, input, weights, self.offsets, tile),
            }
            for (made, into) in tile.chunks_exact(run).zip(self.rows.iter_mut()) {
                into[self.columns.start + at..][..kept].copy_from_slice(&made[..kept]);
            }
        }
    }
}

/// C `[m, n]` of dot products: of the rows of A `[m, k]` and of Bᵀ `[n, k]`, `apart` entries apart. The
/// interrupt is looked at before every few terms.
fn dots<T: Lanes>(
    a: &[T],
    (b, apart): (&[T], usize),
    k: usize,
    n: usize,
    made: &mut [T],
    interrupt: &Interrupt,
) {
    if n == 0 || made.is_empty() {
        return;
    }
    let rows = made.len() / n;
    let parts = (4 * rayon::current_num_threads()).min(n.div_ceil(8));
    let width = n.div_ceil(parts);
    let mut own: Vec<Vec<&mut [T]>> = (0..n.div_ceil(width)).map(|_| Vec::new()).collect();
    for row in made.chunks_mut(n) {
        for (own, part) in own.iter_mut().zip(row.chunks_mut(width)) {
            own.push(part);
        }
    }
    let arch = Arch::new();
    own.into_par_iter()
        .enumerate()
        .for_each(|(number, mut made)| {
            for start in (0..k).step_by(TERMS) {
                if interrupt.is_stopped() {
                    return;
                }
                arch.dispatch(Dots {
                    left: a,
                    right: b,
                    apart,
                    k,
                    terms: start..k.min(start + TERMS),
                    first: number * width,
                    rows,
                    made: &mut made,
                });
            }
        });
}

/// Some terms of the dot products of all rows and some columns, added to what is there.
struct Dots<'a, 'b, T> {
    left: &'a [T],
    right: &'a [T],
    apart: usize,
    k: usize,
    terms: std::ops::Range<usize>,
    first: usize,
    rows: usize,
    made: &'a mut [&'b mut [T]],
}

impl<T: Lanes> WithSimd for Dots<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let columns = self.made.first().map_or(0, |row| row.len());
        match self.rows {
            // Alone a row waits for memory: more columns at once ask for more of it.
            1 => {
                for column in (0..columns).step_by(8) {
                    self.tile::<S, 1, 8>(simd, 0, column, columns);
                }
            }
            _ => {
                for column in (0..columns).step_by(3) {
                    for row in (0..self.rows).step_by(3) {
                        self.tile::<S, 3, 3>(simd, row, column, columns);
                    }
                }
            }
        }
    }
}

impl<T: Lanes> Dots<'_, '_, T> {
    /// What lies beyond the last row or column is computed twice and written once.
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const COLUMNS: usize>(
        &mut self,
        simd: S,
        row: usize,
        column: usize,
        columns: usize,
    ) {
        let terms = self.terms.clone();
        let left: [&[T]; ROWS] = std::array::from_fn(|i| {
            &self.left[(row + i).min(self.rows - 1) * self.k..][terms.clone()]
        });
        let right: [&[T]; COLUMNS] = std::array::from_fn(|j| {
            let column = self.first + (column + j).min(columns - 1);
            &self.right[column * self.apart..][terms.clone()]
        });
        let lefts = left.map(T::vectors::<S>);
        let rights = right.map(T::vectors::<S>);
        let mut sums = [[T::splat(simd, T::default()); COLUMNS]; ROWS];
        let whole = lefts[0].len();
        for v in 0..whole {
            for j in 0..COLUMNS {
                let b = rights[j][v];
                for i in 0..ROWS {
                    sums[i][j] = T::mul_add(simd, lefts[i][v], b, sums[i][j]);
                }
            }
        }
        let done = whole * T::lanes::<S>();
        for i in 0..ROWS.min(self.rows - row) {
            for j in 0..COLUMNS.min(columns - column) {
                let rest = left[i][done..].iter().zip(&right[j][done..]);
                let rest = rest.fold(T::default(), |sum, (&a, &b)| sum + a * b);
                let into = &mut self.made[row + i][column + j];
                *into = *into + (T::across(simd, sums[i][j]) + rest);
            }
        }
    }
}

/// W x for W `[.., m, p]` and x `[.., p, q]` of one rank, axes of size 1 repeated; the backend's own product
/// elsewhere than on the host. Numbers that mean nothing once `interrupt` is stopped.
pub(in crate::linear) fn left<B: Backend>(
    w: &FloatTensor<B>,
    x: FloatTensor<B>,
    interrupt: &Interrupt,
) -> FloatTensor<B> {
    let own = on_host::<B>(&x.device()).then(|| match x.dtype() {
        DType::F32 => weighted::<B, f32>(w, &x, Side::Left, interrupt),
        DType::F64 => weighted::<B, f64>(w, &x, Side::Left, interrupt),
        _ => None,
    });
    own.flatten()
        .unwrap_or_else(|| B::float_matmul(w.clone(), x))
}

/// x W for x `[.., m, p]` and W `[.., p, q]`; see [`left`].
///
/// A W that lies transposed is read as it lies, which is another order of summing than that of one that
/// does not.
pub(in crate::linear) fn right<B: Backend>(
    x: FloatTensor<B>,
    w: &FloatTensor<B>,
    interrupt: &Interrupt,
) -> FloatTensor<B> {
    let own = on_host::<B>(&x.device()).then(|| match x.dtype() {
        DType::F32 => weighted::<B, f32>(w, &x, Side::Right, interrupt),
        DType::F64 => weighted::<B, f64>(w, &x, Side::Right, interrupt),
        _ => None,
    });
    own.flatten()
        .unwrap_or_else(|| B::float_matmul(x, w.clone()))
}

/// On which side of the product the weights stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// Where one matrix of a batch begins, its axes of size 1 repeated.
fn offset(batch: &[usize], mut index: usize, shape: &Shape, strides: &[usize]) -> usize {
    let mut at = 0;
    for axis in (0..batch.len()).rev() {
        if shape[axis] != 1 {
            at += index % batch[axis] * strides[axis];
        }
        index /= batch[axis];
    }
    at
}

/// How far apart entries are along each axis.
fn strides(x: &FlexTensor) -> Vec<usize> {
    let strides = x.layout().strides().iter();
    strides.map(|stride| stride.unsigned_abs()).collect()
}

/// `None` where one of both is not of the kind.
fn weighted<B: Backend, T: Lanes>(
    w: &FloatTensor<B>,
    x: &FloatTensor<B>,
    side: Side,
    interrupt: &Interrupt,
) -> Option<FloatTensor<B>> {
    let (w_shape, x_shape, device) = (w.shape(), x.shape(), &x.device());
    let rank = x_shape.num_dims();
    let (w, x) = (host::in_memory::<B>(w)?, host::in_memory::<B>(x)?);
    let (w_strides, x_strides) = (strides(&w), strides(&x));
    let (w, own) = (T::numbers(&w)?, T::numbers(&x)?);
    let (outer, inner) = (rank - 2, rank - 1);
    let batch: Vec<usize> = (0..outer)
        .map(|axis| w_shape[axis].max(x_shape[axis]))
        .collect();
    let count: usize = batch.iter().product();
    let (a_shape, b_shape) = match side {
        Side::Left => (&w_shape, &x_shape),
        Side::Right => (&x_shape, &w_shape),
    };
    let (m, k, n) = (a_shape[outer], a_shape[inner], b_shape[inner]);
    let mut dims = batch.clone();
    dims.extend([m, n]);
    let mut made = vec![T::default(); count * m * n];
    let w_at = |index| offset(&batch, index, &w_shape, &w_strides);
    let x_at = |index| offset(&batch, index, &x_shape, &x_strides);
    let blocks = |numbers: &[T], strides: &[usize]| {
        let places: Vec<usize> = (0..k).map(|tap| tap * strides[inner]).collect();
        Block::cut(numbers, (m, strides[outer]), &places)
    };
    // Decided by the weights alone: x may lie otherwise beside others.
    let lies_transposed = w_strides[inner] != 1 && w_strides[outer] == 1;
    if m * n == 0 {
    } else if side == Side::Right && lies_transposed {
        let mut rows = Vec::new();
        for (index, made) in made.chunks_mut(m * n).enumerate() {
            let from = &own[x_at(index)..];
            let a: &[T] = match x_strides[inner] == 1 && (m == 1 || x_strides[outer] == k) {
                true => from,
                false => {
                    rows.clear();
                    let [down, across] = [x_strides[outer], x_strides[inner]];
                    let row = |row| (0..k).map(move |tap| from[row * down + tap * across]);
                    rows.extend((0..m).flat_map(row));
                    &rows
                }
            };
            let b = (&w[w_at(index)..], w_strides[inner]);
            dots(a, b, k, n, made, interrupt);
        }
    } else {
        // The left factors, each packed once.
        let a_at = |index| match side {
            Side::Left => w_at(index),
            Side::Right => x_at(index),
        };
        let mut begins: Vec<usize> = (0..count).map(a_at).collect();
        begins.sort_unstable();
        begins.dedup();
        let left: Vec<Vec<Block<T>>> = begins
            .par_iter()
            .map(|&at| match side {
                Side::Left => blocks(&w[at..], &w_strides),
                Side::Right => blocks(&own[at..], &x_strides),
            })
            .collect();
        let all = made.chunks_mut(m * n).enumerate().map(|(index, made)| {
            let at = begins.binary_search(&a_at(index)).expect("it was packed");
            let (numbers, strides) = match side {
                Side::Left => (&own[x_at(index)..], &x_strides),
                Side::Right => (&w[w_at(index)..], &w_strides),
            };
            Product {
                left: &left[at],
                bias: &[],
                right: Factor {
                    numbers,
                    rows: strides[outer],
                    columns: strides[inner],
                },
                made,
            }
        });
        products(all.collect(), k, n, interrupt);
    }
    let data = TensorData::new(made, dims);
    Some(B::float_from_data(data, device))
}

#[cfg(test)]
mod tests {
    use burn_backend::ops::FloatTensorOps;
    use burn_flex::{Flex, FlexDevice};

    use super::*;

    fn tensor(shape: &[usize], seed: usize, dtype: DType) -> FlexTensor {
        let numbers: Vec<f64> = (0..shape.iter().product())
            .map(|i| ((i * 7919 + seed * 31) % 1013) as f64 / 506.0 - 1.0)
            .collect();
        let data = TensorData::new(numbers, shape.to_vec()).convert_dtype(dtype);
        Flex::float_from_data(data, &FlexDevice)
    }

    fn turned(x: FlexTensor) -> FlexTensor {
        let rank = x.shape().num_dims();
        let x = Flex::float_swap_dims(x, rank - 2, rank - 1).to_contiguous();
        Flex::float_swap_dims(x, rank - 2, rank - 1)
    }

    fn close(made: FlexTensor, expected: FlexTensor, what: &str) {
        assert_eq!(made.shape(), expected.shape(), "{what}");
        let limit = match made.dtype() {
            DType::F64 => 1e-13,
            _ => 2e-5,
        };
        let made = crate::host::<Flex>(made).expect("reads");
        let expected = crate::host::<Flex>(expected).expect("reads");
        for (a, b) in made.iter().zip(&expected) {
            assert!((a - b).abs() <= limit, "{what}: {a} and {b}");
        }
    }

    #[test]
    fn products_are_the_backends_however_the_factors_lie() {
        for dtype in [DType::F32, DType::F64] {
            for (a, b) in [
                (&[1, 1][..], &[1, 1][..]),
                (&[5, 7], &[7, 9]),
                (&[1, 300], &[300, 131]),
                (&[17, 64], &[64, 1]),
                (&[9, 3], &[3, 400]),
                (&[3, 2, 5, 4], &[1, 2, 4, 6]),
                (&[1, 2, 5, 4], &[3, 1, 4, 6]),
                (&[2, 3, 0], &[2, 0, 4]),
            ] {
                let (a, b) = (tensor(a, 1, dtype), tensor(b, 2, dtype));
                let expected = Flex::float_matmul(a.clone(), b.clone());
                for (a, b) in [
                    (a.clone(), b.clone()),
                    (turned(a.clone()), b.clone()),
                    (a.clone(), turned(b.clone())),
                ] {
                    let what = format!("{:?} by {:?}", a.layout(), b.layout());
                    let (on, stopped) = (Interrupt::new(), Interrupt::new());
                    stopped.stop();
                    close(left::<Flex>(&a, b.clone(), &on), expected.clone(), &what);
                    close(right::<Flex>(a.clone(), &b, &on), expected.clone(), &what);
                    // Stopped, no number is computed.
                    let zeros = Flex::float_zeros(expected.shape(), &FlexDevice, dtype.into());
                    for cut in [
                        left::<Flex>(&a, b.clone(), &stopped),
                        right::<Flex>(a, &b, &stopped),
                    ] {
                        let read = |x| crate::host::<Flex>(x).expect("reads");
                        assert_eq!(read(cut), read(zeros.clone()), "{what}");
                    }
                }
            }
        }
    }

    /// However many rows there are, and by however many threads.
    #[test]
    fn a_row_is_the_same_beside_others() {
        for lies_turned in [false, true] {
            for dtype in [DType::F32, DType::F64] {
                let w = tensor(&[1300, 67], 1, dtype);
                let w = if lies_turned { turned(w) } else { w };
                let x = tensor(&[21, 1300], 2, dtype);
                let product = |x| right::<Flex>(x, &w, &Interrupt::new());
                let whole = crate::host::<Flex>(product(x.clone())).expect("reads");
                for (first, count) in [(0, 1), (20, 1), (3, 2), (5, 11)] {
                    let rows = [(first..first + count).into(), (0..1300).into()];
                    let rows = Flex::float_slice(x.clone(), &rows);
                    for threads in 1..=3 {
                        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
                        let pool = pool.build().expect("threads");
                        let some = pool.install(|| product(rows.clone()));
                        let some = crate::host::<Flex>(some).expect("reads");
                        assert_eq!(some, whole[67 * first..67 * (first + count)]);
                    }
                }
            }
        }
    }
}
