//! How far the reading holds: on the way from x₀ to another picture.

use burn::tensor::TensorData;
use linearscope::noise;
use linearscope_analysis::{FrozenNetwork, LinearOperator, Progress, validity, vectors::numbers};
use serde_json::json;

use super::{Answer, Desk, Question, Refusal, absent};
use crate::{
    baseline::{Baseline, bounds},
    error::Failure,
    explore::{answer::without_batch, asked::Of},
};

/// How many steps of the way the error is measured at.
const STEPS: usize = 20;

/// Noise is the same in every session.
const SEED: u64 = 0;

impl Question<'_> {
    /// The picture at the end of the way.
    fn end(&self, desk: &Desk, of: &Of, towards: &str) -> Result<Vec<f64>, Refusal> {
        let subject = self.subject;
        let x0 = &self.point.x0;
        match towards {
            "noise" => Ok(match bounds(subject) {
                // Uniform between black and white of each channel.
                Some([low, high]) => {
                    let each = x0.len() / low.len();
                    let scaled = noise(x0.len(), SEED).into_iter().enumerate();
                    scaled
                        .map(|(i, v)| {
                            let (low, high) = (low[i / each], high[i / each]);
                            low + (v + 1.0) / 2.0 * (high - low)
                        })
                        .collect()
                }
                None => noise(x0.len(), SEED),
            }),
            "other" => {
                let other = (0..desk.points.len()).find(|net| *net != of.net);
                let other = other.map(|net| desk.points.first(net));
                let other = other.filter(|other| other.x0.len() == x0.len());
                let other = other.ok_or_else(|| {
                    absent("no second picture of this size").hint("pass one with --compare-input")
                })?;
                Ok(other.x0.clone())
            }
            named => {
                let named: Baseline = named.parse().map_err(Refusal::bad)?;
                Ok(named.values(subject)?)
            }
        }
    }

    /// Up to where nothing flips, and how the error of the reading grows.
    pub(super) fn validity(self, desk: &Desk, of: &Of, towards: &str) -> Result<Answer, Refusal> {
        let frozen = &self.subject.frozen;
        let end = self.end(desk, of, towards)?;
        let way: Vec<f64> = end
            .iter()
            .zip(&self.point.x0)
            .map(|(to, x)| to - x)
            .collect();
        let len = way.len();
        let mut steps = Progress::new("measuring how far the reading holds", 0, STEPS + 1);
        if (self.observer)(&steps).is_break() {
            return Err(Failure::interrupted("stopped").into());
        }
        let radii = match validity::radii(frozen, frozen.upload(way.clone(), len)) {
            Ok(found) => Some(found),
            // Smooth units move with every step.
            Err(linearscope_analysis::Error::Engine(linearscope::Error::NotPiecewise {
                ..
            })) => None,
            Err(error) => return Err(error.into()),
        };
        let mut curve = Vec::new();
        for step in 0..=STEPS {
            steps.done = step;
            if (self.observer)(&steps).is_break() {
                return Err(Failure::interrupted("stopped").into());
            }
            let t = step as f64 / STEPS as f64;
            let error = validity::growth(frozen, frozen.upload(way.clone(), len), &[t])?;
            curve.push(json!({ "t": t, "relative_error": error[0] }));
        }
        let first = radii.as_ref().map(|found| &found.by[0]);
        // What never flips is exact all the way and beyond.
        let exact = radii.as_ref().map(|found| found.radii[0].min(f64::MAX));
        let mut flips: Vec<_> = radii.iter().flat_map(|found| &found.decisions).collect();
        flips.retain(|one| one.first[0].is_finite());
        flips.sort_by(|a, b| a.first[0].total_cmp(&b.first[0]));
        let flips = flips.iter().take(STEPS).map(|one| {
            json!({ "node": one.node, "what": one.what, "units": one.units, "t": one.first[0] })
        });
        Ok(Answer::json(&json!({
            "towards": towards,
            "piecewise_linear": radii.is_some(),
            "exact_until": exact,
            "first": first,
            "at_kink": radii.as_ref().map(|found| found.at_kink),
            "flips": flips.collect::<Vec<_>>(),
            "curve": curve,
        })))
    }

    /// f(x) and F x + r at a part of the way.
    pub(super) fn along(
        self,
        desk: &Desk,
        of: &Of,
        towards: &str,
        t: f64,
    ) -> Result<Answer, Refusal> {
        let (subject, frozen) = (self.subject, &self.subject.frozen);
        let end = self.end(desk, of, towards)?;
        let there = |(to, x): (&f64, &f64)| x + t * (to - x);
        let x: Vec<f64> = end.iter().zip(&self.point.x0).map(there).collect();
        let len = x.len();
        let data = TensorData::new(x.clone(), frozen.input_shape().to_vec());
        let mut both = numbers(FrozenNetwork::forward(frozen.frozen().loaded(), data)?)?;
        both.extend(subject.numbers(frozen.affine(frozen.upload(x, len))?)?);
        let shape = [&[2], without_batch(frozen.output_shape())].concat();
        Answer::numbers(&both, &shape, subject.precision)
    }
}
