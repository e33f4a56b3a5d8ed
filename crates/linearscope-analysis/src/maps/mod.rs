//! Maps of a network from picture to picture: how far its fields reach, what it copies from elsewhere,
//! what it draws by template, and how far it is from a convolution.
//!
//! F is looked at in blocks. Block (p, q) holds the weights from the input's channels at pixel q to the
//! output's channels at pixel p; its energy is E(p, q) = Σ F², over both. A place has an *own* position
//! in the other picture, the one that covers the same part of the scene ([`Pictures::own`]). What every
//! measure is made of is then the energy map of a row, q ↦ E(p, q), or of a column, p ↦ E(p, q)
//! ([`Energy`]), seen from that position:
//!
//! | measure | file |
//! | --- | --- |
//! | the radius that holds 50, 90, 99 % of it | [`field`] |
//! | its share outside a radius | [`off_diagonal`] |
//! | where the share outside comes from; which source region feeds the rest | [`copy_move`] |
//! | columns that cover a segment | [`template`] |
//! | rows of neighbours, shifted onto one another | [`shift`] |
//!
//! [`row_maps`] and [`column_maps`] take a grid of places and walk it once for all of them. Cost: one
//! adjoint product for each place and output channel, or one product for each place and input channel;
//! where fields are smaller than the picture, many of them share one
//! ([`LinearOperator::fields`]). Sums are f64 on the host.

pub mod copy_move;
mod energy;
pub mod field;
pub mod off_diagonal;
mod place;
pub mod shift;
pub mod template;

pub use energy::Energy;
pub(crate) use energy::axis;
pub use place::{Grid, Pictures};

use linearscope::Error;

use crate::{
    host,
    operator::{LinearOperator, Result},
    projection::Field,
};
use copy_move::{Feeds, FeedsOf, Origin, origin};
use field::{SHARES, radii};
use template::{Template, TemplatesOf};

/// The most entries of fields held at once, in f64.
const HELD: usize = 1 << 24;

/// What the rows of a grid of output places say, each value in the grid's order.
#[derive(Clone, Debug)]
pub struct RowMaps {
    /// The places, in the output.
    pub grid: Grid,
    /// What counts as a place's own surroundings, in input pixels.
    pub radius: f64,
    /// ‖row‖², summed over channels.
    pub energy: Vec<f64>,
    /// For each of [`SHARES`] the radius that holds it, in input pixels; NaN where a row is zero.
    pub radii: [Vec<f64>; SHARES.len()],
    /// The share of the energy outside the radius; NaN where a row is zero.
    pub off_diagonal: Vec<f64>,
    /// Where the energy outside comes from; `None` where there is none.
    pub origins: Vec<Option<Origin>>,
    /// Which source region feeds the rest.
    pub feeds: Feeds,
}

/// What the columns of a grid of input places say, each value in the grid's order.
#[derive(Clone, Debug)]
pub struct ColumnMaps {
    /// The places, in the input.
    pub grid: Grid,
    /// ‖column‖², summed over channels.
    pub energy: Vec<f64>,
    /// For each of [`SHARES`] the radius that holds it, in output pixels; NaN where a column is zero.
    pub radii: [Vec<f64>; SHARES.len()],
    /// The effective area of each column, in output pixels; 0 where a column is zero.
    pub area: Vec<f64>,
    /// The area from which a column is a template.
    pub least_area: f64,
    /// How many columns of the grid are.
    pub wide: usize,
    /// The strongest that differ, strongest first.
    pub templates: Vec<Template>,
}

/// Walk the rows of `grid`'s places, with `radius` input pixels as a place's own surroundings.
/// `on_place` is told how many places are done.
///
/// # Errors
/// `Error::Shape` for networks that do not go from picture to picture; as
/// [`LinearOperator::fields`].
pub fn row_maps(
    f: &impl LinearOperator,
    grid: &Grid,
    radius: f64,
    on_place: impl FnMut(usize),
) -> Result<RowMaps> {
    let pictures = Pictures::of(f)?;
    let [_, h, w] = pictures.input;
    let mut maps = RowMaps {
        grid: grid.clone(),
        radius,
        energy: vec![0.0; grid.len()],
        radii: std::array::from_fn(|_| vec![f64::NAN; grid.len()]),
        off_diagonal: vec![f64::NAN; grid.len()],
        origins: vec![None; grid.len()],
        feeds: Feeds::default(),
    };
    let mut feeds = FeedsOf::new([h, w], radius);
    let places: Vec<[usize; 2]> = grid.places().collect();
    blocks(f, Field::Row, &places, on_place, |i, block| {
        let own = pictures.own(Field::Row, places[i]);
        let energy = Energy::of(block, [h, w]);
        maps.energy[i] = energy.total();
        for (map, radius) in maps.radii.iter_mut().zip(radii(&energy, own)) {
            map[i] = radius;
        }
        maps.off_diagonal[i] = off_diagonal::share(&energy, own, radius);
        maps.origins[i] = origin(&energy, own, radius);
        feeds.add(&energy, own);
    })?;
    maps.feeds = feeds.finish();
    Ok(maps)
}

