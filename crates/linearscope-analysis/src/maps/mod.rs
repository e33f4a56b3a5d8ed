//! Maps of a network from picture to picture: how far its fields reach, what it copies from elsewhere,
//! what it draws by template, and how far it is from a convolution.
//!
//! F is read in blocks. Block (p, q) contains the weights from the input's channels at pixel q to the
//! output's channels at pixel p. Its energy is E(p, q) = Σ F², over both. A place has a *corresponding*
//! position in the other picture, the centre of what the ops let it use ([`Pictures::corresponding`]).
//! Every measure is computed from the energy map of a row, q ↦ E(p, q), or of a column, p ↦ E(p, q)
//! ([`Energy`]), seen from that position:
//!
//! | measure | file |
//! | --- | --- |
//! | the radius that holds 50, 90, 99 % of it | [`field`] |
//! | its share outside a radius | [`off_diagonal`] |
//! | where the share outside comes from; which source region feeds the rest | [`copy_move`] |
//! | columns that cover a segment | [`template`] |
//! | rows of neighbours, shifted onto one another | [`shift`] |
//! | rows of all places and pictures, shifted onto one another | [`mean`] |
//!
//! [`row_maps`] and [`column_maps`] take a grid of places and walk it once for all measures. Cost: one
//! adjoint product for each place and output channel, or one product for each place and input channel.
//! Where fields are smaller than the picture, many of them share one product
//! ([`LinearOperator::fields`]). Sums are f64 on the host.

pub mod copy_move;
mod cost;
mod energy;
pub mod field;
pub mod mean;
pub mod off_diagonal;
mod place;
pub mod shift;
pub mod template;

pub use cost::{Cost, cost};
pub use energy::Energy;
pub(crate) use energy::axis;
pub use place::{AlongAxis, Grid, Pictures};

use std::ops::ControlFlow;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result, unless_stopped},
    operator::{Field, LinearOperator},
    progress::{Observer, Progress},
    vectors::read,
};
use copy_move::{Feeds, FeedsOf, Origin, origin};
use field::{SHARES, radii};
use template::{Column, Template, TemplatesOf};

/// The most entries of fields held at once, in f64.
const HELD: usize = 1 << 24;

/// Measures of the rows at a grid of output places, each in the grid's order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowMaps {
    /// The places, in the output.
    pub grid: Grid,
    /// What counts as a place's own surroundings, in input pixels.
    pub radius: f64,
    /// ‖row‖², summed over channels; NaN where a row was not read.
    pub energy: Vec<f64>,
    /// For each of [`SHARES`], the radius that contains it, in input pixels; NaN where a row is
    /// zero.
    pub radii: [Vec<f64>; SHARES.len()],
    /// The share of the energy outside the radius; NaN where a row is zero.
    pub off_diagonal: Vec<f64>,
    /// Where the energy outside comes from; `None` where there is none.
    pub origins: Vec<Option<Origin>>,
    /// Which source region feeds the rest, for the rows that were read.
    pub feeds: Feeds,
    /// How many rows were read, if the walk was stopped early: energy is NaN at the others. `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<usize>,
}

impl RowMaps {
    /// Whether the walk was stopped before all rows were read, see [`finished`](Self::finished).
    pub fn is_partial(&self) -> bool {
        self.finished.is_some()
    }
}

/// Measures of the columns at a grid of input places, each in the grid's order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnMaps {
    /// The places, in the input.
    pub grid: Grid,
    /// ‖column‖², summed over channels; NaN where a column was not read.
    pub energy: Vec<f64>,
    /// For each of [`SHARES`], the radius that contains it, in output pixels; NaN where a column is zero,
    /// and everywhere if input pixels have no place in the output.
    pub radii: [Vec<f64>; SHARES.len()],
    /// The effective area of each column, in output pixels; 0 where a column is zero, NaN where it was not read.
    pub area: Vec<f64>,
    /// The area from which a column is a template.
    pub least_area: f64,
    /// How many columns of the grid are templates.
    pub wide: usize,
    /// The strongest that differ, strongest first.
    pub templates: Vec<Template>,
    /// How many columns were read, if the walk was stopped early: energy is NaN at the others. `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<usize>,
}

