//! Which decisions rounding may have made otherwise.
//!
//! A unit is at risk if a comparison of its lies within the rounding band of its kink or tie:
//! [`BAND`] σ of the difference of the two sides, σ from [`noise`](super::noise). Slopes and the windows of
//! max pools, nearly all units of a network, are looked at where they lie, in their own precision and
//! many at once; what a quick look finds is looked at again in f64.

use burn_backend::{Backend, Shape, TensorMetadata, tensor::IntTensor};
use pulp::Arch;

use super::{
    kinks::{Decides, Read, Side, Test},
    noise::{BAND, Real, by_channel, roundoff, rows},
};
use crate::{
    error::Result,
    host::{self, in_own_precision},
    linear::{Windows, deal},
    report::AtRisk,
};

/// How many entries are looked at in one go.
const PIECE: usize = 1024;

/// σ of the entries of a tensor, one number for each channel; 0 of a constant.
struct Sigmas {
    /// Entries of a channel that lie side by side.
    inner: usize,
    of: Vec<f64>,
}

impl Sigmas {
    fn of_row(&self, row: usize) -> f64 {
        self.of[row % self.of.len()]
    }
}

/// How a unit at risk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stands {
    /// Within the band of a kink.
    Near,
    /// Exactly at it.
    Tied,
}

impl Stands {
    /// How the sides of a comparison stand. What is not a number is near.
    fn of(left: f64, right: f64, band: f64) -> Option<Self> {
        match (left - right).abs() {
            _ if band == 0.0 => None,
            // Infinities too.
            _ if left == right => Some(Self::Tied),
            margin if margin > band => None,
            _ => Some(Self::Near),
        }
    }
}

impl AtRisk {
    /// None yet; `list` says whether to tell which.
    fn none(list: bool) -> Self {
        Self {
            near: list.then(Vec::new),
            ..Self::default()
        }
    }

    fn add(&mut self, unit: usize, stands: Stands) {
        match stands {
            Stands::Near => self.within += 1,
            Stands::Tied => self.ties += 1,
        }
        if let Some(near) = &mut self.near {
            near.push(unit);
        }
    }

    /// Of two parts of one decision, in order.
    fn join(mut self, other: Self) -> Self {
        self.within += other.within;
        self.ties += other.ties;
        if let (Some(near), Some(other)) = (&mut self.near, other.near) {
            near.extend(other);
        }
        self
    }
}

impl<B: Backend> Decides<'_, B> {
    /// How many units lie within the rounding band of their kink; with `list`, which.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data).
    pub(super) fn at_risk(&self, list: bool) -> Result<AtRisk> {
        let none = AtRisk::none(list);
        let found = match self {
            Decides::Levels(read, levels) => read.beside(levels, none)?,
            Decides::Pool(read, windows, winners) => read.runners_up(windows, winners, none)?,
            _ => self.compared(none)?,
        };
        Ok(found.unwrap_or_else(|| AtRisk {
            unknown: self.units(),
            ..AtRisk::default()
        }))
    }

    /// Any decision, comparison by comparison; `None` where the noise is not known.
    fn compared(&self, mut found: AtRisk) -> Result<Option<AtRisk>> {
        let (mut value, mut sigmas) = (Vec::new(), Vec::new());
        for (read, shape) in self.reads() {
            let entries = read.values(shape)?;
            let shape = shape.cloned().unwrap_or_else(|| read.value.shape());
            let Some(known) = read.sigmas(&entries, &shape) else {
                return Ok(None);
            };
            sigmas.push((value.len(), known));
            value.extend(entries);
        }
        let sigma = |i: usize| {
            let part = sigmas.iter().rev().find(|(start, _)| *start <= i);
            part.map_or(0.0, |(start, part)| part.of_row((i - start) / part.inner))
        };
        // A unit counts once, whatever it is compared with; its comparisons follow each other.
        let mut last: Option<(usize, Stands)> = None;
        self.comparisons(&value, |unit, left, _, right| {
            let of = |side: Side| match side {
                Side::Entry(i) => (value[i], sigma(i)),
                Side::Number(c) => (c, 0.0),
            };
            let ((l, a), (r, b)) = (of(left), of(right));
            let Some(stands) = Stands::of(l, r, BAND * a.hypot(b)) else {
                return;
            };
            last = Some(match last {
                Some((known, before)) if known == unit => (unit, before.max(stands)),
                before => {
                    before
                        .into_iter()
                        .for_each(|(unit, stands)| found.add(unit, stands));
                    (unit, stands)
                }
            });
        })?;
        last.into_iter()
            .for_each(|(unit, stands)| found.add(unit, stands));
        Ok(Some(found))
    }
}

