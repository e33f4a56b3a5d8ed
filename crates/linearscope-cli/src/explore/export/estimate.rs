//! What an export will take: from a few fields that are measured.

use std::time::Instant;

use linearscope_analysis::{maps::Grid, operator::Field};

use super::{
    Wish, of_places,
    pack::Pack,
    plan::{Plan, Side},
    said_bytes, said_time,
};
use crate::{
    console,
    error::{Failure, Result},
    explore::desk::Desk,
};

/// Places along each axis that are measured.
const ALONG: usize = 5;
/// Base64 and what deflates.
const WRITTEN: f64 = 1.2;

/// A field of one side, on average.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// In a file.
    bytes: f64,
    /// Before it is deflated.
    raw: f64,
    seconds: f64,
}

/// Measure some fields of each side.
pub(super) fn samples(desk: &Desk, plan: &Plan) -> Result<Vec<Sample>> {
    plan.sides.iter().map(|side| sample(desk, side)).collect()
}

fn sample(desk: &Desk, side: &Side) -> Result<Sample> {
    console::step(match side.field {
        Field::Row => "measuring some rows",
        Field::Column => "measuring some columns",
    });
    let [h, w] = side.size;
    let among = |size: usize| size.div_ceil(ALONG).max(1);
    let grid = Grid::every(among(h.max(w)), [h, w]);
    let places: Vec<[usize; 2]> = (grid.y.iter())
        .flat_map(|y| grid.x.iter().map(move |x| [*y, *x]))
        .collect();
    // The first makes what all others use.
    of_places(desk, side, &places[..1])?;
    let began = Instant::now();
    let mut pack = Pack::new("sample", side.width);
    for (at, answer) in places.iter().zip(of_places(desk, side, &places)?) {
        pack.add(side.query(*at).name(), &answer);
    }
    let script = pack
        .script()
        .map_err(|error| Failure::input(error.to_string()))?;
    let count = places.len() as f64;
    Ok(Sample {
        bytes: script.len() as f64 / count,
        raw: pack.bytes() as f64 / count,
        seconds: began.elapsed().as_secs_f64() / count,
    })
}

/// What all of it will take.
#[derive(Debug)]
pub(super) struct Estimate {
    /// Bytes and seconds of each side's fields, then of all other answers.
    pub sides: Vec<[f64; 2]>,
    pub answers: [f64; 2],
}

impl Estimate {
    fn of(plan: &Plan, samples: &[Sample]) -> Self {
        let sides = plan.sides.iter().zip(samples);
        let sides = sides.map(|(side, sample)| {
            [sample.bytes, sample.seconds].map(|each| each * side.count() as f64)
        });
        let bytes: f64 = plan.groups.iter().map(|group| group.bytes).sum();
        let products: f64 = plan.groups.iter().map(|group| group.products).sum();
        Self {
            sides: sides.collect(),
            answers: [bytes * WRITTEN, products * plan.product],
        }
    }

    /// Bytes and seconds.
    pub(super) fn whole(&self) -> [f64; 2] {
        let mut whole = self.answers;
        for side in &self.sides {
            whole[0] += side[0];
            whole[1] += side[1];
        }
        whole
    }

    /// For people.
    pub(super) fn lines(&self, plan: &Plan) -> Vec<String> {
        let mut lines = Vec::new();
        for (side, [bytes, seconds]) in plan.sides.iter().zip(&self.sides) {
            let name = match side.field {
                Field::Row => "rows",
                Field::Column => "columns",
            };
            let of = match side.step {
                1 => "every place".into(),
                step => format!("places {step} apart"),
            };
            lines.push(format!(
                "{name} of {of}: {} of {} places, about {}, {}",
                side.count(),
                side.size[0] * side.size[1],
                said_bytes(*bytes),
                said_time(*seconds)
            ));
        }
        let [bytes, seconds] = self.answers;
        lines.push(format!(
            "everything else (scores, layers, singular vectors, …): about {}, {}",
            said_bytes(bytes),
            said_time(seconds)
        ));
        for what in &plan.left_out {
            lines.push(format!("left out because of its size: {what}"));
        }
        let [bytes, seconds] = self.whole();
        lines.push(format!(
            "total: about {} and {}",
            said_bytes(bytes),
            said_time(seconds)
        ));
        lines
    }
}

/// Choose how far apart places are: as was asked, else the nearest with which all of it fits the size.
///
/// # Errors
/// A size beyond the limit.
pub(super) fn choose(plan: &mut Plan, samples: &[Sample], wish: &Wish) -> Result<Estimate> {
    for (side, sample) in plan.sides.iter_mut().zip(samples) {
        side.set_tile(sample.raw);
    }
    let scale = plan.session["nets"][0]["scale"].as_f64().unwrap_or(1.0);
    let period = if scale >= 1.5 {
        scale.round() as usize
    } else {
        1
    };
    let largest = plan
        .sides
        .iter()
        .flat_map(|side| side.size)
        .max()
        .unwrap_or(1);
    let mut with = |step: usize| {
        for side in &mut plan.sides {
            side.step = step;
        }
        Estimate::of(plan, samples)
    };
    let limit = wish.max_size as f64;
    // A step that an upscaler's factor divides would meet one of its sub-pixels only.
    let fitting = (1..=largest)
        .filter(|step| Grid::meets(*step, period))
        .find(|step| with(*step).whole()[0] <= limit);
    match (wish.step, fitting) {
        (None, Some(step)) => Ok(with(step)),
        (Some(step), _) if with(step).whole()[0] <= limit => Ok(with(step)),
        (given, fitting) => {
            let [bytes, _] = with(given.unwrap_or(largest)).whole();
            let failure = Failure::input(format!(
                "the export would take about {}, more than {}",
                said_bytes(bytes),
                said_bytes(limit)
            ));
            let gigabytes = (bytes / 1e8).ceil() / 10.0;
            Err(failure.hint(match fitting {
                Some(step) => format!(
                    "use --step {step} to make it fit, or --max-size {gigabytes} to allow it"
                ),
                None => format!("use --max-size {gigabytes} to allow it"),
            }))
        }
    }
}
