//! Composites in a run: functions of several ops, frozen as a whole at their exit.
//!
//! Their ops run as they are, on the reference only. The entry is kept from the first of them on;
//! after the last, the exit takes the entry's probe through the rule of the whole function. Its
//! slope h′(x) is the same ops replayed, every tangent taken, with a probe of ones.

use std::collections::{HashMap, HashSet};

use burn_backend::{Backend, DType, Scalar, Shape, TensorMetadata, tensor::FloatTensor};
use burn_ir::{
    HandleKind, IrVisitorMut, NumericOperationIr, OperationIr, TensorId, TensorIr, TensorStatus,
};

use super::{Replayed, Retarget, retarget};
use crate::{
    error::Result,
    linear::batch,
    network::{Composite, Whole},
    rule_set::{Rule, RuleSet},
    rules::{composite, infinite, softmax},
    run::{Lineage, Mode, Run, ScopeTensor},
};

/// A composite made ready for a dtype.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    entry: TensorIr,
    exit: TensorIr,
    operations: Vec<OperationIr>,
    constants: Vec<(TensorIr, f64)>,
    weights: Vec<TensorId>,
    whole: Whole,
}

/// The entries of the composites a run is inside of; `None` for one that depends on the input through
/// decisions only: its ops do what they always do.
pub(super) struct Entries<B: Backend>(HashMap<usize, Option<ScopeTensor<B>>>);

impl<B: Backend> Default for Entries<B> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<B: Backend> Entries<B> {
    /// The ops of a composite do what they always do.
    pub(super) fn dissolve(&mut self, number: usize) {
        self.0.insert(number, None);
    }
}

/// Nothing is moved out: a slope is requested several times.
struct ReadOnly;

impl IrVisitorMut for ReadOnly {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        tensor.status = TensorStatus::ReadOnly;
    }
}

pub(super) fn plan(composites: &[Composite], dtype: DType) -> Vec<Planned> {
    let tensor = |ir: &TensorIr| {
        let mut ir = ir.clone();
        Retarget(dtype).visit_tensor_mut(&mut ir);
        ReadOnly.visit_tensor_mut(&mut ir);
        ir
    };
    let ready = composites.iter().map(|composite| {
        let operations: Vec<OperationIr> = composite
            .operations
            .iter()
            .map(|operation| {
                let mut operation = operation.clone();
                retarget(&mut operation, dtype);
                operation.visit_mut(&mut ReadOnly);
                operation
            })
            .collect();
        let exit = operations
            .iter()
            .flat_map(OperationIr::outputs)
            .find(|out| out.id == composite.exit)
            .expect("a composite makes its exit")
            .clone();
        Planned {
            entry: tensor(&composite.entry),
            exit,
            operations,
            constants: composite
                .constants
                .iter()
                .map(|(ir, value)| (tensor(ir), *value))
                .collect(),
            weights: composite.weights.clone(),
            whole: composite.whole,
        }
    });
    ready.collect()
}

fn float<B: Backend>(interpreter: &mut Replayed<B>, ir: &TensorIr) -> ScopeTensor<B> {
    match interpreter.get_tensor(ir) {
        HandleKind::Float(tensor) => tensor,
        _ => panic!("the ends of a composite are floats"),
    }
}

impl Planned {
    /// Whether its constants come from one of these weights.
    pub(super) fn reads(&self, weights: &HashSet<TensorId>) -> bool {
        self.weights.iter().any(|id| weights.contains(id))
    }

    /// Before one of its ops: whether the op reads the reference only.
    pub(super) fn enter<B: Backend>(
        &self,
        interpreter: &mut Replayed<B>,
        number: usize,
        entries: &mut Entries<B>,
    ) -> bool {
        let entry = entries.0.entry(number).or_insert_with(|| {
            let entry = float(interpreter, &self.entry);
            entry.tracer().is_some().then_some(entry)
        });
        entry.is_some()
    }

    /// After one of its ops: if it was the last, freeze the exit.
    ///
    /// # Errors
    /// Those of the ops' tangents.
    pub(super) fn leave<B: Backend>(
        &self,
        interpreter: &mut Replayed<B>,
        number: usize,
        made: Option<TensorId>,
        entries: &mut Entries<B>,
        device: &B::Device,
    ) -> Result<()> {
        if made != Some(self.exit.id) {
            return Ok(());
        }
        let Some(Some(entry)) = entries.0.remove(&number) else {
            return Ok(());
        };
        let (x, Lineage::Traced(tracer)) = (entry.value, entry.lineage) else {
            unreachable!("an entry is kept if it is traced")
        };
        let y = float(interpreter, &self.exit).into_value();
        tracer.run().see(Mode::Rules);
        let tracer = match &self.whole {
            Whole::Pointwise(h) => infinite::apart(tracer, x, &y, |tracer, x, y| {
                composite::freeze(tracer, x, y, h, |x| self.slope::<B>(x, device))
            })?,
            Whole::Softmax(axis) => softmax::freeze(tracer, x, &y, *axis),
            Whole::LogSoftmax(axis) => softmax::freeze_logarithm(tracer, x, &y, *axis),
        };
        let exit = HandleKind::Float(ScopeTensor::traced(y, tracer));
        interpreter.register_tensor_to_device(self.exit.id, exit);
        Ok(())
    }

    /// h′(x).
    fn slope<B: Backend>(&self, x: FloatTensor<B>, device: &B::Device) -> Result<FloatTensor<B>> {
        let run = Run::<B>::paired(RuleSet::of(Rule::Taylor), false);
        let shape = x.shape();
        let one = Shape::from(vec![1; shape.num_dims() + 1]);
        let ones = B::float_full(one, Scalar::Float(1.0), device, x.dtype().into());
        let ones = B::float_expand(ones, batch::shape_of(1, &shape));
        let tracer = run.probe(ones, &shape)?;
        let mut interpreter = Replayed::<B>::new(device.clone());
        let mut give = |id, tensor| {
            interpreter.register_tensor_to_device(id, HandleKind::Float(tensor));
        };
        for (ir, value) in &self.constants {
            let full = B::float_full(
                ir.shape.clone(),
                Scalar::Float(*value),
                device,
                x.dtype().into(),
            );
            give(ir.id, ScopeTensor::constant(full));
        }
        let dtype = x.dtype();
        give(self.entry.id, ScopeTensor::traced(x, tracer));
        for operation in &self.operations {
            // The derivative of a sign is 0.
            run.see(match operation {
                OperationIr::NumericFloat(_, NumericOperationIr::Sign(_)) => Mode::Inside,
                _ => Mode::Rules,
            });
            interpreter.register_op(operation.clone());
        }
        if let Some(error) = run.error() {
            return Err(error);
        }
        let slope = float(&mut interpreter, &self.exit);
        let batch = slope
            .tracer()
            .cloned()
            .and_then(|tracer| tracer.into_batch());
        Ok(match batch {
            Some(batch) => B::float_reshape(batch, shape),
            None => B::float_zeros(shape, device, dtype.into()),
        })
    }
}
