//! A survey: how the interpreter sees a network, op by op, including refused ops.

mod overview;
mod sketch;

pub use overview::{FieldSize, Overview, Recording};

use std::{
    collections::{HashMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use burn_backend::{Backend, Shape, tensor::FloatTensor};
use burn_ir::{HandleKind, TensorId, TensorIr, TensorStatus};

use crate::{
    Loaded, RuleSet, ScopeTensor,
    driver::{Planned, Replayed, float_outputs, outputs},
    error::{Error, Result},
    network::{flops, operation_name},
    program::Program,
    report::OpReport,
    run::{Lineage, Run, Tracer},
};

/// How the interpreter treats an op.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// Nothing it reads depends on the input.
    Constant,
    /// It reads only the reference and makes a decision from it: a mask, an index, a statistic.
    Reads,
    /// Linear or affine already.
    Linear,
    /// Frozen at x₀: what was frozen.
    Ruled(&'static str),
    /// There is no rule for it: why.
    Refused(String),
}

impl Standing {
    /// One word.
    pub fn word(&self) -> &'static str {
        match self {
            Standing::Constant => "constant",
            Standing::Reads => "reads x₀",
            Standing::Linear => "linear",
            Standing::Ruled(_) => "rule",
            Standing::Refused(_) => "refused",
        }
    }
}

/// One op of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Surveyed {
    /// The network node it belongs to.
    pub node: Arc<str>,
    /// The node's number in the order in which they run; rule sets can name it.
    pub position: usize,
    /// Burn's name of it.
    pub op: String,
    /// How the interpreter treats it.
    pub standing: Standing,
    /// The shape of its (first) result.
    pub shape: Shape,
    /// Count of numbers in the weights that it reads, directly or through a reshape, and that no
    /// earlier op read.
    pub parameters: usize,
    /// Floating-point operations of one plain run, with a multiply-add counted as two. Ops that
    /// only move data count as 0.
    pub flops: u64,
}

impl Surveyed {
    /// Whether there is no rule for it.
    pub fn is_refused(&self) -> bool {
        matches!(self.standing, Standing::Refused(_))
    }
}

/// What an op that was not refused is, by its report and by how its results depend on the input.
fn standing<B: Backend>(
    interpreter: &mut Replayed<B>,
    step: &Planned,
    report: &OpReport,
) -> Standing {
    let mut standing = Standing::Constant;
    for (_, handle) in outputs(interpreter, step) {
        let reads = match handle {
            HandleKind::Float(tensor) => match tensor.lineage() {
                Lineage::Traced(_) => {
                    let frozen = report.frozen.first().map(|frozen| frozen.what);
                    return match frozen.or(report.carried) {
                        Some(what) => Standing::Ruled(what),
                        None => Standing::Linear,
                    };
                }
                Lineage::Decision(_) => true,
                Lineage::Constant => false,
            },
            HandleKind::Int(tensor) => tensor.origin.is_some(),
            HandleKind::Bool(tensor) => tensor.origin.is_some(),
            _ => false,
        };
        if reads {
            standing = Standing::Reads;
        }
    }
    standing
}

impl<B: Backend> Loaded<B> {
    /// Freeze at x₀ and report how the interpreter treats every op on which the outputs depend. A
    /// refused op is listed, and the ops after it are surveyed as if its result were an input.
    ///
    /// Cost: one forward pass and the rules' decisions, as
    /// [`Recorded::new`](crate::Recorded::new).
    ///
    /// # Errors
    /// [`Error::Shape`] if x₀ does not fit, [`Error::Panicked`] if Burn panicked.
    pub fn survey(&self, x0: Vec<FloatTensor<B>>, rules: RuleSet) -> Result<Vec<Surveyed>> {
        Ok(self.survey_recording(x0, rules)?.0)
    }

