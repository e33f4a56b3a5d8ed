//! The driver: replays a network's graph on [`LinearScope`], op by op.
//!
//! Weights are uploaded once and registered again in each run. Burn's capture leaves out when
//! tensors die, so last uses are computed here. Ops that Burn's interpreter cannot replay are done
//! here (int casts) or refused before anything runs. A panic in a lower layer is caught and gets
//! the node's name.

mod composite;
mod kernels;
mod replacement;

use std::{
    collections::{HashMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use burn_backend::{
    Backend, DType, TensorMetadata,
    ops::{FloatTensorOps, IntTensorOps},
};
use burn_ir::{
    BackendIr, BaseOperationIr, FloatOperationIr, HandleKind, IrVisitorMut, NumericOperationIr,
    OperationIr, TensorId, TensorIr, TensorStatus,
};
use burn_router::TensorInterpreter;

pub use self::kernels::Kernels;
use crate::{
    LinearScope,
    error::{Error, Place, Result, guarded, panic_message},
    interrupt::Interrupt,
    linear::{Shared, integers},
    network::{Network, Role, operation_name},
    report::OpReport,
    rule_set::{Normalisation, Site},
    run::{Mode, Run, ScopeTensor},
};

pub(crate) type Handle<B> = HandleKind<LinearScope<B>>;
/// Burn's interpreter with the tensors of a run.
pub(crate) type Replayed<B> = TensorInterpreter<LinearScope<B>>;

/// One step made ready for a device and dtype.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub operation: OperationIr,
    /// Which op of which node it is.
    pub site: Site,
    role: Role,
    /// Tensors read here for the last time in a way that could not free them.
    drops: Vec<TensorIr>,
    /// Of a convolution that a kernel of our own computes: its packed weights.
    packed: Option<Shared>,
}

impl Planned {
    pub(crate) fn place(&self) -> Place {
        Place {
            node: self.site.node.to_string(),
            op: operation_name(&self.operation),
        }
    }
}

/// A network on a device: weights uploaded once, ready to run any number of times.
#[derive(Debug)]
pub struct Loaded<B: Backend> {
    network: Arc<Network>,
    device: B::Device,
    dtype: DType,
    weights: HashMap<TensorId, Handle<B>>,
    plan: Arc<[Planned]>,
    composites: Arc<[composite::Planned]>,
    /// Composites whose constants are weights that were replaced: what was recognised of them does
    /// not hold.
    stale: Vec<usize>,
    interrupt: Interrupt,
    kernels: Kernels,
}

/// Why an operation cannot be replayed at all, if so.
fn unplayable(operation: &OperationIr) -> Option<&'static str> {
    match operation {
        OperationIr::Custom(_) => Some("custom operations have no kernel here"),
        OperationIr::Distributed(_) => Some("collective operations are not supported in a network"),
        OperationIr::Float(_, FloatOperationIr::Quantize(_) | FloatOperationIr::Dequantize(_)) => {
            Some("quantised tensors are not supported")
        }
        OperationIr::Float(_, FloatOperationIr::Random(_))
        | OperationIr::NumericInt(_, NumericOperationIr::IntRandom(_)) => {
            Some("random numbers would make every run a different network")
        }
        OperationIr::BaseBool(BaseOperationIr::Cast(_)) => Some("bool casts are not supported"),
        operation
            if operation
                .nodes()
                .iter()
                .any(|t| matches!(t.dtype, DType::QFloat(_))) =>
        {
            Some("quantised tensors are not supported")
        }
        _ => None,
    }
}

/// Captured f32 becomes the run's dtype.
struct Retarget(DType);

impl Retarget {
    fn dtype(&self, dtype: &mut DType) {
        if *dtype == DType::F32 {
            *dtype = self.0;
        }
    }
}

impl IrVisitorMut for Retarget {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        self.dtype(&mut tensor.dtype);
    }
}

/// Make a captured operation one of the run's dtype.
fn retarget(operation: &mut OperationIr, dtype: DType) {
    operation.visit_mut(&mut Retarget(dtype));
    if let OperationIr::NumericFloat(d, _) | OperationIr::Float(d, _) = operation {
        Retarget(dtype).dtype(d);
    }
}

