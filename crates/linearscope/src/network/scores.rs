//! A classifier's scores: what its final softmax is made of.

use burn_backend::Shape;
use burn_ir::{
    ActivationOperationIr, BaseOperationIr, IrVisitorMut, OperationIr, TensorId, TensorIr,
};

use super::Network;

/// Read one tensor instead of another.
struct Instead {
    of: TensorId,
    read: TensorId,
}

impl IrVisitorMut for Instead {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        if tensor.id == self.of {
            tensor.id = self.read;
        }
    }
}

/// Whether a shape holds one vector along `axis` for every picture of a batch.
fn one_vector(shape: &Shape, axis: usize) -> bool {
    let mut sizes = shape.iter().enumerate();
    sizes.all(|(dim, &size)| dim == 0 || dim == axis || size == 1)
}

impl Network {
    /// The network without the softmax, or log softmax, that a classifier ends with, and the names of
    /// the nodes left out: the paper asks about scores, before it.
    ///
    /// Left out is what makes one vector for every picture and leads, through reshapes at most, to an
    /// output and nowhere else. A softmax over the channels of every pixel stays.
    pub fn without_final_softmax(mut self) -> (Self, Vec<String>) {
        let mut dropped = Vec::new();
        for output in 0..self.outputs.len() {
            if let Some(step) = self.final_softmax(self.outputs[output].id) {
                let step = self.steps.remove(step);
                let ids = (
                    step.operation.outputs().next(),
                    step.operation.inputs().next(),
                );
                let (Some(of), Some(read)) = ids else {
                    unreachable!("a softmax reads and makes one tensor")
                };
                let mut instead = Instead {
                    of: of.id,
                    read: read.id,
                };
                for later in &mut self.steps {
                    later.operation.visit_mut(&mut instead);
                }
                let port = &mut self.outputs[output];
                if port.id == instead.of {
                    port.id = instead.read;
                }
                dropped.push(step.node.to_string());
            }
        }
        (self, dropped)
    }

    /// The step of the softmax that leads to this output only.
    fn final_softmax(&self, mut id: TensorId) -> Option<usize> {
        let readers = |id: TensorId| {
            let reads = |step: &&super::Step| step.operation.inputs().any(|t| t.id == id);
            let outputs = self.outputs.iter().filter(|port| port.id == id).count();
            self.steps.iter().filter(reads).count() + outputs
        };
        loop {
            if readers(id) != 1 {
                return None;
            }
            let makes = |step: &super::Step| step.operation.outputs().any(|out| out.id == id);
            let step = self.steps.iter().position(makes)?;
            match &self.steps[step].operation {
                OperationIr::BaseFloat(BaseOperationIr::Reshape(op)) => id = op.input.id,
                OperationIr::Activation(
                    ActivationOperationIr::Softmax(op) | ActivationOperationIr::LogSoftmax(op),
                ) => {
                    let input = self.inputs.iter().any(|port| port.id == op.input.id);
                    return (one_vector(&op.out.shape, op.axis) && !input).then_some(step);
                }
                _ => return None,
            }
        }
    }
}
