//! Runs of a network at x₀: recording its program, or with probes alongside it.

use std::sync::Arc;

use burn_backend::{Backend, TensorMetadata, tensor::FloatTensor};

use super::batches::{check_count, check_probes};
use crate::{
    driver::{Loaded, Planned, Replayed, float_outputs},
    error::{Error, Result},
    findings::{DecisionsAtRisk, Findings},
    program::Program,
    report::OpReport,
    run::{Lineage, Run, ScopeTensor, Tracer},
};

/// What a run ended with, per output: the value and its tracer.
pub(super) struct Ended<B: Backend> {
    pub values: Vec<FloatTensor<B>>,
    pub tracers: Vec<Tracer<B>>,
    pub findings: Findings,
    pub at_risk: DecisionsAtRisk,
}

/// Run, and record the program.
#[allow(clippy::type_complexity)]
pub(super) fn record<B: Backend>(
    loaded: &Loaded<B>,
    x0: &[FloatTensor<B>],
    run: Arc<Run<B>>,
    mut after: impl FnMut(&OpReport),
) -> Result<(Ended<B>, Program<B>)> {
    let inputs = x0.iter().enumerate().map(|(index, x0)| {
        let tracer = run.input(index, x0);
        ScopeTensor::traced(x0.clone(), tracer)
    });
    let mut places: Vec<(Arc<str>, Tracer<B>)> = Vec::new();
    let ended = traced_outputs(
        loaded,
        inputs.collect(),
        &run,
        |interpreter, step, report| {
            after(report);
            for (_, tensor) in float_outputs(interpreter, step) {
                if let Some(tracer) = tensor.tracer() {
                    // The last one of a node counts.
                    places.push((report.node.clone(), tracer.clone()));
                }
            }
            Ok(())
        },
    )?;
    let program = run.finish(&ended.tracers, loaded.dtype(), &places)?;
    Ok((ended, program.with_interrupt(loaded.interrupt())))
}

/// Run with probes alongside the reference: x₀ and `[k, ..input]` probes per input.
pub(super) fn beside<B: Backend>(
    loaded: &Loaded<B>,
    x0: Vec<FloatTensor<B>>,
    probes: Vec<FloatTensor<B>>,
    run: &Arc<Run<B>>,
    mut after: impl FnMut(&OpReport) -> Result<()>,
) -> Result<Ended<B>> {
    check_count("x₀", loaded.network().inputs().len(), x0.len())?;
    check_probes(loaded, &probes)?;
    let inputs = x0
        .into_iter()
        .zip(probes)
        .map(|(x0, probes)| {
            let tracer = run.probe(probes, &x0.shape())?;
            Ok(ScopeTensor::traced(x0, tracer))
        })
        .collect::<Result<_>>()?;
    traced_outputs(loaded, inputs, run, |_, _, report| after(report))
}

/// Run, and insist that every output is still a linear function of the input.
fn traced_outputs<B: Backend>(
    loaded: &Loaded<B>,
    inputs: Vec<ScopeTensor<B>>,
    run: &Arc<Run<B>>,
    mut after: impl FnMut(&mut Replayed<B>, &Planned, &OpReport) -> Result<()>,
) -> Result<Ended<B>> {
    let (mut findings, mut at_risk) = (Findings::default(), DecisionsAtRisk::default());
    let outputs = loaded.run(inputs, Some(run), |interpreter, step, report| {
        findings.add(report);
        at_risk.add(report);
        after(interpreter, step, report)
    })?;
    let mut values = Vec::new();
    let mut tracers = Vec::new();
    for (port, tensor) in loaded.network().outputs().iter().zip(outputs) {
        let ScopeTensor { value, lineage } = tensor;
        let because = match lineage {
            Lineage::Traced(tracer) => {
                values.push(value);
                tracers.push(tracer);
                continue;
            }
            Lineage::Decision(_) => match findings.decisions().last() {
                Some(node) => format!(
                    "it depends on the input only through decisions, the last of which is made in node \
                     \"{node}\""
                ),
                None => "it depends on the input only through decisions".to_string(),
            },
            Lineage::Constant => "it does not depend on the input".to_string(),
        };
        return Err(Error::LostTrace {
            output: port.name.clone(),
            because,
        });
    }
    Ok(Ended {
        values,
        tracers,
        findings,
        at_risk,
    })
}
