//! A picture close to x₀ that is read otherwise.

use burn::tensor::TensorData;
use linearscope_analysis::{
    FrozenNetwork, LinearOperator,
    attack::{AttackConfig, attack},
    ranking,
    vectors::numbers,
};
use serde_json::json;

use super::{
    Answer, Question, Refusal,
    jobs::{Kept, Result as Job},
    session::best,
};
use crate::{
    commands::attack::{EpsUnit, aim, ball},
    error::Failure,
    explore::asked::{Asked, Eps, Of},
};

impl Question<'_> {
    /// FGSM, by the settings of `linearscope attack`: ε in levels of a picture, of an array in units of the input.
    pub(super) fn attack(self, asked: &Asked, eps: Eps, kept: &Kept) -> Result<Answer, Refusal> {
        let (subject, frozen) = (self.subject, &self.subject.frozen);
        let recipe = subject
            .painter
            .recipe
            .as_ref()
            .filter(|_| !subject.from_array);
        let (unit, word) = match recipe {
            Some(_) => (EpsUnit::Pixel, "pixel"),
            None => (EpsUnit::Input, "input"),
        };
        let (goal, loss) = aim(subject, None, None)?;
        let ball = ball(eps.get(), unit, recipe, frozen.input_len());
        let config = AttackConfig::fgsm(goal).with_loss(loss);
        let found = attack(frozen, &ball, &config, self.observer)?;
        if found.is_partial() {
            return Err(Failure::interrupted("the attack was stopped").into());
        }
        let x = TensorData::new(found.x.clone(), frozen.input_shape().to_vec());
        let after = numbers(FrozenNetwork::forward(frozen.frozen().loaded(), x)?)?;
        let before = &self.point.y0;
        let success = match before.len() {
            1 => (before[0] > 0.0) != (after[0] > 0.0),
            _ => ranking(before).first() != ranking(&after).first(),
        };
        let largest = found
            .perturbation
            .iter()
            .fold(0.0, |m: f64, v| m.max(v.abs()));
        let said = json!({
            "eps": eps,
            "eps_unit": word,
            "before": best(subject, before),
            "after": best(subject, &after),
            "scores_after": after,
            "success": success,
            "largest_change": largest,
        });
        kept.put(asked, Job::Attacked(found.into()));
        Ok(Answer::json(&said))
    }

    /// The picture that it made.
    pub(super) fn attacked(&self, of: &Of, eps: Eps, kept: &Kept) -> Result<Answer, Refusal> {
        let found = kept.attacked(of, eps)?;
        Answer::array(
            &found.x,
            self.subject.frozen.input_shape(),
            self.subject.precision,
        )
    }
}