impl<B: Backend> Read<'_, B> {
    /// Each entry against numbers; `None` where the noise is not known.
    fn beside(&self, levels: &[(Test, f64)], none: AtRisk) -> Result<Option<AtRisk>> {
        let shape = self.value.shape();
        Ok(in_own_precision!(host::look::<B>(self.value)?, |x| {
            let sigmas = self.sigmas(x, &shape);
            sigmas.map(|of| beside(x, &of, levels, none))
        }))
    }

    /// The winner of each window against the others; `None` where the noise is not known.
    fn runners_up(
        &self,
        windows: &Windows,
        won: &IntTensor<B>,
        none: AtRisk,
    ) -> Result<Option<AtRisk>> {
        let (size, made) = (self.value.shape(), won.shape());
        let planes = [&made[2..], &size[2..]];
        let won = host::ints::<B>(won)?;
        Ok(in_own_precision!(host::look::<B>(self.value)?, |x| {
            let sigmas = self.sigmas(x, &size);
            sigmas.map(|of| runners_up(x, &of, windows, planes, &won, none))
        }))
    }

    /// σ of each channel of a tensor of this shape; `None` where it is not known. What was read makes the
    /// estimate better for all that follows.
    fn sigmas<T: Real>(&self, entries: &[T], shape: &Shape) -> Option<Sigmas> {
        if entries.is_empty() {
            return Some(Sigmas {
                inner: 1,
                of: vec![0.0],
            });
        }
        let (count, inner) = match shape.num_dims() {
            0 | 1 => (1, entries.len()),
            _ => (shape[1], shape[2..].iter().product()),
        };
        let of = match self.tracer {
            None => vec![0.0],
            Some(tracer) => {
                let size = by_channel(entries, count, inner);
                let u2 = roundoff(self.value.dtype());
                let variance = tracer.with_noise(|noise| {
                    noise.measured(size, u2);
                    noise.variance.clone()
                })?;
                let of = |c: usize| {
                    variance
                        .get(c)
                        .or(variance.first())
                        .map_or(0.0, |v| v.sqrt())
                };
                (0..count).map(of).collect()
            }
        };
        Some(Sigmas { inner, of })
    }
}

/// Entries within the band of a level.
fn beside<T: Real>(x: &[T], sigmas: &Sigmas, levels: &[(Test, f64)], none: AtRisk) -> AtRisk {
    let inner = sigmas.inner;
    let of_row = |row: usize, part: &[T]| -> AtRisk {
        let band = BAND * sigmas.of_row(row);
        let mut found = none.clone();
        if band == 0.0 {
            return found;
        }
        for (number, piece) in part.chunks(PIECE).enumerate() {
            let each = || levels.iter().map(|(_, level)| *level);
            if !each().any(|level| comes_near(piece, level, band)) {
                continue;
            }
            let start = row * inner + number * PIECE;
            for (i, z) in piece.iter().enumerate() {
                let stands = each().filter_map(|c| Stands::of((*z).into(), c, band));
                if let Some(stands) = stands.max() {
                    found.add(start + i, stands);
                }
            }
        }
        found
    };
    let found = rows(x, inner, of_row).into_iter();
    found.fold(none.clone(), AtRisk::join)
}

/// Half the distance to the next number, relative.
fn unit<T: Real>() -> f64 {
    T::epsilon().into() / 2.0
}

/// A number as it would lie in memory; infinite beyond the largest.
fn nearest<T: Real>(x: f64) -> T {
    num_traits::cast(x).unwrap_or_else(T::infinity)
}

