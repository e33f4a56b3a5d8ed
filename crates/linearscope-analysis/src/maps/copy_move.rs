//! Copy–move: where a place's energy comes from, when it is not its own; and which source region
//! feeds the rest of the picture.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Energy,
    energy::{centroid, distance},
    off_diagonal::outside,
};

/// Where the off-diagonal energy of one place comes from, `[y, x]` in input pixels, seen from the
/// place's corresponding position.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// To the pixel that holds most of it (the first of several).
    pub peak: [f64; 2],
    /// To its centroid: near 0 for a wide blur, though every peak is away.
    pub centroid: [f64; 2],
    /// Its share of the row's energy.
    pub share: f64,
}

/// The origin of what lies more than `radius` away; `None` where nothing does.
pub fn origin(energy: &Energy, own: [f64; 2], radius: f64) -> Option<Origin> {
    let middle = centroid(outside(energy, own, radius))?;
    let mut peak = ([0.0; 2], 0.0);
    let mut sum = 0.0;
    for (at, e) in outside(energy, own, radius) {
        sum += e;
        if e > peak.1 {
            peak = (at, e);
        }
    }
    let seen = |at: [f64; 2]| [at[0] - own[0], at[1] - own[1]];
    Some(Origin {
        peak: seen(peak.0),
        centroid: seen(middle),
        share: sum / energy.total(),
    })
}

/// Energy that goes from one region of the picture to another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arrow {
    /// Its centroid where it comes from, `[y, x]` in input pixels.
    pub from: [f64; 2],
    /// The centroid of the places it goes to, in input pixels too.
    pub to: [f64; 2],
    /// Its share of the energy of all rows.
    pub weight: f64,
}

/// The off-diagonal energy of many rows together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Feeds {
    /// H(q) = Σ_p E(p, q) [|q − own(p)| > radius] / Σ_p Σ_q E(p, q), `[h, w]` over the input. Its sum
    /// is the picture's off-diagonal share.
    pub heat: Vec<f64>,
    /// Between every two cells of the picture, an eighth of its shorter side each: the strongest
    /// first.
    pub arrows: Vec<Arrow>,
    /// Off-diagonal energy over all energy: Σ H. NaN where every row is zero.
    pub share: f64,
}

/// What flows between two cells.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    energy: f64,
    from: [f64; 2],
    to: [f64; 2],
}

/// Collects [`Feeds`] row by row.
#[derive(Debug)]
pub(super) struct FeedsOf {
    size: [usize; 2],
    radius: f64,
    cell: f64,
    heat: Vec<f64>,
    flows: BTreeMap<[usize; 4], Flow>,
    total: f64,
}

impl FeedsOf {
    pub(super) fn new(size: [usize; 2], radius: f64) -> Self {
        Self {
            size,
            radius,
            cell: (size[0].min(size[1]) / 8).max(1) as f64,
            heat: vec![0.0; size[0] * size[1]],
            flows: BTreeMap::new(),
            total: 0.0,
        }
    }

    pub(super) fn add(&mut self, energy: &Energy, own: [f64; 2]) {
        self.total += energy.total();
        let cell = |at: [f64; 2]| at.map(|at| ((at + 0.5) / self.cell).max(0.0) as usize);
        let [row, column] = cell(own);
        let w = self.size[1];
        for (at, e) in energy.pixels() {
            if distance(at, own) <= self.radius {
                continue;
            }
            self.heat[at[0] as usize * w + at[1] as usize] += e;
            let [y, x] = cell(at);
            let flow = self.flows.entry([y, x, row, column]).or_default();
            flow.energy += e;
            for axis in 0..2 {
                flow.from[axis] += e * at[axis];
                flow.to[axis] += e * own[axis];
            }
        }
    }

    pub(super) fn finish(self) -> Feeds {
        let total = self.total;
        let over = |x: f64| if total > 0.0 { x / total } else { 0.0 };
        let mut arrows: Vec<Arrow> = self
            .flows
            .values()
            .map(|flow| Arrow {
                from: flow.from.map(|sum| sum / flow.energy),
                to: flow.to.map(|sum| sum / flow.energy),
                weight: over(flow.energy),
            })
            .collect();
        // A stable sort of cells in order: the same list for the same numbers.
        arrows.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        Feeds {
            share: self.heat.iter().fold(0.0, |sum, e| sum + e) / total,
            heat: self.heat.into_iter().map(over).collect(),
            arrows,
        }
    }
}
