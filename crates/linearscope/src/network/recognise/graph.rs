//! Steps by what they produce and who reads it.

use std::collections::{BTreeMap, HashMap, HashSet};

use burn_backend::TensorData;
use burn_ir::{BaseOperationIr, NumericOperationIr, OperationIr, ScalarIr, TensorId, TensorIr};

use super::{
    Step,
    entrywise::{Dual, Entrywise},
};

pub(super) struct Graph<'a> {
    pub steps: &'a [Step],
    weights: &'a BTreeMap<TensorId, TensorData>,
    outputs: &'a [TensorId],
    producer: HashMap<TensorId, usize>,
    readers: HashMap<TensorId, Vec<usize>>,
    /// Tensors that depend on an input.
    dependent: HashSet<TensorId>,
}

/// A scalar argument as a number.
pub(super) fn number(scalar: &ScalarIr) -> f64 {
    match *scalar {
        ScalarIr::Float(x) => x,
        ScalarIr::Int(x) => x as f64,
        ScalarIr::UInt(x) => x as f64,
        ScalarIr::Bool(x) => f64::from(x),
    }
}

impl<'a> Graph<'a> {
    pub(super) fn new(
        steps: &'a [Step],
        weights: &'a BTreeMap<TensorId, TensorData>,
        inputs: &[TensorId],
        outputs: &'a [TensorId],
    ) -> Self {
        let mut producer = HashMap::new();
        let mut readers: HashMap<TensorId, Vec<usize>> = HashMap::new();
        let mut dependent: HashSet<TensorId> = inputs.iter().copied().collect();
        for (index, step) in steps.iter().enumerate() {
            let mut depends = false;
            for input in step.operation.inputs() {
                readers.entry(input.id).or_default().push(index);
                depends |= dependent.contains(&input.id);
            }
            for output in step.operation.outputs() {
                producer.insert(output.id, index);
                if depends {
                    dependent.insert(output.id);
                }
            }
        }
        Self {
            steps,
            weights,
            outputs,
            producer,
            readers,
            dependent,
        }
    }

    /// The step that makes a tensor.
    pub(super) fn maker(&self, id: TensorId) -> Option<(usize, &'a OperationIr)> {
        let index = *self.producer.get(&id)?;
        Some((index, &self.steps[index].operation))
    }

    /// Whether a tensor depends on an input of the network.
    pub(super) fn depends(&self, id: TensorId) -> bool {
        self.dependent.contains(&id)
    }

    /// The steps that read a tensor.
    pub(super) fn readers(&self, id: TensorId) -> &[usize] {
        self.readers.get(&id).map_or(&[], Vec::as_slice)
    }

    /// Whether every reader of what `step` makes satisfies `own`, and none of it is an output.
    pub(super) fn private(&self, step: usize, own: impl Fn(usize) -> bool) -> bool {
        self.steps[step].operation.outputs().all(|out| {
            !self.outputs.contains(&out.id) && self.readers(out.id).iter().all(|&r| own(r))
        })
    }

    /// The weights a constant tensor is made of.
    pub(super) fn weights_of(&self, id: TensorId) -> Vec<TensorId> {
        if self.weights.contains_key(&id) {
            return vec![id];
        }
        let inputs = self.maker(id).into_iter().flat_map(|(_, op)| op.inputs());
        inputs.flat_map(|input| self.weights_of(input.id)).collect()
    }

    /// The number that a constant tensor holds, if all its entries are one known number.
    pub(super) fn constant(&self, tensor: &TensorIr) -> Option<f64> {
        if self.depends(tensor.id) {
            return None;
        }
        if let Some(data) = self.weights.get(&tensor.id) {
            let single = data.num_elements() == 1 && tensor.dtype.is_float();
            return single.then(|| data.iter::<f64>().next()).flatten();
        }
        let (_, operation) = self.maker(tensor.id)?;
        match operation {
            OperationIr::NumericFloat(_, NumericOperationIr::Full(op)) => Some(number(&op.value)),
            OperationIr::BaseFloat(BaseOperationIr::Ones(_)) => Some(1.0),
            OperationIr::BaseFloat(BaseOperationIr::Zeros(_)) => Some(0.0),
            OperationIr::BaseFloat(BaseOperationIr::Reshape(op) | BaseOperationIr::Expand(op)) => {
                self.constant(&op.input)
            }
            OperationIr::BaseFloat(BaseOperationIr::Cast(op)) => self.constant(&op.input),
            operation => {
                let entrywise = Entrywise::of(operation)?;
                let operands = entrywise.operands.iter();
                let values: Vec<Dual> = operands
                    .map(|operand| self.constant(operand).map(Dual::constant))
                    .collect::<Option<_>>()?;
                Some(entrywise.function.at(&values, &mut Vec::new()).value)
            }
        }
    }
}