/// Walk the columns of `grid`'s places: their radii, and the `most` strongest templates, which are
/// columns of at least `least_area` output pixels. `on_place` is told how many places are done.
///
/// # Errors
/// As [`row_maps`].
pub fn column_maps(
    f: &impl LinearOperator,
    grid: &Grid,
    least_area: f64,
    most: usize,
    on_place: impl FnMut(usize),
) -> Result<ColumnMaps> {
    let pictures = Pictures::of(f)?;
    let [_, h, w] = pictures.output;
    let mut maps = ColumnMaps {
        grid: grid.clone(),
        energy: vec![0.0; grid.len()],
        radii: std::array::from_fn(|_| vec![f64::NAN; grid.len()]),
        area: vec![0.0; grid.len()],
        least_area,
        wide: 0,
        templates: Vec::new(),
    };
    let mut templates = TemplatesOf::new(least_area);
    let places: Vec<[usize; 2]> = grid.places().collect();
    blocks(f, Field::Column, &places, on_place, |i, block| {
        let own = pictures.own(Field::Column, places[i]);
        let energy = Energy::of(block, [h, w]);
        maps.energy[i] = energy.total();
        for (map, radius) in maps.radii.iter_mut().zip(radii(&energy, own)) {
            map[i] = radius;
        }
        maps.area[i] = energy.area();
        templates.add(energy, places[i], own);
    })?;
    maps.wide = templates.wide();
    maps.templates = templates.finish(most);
    Ok(maps)
}

/// The energy maps of the fields of some places, `[y, x]` each.
///
/// # Errors
/// As [`row_maps`]; `Error::OutOfRange`.
pub fn energies(
    f: &impl LinearOperator,
    field: Field,
    places: &[[usize; 2]],
) -> Result<Vec<Energy>> {
    let [[_, rows, columns], [_, h, w]] = Pictures::of(f)?.ends(field);
    if let Some(outside) = places.iter().find(|[y, x]| *y >= rows || *x >= columns) {
        return Err(Error::OutOfRange {
            what: "the place".into(),
            index: outside.to_vec(),
            shape: vec![rows, columns],
        });
    }
    let mut found = vec![Energy::of(&[], [h, w]); places.len()];
    blocks(
        f,
        field,
        places,
        |_| {},
        |i, block| {
            found[i] = Energy::of(block, [h, w]);
        },
    )?;
    Ok(found)
}

/// The blocks of F at places, one by one, `[channels here, channels there · h · w]` each, with the
/// number of its place.
fn blocks(
    f: &impl LinearOperator,
    field: Field,
    places: &[[usize; 2]],
    mut on_place: impl FnMut(usize),
    mut visit: impl FnMut(usize, &[f64]),
) -> Result<()> {
    let pictures = Pictures::of(f)?;
    let [from, to] = pictures.ends(field);
    let [channels, h, w] = from;
    let each = channels * to.iter().product::<usize>();
    let parts = places.len().div_ceil((HELD / each).max(1));
    let mut done = 0;
    for part in 0..parts {
        // Places far apart in one part, so that more of their fields share a product.
        let some: Vec<usize> = (part..places.len()).step_by(parts).collect();
        let asked: Vec<Vec<usize>> = some
            .iter()
            .flat_map(|&i| {
                let [y, x] = places[i];
                (0..channels).map(move |channel| vec![(channel * h + y) * w + x])
            })
            .collect();
        let found = f.fields(field, &asked, &mut |fields| {
            on_place(done + fields / channels);
        })?;
        let found = host(found)?;
        for (&i, block) in some.iter().zip(found.chunks(each)) {
            visit(i, block);
        }
        done += some.len();
    }
    Ok(())
}
