//! Ops whose rule the user replaced: straight-through, constant, or a rule of their own.
//!
//! The op runs as it is, reading the reference only, so that its value is untouched whatever it is
//! and whether it has a rule or not. Then its result takes the tracer of its first traced operand
//! through the chosen map, and y₀ − A x₀ as a source: exact at x₀ by construction.

use std::sync::Arc;

use burn_backend::{Backend, Shape, TensorMetadata, tensor::FloatTensor};
use burn_ir::{HandleKind, TensorIr, TensorStatus};

use super::{Planned, Replayed, execute, outputs};
use crate::{
    coefficient::Coefficient,
    error::{Error, Result, guarded},
    interrupt::Interrupt,
    linear::{LinearMap, Multiple, batch},
    rule_set::{Reference, Rule},
    run::{Mode, Run, ScopeTensor},
};

/// The float operands of a step, by copies of their handles.
fn operands<B: Backend>(interpreter: &mut Replayed<B>, step: &Planned) -> Vec<ScopeTensor<B>> {
    let read: Vec<TensorIr> = step.operation.inputs().cloned().collect();
    let tensors = read.into_iter().map(|ir| {
        interpreter.get_tensor(&TensorIr {
            status: TensorStatus::ReadOnly,
            ..ir
        })
    });
    let floats = tensors.filter_map(|handle| match handle {
        HandleKind::Float(tensor) => Some(tensor),
        _ => None,
    });
    floats.collect()
}

/// y₀ − A x₀.
fn remainder<B: Backend>(
    map: &dyn LinearMap<B>,
    x0: FloatTensor<B>,
    y0: &FloatTensor<B>,
) -> std::result::Result<FloatTensor<B>, Shape> {
    let shape = y0.shape();
    let image = map.apply(batch::of_one::<B>(x0));
    if image.shape() != batch::shape_of(1, &shape) {
        return Err(image.shape());
    }
    Ok(B::float_sub(y0.clone(), B::float_reshape(image, shape)))
}

/// Run one step under a rule that replaces its own.
pub(super) fn execute_replaced<B: Backend>(
    interpreter: &mut Replayed<B>,
    step: &Planned,
    run: &Arc<Run<B>>,
    (rule, interrupt): (&Rule, &Interrupt),
) -> Result<()> {
    let operands = operands(interpreter, step);
    let probed = operands.iter().position(|x| x.tracer().is_some());
    let Some(probed) = probed else {
        let run = || execute(interpreter, step, interrupt);
        return guarded(|| step.place(), run);
    };
    let tracer = operands[probed].tracer().cloned().expect("it is traced");
    let operands = operands.into_iter().map(ScopeTensor::into_value).collect();

    let word = rule.word();
    run.see(Mode::Reference(word));
    let executed = guarded(|| step.place(), || execute(interpreter, step, interrupt));
    run.see(Mode::Rules);
    executed?;

    let misfit = |because: String| Error::RuleMisfit {
        place: step.place(),
        rule: word.into(),
        because,
    };
    if let Rule::Constant = rule {
        return Ok(());
    }
    let made: Vec<_> = outputs(interpreter, step).collect();
    let [(id, HandleKind::Float(y))] = made.as_slice() else {
        return Err(misfit("the op has not one float result".into()));
    };
    let y0 = y.clone().into_value();
    let at = Reference {
        operands,
        probed,
        value: y0.clone(),
    };
    let map: Box<dyn LinearMap<B>> = match rule {
        Rule::Custom(custom) => {
            let map = guarded(|| step.place(), || custom.freeze::<B>(&at))?;
            let Some(map) = map else {
                return Err(misfit(format!(
                    "it was written for a different backend than the network's, {}",
                    std::any::type_name::<B>()
                )));
            };
            map
        }
        _ => Box::new(Multiple(1.0)),
    };
    let source = guarded(|| step.place(), || remainder::<B>(&*map, at.x0(), &y0))?;
    let source = source.map_err(|got| {
        misfit(format!(
            "its map gives shape {:?}, but the op {:?}",
            got[1..].to_vec(),
            y0.shape().to_vec()
        ))
    })?;
    let shape = y0.shape();
    // The source follows x₀ by degrees, whatever the op did: nothing is said of kinks.
    let decided = tracer.freeze(word, None);
    let tracer = tracer
        .map(map, &shape)
        .source(Coefficient::decided(source, &decided), &shape);
    let tensor = ScopeTensor::traced(y0, tracer);
    interpreter.register_tensor_to_device(*id, HandleKind::Float(tensor));
    Ok(())
}
