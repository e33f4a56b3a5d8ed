//! The recogniser: finds norms that Burn decomposes into single ops.
//!
//! Instance, group and decomposed layer norms all contain
//!
//! ```text
//! m = mean(x)      d = x − m      q = √(mean(d²) + ε)      n = d / q
//! ```
//!
//! with one or several `mean_dim`s in a row. Freezing a norm means reading m and q (or q alone)
//! at x₀; so the ops that begin their computation get a [`Role`] and run on the reference only.
//! Everything else — subtracting m, dividing by q, the affine part, the reshapes around — is
//! linear then, by the ordinary rows of the decorator. No value is computed differently, so y₀
//! stays untouched.

use std::collections::HashMap;

use burn_ir::{
    BaseOperationIr, FloatOperationIr, NumericOperationIr, OperationIr, ScalarIr, TensorId,
};

use super::{Role, Step};

/// Steps by what they produce.
struct Producers<'a> {
    steps: &'a [Step],
    of: HashMap<TensorId, usize>,
}

impl<'a> Producers<'a> {
    fn new(steps: &'a [Step]) -> Self {
        let of = steps
            .iter()
            .enumerate()
            .flat_map(|(i, step)| step.operation.outputs().map(move |out| (out.id, i)))
            .collect();
        Self { steps, of }
    }

    fn numeric(&self, id: TensorId) -> Option<(usize, &'a NumericOperationIr)> {
        let index = *self.of.get(&id)?;
        match &self.steps[index].operation {
            OperationIr::NumericFloat(_, op) => Some((index, op)),
            _ => None,
        }
    }

    /// Skip ops that only change the form of a tensor.
    fn through_shape(&self, id: TensorId) -> TensorId {
        match self.of.get(&id).map(|&i| &self.steps[i].operation) {
            Some(OperationIr::BaseFloat(
                BaseOperationIr::Reshape(op) | BaseOperationIr::Expand(op),
            )) => self.through_shape(op.input.id),
            _ => id,
        }
    }

    /// If `id` is the mean of something over one or more axes: that something, and the step that
    /// begins the mean.
    fn mean_of(&self, id: TensorId) -> Option<(TensorId, usize)> {
        let (index, NumericOperationIr::MeanDim(op)) = self.numeric(self.through_shape(id))? else {
            return None;
        };
        Some(self.mean_of(op.input.id).unwrap_or((op.input.id, index)))
    }

    /// If `id` is d²: d, and the step that squares.
    fn square_of(&self, id: TensorId) -> Option<(TensorId, usize)> {
        let index = *self.of.get(&id)?;
        match &self.steps[index].operation {
            OperationIr::NumericFloat(_, NumericOperationIr::Mul(op)) if op.lhs.id == op.rhs.id => {
                Some((op.lhs.id, index))
            }
            OperationIr::NumericFloat(_, NumericOperationIr::PowiScalar(op))
            | OperationIr::Float(_, FloatOperationIr::PowfScalar(op))
                if is_two(&op.rhs) =>
            {
                Some((op.lhs.id, index))
            }
            _ => None,
        }
    }

    /// If `id` is x − mean(x): x and the step that begins the mean.
    fn centred(&self, id: TensorId) -> Option<(TensorId, usize)> {
        let (_, NumericOperationIr::Sub(op)) = self.numeric(id)? else {
            return None;
        };
        let (of, mean) = self.mean_of(op.rhs.id)?;
        (of == op.lhs.id).then_some((of, mean))
    }

    /// If `id` is √(mean((x − mean(x))²) + ε): x and the steps that begin mean and spread.
    fn spread(&self, id: TensorId) -> Option<(TensorId, usize, usize)> {
        let root = *self.of.get(&self.through_shape(id))?;
        let OperationIr::Float(_, FloatOperationIr::Sqrt(root)) = &self.steps[root].operation
        else {
            return None;
        };
        let (_, NumericOperationIr::AddScalar(shifted)) = self.numeric(root.input.id)? else {
            return None;
        };
        let (squared, _) = self.mean_of(shifted.lhs.id)?;
        let (deviation, square) = self.square_of(squared)?;
        let (x, mean) = self.centred(deviation)?;
        Some((x, mean, square))
    }
}

fn is_two(scalar: &ScalarIr) -> bool {
    match *scalar {
        ScalarIr::Float(x) => x == 2.0,
        ScalarIr::Int(x) => x == 2,
        ScalarIr::UInt(x) => x == 2,
        ScalarIr::Bool(_) => false,
    }
}

/// Give the ops that begin a norm's statistics their roles.
pub(super) fn norms(steps: &mut [Step]) {
    let producers = Producers::new(steps);
    let mut roles = Vec::new();
    for step in steps.iter() {
        let OperationIr::NumericFloat(_, NumericOperationIr::Div(op)) = &step.operation else {
            continue;
        };
        let (Some((x, mean)), Some((y, mean_again, square))) =
            (producers.centred(op.lhs.id), producers.spread(op.rhs.id))
        else {
            continue;
        };
        if x == y {
            roles.push((mean, Role::NormMean));
            roles.push((mean_again, Role::NormMean));
            roles.push((square, Role::NormSpread));
        }
    }
    for (index, role) in roles {
        steps[index].role = role;
    }
}
