//! Custom rules.

use std::{any::Any, fmt, sync::Arc};

use burn_backend::{Backend, tensor::FloatTensor};

use super::Rule;
use crate::linear::LinearMap;

/// An op at x₀, as a custom rule sees it.
#[derive(Debug)]
pub struct Reference<B: Backend> {
    /// The op's float operands at x₀, in order.
    pub operands: Vec<FloatTensor<B>>,
    /// Which of them the rule's map acts on: the first that depends linearly on the input.
    pub probed: usize,
    /// The op's value y₀.
    pub value: FloatTensor<B>,
}

impl<B: Backend> Reference<B> {
    /// x₀, the operand the map acts on.
    pub fn x0(&self) -> FloatTensor<B> {
        self.operands[self.probed].clone()
    }

    /// y₀.
    pub fn y0(&self) -> FloatTensor<B> {
        self.value.clone()
    }
}

type Freeze<B> = dyn Fn(&Reference<B>) -> Box<dyn LinearMap<B>> + Send + Sync;

/// A custom rule, for one backend.
#[derive(Clone)]
pub struct CustomRule {
    name: &'static str,
    /// An `Arc<Freeze<B>>`; rule sets do not know their backend.
    rule: Arc<dyn Any + Send + Sync>,
}

impl CustomRule {
    /// The name that surveys and manifests print.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The map for an op at x₀; `None` when it was written for another backend.
    pub(crate) fn freeze<B: Backend>(&self, at: &Reference<B>) -> Option<Box<dyn LinearMap<B>>> {
        let rule = self.rule.downcast_ref::<Arc<Freeze<B>>>()?;
        Some(rule(at))
    }
}

impl fmt::Debug for CustomRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustomRule({:?})", self.name)
    }
}

impl Rule {
    /// Write a rule in a few lines. From the op at x₀, it returns the linear map A for the probe.
    /// The source y₀ − A x₀ is added, so that the rule is exact at x₀ whatever A is. Surveys and
    /// manifests print `name`. The map acts on the first operand that depends linearly on the input;
    /// the others count as frozen. `B` is the backend on which the network is loaded, for instance
    /// `Dispatch`.
    pub fn custom<B: Backend>(
        name: &'static str,
        rule: impl Fn(&Reference<B>) -> Box<dyn LinearMap<B>> + Send + Sync + 'static,
    ) -> Self {
        let rule: Arc<Freeze<B>> = Arc::new(rule);
        Rule::Custom(CustomRule {
            name,
            rule: Arc::new(rule),
        })
    }
}