    /// The same, and the program that was recorded on the way, where no op is refused and every output is a linear
    /// function of the input.
    ///
    /// # Errors
    /// As [`survey`](Self::survey).
    fn survey_recording(
        &self,
        x0: Vec<FloatTensor<B>>,
        rules: RuleSet,
    ) -> Result<(Vec<Surveyed>, Option<Program<B>>)> {
        rules.check()?;
        let run = Run::recording(self.network().rules(rules));
        let ports = x0.len();
        let probed = |index: usize, x: FloatTensor<B>| {
            let tracer = run.input(index, &x);
            ScopeTensor::traced(x, tracer)
        };
        let inputs = x0.into_iter().enumerate();
        let inputs = inputs.map(|(index, x)| probed(index, x)).collect();
        let mut counted: HashSet<TensorId> = HashSet::new();
        let mut carried: HashMap<TensorId, usize> = HashMap::new();
        let mut surveyed: Vec<Surveyed> = Vec::new();
        let weights = &self.network().weights;
        let mut places: Vec<(Arc<str>, Tracer<B>)> = Vec::new();
        let mut interpreter = self.replay(inputs, Some(&run), |interpreter, step, report| {
            let standing = match &report.error {
                Some(error) => {
                    run.forgive();
                    // The result becomes an input of its own, so that the survey can go on.
                    let poisoned: Vec<_> = outputs(interpreter, step).collect();
                    for (id, handle) in poisoned {
                        if let HandleKind::Float(tensor) = handle
                            && tensor.tracer().is_some()
                        {
                            let fresh = probed(ports + surveyed.len(), tensor.into_value());
                            interpreter.register_tensor_to_device(id, HandleKind::Float(fresh));
                        }
                    }
                    Standing::Refused(reason(error))
                }
                None => standing(interpreter, step, report),
            };
            let traced = float_outputs(interpreter, step);
            let traced = traced.filter_map(|(_, tensor)| tensor.tracer().cloned());
            places.extend(traced.map(|tracer| (step.site.node.clone(), tracer)));
            // A weight that is turned or reshaped first belongs to the op that works with it.
            let read = step.operation.inputs();
            let mut parameters: usize = read
                .map(|t| {
                    let own = counted.insert(t.id).then(|| weights.get(&t.id)).flatten();
                    own.map_or(0, |data| data.num_elements()) + carried.remove(&t.id).unwrap_or(0)
                })
                .sum();
            if standing == Standing::Constant {
                let made = step.operation.outputs().next();
                carried.extend(made.map(|out| (out.id, std::mem::take(&mut parameters))));
            }
            surveyed.push(Surveyed {
                node: step.site.node.clone(),
                position: step.site.position,
                op: operation_name(&step.operation),
                standing,
                shape: step
                    .operation
                    .outputs()
                    .next()
                    .map_or(Shape::from(Vec::<usize>::new()), |out| out.shape.clone()),
                parameters,
                flops: flops(&step.operation),
            });
            Ok(())
        })?;
        let refused = surveyed.iter().any(Surveyed::is_refused);
        let ends = self.network().outputs().iter().map(|port| {
            let read_only = TensorIr {
                id: port.id,
                shape: port.shape.clone(),
                status: TensorStatus::ReadOnly,
                dtype: self.dtype(),
            };
            match interpreter.get_tensor(&read_only) {
                HandleKind::Float(tensor) => tensor.tracer().cloned(),
                _ => None,
            }
        });
        // An output that is no float is no end.
        let ends = catch_unwind(AssertUnwindSafe(|| ends.collect::<Option<Vec<_>>>()));
        let program = match ends.ok().flatten() {
            Some(ends) if !refused => {
                let program = run.finish(&ends, self.dtype(), &places)?;
                Some(program.with_interrupt(self.interrupt()))
            }
            _ => None,
        };
        Ok((surveyed, program))
    }
}

/// The error without the place, which the survey shows anyway.
fn reason(error: &Error) -> String {
    match error {
        Error::NoRule { because, .. } => {
            let because = because.trim_start_matches([':', ' ']);
            if because.is_empty() {
                "no rule yet".into()
            } else {
                because.into()
            }
        }
        error => error.to_string(),
    }
}