/// Mark what an op reads: moved out at its last use, kept before.
struct Statuses<'a> {
    outputs: &'a HashSet<TensorId>,
    moved: &'a HashSet<TensorId>,
}

impl IrVisitorMut for Statuses<'_> {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        tensor.status = if self.outputs.contains(&tensor.id) {
            TensorStatus::NotInit
        } else if self.moved.contains(&tensor.id) {
            TensorStatus::ReadWrite
        } else {
            TensorStatus::ReadOnly
        };
    }
}

/// The steps an output depends on; a branch that is not needed need not have rules.
fn live_steps(network: &Network) -> Vec<bool> {
    let mut wanted: HashSet<TensorId> = network.outputs().iter().map(|port| port.id).collect();
    let mut live = vec![false; network.steps.len()];
    for (index, step) in network.steps.iter().enumerate().rev() {
        if step.operation.outputs().any(|out| wanted.contains(&out.id)) {
            live[index] = true;
            wanted.extend(step.operation.inputs().map(|input| input.id));
        }
    }
    live
}

fn plan(network: &Network, dtype: DType) -> Result<Vec<Planned>> {
    let live = live_steps(network);
    let mut last_use: HashMap<TensorId, usize> = HashMap::new();
    for (index, step) in network.steps.iter().enumerate().filter(|(i, _)| live[*i]) {
        for input in step.operation.inputs() {
            last_use.insert(input.id, index);
        }
    }
    let kept: HashSet<TensorId> = network.outputs().iter().map(|port| port.id).collect();
    let mut plan: Vec<Planned> = Vec::with_capacity(network.steps.len());
    for (index, step) in network.steps.iter().enumerate().filter(|(i, _)| live[*i]) {
        let mut operation = step.operation.clone();
        if let Some(because) = unplayable(&operation) {
            return Err(Error::Replay {
                place: Place {
                    node: step.node.to_string(),
                    op: operation_name(&operation),
                },
                because: because.into(),
            });
        }
        retarget(&mut operation, dtype);
        let outputs: HashSet<TensorId> = operation.outputs().map(|t| t.id).collect();
        let (mut moved, mut drops) = (HashSet::new(), Vec::new());
        let read: Vec<TensorIr> = operation.inputs().cloned().collect();
        for (i, tensor) in read.iter().enumerate() {
            if last_use[&tensor.id] != index || kept.contains(&tensor.id) {
                continue;
            }
            if read.iter().filter(|other| other.id == tensor.id).count() == 1 {
                moved.insert(tensor.id);
            } else if read[..i].iter().all(|other| other.id != tensor.id) {
                // Read twice by one op: neither reading may move it out.
                drops.push(TensorIr {
                    status: TensorStatus::ReadWrite,
                    ..tensor.clone()
                });
            }
        }
        // Outputs nobody reads would stay for ever.
        for tensor in operation.outputs() {
            if !last_use.contains_key(&tensor.id) && !kept.contains(&tensor.id) {
                drops.push(TensorIr {
                    status: TensorStatus::ReadWrite,
                    ..tensor.clone()
                });
            }
        }
        operation.visit_mut(&mut Statuses {
            outputs: &outputs,
            moved: &moved,
        });
        let position = plan.last().map_or(0, |last| {
            last.site.position + usize::from(last.site.node != step.node)
        });
        plan.push(Planned {
            site: Site::new(&operation_name(&operation), &step.node, position)
                .also_called(network.alias(&step.node)),
            operation,
            role: step.role,
            drops,
            packed: None,
        });
    }
    Ok(plan)
}

