//! When decisions change: how a piecewise-constant decision hangs on what an op reads.
//!
//! Every such decision is a set of comparisons, of an entry with a number or of two entries. In a
//! paired run whose probe is a direction d, an entry that is z₀ at x₀ is z₀ + t ż at x₀ + t d, ż its
//! probe, for as long as nothing before it has flipped. A unit flips where one of its comparisons turns
//! out otherwise. The least t over all units of a network is exact, since up to there nothing has
//! flipped.

use burn_backend::{
    Backend, DType, Shape, TensorMetadata, read_sync,
    tensor::{FloatTensor, IntTensor},
};

use super::{
    Tracer,
    noise::{BAND, roundoff},
};
use crate::{
    error::{Error, Result},
    host,
    report::{AtRisk, Flips},
};

/// How two numbers are compared, the left with the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    Greater,
    GreaterEqual,
    Equal,
}

/// The windows of a max pool, plane by plane.
#[derive(Clone, Debug)]
pub(crate) struct Windows {
    pub kernel: Vec<usize>,
    pub stride: Vec<usize>,
    pub padding: Vec<usize>,
    pub dilation: Vec<usize>,
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
enum Side {
    Entry(usize),
    Number(f64),
}

/// Values and, for each probe, how fast they change.
struct Moving {
    value: Vec<f64>,
    rates: Vec<Vec<f64>>,
}

impl Moving {
    fn of<B: Backend>(read: &Read<'_, B>, shape: Option<&Shape>, k: usize) -> Result<Self> {
        let shaped = |x: &FloatTensor<B>, lead: Option<usize>| match shape {
            None => x.clone(),
            Some(shape) => {
                // A broadcast operand is compared entry by entry.
                let own = x.shape();
                let own = &own[usize::from(lead.is_some())..];
                let mut aligned = vec![1; shape.num_dims() - own.len()];
                aligned.extend(own);
                let dims = |dims: &[usize]| {
                    Shape::from(
                        lead.into_iter()
                            .chain(dims.iter().copied())
                            .collect::<Vec<_>>(),
                    )
                };
                let x = B::float_reshape(x.clone(), dims(&aligned));
                B::float_expand(x, dims(shape))
            }
        };
        let value = host::<B>(B::float_detach(shaped(read.value, None)))?;
        let rates = match read.tracer.and_then(Tracer::batch) {
            Some(batch) => {
                let k = batch.shape()[0];
                let rates = host::<B>(B::float_detach(shaped(batch, Some(k))))?;
                rates
                    .chunks(value.len().max(1))
                    .map(<[f64]>::to_vec)
                    .collect()
            }
            None => vec![vec![0.0; value.len()]; k],
        };
        Ok(Self { value, rates })
    }
}

impl<'a, B: Backend> Read<'a, B> {
    pub(crate) fn traced(value: &'a FloatTensor<B>, tracer: &'a Tracer<B>) -> Self {
        let tracer = Some(tracer);
        Self { value, tracer }
    }

    fn probes(&self) -> Option<usize> {
        Some(self.tracer?.batch()?.shape()[0])
    }
}

impl<'a, B: Backend> Decides<'a, B> {
    /// Whether each entry of x lies above each of some numbers.
    pub(crate) fn above(x: &'a FloatTensor<B>, tracer: &'a Tracer<B>, levels: &[f64]) -> Self {
        let levels = levels.iter().map(|level| (Test::Greater, *level));
        Decides::Levels(Read::traced(x, tracer), levels.collect())
    }

