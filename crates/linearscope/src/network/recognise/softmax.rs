//! Softmax and its logarithm, written out: exp(x − m)/Σ exp(x − m) and x − m − log Σ exp(x − m), with m
//! the maximum, or without it.

use std::collections::HashSet;

use burn_ir::{FloatOperationIr, NumericOperationIr, OperationIr, TensorId, TensorIr};

use super::{Composite, Role, Whole, graph::Graph};

/// What a softmax is found from: the shifted tensor, the axis, and the steps so far.
struct Found<'a> {
    x: &'a TensorIr,
    axis: usize,
    steps: Vec<usize>,
}

impl<'g> Graph<'g> {
    /// If `id` is Σ exp(z) along an axis: z, the axis, and exp(z).
    fn sum_of_exponentials(
        &self,
        id: TensorId,
        steps: &mut Vec<usize>,
    ) -> Option<(TensorId, usize, TensorId)> {
        let (sum, OperationIr::NumericFloat(_, NumericOperationIr::SumDim(op))) = self.maker(id)?
        else {
            return None;
        };
        let (exp, OperationIr::Float(_, FloatOperationIr::Exp(of))) = self.maker(op.input.id)?
        else {
            return None;
        };
        steps.extend([sum, exp]);
        Some((of.input.id, op.axis, op.input.id))
    }

    /// z = x − max(x) along the axis, or z itself.
    fn unshifted(&self, z: &'g TensorIr, axis: usize, steps: &mut Vec<usize>) -> &'g TensorIr {
        let Some((sub, OperationIr::NumericFloat(_, NumericOperationIr::Sub(op)))) =
            self.maker(z.id)
        else {
            return z;
        };
        let of = match self.maker(op.rhs.id) {
            Some((max, OperationIr::NumericFloat(_, NumericOperationIr::MaxDim(of))))
                if of.axis == axis =>
            {
                Some((max, of.input.id))
            }
            _ => None,
        };
        match of {
            Some((max, of)) if of == op.lhs.id => {
                steps.extend([sub, max]);
                &op.lhs
            }
            _ => z,
        }
    }

    /// The softmax that ends in a step, or its logarithm.
    fn softmax(&self, index: usize) -> Option<(Found<'g>, bool)> {
        let mut steps = vec![index];
        let (z, axis, logarithm) = match &self.steps[index].operation {
            OperationIr::NumericFloat(_, NumericOperationIr::Div(op)) => {
                let (z, axis, exp) = self.sum_of_exponentials(op.rhs.id, &mut steps)?;
                (exp == op.lhs.id).then_some(())?;
                (z, axis, false)
            }
            OperationIr::NumericFloat(_, NumericOperationIr::Sub(op)) => {
                let (log, OperationIr::Float(_, FloatOperationIr::Log(of))) =
                    self.maker(op.rhs.id)?
                else {
                    return None;
                };
                steps.push(log);
                let (z, axis, _) = self.sum_of_exponentials(of.input.id, &mut steps)?;
                (z == op.lhs.id).then_some(())?;
                (z, axis, true)
            }
            _ => return None,
        };
        let z = steps.iter().find_map(|&step| {
            let mut inputs = self.steps[step].operation.inputs();
            inputs.find(|input| input.id == z)
        })?;
        let x = self.unshifted(z, axis, &mut steps);
        steps.sort_unstable();
        let inside: HashSet<usize> = steps.iter().copied().collect();
        let mut inner = steps.iter().filter(|&&step| step != index);
        inner
            .all(|&step| self.private(step, |reader| inside.contains(&reader)))
            .then_some(())?;
        self.depends(x.id).then_some(())?;
        Some((Found { x, axis, steps }, logarithm))
    }
}

/// Find them; they count into the network's composites.
pub(super) fn softmaxes(graph: &Graph<'_>, roles: &mut [Role], composites: &mut Vec<Composite>) {
    for index in 0..graph.steps.len() {
        let Some((Found { x, axis, steps }, logarithm)) = graph.softmax(index) else {
            continue;
        };
        if steps.iter().any(|&step| roles[step] != Role::Plain) {
            continue;
        }
        for &step in &steps {
            roles[step] = Role::Member(composites.len());
        }
        let operation = |&step: &usize| graph.steps[step].operation.clone();
        let exit = graph.steps[index].operation.outputs().next();
        composites.push(Composite {
            entry: x.clone(),
            exit: exit.expect("a quotient or difference has a result").id,
            operations: steps.iter().map(operation).collect(),
            constants: Vec::new(),
            weights: Vec::new(),
            whole: match logarithm {
                false => Whole::Softmax(axis),
                true => Whole::LogSoftmax(axis),
            },
        });
    }
}
