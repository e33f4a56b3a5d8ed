//! Rules: how a non-linear op turns x₀ into linear maps and sources. No rule touches a probe.
//!
//! A rule gets the values of an op's operands at x₀, asks the inner backend for the op's own
//! value, and hands linear maps and sources to the probe's run. See `docs/rules.md` for the table.

pub(crate) mod arithmetic;
pub(crate) mod max_pool;
pub(crate) mod normalisation;
pub(crate) mod padding;
pub(crate) mod pointwise;
pub(crate) mod product;
pub(crate) mod reduction;
pub(crate) mod resampling;
pub(crate) mod selection;
pub(crate) mod slope;
pub(crate) mod softmax;
#[cfg(test)]
mod tests;
pub(crate) mod transfer;
pub(crate) mod weighted;

/// How a smooth pointwise function h is frozen at x₀.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pointwise {
    /// Gain (h(x₀) − h(0))/x₀, source h(0): the line through the origin's image and the point.
    #[default]
    Secant,
    /// Gain h′(x₀), source h(x₀) − h′(x₀) x₀: the tangent.
    Taylor,
}

/// What is frozen of an instance, group, layer or RMS norm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Normalisation {
    /// Mean and standard deviation (the paper's Fig. 2): the norm becomes pointwise.
    #[default]
    MeanAndStd,
    /// The standard deviation only; the mean stays a linear map of the input.
    StdOnly,
}

/// The rules of a run. The default is the paper's reading where it has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleSet {
    /// Sigmoid, tanh and their kin.
    pub pointwise: Pointwise,
    /// Norms that compute statistics from their input.
    pub normalisation: Normalisation,
}

impl std::fmt::Display for RuleSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pointwise = match self.pointwise {
            Pointwise::Secant => "secant",
            Pointwise::Taylor => "taylor",
        };
        let normalisation = match self.normalisation {
            Normalisation::MeanAndStd => "mean-and-std",
            Normalisation::StdOnly => "std-only",
        };
        write!(f, "pointwise={pointwise}, normalisation={normalisation}")
    }
}
