//! Attacks: pictures close to x₀ that a classifier labels differently, or for which one score changes its
//! sign.
//!
//! With a loss L of the scores y and its gradient g = Jᵀ ∂L/∂y at the current picture,
//!
//! ```text
//! FGSM  x ← clip(x₀ + ε sign g)
//! PGD   x ← clip(x + α sign g), again and again, clip being into the ball and the valid range
//! ```
//!
//! J is the Jacobian, not F: attacks freeze everything with the rule *taylor*, which is the tangent. In
//! a piecewise-linear network the two are the same. Each entry has its own radius, so that ε can be in
//! units of pixels whatever the mean and standard deviation.

use std::{ops::ControlFlow, sync::Arc};

use burn::tensor::TensorData;
use burn_dispatch::Dispatch;
use linearscope::{Loaded, RuleSet, SplitMix64};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result, tell, unless_stopped},
    frozen::FrozenNetwork,
    operator::LinearOperator,
    progress::Progress,
    ranking::argmax,
    vectors::{numbers, read},
    votes::classes,
};

/// What an attack raises or lowers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Loss {
    /// −log softmax(y)_c, the loss classifiers are trained with.
    #[default]
    CrossEntropy,
    /// −y_c, the score itself.
    Score,
}

impl Loss {
    /// The loss of class c and ∂L/∂y.
    fn of(self, y: &[f64], c: usize) -> (f64, Vec<f64>) {
        match self {
            Loss::CrossEntropy => {
                let most = y.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = y.iter().map(|v| (v - most).exp()).sum();
                let mut slope: Vec<f64> = y.iter().map(|v| (v - most).exp() / sum).collect();
                slope[c] -= 1.0;
                (most + sum.ln() - y[c], slope)
            }
            Loss::Score => {
                let mut slope = vec![0.0; y.len()];
                slope[c] = -1.0;
                (-y[c], slope)
            }
        }
    }
}

/// Where an attack goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Away from this class: its loss is raised.
    From(usize),
    /// To this class: its loss is lowered.
    To(usize),
}

impl Goal {
    fn class(self) -> usize {
        match self {
            Goal::From(class) | Goal::To(class) => class,
        }
    }
}

/// The pictures that an attack may produce: |x − x₀| ≤ radius and low ≤ x ≤ high, entry by entry, in
/// units of the network's input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ball {
    /// ε of each entry.
    pub radius: Vec<f64>,
    /// The least valid value of each entry.
    pub low: Vec<f64>,
    /// The largest valid value of each entry.
    pub high: Vec<f64>,
}

impl Ball {
    /// The same ε for all `len` entries, without bounds on valid values.
    pub fn of(eps: f64, len: usize) -> Self {
        Self {
            radius: vec![eps; len],
            low: vec![f64::NEG_INFINITY; len],
            high: vec![f64::INFINITY; len],
        }
    }

    /// Restrict the ball to a range of valid values.
    pub fn within(mut self, low: f64, high: f64) -> Self {
        self.low.fill(low);
        self.high.fill(high);
        self
    }

    fn check(&self, n: usize) -> Result<()> {
        let lengths = [self.radius.len(), self.low.len(), self.high.len()];
        if lengths != [n; 3] {
            return Err(Error::Setting {
                what: "the number of entries of an attack's radius, low and high",
                got: format!("{lengths:?}"),
                allowed: format!("x₀ has {n}"),
            });
        }
        if let Some(i) = self.radius.iter().position(|r| !r.is_finite() || *r < 0.0) {
            return Err(Error::Setting {
                what: "ε",
                got: format!("{} at entry {i}", self.radius[i]),
                allowed: "it must be finite and not negative".into(),
            });
        }
        let ordered = |(low, high): (&f64, &f64)| low <= high;
        let mut ends = self.low.iter().zip(&self.high);
        if let Some(i) = ends.position(|ends| !ordered(ends)) {
            return Err(Error::Setting {
                what: "an attack's range",
                got: format!("{} to {} at entry {i}", self.low[i], self.high[i]),
                allowed: "its low end must not be above its high end".into(),
            });
        }
        Ok(())
    }