impl ColumnMaps {
    /// Whether the walk was stopped before all columns were read, see [`finished`](Self::finished).
    pub fn is_partial(&self) -> bool {
        self.finished.is_some()
    }
}

/// Walk the rows at the places of `grid`; `radius` input pixels count as a place's own surroundings.
/// Progress counts places.
///
/// Places are walked in parts, as many at a time as [`LinearOperator::fields`] holds at once (2²⁴ entries), each
/// part spread over the picture. If the walk is stopped, by the observer or in the middle of a product, after
/// the first part, the result is what was read, and [`RowMaps::finished`] says how much that is. Before that, a
/// stop is an error ([`Error::is_stopped`]).
///
/// # Errors
/// [`Error::NotPictures`] for networks that do not go from picture to picture; [`Error::NoPlace`] if it is unknown
/// which pixel of the input an output pixel lies on; [`Error::Stopped`]; as [`LinearOperator::fields`].
pub fn row_maps(
    f: &(impl LinearOperator + ?Sized),
    grid: &Grid,
    radius: f64,
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<RowMaps> {
    let pictures = Pictures::of(f)?;
    pictures.placed()?;
    let [_, h, w] = pictures.input;
    let mut maps = RowMaps {
        grid: grid.clone(),
        radius,
        energy: vec![f64::NAN; grid.len()],
        radii: std::array::from_fn(|_| vec![f64::NAN; grid.len()]),
        off_diagonal: vec![f64::NAN; grid.len()],
        origins: vec![None; grid.len()],
        feeds: Feeds::default(),
        finished: None,
    };
    let mut feeds = FeedsOf::new([h, w], radius);
    let places: Vec<[usize; 2]> = grid.places().collect();
    let measure = |i: usize, block: &[f64]| {
        let at = pictures.corresponding(Field::Row, places[i])?;
        let energy = Energy::of(block, [h, w]);
        let radii = radii(&energy, at);
        let share = off_diagonal::share(&energy, at, radius);
        let origin = origin(&energy, at, radius);
        Some((at, energy, radii, share, origin))
    };
    maps.finished = blocks(
        f,
        Field::Row,
        &places,
        &mut observer,
        measure,
        |i, found| {
            let Some((at, energy, radii, share, origin)) = found else {
                return;
            };
            maps.energy[i] = energy.total();
            for (map, radius) in maps.radii.iter_mut().zip(radii) {
                map[i] = radius;
            }
            maps.off_diagonal[i] = share;
            maps.origins[i] = origin;
            feeds.add(&energy, at);
        },
    )?;
    maps.feeds = feeds.finish();
    Ok(maps)
}

/// Walk the columns at the places of `grid`: their radii, and the `most` strongest templates, which are
/// columns of at least `least_area` output pixels. Progress counts places. When stopped, it returns what was
/// read, like [`row_maps`]. Radii need to know where a pixel lies; areas and templates do not.
///
/// # Errors
/// As [`row_maps`], [`Error::NoPlace`] apart.
pub fn column_maps(
    f: &(impl LinearOperator + ?Sized),
    grid: &Grid,
    least_area: f64,
    most: usize,
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<ColumnMaps> {
    let pictures = Pictures::of(f)?;
    let [_, h, w] = pictures.output;
    let mut maps = ColumnMaps {
        grid: grid.clone(),
        energy: vec![f64::NAN; grid.len()],
        radii: std::array::from_fn(|_| vec![f64::NAN; grid.len()]),
        area: vec![f64::NAN; grid.len()],
        least_area,
        wide: 0,
        templates: Vec::new(),
        finished: None,
    };
    let mut templates = TemplatesOf::new(least_area);
    let places: Vec<[usize; 2]> = grid.places().collect();
    let measure = |i: usize, block: &[f64]| {
        let at = pictures.corresponding(Field::Column, places[i]);
        let energy = Energy::of(block, [h, w]);
        let radii = at.map(|at| radii(&energy, at));
        (radii, Column::of(energy, places[i], at))
    };
    maps.finished = blocks(
        f,
        Field::Column,
        &places,
        &mut observer,
        measure,
        |i, found| {
            let (radii, column) = found;
            maps.energy[i] = column.energy.total();
            for (map, radius) in maps.radii.iter_mut().zip(radii.into_iter().flatten()) {
                map[i] = radius;
            }
            maps.area[i] = column.area;
            templates.add(column);
        },
    )?;
    maps.wide = templates.wide();
    maps.templates = templates.finish(most);
    Ok(maps)
}

/// Compute the energy maps of the fields of some places, `[y, x]` each. Progress counts places. A stop gives
/// no partial result, but an error ([`Error::is_stopped`]).
///
/// # Errors
/// As [`column_maps`]; [`Error::OutOfRange`].
pub fn energies(
    f: &(impl LinearOperator + ?Sized),
    field: Field,
    places: &[[usize; 2]],
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Vec<Energy>> {
    let [[_, rows, columns], [_, h, w]] = Pictures::of(f)?.ends(field);
    if let Some(outside) = places.iter().find(|[y, x]| *y >= rows || *x >= columns) {
        return Err(Error::OutOfRange {
            what: "the place",
            index: outside.to_vec(),
            shape: vec![rows, columns],
        });
    }
    let mut found = vec![Energy::of(&[], [h, w]); places.len()];
    let mut whole = Progress::new(field.reading(), 0, places.len());
    let finished = blocks(
        f,
        field,
        places,
        &mut |progress| {
            whole = *progress;
            observer(progress)
        },
        |_, block| Energy::of(block, [h, w]),
        |i, energy| found[i] = energy,
    )?;
    match finished {
        None => Ok(found),
        Some(_) => Err(Error::Stopped(whole)),
    }
}

/// What `measure` says of the blocks of F at places, `[channels here, channels there · h · w]` each, on all cores,
/// and then `visit` of it one by one, in an order that the places decide; both with the number of its place. Stopped
/// after the first part of them, how many there were; `None`: all.
fn blocks<T: Send>(
    f: &(impl LinearOperator + ?Sized),
    field: Field,
    places: &[[usize; 2]],
    observer: &mut Observer<'_>,
    measure: impl Fn(usize, &[f64]) -> T + Sync,
    mut visit: impl FnMut(usize, T),
) -> Result<Option<usize>> {
    let pictures = Pictures::of(f)?;
    let [from, to] = pictures.ends(field);
    let [channels, h, w] = from;
    let each = channels * to.iter().product::<usize>();
    let parts = places.len().div_ceil((HELD / each).max(1));
    // Places far apart one after the other, so that more of their fields share a product.
    let order: Vec<usize> = (0..parts)
        .flat_map(|part| (part..places.len()).step_by(parts))
        .collect();
    // Fields are held twice in f64, and once as the operator gives them.
    let held = f.memory().map_or(HELD, |bytes| HELD.min(bytes / 24));
    let mut done = 0;
    // Of one size, and no larger than a part.
    let pieces = places.len().div_ceil((held / each).max(1)).max(1);
    for some in order.chunks(places.len().div_ceil(pieces).max(1)) {
        let asked: Vec<Vec<usize>> = some
            .iter()
            .flat_map(|&i| {
                let [y, x] = places[i];
                (0..channels).map(move |channel| vec![(channel * h + y) * w + x])
            })
            .collect();
        let found = f.fields(field, &asked, &mut |progress| {
            observer(&Progress {
                done: done + progress.done / channels,
                of: places.len(),
                ..*progress
            })
        });
        let Some(found) = unless_stopped(found, done > 0)? else {
            return Ok(Some(done));
        };
        let found = read(found)?;
        // As many at a time as there are cores: what is measured may be as large as a block.
        let blocks: Vec<(usize, &[f64])> = some.iter().copied().zip(found.chunks(each)).collect();
        for blocks in blocks.chunks(rayon::current_num_threads()) {
            let measured: Vec<T> = (blocks.par_iter().with_max_len(1))
                .map(|&(i, block)| measure(i, block))
                .collect();
            for (&(i, _), measured) in blocks.iter().zip(measured) {
                visit(i, measured);
            }
        }
        done += some.len();
    }
    Ok(None)
}
