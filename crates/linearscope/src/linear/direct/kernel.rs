//! The kernel: outputs of a few channels along a run of cells, in registers.
//!
//! Pictures are padded, so a padded plane is one long row, and a tap is the same row from another
//! place on. A tile is some channels times some vectors of that row; each tap costs it a load of the
//! vectors, and for each channel a broadcast weight and multiply-adds. What comes out where the
//! padding was is dropped.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::{
    geometry::Axis,
    lanes::Lanes,
    product::{Factor, Product, products},
};
use crate::interrupt::Interrupt;

/// Taps summed up before the sum is added to the others: long sums in f32 lose less so.
const SUMMED: usize = 256;

/// Bytes of pictures that stay in a core's cache alongside the weights.
pub(super) const CACHED: usize = 1 << 19;

/// Entries that a tile may read past the last plane: the longest run of a tile.
pub(super) const SLACK: usize = 8 * 64;

/// Output channels made together, and their weights: tap after tap, channel after channel.
#[derive(Clone, Debug)]
pub(super) struct Block<T> {
    channels: usize,
    weights: Vec<T>,
}

impl<T: Lanes> Block<T> {
    /// The channels that a group makes, cut into blocks. `weights` are the group's; `to` is how many channels and how
    /// far apart; `places` where each tap lies.
    pub(super) fn cut(weights: &[T], to: (usize, usize), places: &[usize]) -> Vec<Self> {
        let (to, apart) = to;
        let most = Arch::new().dispatch(Most);
        let blocks = to.div_ceil(most);
        let mut first = 0;
        (0..blocks)
            .map(|done| {
                let channels = (to - first).div_ceil(blocks - done);
                let mut packed = Vec::with_capacity(places.len() * channels);
                for &place in places {
                    let beside = first..first + channels;
                    packed.extend(beside.map(|o| weights[place + o * apart]));
                }
                first += channels;
                Self {
                    channels,
                    weights: packed,
                }
            })
            .collect()
    }

    /// How many channels.
    pub(super) fn channels(&self) -> usize {
        self.channels
    }

    /// Their weights.
    pub(super) fn weights(&self) -> &[T] {
        &self.weights
    }
}

/// The blocks of each group.
type Groups<T> = Vec<Vec<Block<T>>>;

/// Channels of a tile that registers hold.
struct Most;

impl WithSimd for Most {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        if S::REGISTER_COUNT >= 32 { 8 } else { 4 }
    }
}

/// Pictures side by side: how many, groups of channels, and channels a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planes {
    pub pictures: usize,
    pub groups: usize,
    pub from: usize,
    pub to: usize,
}