    fn first(&self) -> &Read<'a, B> {
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
    fn comparisons(
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
                let data = read_sync(B::int_into_data((*winners).clone()))
                    .map_err(|error| Error::Data(format!("{error:?}")))?;
                for (at, index) in data.iter::<i64>().enumerate() {
                    let (p, cell) = (at / cells, at % cells);
                    let won = p * plane + index as usize;
                    for other in windows.inside(cell, &made, size) {
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

    fn reads(&self) -> Vec<(&Read<'a, B>, Option<&Shape>)> {
        match self {
            Decides::Against([x, y], _, shape) => vec![(x, Some(shape)), (y, Some(shape))],
            other => vec![(other.first(), None)],
        }
    }

    /// Where along the run's probes units flip.
    ///
    /// # Errors
    /// [`Error::Data`].
    pub(super) fn flips(&self) -> Result<Flips> {
        let reads = self.reads();
        let k = reads
            .iter()
            .find_map(|(read, _)| read.probes())
            .unwrap_or(0);
        let mut moving = Moving {
            value: Vec::new(),
            rates: vec![Vec::new(); k],
        };
        for (read, shape) in reads {
            let Moving { value, rates } = Moving::of(read, shape, k)?;
            moving.value.extend(value);
            for (all, rates) in moving.rates.iter_mut().zip(rates) {
                all.extend(rates);
            }
        }
        let rounding = match self.first().value.dtype() {
            DType::F64 => f64::EPSILON,
            _ => f64::from(f32::EPSILON),
        };
        let (mut first, mut unit) = (vec![f64::INFINITY; k], vec![0; k]);
        let mut at_kink = 0;
        let mut tied = None;
        self.comparisons(&moving.value, |at, left, test, right| {
            let of = |values: &[f64], side: Side, number: bool| match side {
                Side::Entry(i) => values[i],
                Side::Number(c) if number => c,
                Side::Number(_) => 0.0,
            };
            let ahead = of(&moving.value, left, true) - of(&moving.value, right, true);
            if ahead == 0.0 && tied != Some(at) {
                (tied, at_kink) = (Some(at), at_kink + 1);
            }
            for (j, rates) in moving.rates.iter().enumerate() {
                let (l, r) = (of(rates, left, false), of(rates, right, false));
                let t = turns(ahead, l, r, test, rounding);
                if t < first[j] {
                    (first[j], unit[j]) = (t, at);
                }
            }
        })?;
        Ok(Flips {
            at_kink,
            first,
            unit,
        })
    }
}

impl<B: Backend> Decides<'_, B> {
    /// How many units lie within the rounding band of their kink.
    ///
    /// # Errors
    /// [`Error::Data`].
    pub(super) fn at_risk(&self) -> Result<AtRisk> {
        let (mut value, mut sigma) = (Vec::new(), Vec::new());
        for (read, shape) in self.reads() {
            let Moving { value: entries, .. } = Moving::of(read, shape, 0)?;
            let Some(known) = read.sigma(&entries, shape.unwrap_or(&read.value.shape())) else {
                return Ok(AtRisk {
                    unknown: self.units(),
                    ..AtRisk::default()
                });
            };
            value.extend(entries);
            sigma.extend(known);
        }
        let mut found = AtRisk::default();
        let mut last = None;
        self.comparisons(&value, |unit, left, _, right| {
            let of = |side: Side| match side {
                Side::Entry(i) => (value[i], sigma[i]),
                Side::Number(c) => (c, 0.0),
            };
            let ((l, a), (r, b)) = (of(left), of(right));
            let (margin, band) = ((l - r).abs(), BAND * a.hypot(b));
            // A unit counts once, whatever it is compared with; its comparisons follow each other.
            if band == 0.0 || margin > band || last == Some(unit) {
                return;
            }
            last = Some(unit);
            found.near.push(unit);
            match margin == 0.0 {
                true => found.ties += 1,
                false => found.within += 1,
            }
        })?;
        Ok(found)
    }
}

impl<B: Backend> Read<'_, B> {
    /// σ of each entry, 0 where it is a constant; `None` where it is not known. What was read makes the
    /// estimate better for all that follows.
    fn sigma(&self, entries: &[f64], shape: &Shape) -> Option<Vec<f64>> {
        let Some(tracer) = self.tracer else {
            return Some(vec![0.0; entries.len()]);
        };
        let (count, inner) = match shape.num_dims() {
            0 | 1 => (1, entries.len().max(1)),
            _ => (shape[1], shape[2..].iter().product::<usize>().max(1)),
        };
        let mut size = vec![0f64; count];
        for (row, part) in entries.chunks(inner).enumerate() {
            let most = &mut size[row % count];
            *most = part.iter().fold(*most, |most, v| most.max(v.abs()));
        }
        let u2 = roundoff(self.value.dtype());
        let variance = tracer.with_noise(|noise| {
            noise.measured(size, u2);
            noise.variance.clone()
        })?;
        let rows = entries.chunks(inner).enumerate();
        let each = rows.flat_map(|(row, part)| {
            let v = variance
                .get(row % count)
                .copied()
                .unwrap_or_else(|| variance[0]);
            std::iter::repeat_n(v.sqrt(), part.len())
        });
        Some(each.collect())
    }
}

/// The t ≥ 0 from which on `ahead + t (l − r)` compares with 0 in another way; infinite where it never
/// does.
fn turns(ahead: f64, l: f64, r: f64, test: Test, rounding: f64) -> f64 {
    let rate = l - r;
    if ahead.is_nan() || rate.is_nan() {
        // Of what is no number nothing is known.
        return 0.0;
    }
    if ahead != 0.0 {
        let t = -ahead / rate;
        return if t > 0.0 { t } else { f64::INFINITY };
    }
    // Exactly at the kink. What moves together but for rounding stays together.
    if rate.abs() <= 8.0 * rounding * (l.abs() + r.abs()) {
        return f64::INFINITY;
    }
    let leaves = match test {
        Test::Greater => rate > 0.0,
        Test::GreaterEqual => rate < 0.0,
        Test::Equal => true,
    };
    if leaves { 0.0 } else { f64::INFINITY }
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

impl Windows {
    /// The cells of a plane in the window of an output cell.
    fn inside(&self, cell: usize, made: &[usize], size: &[usize]) -> Vec<usize> {
        let mut rest = cell;
        let mut at = vec![0; made.len()];
        for axis in (0..made.len()).rev() {
            at[axis] = rest % made[axis];
            rest /= made[axis];
        }
        let mut found = vec![0];
        for axis in 0..made.len() {
            let start = at[axis] * self.stride[axis];
            let along: Vec<usize> = (0..self.kernel[axis])
                .filter_map(|i| (start + i * self.dilation[axis]).checked_sub(self.padding[axis]))
                .filter(|i| *i < size[axis])
                .collect();
            found = found
                .iter()
                .flat_map(|cell| along.iter().map(move |i| cell * size[axis] + i))
                .collect();
        }
        found
    }
}