/// Whether any number may be no further than `band` from `level`.
fn comes_near<T: Real>(x: &[T], level: f64, band: f64) -> bool {
    // The quick look must not miss what the slow one finds: the level, the band and the difference are
    // each rounded once.
    let slack = 4.0 * unit::<T>() * (level.abs() + band);
    let most = T::max_value().into();
    let (level, band) = (
        nearest::<T>(level.clamp(-most, most)),
        nearest::<T>(band + slack),
    );
    Arch::new().dispatch(|| {
        // What is no number is within.
        let within = |z: &T| 1 - u32::from((*z - level).abs() > band);
        x.iter().map(within).sum::<u32>() > 0
    })
}

/// Windows in which another entry is within the band of the winner; cells of `made` and `size`, of output
/// and input planes.
fn runners_up<T: Real>(
    x: &[T],
    sigmas: &Sigmas,
    windows: &Windows,
    [made, size]: [&[usize]; 2],
    winners: &[i64],
    none: AtRisk,
) -> AtRisk {
    let cells: usize = made.iter().product();
    if cells == 0 {
        return none;
    }
    let quick = Runners::new(windows, made, size);
    let of_plane = |plane: usize, part: &[T]| -> AtRisk {
        let sigma = sigmas.of_row(plane);
        let band = BAND * sigma.hypot(sigma);
        let won = &winners[plane * cells..(plane + 1) * cells];
        let mut found = none.clone();
        if band == 0.0 {
            return found;
        }
        let close = |cell: usize| {
            let (won, best) = (won[cell] as usize, part[won[cell] as usize].into());
            let mut others = quick.window(cell).filter(|other| *other != won);
            others.any(|other| Stands::of(best, part[other].into(), band).is_some())
        };
        quick.within(part, won, band, |cell, stands| {
            if stands == Stands::Tied || close(cell) {
                found.add(plane * cells + cell, stands);
            }
        });
        found
    };
    let found = rows(x, sigmas.inner, of_plane).into_iter();
    found.fold(none.clone(), AtRisk::join)
}

/// Windows row by row, for a look at a row of them at once.
struct Runners {
    /// Input rows that an output row reads.
    rows: Vec<Vec<usize>>,
    /// Along the last axis, for each place in a window: the cells that have it, and the input cell of
    /// the first.
    along: Vec<(std::ops::Range<usize>, usize)>,
    stride: usize,
    made: usize,
    size: usize,
}

impl Runners {
    fn new(windows: &Windows, made: &[usize], size: &[usize]) -> Self {
        let last = made.len() - 1;
        let before = |list: &[usize]| list[..last].to_vec();
        let rows = Windows {
            kernel: before(&windows.kernel),
            stride: before(&windows.stride),
            padding: before(&windows.padding),
            dilation: before(&windows.dilation),
        };
        let (stride, padding) = (windows.stride[last], windows.padding[last]);
        let along = (0..windows.kernel[last]).filter_map(|i| {
            let offset = i * windows.dilation[last];
            let first = padding.saturating_sub(offset).div_ceil(stride);
            // One past the last cell whose entry lies in the row.
            let end = (size[last] + padding).checked_sub(offset)?.div_ceil(stride);
            let end = end.min(made[last]);
            (first < end).then(|| (first..end, first * stride + offset - padding))
        });
        Self {
            rows: rows.inside(&made[..last], &size[..last]),
            along: along.collect(),
            stride,
            made: made[last],
            size: size[last],
        }
    }

    /// The cells of the input plane in the window of an output cell, in order.
    fn window(&self, cell: usize) -> impl Iterator<Item = usize> {
        let (row, cell) = (cell / self.made, cell % self.made);
        self.rows[row].iter().flat_map(move |from| {
            let along = self
                .along
                .iter()
                .filter(move |(cells, _)| cells.contains(&cell));
            along.map(move |(cells, first)| {
                from * self.size + first + (cell - cells.start) * self.stride
            })
        })
    }

    /// Every cell whose window has an entry equal to the winner alongside it, or may have one no further than
    /// `band` below.
    fn within<T: Real>(&self, x: &[T], won: &[i64], band: f64, found: impl FnMut(usize, Stands)) {
        Arch::new().dispatch(|| self.compare(x, won, band, found));
    }