/// `[pictures, groups · from, h, w]` to `[pictures, groups · to, h′, w′]`; `blocks` are the weights
/// for each pair of residues, in order, and each group; `bias` is a number for each channel made, or none. The
/// interrupt is looked at in every strip; once it is stopped the rest stays as it is.
pub(super) fn run<T: Lanes>(
    x: &[T],
    planes: Planes,
    size: [usize; 2],
    axes: &[Axis; 2],
    made: [usize; 2],
    (blocks, bias): (&[Groups<T>], &[T]),
    interrupt: &Interrupt,
) -> Vec<T> {
    let Planes {
        pictures,
        groups,
        from,
        to,
    } = planes;
    let [down, across] = axes;
    let mut y = vec![T::default(); pictures * groups * to * made[0] * made[1]];
    if size == made && axes.iter().all(Axis::is_single) {
        // A window of one cell: the channels of a picture are a matrix, and where they lie.
        let n = size[0] * size[1];
        let pieces = y.chunks_mut((to * n).max(1)).enumerate();
        let all = pieces.map(|(number, made)| Product {
            left: &blocks[0][number % groups],
            bias: of_group(bias, number % groups, to),
            right: Factor {
                numbers: &x[number * from * n..],
                rows: n,
                columns: 1,
            },
            made,
        });
        products(all.collect(), from, n, interrupt);
        return y;
    }
    let plane = down.padded * across.padded;
    let channel = down.split * across.split * plane;
    let padded = Padded::new(x, size, axes, pictures * groups * from, interrupt);
    let padded: &[T] = &padded.0;

    // Where each tap of a pair of parts begins.
    let offsets: Vec<Vec<Vec<usize>>> = down
        .parts
        .iter()
        .map(|below| {
            let beside = across.parts.iter().map(|beside| {
                let mut offsets = Vec::with_capacity(from * below.taps.len() * beside.taps.len());
                for c in 0..from {
                    for i in &below.taps {
                        for j in &beside.taps {
                            let part = i.part * across.split + j.part;
                            let within = i.offset * across.padded + j.offset;
                            offsets.push(c * channel + part * plane + within);
                        }
                    }
                }
                offsets
            });
            beside.collect()
        })
        .collect();

    // Which part a row of the output belongs to, and which of its rows it is.
    let mut place = vec![(0, 0); made[0]];
    for (part, rows) in down.parts.iter().enumerate() {
        for t in 0..rows.count {
            place[rows.first + down.step * t] = (part, t);
        }
    }
    let enough = 4 * rayon::current_num_threads();
    let whole = pictures * groups * blocks[0][0].len() * down.parts.len();
    // What a strip reads stays in a core's cache while all blocks of channels read it.
    let read = from * channel * size_of::<T>();
    let strips = enough.div_ceil(whole.max(1)).max(read.div_ceil(CACHED));
    let tallest = down.parts.iter().map(|p| p.count).max().unwrap_or(0);
    let per = tallest.div_ceil(strips).max(1);
    let strips = tallest.div_ceil(per);

    // The bias of each group's blocks.
    let biases: Vec<&[T]> = (0..groups)
        .flat_map(|group| cut(of_group(bias, group, to), &blocks[0][group]))
        .collect();

    let arch = Arch::new();
    let fill = |from: usize, group: usize, number: usize, below: usize, first, rows: &mut [_]| {
        if interrupt.is_stopped() {
            return;
        }
        let part = &down.parts[below];
        for (beside, columns) in across.parts.iter().enumerate() {
            let residues = part.residue * across.parts.len() + columns.residue;
            let block = &blocks[residues][group][number];
            arch.dispatch(Strip {
                input: &padded[from..],
                weights: &block.weights,
                bias: biases[group * blocks[0][0].len() + number],
                offsets: &offsets[below][beside],
                channels: block.channels,
                rows: &mut *rows,
                first,
                across: across.padded,
                columns: (columns.first, across.step, columns.count),
            });
        }
    };
    // Many groups of few channels: a task is a group, and its rows are told apart in it.
    if strips == 1 && blocks[0][0].len() == 1 && pictures * groups >= enough {
        y.par_chunks_mut((to * made[0] * made[1]).max(1))
            .enumerate()
            .for_each(|(number, piece)| {
                let mut own: Vec<Vec<&mut [T]>> = down.parts.iter().map(|_| Vec::new()).collect();
                for plane in piece.chunks_mut((made[0] * made[1]).max(1)) {
                    for (row, &(part, _)) in plane.chunks_mut(made[1].max(1)).zip(&place) {
                        own[part].push(row);
                    }
                }
                for (below, mut rows) in own.into_iter().enumerate() {
                    if !rows.is_empty() {
                        let first = number * from * channel;
                        fill(first, number % groups, 0, below, 0, &mut rows);
                    }
                }
            });
        return y;
    }

    let mut tasks = Vec::new();
    let mut rows = y.chunks_mut(made[1].max(1));
    for picture in 0..pictures {
        for (group, all) in blocks[0].iter().enumerate() {
            let first = (picture * groups + group) * from * channel;
            for (number, block) in all.iter().enumerate() {
                let mut own: Vec<Vec<Vec<&mut [T]>>> = down
                    .parts
                    .iter()
                    .map(|_| (0..strips).map(|_| Vec::new()).collect())
                    .collect();
                for _ in 0..block.channels {
                    for &(part, t) in &place {
                        own[part][t / per].push(rows.next().expect("a row for each place"));
                    }
                }
                for (below, strips) in own.into_iter().enumerate() {
                    for (strip, rows) in strips.into_iter().enumerate() {
                        if !rows.is_empty() {
                            tasks.push((first, group, number, below, strip * per, rows));
                        }
                    }
                }
            }
        }
    }
    if read > CACHED {
        tasks.sort_by_key(|(from, _, _, _, first, _)| (*from, *first));
    }
    tasks
        .into_par_iter()
        .for_each(|(from, group, number, below, first, mut rows)| {
            fill(from, group, number, below, first, &mut rows);
        });
    y
}

