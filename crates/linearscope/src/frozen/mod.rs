//! A network frozen at x₀ on any backend: y(x) = F x + r, on primitives.
//!
//! [`Recorded`] keeps the program and can answer every question. [`Paired`] keeps only x₀ and runs the
//! network alongside the probes, forwards only. [`Frozen`] is one or the other, as memory allows.

mod batches;
mod between;
mod paired;
mod point;
mod recorded;
#[cfg(test)]
mod round_trips;
mod runs;
mod shares;

pub use paired::Paired;
pub use point::Point;
pub use recorded::Recorded;
pub use shares::SourceShare;

use std::{ops::Deref, sync::Arc};

use burn_backend::{Backend, tensor::FloatTensor};

use crate::{
    driver::{Kernels, Loaded},
    error::{Error, Result},
    interrupt::Interrupt,
    rule_set::RuleSet,
};

/// A network frozen at x₀ within a memory budget: recorded if its decisions fit, otherwise paired.
// One a freeze: its size does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum Frozen<B: Backend> {
    /// The program is kept.
    Recorded(Recorded<B>),
    /// The decisions did not fit: every product runs the network again, forwards only.
    Paired(Paired<B>),
}

impl<B: Backend> Frozen<B> {
    /// Freeze the network at x₀ within a budget in bytes for decisions and probes.
    ///
    /// Probes are split into batches that fit; results do not depend on the split. Cost: that of [`Recorded::new`],
    /// plus that of [`Paired::new`] if the decisions do not fit. In that case Burn's kernels compute the reference,
    /// whatever [`Kernels`] the network has.
    ///
    /// # Errors
    /// As [`Recorded::new`], [`Error::Memory`] apart.
    pub fn within(
        loaded: Arc<Loaded<B>>,
        x0: Vec<FloatTensor<B>>,
        rules: RuleSet,
        budget: usize,
    ) -> Result<Self> {
        match Recorded::within(loaded.clone(), x0.clone(), rules.clone(), budget) {
            Ok(recorded) => Ok(Self::Recorded(recorded)),
            Err(Error::Memory { .. }) => {
                // A paired run's adjoint goes on Burn's tape: both must decide by the same kernels.
                let loaded = match loaded.kernels() {
                    Kernels::Burn => loaded,
                    Kernels::Own => Arc::new(loaded.with_kernels(Kernels::Burn)?),
                };
                Ok(Self::Paired(Paired::within(loaded, x0, rules, budget)?))
            }
            Err(error) => Err(error),
        }
    }

    /// The same frozen network, stopped by `interrupt`. Use one copy for each of several questions that must be
    /// stopped separately, as in a server. Results are the same bits. Cost: lists of nodes; everything else is shared.
    #[must_use]
    pub fn with_interrupt(&self, interrupt: &Interrupt) -> Self {
        match self {
            Self::Recorded(recorded) => Self::Recorded(recorded.with_interrupt(interrupt)),
            Self::Paired(paired) => Self::Paired(paired.with_interrupt(interrupt)),
        }
    }

    /// The recorded network, if the program was kept.
    pub fn recorded(&self) -> Option<&Recorded<B>> {
        match self {
            Self::Recorded(recorded) => Some(recorded),
            Self::Paired(_) => None,
        }
    }

    /// The recorded network, needed because `what` requires a program.
    ///
    /// # Errors
    /// [`Error::Memory`] names `what` and the budget.
    pub fn recorded_for(&self, what: &str) -> Result<&Recorded<B>> {
        self.recorded().ok_or_else(|| Error::Memory {
            what: what.into(),
            budget: self.budget(),
        })
    }

    /// F x for k probes, `[k, ..input] → [k, ..output]`, per input and output.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::NoProbes`].
    pub fn apply(&self, x: &[FloatTensor<B>]) -> Result<Vec<FloatTensor<B>>> {
        match self {
            Self::Recorded(recorded) => recorded.apply(x),
            Self::Paired(paired) => paired.apply(x),
        }
    }

    /// F x + r for k probes, `[k, ..input] → [k, ..output]`, per input and output.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::NoProbes`].
    pub fn affine(&self, x: &[FloatTensor<B>]) -> Result<Vec<FloatTensor<B>>> {
        match self {
            Self::Recorded(recorded) => recorded.affine(x),
            Self::Paired(paired) => paired.affine(x),
        }
    }

    /// The residual r, `[..output]` per output: the affine map at x₁ = 0.
    ///
    /// # Errors
    /// None of its own; it shares [`affine`](Self::affine)'s signature.
    pub fn residual(&self) -> Result<Vec<FloatTensor<B>>> {
        match self {
            Self::Recorded(recorded) => recorded.residual(),
            Self::Paired(paired) => paired.residual(),
        }
    }
}

impl<B: Backend> Deref for Frozen<B> {
    type Target = Point<B>;

    fn deref(&self) -> &Point<B> {
        match self {
            Self::Recorded(recorded) => recorded,
            Self::Paired(paired) => paired,
        }
    }
}