impl<B: Backend> Loaded<B> {
    /// Upload the weights of `network` to `device`, in `dtype` (f32, or f64 where the device has
    /// it), and plan its runs. Memory: one copy of the weights on the device.
    ///
    /// # Errors
    /// [`Error::Replay`] for operations that cannot be replayed.
    pub fn new(network: Arc<Network>, device: B::Device, dtype: DType) -> Result<Self> {
        let plan = plan(&network, dtype)?;
        let mut weights = HashMap::with_capacity(network.weights.len());
        for (id, data) in &network.weights {
            let handle = match data.dtype() {
                DType::QFloat(_) => {
                    return Err(Error::Replay {
                        place: Place::default(),
                        because: "a weight is quantised; dequantise the model first".into(),
                    });
                }
                d if d.is_float() => {
                    let d = if d == DType::F32 { dtype } else { d };
                    let data = data.clone().convert_dtype(d);
                    HandleKind::Float(LinearScope::<B>::float_from_data(data, &device))
                }
                d if d.is_bool() => HandleKind::Bool(
                    <LinearScope<B> as burn_backend::ops::BoolTensorOps<_>>::bool_from_data(
                        data.clone(),
                        &device,
                    ),
                ),
                _ => HandleKind::Int(LinearScope::<B>::int_from_data(data.clone(), &device)),
            };
            weights.insert(*id, handle);
        }
        let composites = composite::plan(&network.recognised.composites, dtype);
        Ok(Self {
            network,
            device,
            dtype,
            weights,
            plan: plan.into(),
            composites: composites.into(),
            stale: Vec::new(),
            interrupt: Interrupt::new(),
            kernels: Kernels::default(),
        })
    }