/// The numbers of the channels that a group makes; none of none.
fn of_group<T>(bias: &[T], group: usize, to: usize) -> &[T] {
    bias.get(group * to..(group + 1) * to).unwrap_or_default()
}

/// The numbers of each block's channels; none of none.
pub(super) fn cut<'a, T: Lanes>(
    bias: &'a [T],
    blocks: &[Block<T>],
) -> impl Iterator<Item = &'a [T]> {
    blocks.iter().scan(0, move |first, block| {
        let channels = *first..*first + block.channels;
        *first = channels.end;
        Some(bias.get(channels).unwrap_or_default())
    })
}

/// Memory that is kept for the next that asks: asking the system for megabytes again and again costs
/// more than filling them. What it holds is anything.
pub(super) struct Scratch<T: Lanes>(Vec<T>);

/// So many numbers.
pub(super) fn scratch<T: Lanes>(len: usize) -> Scratch<T> {
    let kept = T::scratch().lock().ok().and_then(|mut kept| kept.pop());
    let mut numbers = kept.unwrap_or_default();
    numbers.resize(len, T::default());
    Scratch(numbers)
}

impl<T: Lanes> std::ops::Deref for Scratch<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Lanes> std::ops::DerefMut for Scratch<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T: Lanes> Drop for Scratch<T> {
    fn drop(&mut self) {
        // As many as tasks run at once; a poisoned lock loses one.
        if let Ok(mut kept) = T::scratch().lock() {
            kept.push(std::mem::take(&mut self.0));
        }
    }
}

/// Each channel's interleaved parts with zeros around, one after the other.
struct Padded<T: Lanes>(Scratch<T>);

impl<T: Lanes> Padded<T> {
    fn new(
        x: &[T],
        size: [usize; 2],
        axes: &[Axis; 2],
        channels: usize,
        interrupt: &Interrupt,
    ) -> Self {
        let [down, across] = axes;
        let plane = down.padded * across.padded;
        let channel = down.split * across.split * plane;
        let mut numbers = scratch::<T>(channels * channel + SLACK);
        let fill = |(c, into): (usize, &mut [T])| {
            if interrupt.is_stopped() {
                return;
            }
            into.fill(T::default());
            for (row, from) in x[c * size[0] * size[1]..][..size[0] * size[1]]
                .chunks(size[1].max(1))
                .enumerate()
            {
                let at = row + down.before;
                let (part, at) = (at % down.split, at / down.split);
                let begin = (part * across.split * down.padded + at) * across.padded;
                if across.split == 1 {
                    into[begin + across.before..][..size[1]].copy_from_slice(from);
                    continue;
                }
                for (column, &value) in from.iter().enumerate() {
                    let at = column + across.before;
                    let (part, at) = (at % across.split, at / across.split);
                    into[begin + part * plane + at] = value;
                }
            }
        };
        if channel > 0 {
            numbers[..channels * channel]
                .par_chunks_mut(channel)
                .with_min_len(4)
                .enumerate()
                .for_each(fill);
        }
        Self(numbers)
    }
}

/// `$tile` for a number of channels: accumulators, one tap's vectors and a weight fill the registers.
macro_rules! by_channels {
    ($S:ident, $channels:expr, $strip:ident, $tile:ident, $simd:ident) => {
        match ($S::REGISTER_COUNT >= 32, $channels) {
            (true, 8) => $strip.$tile::<$S, 8, 3>($simd),
            (true, 7) => $strip.$tile::<$S, 7, 3>($simd),
            (true, 6) => $strip.$tile::<$S, 6, 4>($simd),
            (true, 5) => $strip.$tile::<$S, 5, 4>($simd),
            (true, 4) => $strip.$tile::<$S, 4, 6>($simd),
            (true, 3) => $strip.$tile::<$S, 3, 7>($simd),
            (_, 4) => $strip.$tile::<$S, 4, 3>($simd),
            (_, 3) => $strip.$tile::<$S, 3, 3>($simd),
            (_, 2) => $strip.$tile::<$S, 2, 5>($simd),
            (_, _) => $strip.$tile::<$S, 1, 8>($simd),
        }
    };
}
pub(super) use by_channels;