    #[inline(always)]
    fn compare<T: Real>(
        &self,
        x: &[T],
        won: &[i64],
        band: f64,
        mut found: impl FnMut(usize, Stands),
    ) {
        let (stride, width) = (self.stride, self.size.div_ceil(self.stride));
        // The quick look must not miss what the slow one finds: every step is rounded.
        let wide = 8.0 * unit::<T>();
        let (band, slack) = (nearest::<T>(band * (1.0 + wide)), nearest::<T>(wide));
        let mut lanes = vec![T::zero(); stride * width];
        let [mut best, mut least] = [vec![T::zero(); self.made], vec![T::zero(); self.made]];
        let [mut near, mut equal] = [vec![0u32; self.made], vec![0u32; self.made]];
        for (row, (won, from)) in won.chunks(self.made).zip(&self.rows).enumerate() {
            for ((best, least), won) in best.iter_mut().zip(&mut least).zip(won) {
                // A window that is all padding has no winner, and nothing beside it.
                (*best, *least) = match x.get(*won as usize) {
                    Some(&best) => (best, best - (band + best.abs() * slack)),
                    None => (T::zero(), T::infinity()),
                };
            }
            near.fill(0);
            equal.fill(0);
            for from in from {
                // What neighbouring cells read lies side by side then.
                let x = &x[from * self.size..(from + 1) * self.size];
                deal(x, stride, &mut lanes);
                for (cells, first) in &self.along {
                    let start = first % stride * width + first / stride;
                    let entries = &lanes[start..start + cells.len()];
                    let counts = near[cells.clone()]
                        .iter_mut()
                        .zip(&mut equal[cells.clone()]);
                    let sides = least[cells.clone()].iter().zip(&best[cells.clone()]);
                    for (((near, equal), (least, best)), entry) in counts.zip(sides).zip(entries) {
                        *near += 1 - u32::from(*entry < *least);
                        *equal += u32::from(*entry == *best);
                    }
                }
            }
            // The winner is one.
            for (cell, (near, equal)) in near.iter().zip(&equal).enumerate() {
                if *near > 1 {
                    let stands = if *equal > 1 {
                        Stands::Tied
                    } else {
                        Stands::Near
                    };
                    found(row * self.made + cell, stands);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn_backend::{
        DType, TensorData,
        ops::{FloatTensorOps, ModuleOps},
    };
    use burn_flex::{Flex, FlexDevice};

    use super::*;
    use crate::{
        rule_set::RuleSet,
        run::{Run, Tracer},
    };

    /// Numbers on a grid, so that some lie next to a level or another entry and some on it.
    fn grid(len: usize) -> Vec<f64> {
        let mut state = 7u64;
        let next = |_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
            let step = (state >> 33) as i64 % 41 - 20;
            step as f64 * 0.05 + 1e-9 * (step % 3) as f64
        };
        let mut values: Vec<f64> = (0..len).map(next).collect();
        values[len / 2] = f64::NAN;
        values
    }

    /// Risks of a tensor that has noise, as if it had been computed.
    fn with_noise<T>(
        values: Vec<f64>,
        shape: Vec<usize>,
        dtype: DType,
        variance: Vec<f64>,
        look: impl FnOnce(&burn_flex::FlexTensor, &Tracer<Flex>) -> T,
    ) -> T {
        let data = TensorData::new(values, shape).convert_dtype(dtype);
        let x = Flex::float_from_data(data, &FlexDevice);
        let run = Run::<Flex>::recording_with_risk(RuleSet::default(), usize::MAX, true);
        let tracer = run.input(0, &x);
        tracer.with_noise(|noise| noise.variance = variance);
        look(&x, &tracer)
    }

    fn windows(
        kernel: usize,
        stride: usize,
        padding: usize,
        dilation: usize,
        axes: usize,
    ) -> Windows {
        let [kernel, stride, padding, dilation] =
            [kernel, stride, padding, dilation].map(|n| vec![n; axes]);
        Windows {
            kernel,
            stride,
            padding,
            dilation,
        }
    }

    fn pools_agree(read: Read<'_, Flex>, windows: &Windows, won: &burn_flex::FlexTensor) {
        let quick = read.runners_up(windows, won, AtRisk::none(true));
        let slow = Decides::Pool(read, windows, won).compared(AtRisk::none(true));
        assert_eq!(quick.expect("reads"), slow.expect("reads"), "{windows:?}");
    }

    /// Nothing to look at is nothing at risk.
    #[test]
    fn an_empty_tensor_has_no_units() {
        with_noise(vec![], vec![2, 0], DType::F32, vec![], |x, tracer| {
            let found = Decides::above(x, tracer, &[0.0]).at_risk(true);
            assert_eq!(found.expect("reads").near, Some(vec![]));
        });
    }

    /// Rows of one axis, and strides that are not dealt in pairs; a window of padding alone.
    #[test]
    fn pools_along_one_axis() {
        let values = grid(2 * 3 * 31);
        for (kernel, stride, padding, dilation) in [
            (3, 3, 1, 1),
            (2, 5, 0, 2),
            (4, 1, 2, 3),
            (2, 1, 1, 30),
            (2, 1, 1, 32),
        ] {
            let variance = vec![1e-6, 0.0, 1e-3];
            with_noise(
                values.clone(),
                vec![2, 3, 31],
                DType::F32,
                variance,
                |x, tracer| {
                    let int = burn_backend::IntDType::I64;
                    let made = Flex::max_pool1d_with_indices(
                        x.clone(),
                        kernel,
                        stride,
                        padding,
                        dilation,
                        false,
                        int,
                    );
                    let windows = windows(kernel, stride, padding, dilation, 1);
                    pools_agree(Read::traced(x, tracer), &windows, &made.indices);
                },
            );
        }
    }

    /// What is found many at once is what is found comparison by comparison.
    #[test]
    fn a_quick_look_finds_what_a_slow_one_does() {
        let cases = [
            (vec![2, 3, 9, 8], vec![1e-6, 0.0, 1e-20]),
            (vec![1, 2, 70, 40], vec![1e-5]),
            (vec![40, 3, 1, 1], vec![1e-7, 1e-3, 1e-18]),
            // Enough for several threads.
            (vec![2, 3, 210, 230], vec![1e-9, 1e-12, 1e-8]),
        ];
        for dtype in [DType::F32, DType::F64] {
            for (shape, variance) in &cases {
                let mut values = grid(shape.iter().product());
                // Two that are equal without a difference.
                values[0] = f64::INFINITY;
                values[1] = f64::INFINITY;
                with_noise(values, shape.clone(), dtype, variance.clone(), agree);
            }
        }
    }

    fn agree(x: &burn_flex::FlexTensor, tracer: &Tracer<Flex>) {
        let read = Read::traced(x, tracer);
        for levels in [&[0.0][..], &[-0.3, 0.3], &[0.1], &[0.25, 0.25 + 1e-9]] {
            let decides = Decides::above(x, tracer, levels);
            let Decides::Levels(_, levels) = &decides else {
                panic!("levels");
            };
            let quick = read.beside(levels, AtRisk::none(true)).expect("reads");
            assert!(
                quick
                    .as_ref()
                    .is_some_and(|found| found.within + found.ties > 0)
            );
            let slow = decides.compared(AtRisk::none(true)).expect("reads");
            assert_eq!(quick, slow, "{levels:?}");
        }
        for (kernel, stride, padding, dilation) in [
            (3, 2, 1, 1),
            (2, 2, 0, 1),
            (3, 1, 1, 2),
            (3, 3, 1, 1),
            (1, 1, 0, 1),
        ] {
            if x.shape()[2] == 1 && kernel > 1 {
                continue;
            }
            let [k, s, p, d] = [kernel, stride, padding, dilation].map(|n| [n; 2]);
            let int = burn_backend::IntDType::I64;
            let made = Flex::max_pool2d_with_indices(x.clone(), k, s, p, d, false, int);
            let windows = windows(kernel, stride, padding, dilation, 2);
            pools_agree(read, &windows, &made.indices);
        }
    }
}