    /// The same network, stopped by `interrupt`. This covers its runs and everything made from it: frozen
    /// networks, their programs, windows and parts. Cost: negligible; nothing is copied.
    ///
    /// ```
    /// # use burn::{nn::LinearConfig, tensor::{Device, FloatDType, Tensor}};
    /// # use linearscope::{Error, Interpreter, Interrupt, Network, RuleSet};
    /// # use std::sync::Arc;
    /// # let device = Device::flex();
    /// # let layer = LinearConfig::new(4, 3).init(&device);
    /// # let network = Network::capture(&layer, |layer, ports| {
    /// #     let x = ports.input("x", [1, 4]);
    /// #     ports.output("y", layer.forward(x));
    /// # })?;
    /// let interrupt = Interrupt::new();
    /// let loaded = Interpreter::load(network, &device, FloatDType::F32)?;
    /// let loaded = Arc::new(loaded.with_interrupt(interrupt.clone()));
    /// interrupt.stop();
    /// let frozen = Interpreter::freeze(loaded, Tensor::<2>::ones([1, 4], &device), RuleSet::default());
    /// assert_eq!(frozen.unwrap_err(), Error::Interrupted);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_interrupt(&self, interrupt: Interrupt) -> Self {
        Self {
            network: self.network.clone(),
            device: self.device.clone(),
            dtype: self.dtype,
            weights: self.weights.clone(),
            plan: self.plan.clone(),
            composites: self.composites.clone(),
            stale: self.stale.clone(),
            interrupt,
            kernels: self.kernels,
        }
    }

    /// The interrupt that stops it.
    pub fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// The same network with these weights beside, or in place of, its own. Cost: negligible;
    /// nothing is copied.
    pub(crate) fn with_weights(
        &self,
        weights: impl IntoIterator<Item = (TensorId, Handle<B>)>,
    ) -> Self {
        let mut all = self.weights.clone();
        let mut replaced = HashSet::new();
        for (id, handle) in weights {
            replaced.insert(id);
            all.insert(id, handle);
        }
        let composites = self.composites.iter().enumerate();
        let stale = composites.filter(|(_, composite)| composite.reads(&replaced));
        Self {
            network: self.network.clone(),
            device: self.device.clone(),
            dtype: self.dtype,
            weights: all,
            plan: match self.kernels {
                Kernels::Burn => self.plan.clone(),
                Kernels::Own => {
                    let steps = self.plan.iter().cloned();
                    steps
                        .map(|step| step.repacked(|id| replaced.contains(id)))
                        .collect()
                }
            },
            stale: stale
                .map(|(number, _)| number)
                .chain(self.stale.iter().copied())
                .collect(),
            composites: self.composites.clone(),
            interrupt: self.interrupt.clone(),
            kernels: self.kernels,
        }
    }

    /// The network this was made from.
    pub fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// The device the weights are on.
    pub fn device(&self) -> &B::Device {
        &self.device
    }

    /// The dtype of inputs, weights and probes.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The plain outputs f(x₀).
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::Panicked`], [`Error::Interrupted`].
    pub fn forward(
        &self,
        inputs: Vec<B::FloatTensorPrimitive>,
    ) -> Result<Vec<B::FloatTensorPrimitive>> {
        let inputs = inputs.into_iter().map(ScopeTensor::constant).collect();
        let outputs = self.run(inputs, None, |_, _, _| Ok(()))?;
        Ok(outputs.into_iter().map(ScopeTensor::into_value).collect())
    }

    /// Run the graph on tensors that may be traced in `run`, until an op is refused; `after` sees every
    /// step that has run, with its report.
    ///
    /// # Errors
    /// [`Error::Shape`] when an input does not fit; [`Error::NoRule`] and its kin when an op was
    /// refused; [`Error::Panicked`] when Burn stopped; [`Error::Interrupted`].
    pub(crate) fn run(
        &self,
        inputs: Vec<ScopeTensor<B>>,
        run: Option<&Arc<Run<B>>>,
        mut after: impl FnMut(&mut Replayed<B>, &Planned, &OpReport) -> Result<()>,
    ) -> Result<Vec<ScopeTensor<B>>> {
        let mut interpreter = self.replay(inputs, run, |interpreter, step, report| {
            if let Some(error) = &report.error {
                return Err(error.clone());
            }
            after(interpreter, step, report)
        })?;
        let outputs = self.network.outputs().iter().map(|port| {
            let ir = TensorIr {
                id: port.id,
                shape: port.shape.clone(),
                status: TensorStatus::ReadOnly,
                dtype: self.dtype,
            };
            match interpreter.get_tensor(&ir) {
                HandleKind::Float(tensor) => Ok(tensor),
                _ => Err(Error::LostTrace {
                    output: port.name.clone(),
                    because: "it is a decision, not a float tensor".into(),
                }),
            }
        });
        catch_unwind(AssertUnwindSafe(|| outputs.collect::<Result<Vec<_>>>())).unwrap_or_else(
            |panic| {
                Err(Error::LostTrace {
                    output: self.network.outputs()[0].name.clone(),
                    because: panic_message(panic.as_ref()),
                })
            },
        )
    }

    /// Run the graph; `after` sees every step that has run, with its report, and may stop with an error.
    pub(crate) fn replay(
        &self,
        inputs: Vec<ScopeTensor<B>>,
        run: Option<&Arc<Run<B>>>,
        mut after: impl FnMut(&mut Replayed<B>, &Planned, &OpReport) -> Result<()>,
    ) -> Result<Replayed<B>> {
        self.check_inputs(&inputs)?;
        let mut interpreter = Replayed::<B>::new(self.device.clone());
        for (id, handle) in &self.weights {
            interpreter.register_tensor_to_device(*id, handle.clone());
        }
        for (port, tensor) in self.network.inputs().iter().zip(inputs) {
            interpreter.register_tensor_to_device(port.id, HandleKind::Float(tensor));
        }
        let Some(run) = run else {
            for step in self.plan.iter() {
                self.interrupt.check()?;
                let run = || execute(&mut interpreter, step, &self.interrupt);
                guarded(|| step.place(), run)?;
            }
            self.interrupt.check()?;
            return Ok(interpreter);
        };
        let mut entries = composite::Entries::<B>::default();
        self.stale
            .iter()
            .for_each(|&number| entries.dissolve(number));
        // A rule that the user names for one op of a composite holds for that op: then the others have
        // their own rules too.
        for step in self.plan.iter() {
            if let Role::Member(number) = step.role
                && run.replacement(&step.site).is_some()
            {
                entries.dissolve(number);
            }
        }
        for step in self.plan.iter() {
            self.interrupt.check()?;
            run.begin(step.site.clone());
            // Whatever panics on the way has a place.
            guarded(
                || step.place(),
                || self.step(&mut interpreter, step, run, &mut entries),
            )??;
            after(&mut interpreter, step, &run.end())?;
        }
        self.interrupt.check()?;
        Ok(interpreter)
    }

    /// One op, between `begin` and `end`.
    fn step(
        &self,
        interpreter: &mut Replayed<B>,
        step: &Planned,
        run: &Arc<Run<B>>,
        entries: &mut composite::Entries<B>,
    ) -> Result<()> {
        run.see(self.mode(interpreter, step, run, entries));
        match run.replacement(&step.site) {
            None => execute(interpreter, step, &self.interrupt),
            Some(rule) => {
                let rule = (rule, &self.interrupt);
                replacement::execute_replaced(interpreter, step, run, rule)?;
            }
        }
        if let Role::Member(number) = step.role {
            let composite = &self.composites[number];
            let made = step.operation.outputs().next().map(|out| out.id);
            composite.leave(interpreter, number, made, entries, &self.device)?;
        }
        Ok(())
    }

    /// How a step sees its operands, by what the recogniser made of it.
    fn mode(
        &self,
        interpreter: &mut Replayed<B>,
        step: &Planned,
        run: &Arc<Run<B>>,
        entries: &mut composite::Entries<B>,
    ) -> Mode {
        let normalisation = run.rules().normalisation;
        let statistics = Mode::Reference("statistics");
        match step.role {
            Role::Plain => Mode::Rules,
            Role::Tangent => Mode::Tangent,
            Role::Decision => Mode::Reference("sign"),
            Role::Member(number) => {
                match self.composites[number].enter(interpreter, number, entries) {
                    true => Mode::Inside,
                    false => Mode::Rules,
                }
            }
            Role::NormPart | Role::NormSpread | Role::NormMean
                if normalisation == Normalisation::Taylor =>
            {
                Mode::Tangent
            }
            Role::NormSpread => statistics,
            Role::NormMean if normalisation == Normalisation::MeanAndStd => statistics,
            Role::NormMean | Role::NormPart => Mode::Rules,
        }
    }

    fn check_inputs(&self, inputs: &[ScopeTensor<B>]) -> Result<()> {
        let ports = self.network.inputs();
        if inputs.len() != ports.len() {
            return Err(Error::Shape {
                what: "the list of inputs".into(),
                got: vec![inputs.len()],
                expected: vec![ports.len()],
                hint: String::new(),
            });
        }
        for (port, tensor) in ports.iter().zip(inputs) {
            if tensor.shape() != port.shape {
                return Err(Error::Shape {
                    what: format!("input \"{}\"", port.name),
                    got: tensor.shape().to_vec(),
                    expected: port.shape.to_vec(),
                    hint:
                        "; the graph was captured for that shape; capture it again for another one"
                            .into(),
                });
            }
        }
        Ok(())
    }
}

/// Run one step's op; once `interrupt` is stopped, what it makes may mean nothing.
pub(crate) fn execute<B: Backend>(
    interpreter: &mut Replayed<B>,
    step: &Planned,
    interrupt: &Interrupt,
) {
    match (&step.operation, &step.packed) {
        (operation, Some(packed)) => {
            kernels::execute_own(interpreter, operation, packed, interrupt);
        }
        (operation, None) => register_op(interpreter, operation.clone()),
    }
    for tensor in &step.drops {
        interpreter.register_op(OperationIr::Drop(tensor.clone()));
    }
}

/// Run an op; of int casts, for which Burn's interpreter has no arm, the backend's own.
pub(crate) fn register_op<B: BackendIr>(
    interpreter: &mut TensorInterpreter<B>,
    operation: OperationIr,
) {
    let OperationIr::BaseInt(BaseOperationIr::Cast(op)) = operation else {
        return interpreter.register_op(operation);
    };
    let HandleKind::Int(tensor) = interpreter.get_tensor(&op.input) else {
        panic!("an int cast reads an int tensor");
    };
    let cast = integers::cast::<B>(tensor, op.out.dtype.into());
    interpreter.register_tensor_to_device(op.out.id, HandleKind::Int(cast));
}

/// The outputs of a step that has run, as far as they are still there.
pub(crate) fn outputs<'a, B: Backend>(
    interpreter: &'a mut Replayed<B>,
    step: &'a Planned,
) -> impl Iterator<Item = (TensorId, Handle<B>)> + 'a {
    let kept = |output: &&TensorIr| step.drops.iter().all(|drop| drop.id != output.id);
    step.operation.outputs().filter(kept).map(|output| {
        let read_only = TensorIr {
            status: TensorStatus::ReadOnly,
            ..output.clone()
        };
        (output.id, interpreter.get_tensor(&read_only))
    })
}

/// Those of them that are floats.
pub(crate) fn float_outputs<'a, B: Backend>(
    interpreter: &'a mut Replayed<B>,
    step: &'a Planned,
) -> impl Iterator<Item = (TensorId, ScopeTensor<B>)> + 'a {
    outputs(interpreter, step).filter_map(|(id, handle)| match handle {
        HandleKind::Float(tensor) => Some((id, tensor)),
        _ => None,
    })
}