/// Some rows of some channels.
struct Strip<'a, 'b, T> {
    input: &'a [T],
    weights: &'a [T],
    /// What each channel's sum begins with.
    bias: &'a [T],
    offsets: &'a [usize],
    channels: usize,
    /// Channel after channel.
    rows: &'a mut [&'b mut [T]],
    /// Which row of its part the first one is.
    first: usize,
    /// Entries of a padded row.
    across: usize,
    /// First column, from one to the next, how many.
    columns: (usize, usize, usize),
}

impl<T: Lanes> WithSimd for Strip<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        by_channels!(S, self.channels, self, fill, simd)
    }
}

impl<T: Lanes> Strip<'_, '_, T> {
    #[inline(always)]
    fn fill<S: Simd, const CHANNELS: usize, const VECTORS: usize>(self, simd: S) {
        let run = VECTORS * T::lanes::<S>();
        let rows = self.rows.len() / CHANNELS;
        let (first, step, count) = self.columns;
        if count == 0 {
            return;
        }
        // The strip as one long row; between its rows lies padding.
        let end = (rows - 1) * self.across + count;
        let mut tile = vec![T::default(); CHANNELS * run];
        let mut at = 0;
        while at < end {
            let from = &self.input[self.first * self.across + at..];
            let weights = (self.weights, self.bias);
            sum::<S, T, CHANNELS, VECTORS>(simd, from, weights, self.offsets, &mut tile);
            let mut done = 0;
            while done < run && at + done < end {
                let (row, column) = ((at + done) / self.across, (at + done) % self.across);
                let some = (self.across - column).min(run - done);
                let kept = some.min(count.saturating_sub(column));
                for channel in 0..if kept > 0 { CHANNELS } else { 0 } {
                    let made = &tile[channel * run + done..][..kept];
                    let into = &mut self.rows[channel * rows + row];
                    if step == 1 {
                        into[first + column..][..kept].copy_from_slice(made);
                    } else {
                        let into = into.iter_mut().skip(first + step * column);
                        for (into, &made) in into.step_by(step).zip(made) {
                            *into = made;
                        }
                    }
                }
                done += some;
            }
            at += run;
        }
    }
}

/// Σ over taps of weight · input, for a tile: `CHANNELS` rows of `VECTORS` vectors. A row's sum begins with its number of
/// `bias`, with 0 where there is none.
#[inline(always)]
pub(super) fn sum<S: Simd, T: Lanes, const CHANNELS: usize, const VECTORS: usize>(
    simd: S,
    input: &[T],
    (weights, bias): (&[T], &[T]),
    offsets: &[usize],
    tile: &mut [T],
) {
    let run = VECTORS * T::lanes::<S>();
    for (channel, row) in tile.chunks_exact_mut(run).enumerate() {
        row.fill(bias.get(channel).copied().unwrap_or_default());
    }
    let weights = weights.as_chunks::<CHANNELS>().0;
    for (weights, offsets) in weights.chunks(SUMMED).zip(offsets.chunks(SUMMED)) {
        let mut sums = [[T::splat(simd, T::default()); VECTORS]; CHANNELS];
        for (weights, &offset) in weights.iter().zip(offsets) {
            let vectors = T::vectors::<S>(&input[offset..offset + run]);
            let vectors: &[T::Vector<S>; VECTORS] = vectors.first_chunk().expect("a run of them");
            for channel in 0..CHANNELS {
                let weight = T::splat(simd, weights[channel]);
                for v in 0..VECTORS {
                    sums[channel][v] = T::mul_add(simd, weight, vectors[v], sums[channel][v]);
                }
            }
        }
        for (sums, into) in sums.iter().zip(tile.chunks_exact_mut(run)) {
            for (&sum, into) in sums.iter().zip(T::vectors_mut::<S>(into)) {
                *into = T::sum(simd, *into, sum);
            }
        }
    }
}
