//! Templates: columns that cover a segment of the output, so that one input pixel switches a shape.

use serde::{Deserialize, Serialize};

use super::Energy;

/// A column of wide coverage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// The input pixel that switches it, `[y, x]`.
    pub place: [usize; 2],
    /// That pixel's corresponding position in the output, if it has one.
    pub corresponding: Option<[f64; 2]>,
    /// ‖column‖², summed over channels.
    pub energy: f64,
    /// (Σ E)² / Σ E² of its energy map, in output pixels.
    pub area: f64,
    /// Where it lies, `[y, x]` in output pixels.
    pub centroid: [f64; 2],
    /// √(Σ E |p − centroid|² / Σ E), in output pixels.
    pub spread: f64,
    /// How many further places of the grid, among the strongest 64, switch the same picture: their
    /// energy maps' cosine with this one is over 0.8.
    pub alike: usize,
}

/// How many candidates are remembered with their maps.
const KEPT: usize = 64;
/// The cosine of two energy maps from which they are one template.
const ALIKE: f64 = 0.8;

/// What one column says of itself.
#[derive(Debug)]
pub(super) struct Column {
    pub energy: Energy,
    /// Its effective area, in output pixels.
    pub area: f64,
    /// Where it lies and how widely; `None` where it is zero.
    lies: Option<([f64; 2], f64)>,
    place: [usize; 2],
    corresponding: Option<[f64; 2]>,
}

impl Column {
    pub(super) fn of(energy: Energy, place: [usize; 2], corresponding: Option<[f64; 2]>) -> Self {
        Self {
            area: energy.area(),
            lies: energy.centroid().zip(energy.spread()),
            energy,
            place,
            corresponding,
        }
    }
}

/// Collects templates column by column.
#[derive(Debug)]
pub(super) struct TemplatesOf {
    least_area: f64,
    wide: usize,
    /// Strongest first.
    kept: Vec<(Template, Energy)>,
}

fn cosine(a: &Energy, b: &Energy) -> f64 {
    let dot = |a: &Energy, b: &Energy| -> f64 {
        a.values().iter().zip(b.values()).map(|(a, b)| a * b).sum()
    };
    dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt())
}

impl TemplatesOf {
    pub(super) fn new(least_area: f64) -> Self {
        Self {
            least_area,
            wide: 0,
            kept: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, column: Column) {
        let Column {
            energy,
            area,
            lies,
            place,
            corresponding,
        } = column;
        let Some((centroid, spread)) = lies else {
            return;
        };
        if area < self.least_area {
            return;
        }
        self.wide += 1;
        let template = Template {
            place,
            corresponding,
            energy: energy.total(),
            area,
            centroid,
            spread,
            alike: 0,
        };
        // Equal ones by place, since places come in no fixed order.
        let stronger = |(other, _): &(Template, Energy)| {
            (template.energy.total_cmp(&other.energy))
                .then(other.place.cmp(&place))
                .is_lt()
        };
        let rank = self.kept.partition_point(stronger);
        if rank < KEPT {
            self.kept.insert(rank, (template, energy));
            self.kept.truncate(KEPT);
        }
    }

    /// How many columns were wide enough.
    pub(super) fn wide(&self) -> usize {
        self.wide
    }

    /// The strongest that differ.
    pub(super) fn finish(self, most: usize) -> Vec<Template> {
        let mut chosen: Vec<(Template, Energy)> = Vec::new();
        for (template, energy) in self.kept {
            let known = chosen
                .iter()
                .position(|(_, other)| cosine(other, &energy) > ALIKE);
            match known {
                Some(other) => chosen[other].0.alike += 1,
                None if chosen.len() < most => chosen.push((template, energy)),
                None => {}
            }
        }
        chosen.into_iter().map(|(template, _)| template).collect()
    }
}
