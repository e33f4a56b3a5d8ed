//! When decisions change: how a piecewise-constant decision hangs on what an op reads.
//!
//! Every such decision is a set of comparisons, of an entry with a number or of two entries.
//! [`flips`](super::flips) asks where along a direction one of them turns out otherwise, and
//! [`risk`](super::risk) which of them rounding may have decided.

use burn_backend::{
    Backend, Shape, TensorMetadata,
    tensor::{FloatTensor, IntTensor},
};

use super::Tracer;
use crate::{error::Result, host, linear::Windows};

/// How two numbers are compared, the left with the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    Greater,
    GreaterEqual,
    Equal,
}

/// Where a staircase has its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stairs {
    /// At 0: sign.
    Sign,
    /// Towards 0.
    Trunc,
    Floor,
    Ceil,
    /// To the nearest, halves to the even one.
    Round,
}

/// A tensor that an op reads, and its tracer if it has one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read<'a, B: Backend> {
    pub value: &'a FloatTensor<B>,
    pub tracer: Option<&'a Tracer<B>>,
}

/// How the units of a decision hang on what the op reads.
#[derive(Clone, Debug)]
pub(crate) enum Decides<'a, B: Backend> {
    /// Each entry of x against each of these numbers.
    Levels(Read<'a, B>, Vec<(Test, f64)>),
    /// Each entry of x against that of y, broadcast to one shape.
    Against([Read<'a, B>; 2], Test, Shape),
    /// Each entry of x on a staircase.
    Stairs(Read<'a, B>, Stairs),
    /// `[n, c, ..]`: the winner of each window against the others; indices as Burn gives them, each into
    /// its plane.
    Pool(Read<'a, B>, &'a Windows, &'a IntTensor<B>),
    /// The largest (`1.0`) or smallest (`-1.0`) entry of each line along an axis against the others; of
    /// all entries (`None`).
    Extreme(Read<'a, B>, Option<usize>, f64),
    /// The first so many entries of each line, in order, against each other and the rest.
    Order(Read<'a, B>, usize, usize, bool),
    /// Each entry along an axis against the largest (`1.0`) or smallest (`-1.0`) before it.
    Record(Read<'a, B>, usize, f64),
}

/// One side of a comparison.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    Entry(usize),
    Number(f64),
}

impl<'a, B: Backend> Read<'a, B> {
    pub(crate) fn traced(value: &'a FloatTensor<B>, tracer: &'a Tracer<B>) -> Self {
        let tracer = Some(tracer);
        Self { value, tracer }
    }

    pub(super) fn probes(&self) -> Option<usize> {
        Some(self.tracer?.batch()?.shape()[0])
    }

    /// Its entries on the host, broadcast to a shape.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data).
    pub(super) fn values(&self, shape: Option<&Shape>) -> Result<Vec<f64>> {
        host::host::<B>(B::float_detach(expanded::<B>(self.value, shape, None)))
    }

    /// Its probes on the host, one after the other, each broadcast to a shape; `None` for a constant.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data).
    pub(super) fn rates(&self, shape: Option<&Shape>) -> Result<Option<Vec<f64>>> {
        let Some(batch) = self.tracer.and_then(Tracer::batch) else {
            return Ok(None);
        };
        let rates = expanded::<B>(batch, shape, Some(batch.shape()[0]));
        host::host::<B>(B::float_detach(rates)).map(Some)
    }
}

impl<'a, B: Backend> Decides<'a, B> {
    /// Whether each entry of x lies above each of some numbers.
    pub(crate) fn above(x: &'a FloatTensor<B>, tracer: &'a Tracer<B>, levels: &[f64]) -> Self {
        let levels = levels.iter().map(|level| (Test::Greater, *level));
        Decides::Levels(Read::traced(x, tracer), levels.collect())
    }

    pub(super) fn first(&self) -> &Read<'a, B> {
        match self {
            Decides::Levels(x, _)
            | Decides::Stairs(x, _)
            | Decides::Pool(x, ..)
            | Decides::Extreme(x, ..)
            | Decides::Order(x, ..)
            | Decides::Record(x, ..) => x,
            Decides::Against([x, _], ..) => x,
        }
    }

    /// How many units decide.
    pub(super) fn units(&self) -> usize {
        let shape = self.first().value.shape();
        let all = shape.num_elements();
        match self {
            Decides::Levels(..) | Decides::Stairs(..) | Decides::Record(..) => all,
            Decides::Against(_, _, shape) => shape.num_elements(),
            Decides::Pool(_, _, winners) => winners.shape().num_elements(),
            Decides::Extreme(_, None, _) => 1,
            Decides::Extreme(_, Some(dim), _) => all / shape[*dim].max(1),
            Decides::Order(_, dim, keep, _) => all / shape[*dim].max(1) * keep,
        }
    }

    /// Every comparison: its unit and both sides, entries by their place in `value`.
    pub(super) fn comparisons(
        &self,
        value: &[f64],
        mut each: impl FnMut(usize, Side, Test, Side),
    ) -> Result<()> {
        use Side::{Entry, Number};
        let shape = self.first().value.shape();
        match self {
            Decides::Levels(_, levels) => {
                for i in 0..value.len() {
                    for (test, level) in levels {
                        each(i, Entry(i), *test, Number(*level));
                    }
                }
            }
            Decides::Against(_, test, shape) => {
                let len = shape.num_elements();
                (0..len).for_each(|i| each(i, Entry(i), *test, Entry(len + i)));
            }
            Decides::Stairs(_, stairs) => {
                for (i, z) in value.iter().enumerate() {
                    for (test, step) in stairs.around(*z) {
                        each(i, Entry(i), test, Number(step));
                    }
                }
            }
            Decides::Pool(_, windows, winners) => {
                let size = &shape[2..];
                let plane: usize = size.iter().product();
                let made: Vec<usize> = winners.shape()[2..].to_vec();
                let cells: usize = made.iter().product();
                let inside = windows.inside(&made, size);
                for (at, index) in host::ints::<B>(winners)?.iter().enumerate() {
                    // A window that is all padding has no winner.
                    let Ok(index) = usize::try_from(*index) else {
                        continue;
                    };
                    let (p, cell) = (at / cells, at % cells);
                    let won = p * plane + index;
                    for other in &inside[cell] {
                        let other = p * plane + other;
                        if other != won {
                            each(at, Entry(won), Test::GreaterEqual, Entry(other));
                        }
                    }
                }
            }
            Decides::Extreme(_, dim, sign) => {
                for (unit, line) in lines(&shape, *dim).enumerate() {
                    let won = best(value, &line, *sign);
                    for &other in line.iter().filter(|&&other| other != won) {
                        beats(won, other, *sign, |l, r| {
                            each(unit, l, Test::GreaterEqual, r)
                        });
                    }
                }
            }
            Decides::Order(_, dim, keep, descending) => {
                let sign = if *descending { 1.0 } else { -1.0 };
                for (number, mut line) in lines(&shape, Some(*dim)).enumerate() {
                    line.sort_by(|&a, &b| (sign * value[b]).total_cmp(&(sign * value[a])));
                    for rank in 0..*keep {
                        let unit = number * keep + rank;
                        // The last that is kept has all others behind it; the rest are in a row.
                        let behind = match rank + 1 == *keep {
                            true => &line[rank + 1..],
                            false => &line[rank + 1..rank + 2],
                        };
                        for &other in behind {
                            beats(line[rank], other, sign, |l, r| {
                                each(unit, l, Test::GreaterEqual, r);
                            });
                        }
                    }
                }
            }
            Decides::Record(_, dim, sign) => {
                for line in lines(&shape, Some(*dim)) {
                    let mut record = line[0];
                    for &next in &line[1..] {
                        let ahead = sign * value[next] > sign * value[record];
                        let (won, other) = if ahead {
                            (next, record)
                        } else {
                            (record, next)
                        };
                        // A new record must stay ahead, an old one must not be passed.
                        beats(won, other, *sign, |l, r| {
                            each(next, l, Test::GreaterEqual, r)
                        });
                        record = won;
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn reads(&self) -> Vec<(&Read<'a, B>, Option<&Shape>)> {
        match self {
            Decides::Against([x, y], _, shape) => vec![(x, Some(shape)), (y, Some(shape))],
            other => vec![(other.first(), None)],
        }
    }
}

/// Broadcast to a shape, behind `lead` probes if there are any.
fn expanded<B: Backend>(
    x: &FloatTensor<B>,
    shape: Option<&Shape>,
    lead: Option<usize>,
) -> FloatTensor<B> {
    let Some(shape) = shape else {
        return x.clone();
    };
    let own = x.shape();
    let own = &own[usize::from(lead.is_some())..];
    let aligned = std::iter::repeat_n(1, shape.num_dims() - own.len()).chain(own.iter().copied());
    let aligned: Vec<usize> = lead.into_iter().chain(aligned).collect();
    let all: Vec<usize> = lead.into_iter().chain(shape.iter().copied()).collect();
    B::float_expand(
        B::float_reshape(x.clone(), Shape::from(aligned)),
        Shape::from(all),
    )
}

/// The entries of every line along an axis, in order; all entries as one line for `None`.
fn lines(shape: &Shape, dim: Option<usize>) -> impl Iterator<Item = Vec<usize>> {
    let (outer, size, inner) = match dim {
        None => (1, shape.num_elements(), 1),
        Some(dim) => (
            shape[..dim].iter().product(),
            shape[dim],
            shape[dim + 1..].iter().product::<usize>(),
        ),
    };
    (0..outer * inner).map(move |line| {
        let (o, i) = (line / inner, line % inner);
        (0..size).map(|j| (o * size + j) * inner + i).collect()
    })
}

/// The first largest (`1.0`) or smallest (`-1.0`) entry of a line.
fn best(value: &[f64], line: &[usize], sign: f64) -> usize {
    line.iter().copied().fold(line[0], |best, i| {
        if sign * value[i] > sign * value[best] {
            i
        } else {
            best
        }
    })
}

/// `won` is at least as large (`1.0`) or small (`-1.0`) as `other`.
fn beats(won: usize, other: usize, sign: f64, mut each: impl FnMut(Side, Side)) {
    match sign > 0.0 {
        true => each(Side::Entry(won), Side::Entry(other)),
        false => each(Side::Entry(other), Side::Entry(won)),
    }
}

impl Stairs {
    /// The steps next to z on both sides, and how z compares with them.
    fn around(self, z: f64) -> Vec<(Test, f64)> {
        use Test::{Greater, GreaterEqual};
        match self {
            Stairs::Sign => vec![(Greater, 0.0), (GreaterEqual, 0.0)],
            Stairs::Floor => vec![(GreaterEqual, z.floor()), (GreaterEqual, z.floor() + 1.0)],
            Stairs::Ceil => vec![(Greater, z.ceil()), (Greater, z.ceil() - 1.0)],
            Stairs::Trunc if z.abs() < 1.0 => vec![(GreaterEqual, 1.0), (Greater, -1.0)],
            Stairs::Trunc if z > 0.0 => Stairs::Floor.around(z),
            Stairs::Trunc => Stairs::Ceil.around(z),
            Stairs::Round => {
                let (low, high) = ((z - 0.5).ceil() - 0.5, (z + 0.5).floor() + 0.5);
                // Exactly half-way it leaves on one side or the other.
                let half = [-1.0, 0.0, 1.0].map(|d| z.floor() + d + 0.5);
                match half.contains(&z) {
                    true => vec![(Greater, z), (GreaterEqual, z)],
                    false => vec![(Greater, low), (GreaterEqual, high)],
                }
            }
        }
    }
}