    /// The nearest picture that is allowed. x₀ itself may lie outside the valid range; then it stays
    /// allowed, and nothing beyond it.
    fn clipped(&self, x: f64, x0: f64, i: usize) -> f64 {
        let low = (x0 - self.radius[i]).max(self.low[i].min(x0));
        let high = (x0 + self.radius[i]).min(self.high[i].max(x0));
        x.clamp(low, high)
    }
}

/// How an attack is made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttackConfig {
    /// Where it goes.
    pub goal: Goal,
    /// What it follows.
    pub loss: Loss,
    /// Gradients taken: 1 is FGSM, more is PGD.
    pub steps: usize,
    /// α over ε; `None`: 1 for one step, else 2.5 / steps (at most 1).
    pub step: Option<f64>,
    /// Start at a random picture of the ball with this seed, instead of at x₀.
    pub seed: Option<u64>,
}

impl AttackConfig {
    /// FGSM with cross entropy.
    pub fn fgsm(goal: Goal) -> Self {
        Self {
            goal,
            loss: Loss::CrossEntropy,
            steps: 1,
            step: None,
            seed: None,
        }
    }

    /// PGD with cross entropy.
    pub fn pgd(goal: Goal, steps: usize) -> Self {
        Self {
            steps,
            ..Self::fgsm(goal)
        }
    }
}

setters!(
    AttackConfig: with_goal goal: Goal, with_loss loss: Loss, with_steps steps: usize,
    with_step step: Option<f64>, with_seed seed: Option<u64>
);

/// The state of an attack before a step, or at its end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttackStep {
    /// The loss of the goal's class.
    pub loss: f64,
    /// Its score.
    pub score: f64,
    /// The class with the largest score.
    pub best: usize,
}

/// An adversarial picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attacked {
    /// The picture, flat, in units of the network's input, rounded to the network's dtype.
    pub x: Vec<f64>,
    /// x − x₀.
    pub perturbation: Vec<f64>,
    /// The state before each step and at the end: one more than the number of gradients that
    /// produced `x`.
    pub steps: Vec<AttackStep>,
    /// The attack was stopped before all steps: `x` is the picture with the best loss among those evaluated by
    /// then, and `steps` ends with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

impl Attacked {
    /// Whether the attack was stopped before all steps, see [`partial`](Self::partial).
    pub fn is_partial(&self) -> bool {
        self.partial
    }
}

/// The loss of class c at x, its gradient ∂L/∂x, and the scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gradient {
    /// L.
    pub loss: f64,
    /// ∂L/∂x, flat.
    pub slope: Vec<f64>,
    /// f(x).
    pub scores: Vec<f64>,
}

/// The network at x under the rules that make F its Jacobian; custom entries for ops that have no tangent (a
/// rounding that is straight-through) stay.
pub(crate) fn tangent(
    loaded: &Arc<Loaded<Dispatch>>,
    x: TensorData,
    rules: &RuleSet,
    budget: usize,
) -> Result<FrozenNetwork> {
    let taylor = RuleSet::preset("taylor")?;
    let rules = rules.entries().iter().cloned().fold(taylor, RuleSet::with);
    FrozenNetwork::within(loaded.clone(), x, rules, budget)
}

/// Compute the true gradient of a loss, by a tangent program frozen at x and one adjoint product.
///
/// At a kink (a ReLU at exactly 0) it is the gradient from the left.
///
/// # Errors
/// [`Error::OutOfRange`] for a class that does not exist; as [`FrozenNetwork::within`].
pub fn gradient(
    loaded: &Arc<Loaded<Dispatch>>,
    x: TensorData,
    rules: &RuleSet,
    budget: usize,
    loss: Loss,
    class: usize,
) -> Result<Gradient> {
    let tangent = tangent(loaded, x, rules, budget)?;
    let scores = read(tangent.reference())?;
    if class >= scores.len() {
        return Err(Error::OutOfRange {
            what: "the class",
            index: vec![class],
            shape: vec![scores.len()],
        });
    }
    let (loss, slope) = loss.of(&scores, class);
    let seed = tangent.upload(slope, scores.len());
    Ok(Gradient {
        loss,
        slope: read(tangent.apply_adjoint(seed)?)?,
        scores,
    })
}

