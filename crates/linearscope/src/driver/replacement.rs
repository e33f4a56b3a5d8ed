//! Ops whose rule the user replaced: straight-through, constant, or a rule of their own.
//!
//! The op runs as it is, reading the reference only, so that its value is untouched whatever it is
//! and whether it has a rule or not. Then its result takes the probe of its first probed operand
//! through the chosen map, and y₀ − A x₀ as a source: exact at x₀ by construction.

use std::sync::Arc;

use burn_backend::{Backend, Shape, TensorMetadata, tensor::FloatTensor};
use burn_ir::{HandleKind, TensorIr, TensorStatus};

use super::{Planned, Replayed, execute, outputs};
use crate::{
    error::{Error, Result, guarded},
    linear::{LinearMap, Scalar, batch},
    rules::{Reference, Rule},
    scope::{Probe, Scope},
    tensor::ScopeTensor,
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
    scope: &Arc<Scope<B>>,
    rule: &Rule,
) -> Result<()> {
    let operands = operands(interpreter, step);
    let probed = operands.iter().position(|x| x.probe().is_some());
    let Some(probed) = probed else {
        return guarded(|| step.place(), || execute(interpreter, step));
    };
    let probe = operands[probed].probe().cloned().expect("it is probed");
    let operands = operands.into_iter().map(ScopeTensor::into_value).collect();

    scope.read_reference_only(true);
    let run = guarded(|| step.place(), || execute(interpreter, step));
    scope.read_reference_only(false);
    run?;

    let misfit = |because: String| Error::RuleMisfit {
        place: step.place(),
        rule: match rule {
            Rule::Own(own) => own.name().into(),
            Rule::Constant => "constant".into(),
            _ => "straight-through".into(),
        },
        because,
    };
    if let Rule::Constant = rule {
        scope.note_rule("constant");
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
    let (word, map): (&'static str, Box<dyn LinearMap<B>>) = match rule {
        Rule::Own(own) => {
            let map = guarded(|| step.place(), || own.freeze::<B>(&at))?;
            let Some(map) = map else {
                return Err(misfit(format!(
                    "it was written for another backend than the network's, {}",
                    std::any::type_name::<B>()
                )));
            };
            (own.name(), map)
        }
        _ => ("straight-through", Box::new(Scalar(1.0))),
    };
    let source = guarded(|| step.place(), || remainder::<B>(&*map, at.x0(), &y0))?;
    let source = source.map_err(|got| {
        misfit(format!(
            "its map gives shape {:?}, the op {:?}",
            got[1..].to_vec(),
            y0.shape().to_vec()
        ))
    })?;
    let shape = y0.shape();
    let probe: Probe<B> = probe.decided(word, map, &shape).source(source, &shape);
    let tensor = ScopeTensor::probed(y0, probe);
    interpreter.register_tensor_to_device(*id, HandleKind::Float(tensor));
    Ok(())
}
