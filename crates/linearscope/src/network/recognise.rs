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

/// Steps by what they produce and who reads it.
struct Graph<'a> {
    steps: &'a [Step],
    producer: HashMap<TensorId, usize>,
    readers: HashMap<TensorId, Vec<usize>>,
}

/// The steps of one norm, found backwards from its division.
#[derive(Default)]
struct Norm {
    /// Every step of it, the final division last or not at all.
    members: Vec<usize>,
    /// Those that begin the means it subtracts.
    means: Vec<usize>,
    /// The one that squares the deviation.
    square: Option<usize>,
}

impl<'a> Graph<'a> {
    fn new(steps: &'a [Step]) -> Self {
        let mut producer = HashMap::new();
        let mut readers: HashMap<TensorId, Vec<usize>> = HashMap::new();
        for (index, step) in steps.iter().enumerate() {
            for output in step.operation.outputs() {
                producer.insert(output.id, index);
            }
            for input in step.operation.inputs() {
                readers.entry(input.id).or_default().push(index);
            }
        }
        Self {
            steps,
            producer,
            readers,
        }
    }

    fn maker(&self, id: TensorId) -> Option<(usize, &'a OperationIr)> {
        let index = *self.producer.get(&id)?;
        Some((index, &self.steps[index].operation))
    }

    /// Skip ops that only change the form of a tensor, noting them.
    fn through_shape(&self, id: TensorId, norm: &mut Norm) -> TensorId {
        match self.maker(id) {
            Some((
                index,
                OperationIr::BaseFloat(BaseOperationIr::Reshape(op) | BaseOperationIr::Expand(op)),
            )) => {
                norm.members.push(index);
                self.through_shape(op.input.id, norm)
            }
            _ => id,
        }
    }

    /// If `id` is the mean of something over one or more axes: that something, and the step that
    /// begins the mean.
    fn mean_of(&self, id: TensorId, norm: &mut Norm) -> Option<(TensorId, usize)> {
        let id = self.through_shape(id, norm);
        let (index, OperationIr::NumericFloat(_, NumericOperationIr::MeanDim(op))) =
            self.maker(id)?
        else {
            return None;
        };
        norm.members.push(index);
        // Means over several axes follow each other; what is noted on a failed look stays out.
        let mut deeper = Norm::default();
        match self.mean_of(op.input.id, &mut deeper) {
            Some(found) => {
                norm.members.extend(deeper.members);
                Some(found)
            }
            None => Some((op.input.id, index)),
        }
    }

    /// If `id` is d²: d.
    fn square_of(&self, id: TensorId, norm: &mut Norm) -> Option<TensorId> {
        let (index, operation) = self.maker(id)?;
        let squared = match operation {
            OperationIr::NumericFloat(_, NumericOperationIr::Mul(op)) if op.lhs.id == op.rhs.id => {
                op.lhs.id
            }
            OperationIr::NumericFloat(_, NumericOperationIr::PowiScalar(op))
            | OperationIr::Float(_, FloatOperationIr::PowfScalar(op))
                if is_two(&op.rhs) =>
            {
                op.lhs.id
            }
            _ => return None,
        };
        norm.members.push(index);
        norm.square = Some(index);
        Some(squared)
    }

    /// If `id` is x − mean(x): x.
    fn centred(&self, id: TensorId, norm: &mut Norm) -> Option<TensorId> {
        let (index, OperationIr::NumericFloat(_, NumericOperationIr::Sub(op))) = self.maker(id)?
        else {
            return None;
        };
        norm.members.push(index);
        let (of, mean) = self.mean_of(op.rhs.id, norm)?;
        norm.means.push(mean);
        (of == op.lhs.id).then_some(of)
    }

    /// If `id` is √(mean((x − mean(x))²) + ε): x.
    fn spread(&self, id: TensorId, norm: &mut Norm) -> Option<TensorId> {
        let id = self.through_shape(id, norm);
        let (index, OperationIr::Float(_, FloatOperationIr::Sqrt(root))) = self.maker(id)? else {
            return None;
        };
        norm.members.push(index);
        let (index, OperationIr::NumericFloat(_, NumericOperationIr::AddScalar(shifted))) =
            self.maker(root.input.id)?
        else {
            return None;
        };
        norm.members.push(index);
        let (squared, _) = self.mean_of(shifted.lhs.id, norm)?;
        let deviation = self.square_of(squared, norm)?;
        self.centred(deviation, norm)
    }

    /// The norm that ends in the division at `index`, if one does.
    ///
    /// Nobody else may read its inner tensors: a mean that also feeds something else is no norm's
    /// statistic alone, and freezing it would freeze that too.
    fn norm(&self, index: usize, outputs: &[TensorId]) -> Option<Norm> {
        let OperationIr::NumericFloat(_, NumericOperationIr::Div(op)) =
            &self.steps[index].operation
        else {
            return None;
        };
        let mut norm = Norm::default();
        let x = self.centred(op.lhs.id, &mut norm)?;
        let again = self.spread(op.rhs.id, &mut norm)?;
        let own = |reader: &usize| *reader == index || norm.members.contains(reader);
        let private = norm.members.iter().all(|&member| {
            self.steps[member].operation.outputs().all(|out| {
                let readers = self.readers.get(&out.id);
                !outputs.contains(&out.id) && readers.is_none_or(|readers| readers.iter().all(own))
            })
        });
        (x == again && private).then_some(norm)
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
pub(super) fn norms(steps: &mut [Step], outputs: &[TensorId]) {
    let graph = Graph::new(steps);
    let found: Vec<Norm> = (0..steps.len())
        .filter_map(|index| graph.norm(index, outputs))
        .collect();
    for norm in found {
        for mean in norm.means {
            steps[mean].role = Role::NormMean;
        }
        if let Some(square) = norm.square {
            steps[square].role = Role::NormSpread;
        }
    }
}