/// Attack the classifier of which `f` is frozen, starting at its x₀. Use [`Loss::Score`] for a network with
/// one score. Progress counts steps.
///
/// # Example
/// ```
/// # use burn::{nn::LinearConfig, tensor::{Device, FloatDType, TensorData, activation::relu}};
/// # use linearscope::{Network, RuleSet};
/// # use linearscope_analysis::FrozenNetwork;
/// # let device = Device::flex();
/// # let layers = vec![LinearConfig::new(4, 8).init(&device), LinearConfig::new(8, 3).init(&device)];
/// # let network = Network::capture(&layers, |layers, ports| {
/// #     let x = ports.input("x", [1, 4]);
/// #     ports.output("y", layers[1].forward(relu(layers[0].forward(x))));
/// # })?;
/// # let loaded = FrozenNetwork::load(network, &device, FloatDType::F64)?;
/// # let x0 = TensorData::from([[0.3, -0.2, 0.9, 0.5]]);
/// # let frozen = FrozenNetwork::new(loaded, x0, RuleSet::default())?;
/// use linearscope_analysis::attack::{AttackConfig, Ball, Goal, attack};
/// use linearscope_analysis::{contribution::top1, progress::unobserved};
///
/// let away = AttackConfig::fgsm(Goal::From(top1(&frozen)?));
/// let found = attack(&frozen, &Ball::of(0.1, 4), &away, unobserved)?;
/// assert!(found.steps[1].loss >= found.steps[0].loss);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// If it is stopped, by the observer or in the middle of a product, after the second picture was evaluated, the
/// result is the best picture so far other than x₀ ([`Attacked::partial`]). Before that, a stop is an error
/// ([`Error::is_stopped`]).
///
/// Cost: each step freezes the network again and takes one adjoint product; one forward pass at the
/// end.
///
/// # Errors
/// [`Error::NotAClassifier`]; [`Error::Setting`] for a ball that does not fit, or no steps; [`Error::Stopped`];
/// [`Error::OutOfRange`] for a class that does not exist; as [`FrozenNetwork::within`].
pub fn attack(
    f: &FrozenNetwork,
    ball: &Ball,
    config: &AttackConfig,
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Attacked> {
    // The cross entropy of one score is 0, whatever it is.
    if f.output_len() != 1 || config.loss != Loss::Score {
        classes(f)?;
    }
    ball.check(f.input_len())?;
    if config.steps == 0 {
        return Err(Error::Setting {
            what: "the number of steps of an attack",
            got: "0".into(),
            allowed: "it must be at least 1".into(),
        });
    }
    let alpha = config.step.unwrap_or(match config.steps {
        1 => 1.0,
        steps => (2.5 / steps as f64).min(1.0),
    });
    let x0 = read(f.x0())?;
    let frozen = f.frozen();
    let (loaded, rules) = (frozen.loaded(), frozen.rules());
    let shape = f.input_shape().to_vec();
    let mut x = x0.clone();
    if let Some(seed) = config.seed {
        let mut random = SplitMix64::new(seed);
        for (i, x) in x.iter_mut().enumerate() {
            *x = ball.clipped(x0[i] + ball.radius[i] * random.next_uniform(), x0[i], i);
        }
    }
    let class = config.goal.class();
    let sign = match config.goal {
        Goal::From(_) => 1.0,
        Goal::To(_) => -1.0,
    };
    let step_of = |loss: f64, scores: &[f64]| AttackStep {
        loss,
        score: scores[class],
        best: argmax(scores).unwrap_or(0),
    };
    let mut steps = Vec::new();
    // The best of those that were looked at after a step, and how many steps it took.
    let mut best: Option<(f64, usize, Vec<f64>)> = None;
    let mut partial = false;
    for step in 0..config.steps {
        let data = TensorData::new(x.clone(), shape.clone());
        let progress = Progress::new("attacking", step, config.steps);
        let found = tell(&mut observer, progress)
            .and_then(|()| gradient(loaded, data, rules, frozen.budget(), config.loss, class));
        let Some(found) = unless_stopped(found, best.is_some())? else {
            partial = true;
            break;
        };
        steps.push(step_of(found.loss, &found.scores));
        let gained = sign * found.loss;
        if step > 0 && best.as_ref().is_none_or(|(most, ..)| gained > *most) {
            best = Some((gained, step, x.clone()));
        }
        if found.slope.iter().any(|slope| !slope.is_finite()) {
            return Err(Error::NotFinite {
                what: "the gradient of the loss".into(),
                because: format!(
                    "at step {step}, so there is no direction to follow; start elsewhere"
                ),
            });
        }
        for (i, slope) in found.slope.iter().enumerate() {
            // Where the slope is 0 nothing is gained either way.
            let direction = if *slope == 0.0 {
                0.0
            } else {
                sign * slope.signum()
            };
            x[i] = ball.clipped(x[i] + alpha * ball.radius[i] * direction, x0[i], i);
        }
    }
    // What the network sees is rounded to its dtype.
    let rounded = |x: Vec<f64>| read(f.upload(x, f.input_len()));
    let mut x = rounded(x)?;
    if !partial {
        let data = TensorData::new(x.clone(), shape);
        let y = FrozenNetwork::forward(loaded, data);
        match unless_stopped(y, best.is_some())? {
            Some(y) => {
                let scores = numbers(y)?;
                steps.push(step_of(config.loss.of(&scores, class).0, &scores));
            }
            None => partial = true,
        }
    }
    if let Some((_, taken, found)) = best.filter(|_| partial) {
        x = rounded(found)?;
        steps.truncate(taken + 1);
    }
    Ok(Attacked {
        perturbation: x.iter().zip(&x0).map(|(x, x0)| x - x0).collect(),
        x,
        steps,
        partial,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_and_their_slopes() {
        let y = [1.0, -2.0, 800.0, 3.0];
        for loss in [Loss::CrossEntropy, Loss::Score] {
            let y = [y[0], y[1], 4.5, y[3]];
            let (value, slope) = loss.of(&y, 3);
            for i in 0..4 {
                let at = |step: f64| {
                    let mut y = y;
                    y[i] += step;
                    loss.of(&y, 3).0
                };
                let by_difference = (at(1e-6) - at(-1e-6)) / 2e-6;
                assert!((slope[i] - by_difference).abs() < 1e-8, "{loss:?} {value}");
            }
        }
        // Large scores do not overflow.
        assert_eq!(Loss::CrossEntropy.of(&y, 2).0, 0.0);
        assert_eq!(Loss::CrossEntropy.of(&y, 3).0, 797.0);
    }

    #[test]
    fn a_ball_clips_and_is_checked() {
        let ball = Ball::of(0.5, 2).within(0.0, 1.0);
        assert_eq!(ball.clipped(0.9, 0.2, 0), 0.7);
        assert_eq!(ball.clipped(-0.9, 0.2, 0), 0.0);
        // x₀ beyond the range may stay or come back.
        assert_eq!(ball.clipped(1.4, 1.2, 0), 1.2);
        assert_eq!(ball.clipped(0.9, 1.2, 0), 0.9);
        assert!(ball.check(2).is_ok() && ball.check(3).is_err());
        assert!(Ball::of(-1.0, 2).check(2).is_err());
        assert!(Ball::of(f64::NAN, 2).check(2).is_err());
        assert!(Ball::of(1.0, 2).within(1.0, 0.0).check(2).is_err());
    }
}
