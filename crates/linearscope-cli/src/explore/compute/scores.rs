//! What makes a score: attributions, contributions, and what a layer adds.

use linearscope_analysis::{
    LinearOperator, attribution, contribution,
    discussion::{self, Propagation},
    vectors,
};

use super::{Answer, Question, Refusal};
use crate::{
    baseline::Baseline,
    commands::{
        attribute::{How, targets},
        contributions::{self, one_score},
        votes,
    },
    explore::asked::Map,
};

impl Question<'_> {
    /// One map of one target, in the shape of the input, with what it sums to.
    pub(super) fn attribution(self, map: &Map) -> Result<Answer, Refusal> {
        let (subject, frozen) = (self.subject, &self.subject.frozen);
        let (target, method) = (&map.target, &map.method);
        let found = targets(subject, std::slice::from_ref(target), &self.point.y0)?;
        let [found] = &found[..] else {
            return Err(several(target));
        };
        let baselines = map.baseline.as_deref().map(str::parse::<Baseline>);
        let baselines = baselines.transpose().map_err(Refusal::bad)?;
        let baselines: Vec<Baseline> = baselines.into_iter().collect();
        let how = How {
            methods: std::slice::from_ref(method),
            baselines: &baselines,
            ..How::default()
        };
        let (around, baseline) = how.surroundings(subject)?;
        let positions = std::slice::from_ref(&found.positions);
        let made = attribution::attribute(frozen, positions, method, &around, self.observer)?;
        let [map] = &made[..] else {
            return Err(several(target));
        };
        let mut answer = Answer::array(&map.map, frozen.input_shape(), subject.precision)?;
        answer.say("linearscope-target", &found.text);
        answer.say("linearscope-method", &map.method);
        answer.say("linearscope-baseline", baseline);
        answer.say("linearscope-score", map.score);
        answer.say("linearscope-sum", map.sum);
        if let (Some(promised), Some(gap)) = (map.promised, map.gap) {
            answer.say("linearscope-promised", promised);
            answer.say("linearscope-gap", gap);
            answer.say("linearscope-percent", 100.0 * map.sum / promised);
        }
        answer.say("linearscope-signed", u8::from(method.is_signed()));
        if let Some(note) = &map.note {
            answer.say("linearscope-note", note);
        }
        Ok(answer)
    }

    pub(super) fn contributions(self, target: &str) -> Result<Answer, Refusal> {
        let (subject, frozen) = (self.subject, &self.subject.frozen);
        let target = one_score(subject, "target", target, &self.point.y0)?;
        let found = contribution::contributions(frozen, target)?;
        Ok(Answer::json(&contributions::told(subject, &found)))
    }

    /// What the sources of one layer add to a score, carried back to the pixels.
    pub(super) fn layer(self, name: &str, target: &str) -> Result<Answer, Refusal> {
        let (subject, frozen) = (self.subject, &self.subject.frozen);
        let target = one_score(subject, "target", target, &self.point.y0)?;
        let terms = votes::terms(subject, "name", name)?;
        let said = discussion::discussions_of(frozen, &[target], Propagation::Conserving, terms)?;
        let pixels = vectors::numbers(said.pixels)?;
        let mut answer = Answer::array(&pixels, frozen.input_shape(), subject.precision)?;
        answer.say("linearscope-sum", pixels.iter().sum::<f64>());
        answer.say("linearscope-score", self.point.y0[target]);
        Ok(answer)
    }
}

fn several(target: &str) -> Refusal {
    Refusal::bad(format!("target={target}: selects several")).hint("ask about one at a time")
}
