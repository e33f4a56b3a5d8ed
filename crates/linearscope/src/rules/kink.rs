//! When piecewise-linear units decide otherwise: how far along a direction the decisions of x₀ hold.
//!
//! In a paired run whose probe is a direction d, a unit that reads z₀ reads z₀ + t ż at x₀ + t d, ż
//! its probe, for as long as no unit before it has flipped. It flips where that crosses a kink, a
//! pool where another cell overtakes the winner. The least t over all units is exact, since up to
//! there nothing has flipped.

use std::sync::Arc;

use burn_backend::{
    Backend, TensorMetadata, read_sync,
    tensor::{FloatTensor, IntTensor},
};

use crate::{
    error::{Error, Result},
    host,
    scope::Probe,
};

/// What one unit op of a network says of some directions.
#[derive(Clone, Debug, PartialEq)]
pub struct Kinks {
    /// The network node.
    pub node: Arc<str>,
    /// How many units it has.
    pub units: usize,
    /// Units that lie exactly at their kink, or pools whose largest cell stands twice. They may
    /// flip at once and are not counted in `first`.
    pub at_kink: usize,
    /// For each direction d the least t > 0 at which a unit of it flips, as far as its own operand
    /// goes; infinite where none does.
    pub first: Vec<f64>,
    /// Which unit that is, flat; 0 where none.
    pub unit: Vec<usize>,
}

/// The windows of a max pool, plane by plane.
#[derive(Clone, Debug)]
pub(crate) struct Windows {
    pub kernel: Vec<usize>,
    pub stride: Vec<usize>,
    pub padding: Vec<usize>,
    pub dilation: Vec<usize>,
}

/// The values a unit op reads and, for each probe, how fast they change.
struct Reads {
    value: Vec<f64>,
    rates: Vec<Vec<f64>>,
}

fn reads<B: Backend>(x: &FloatTensor<B>, batch: FloatTensor<B>) -> Result<Reads> {
    let value = host::<B>(x.clone())?;
    let k = batch.shape()[0];
    let rates = host::<B>(batch)?;
    let rates = (0..k)
        .map(|j| rates[j * value.len()..][..value.len()].to_vec())
        .collect();
    Ok(Reads { value, rates })
}

/// The least positive t and whose it is.
fn least(times: impl Iterator<Item = (usize, f64)>) -> (f64, usize) {
    times
        .filter(|(_, t)| *t > 0.0)
        .fold((f64::INFINITY, 0), |(first, unit), (i, t)| {
            if t < first { (t, i) } else { (first, unit) }
        })
}

/// Note a unit that decides by comparing x with each of `kinks`.
pub(crate) fn watch<B: Backend>(probe: &Probe<B>, x: &FloatTensor<B>, kinks: &[f64]) {
    probe.scope().watch(probe, |node, batch| {
        let Reads { value, rates } = reads::<B>(x, batch)?;
        let found: Vec<(f64, usize)> = rates
            .iter()
            .map(|rate| {
                least(value.iter().zip(rate).enumerate().flat_map(|(i, (z, v))| {
                    // At a kink it is counted apart; one that stands still never flips.
                    kinks
                        .iter()
                        .filter(move |kink| z != *kink && *v != 0.0)
                        .map(move |kink| (i, (kink - z) / v))
                }))
            })
            .collect();
        Ok(Kinks {
            node,
            units: value.len(),
            at_kink: value.iter().filter(|z| kinks.contains(z)).count(),
            first: found.iter().map(|(t, _)| *t).collect(),
            unit: found.iter().map(|(_, i)| *i).collect(),
        })
    });
}

/// Note a max pool: `[n, c, ..]`, `winners` Burn's indices into each plane.
pub(crate) fn watch_pool<B: Backend>(
    probe: &Probe<B>,
    x: &FloatTensor<B>,
    windows: &Windows,
    winners: impl FnOnce() -> IntTensor<B>,
) {
    probe.scope().watch(probe, |node, batch| {
        let shape = x.shape();
        let (planes, size) = (shape[0] * shape[1], &shape[2..]);
        let plane: usize = size.iter().product();
        let winners = winners();
        let made: Vec<usize> = winners.shape()[2..].to_vec();
        let cells: usize = made.iter().product();
        let data = read_sync(B::int_into_data(winners))
            .map_err(|error| Error::Data(format!("{error:?}")))?;
        let winners: Vec<usize> = data.iter::<i64>().map(|i| i as usize).collect();
        let Reads { value, rates } = reads::<B>(x, batch)?;
        let mut first = vec![f64::INFINITY; rates.len()];
        let mut unit = vec![0; rates.len()];
        let mut at_kink = 0;
        for p in 0..planes {
            for cell in 0..cells {
                let at = p * cells + cell;
                let won = p * plane + winners[at];
                let mut tied = false;
                for other in inside(cell, &made, size, windows) {
                    let other = p * plane + other;
                    if other == won {
                        continue;
                    }
                    let ahead = value[won] - value[other];
                    if ahead == 0.0 {
                        tied = true;
                        continue;
                    }
                    for (j, rate) in rates.iter().enumerate() {
                        let t = ahead / (rate[other] - rate[won]);
                        if t > 0.0 && t < first[j] {
                            (first[j], unit[j]) = (t, at);
                        }
                    }
                }
                at_kink += usize::from(tied);
            }
        }
        Ok(Kinks {
            node,
            units: planes * cells,
            at_kink,
            first,
            unit,
        })
    });
}

/// The cells of a plane in the window of an output cell.
fn inside(cell: usize, made: &[usize], size: &[usize], windows: &Windows) -> Vec<usize> {
    let mut rest = cell;
    let mut at = vec![0; made.len()];
    for axis in (0..made.len()).rev() {
        at[axis] = rest % made[axis];
        rest /= made[axis];
    }
    let mut found = vec![0];
    for axis in 0..made.len() {
        let start = at[axis] * windows.stride[axis];
        let along: Vec<usize> = (0..windows.kernel[axis])
            .filter_map(|i| (start + i * windows.dilation[axis]).checked_sub(windows.padding[axis]))
            .filter(|i| *i < size[axis])
            .collect();
        found = found
            .iter()
            .flat_map(|cell| along.iter().map(move |i| cell * size[axis] + i))
            .collect();
    }
    found
}
