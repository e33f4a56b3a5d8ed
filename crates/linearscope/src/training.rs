//! Training with the interpreter in the loss.
//!
//! ```text
//! capture once          Traced::capture(&model, forward)
//! each step   bind      traced.bind(&model)           live parameters, checked
//!             freeze    bound.freeze(x0, rules)       y₀, and the map F, r at x₀
//!             ask       step.reference() · residual() · columns(..) · apply(..) · affine(..) · rows(..)
//! ```
//!
//! An [`Interpreter`] returns ordinary Burn tensors. If the module is on an autodiff device, their
//! gradients reach the parameters: through the weights in every linear map, through the sources, and
//! through what was frozen as a function of x₀ (a gain, a standard deviation). Masks, switches and
//! indices are constant around x₀ and have no gradient.
//!
//! Training applies to the network as captured. Batch norm is in *inference form*: it reads the
//! running statistics, which only a forward pass of the module itself on an autodiff device updates.
//! Dropout is absent. [`Traced::notices`] says whether a network has either of these.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    tensor::{Bool, Device, FloatDType, Int, Tensor},
};
use burn_backend::{Backend, DType, Shape, TensorMetadata};
use burn_dispatch::{Dispatch, DispatchDevice};
use burn_ir::{HandleKind, OperationIr, TensorId, TensorIr};

use crate::{
    Interpreter, Loaded, Network, Ports, RuleSet, ScopeTensor, Tracked,
    driver::Handle,
    error::{Error, Result},
    interpreter::{beside, fitting, ranked},
    network::{ParameterNames, operation_name},
};

/// A parameter of the captured module.
#[derive(Clone, Debug)]
struct Slot {
    id: TensorId,
    shape: Shape,
}

/// A module's forward pass, captured once, without the values of its parameters.
#[derive(Debug)]
pub struct Traced {
    network: Arc<Network>,
    parameters: BTreeMap<String, Vec<Slot>>,
    notices: Vec<String>,
    /// The constants on the device and in the dtype that were bound last.
    loaded: Mutex<Option<Arc<Loaded<Dispatch>>>>,
}

/// Float parameters in f32, which is what captured graphs are made of.
struct Single;

impl ModuleMapper for Single {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| tensor.cast(FloatDType::F32))
    }
}

/// The tensors of the graph, by id.
fn tensors(network: &Network) -> HashMap<TensorId, &TensorIr> {
    let operations = network.steps.iter().map(|step| &step.operation);
    operations
        .flat_map(OperationIr::inputs)
        .map(|tensor| (tensor.id, tensor))
        .collect()
}

fn notices(network: &Network, parameters: &ParameterNames) -> Vec<String> {
    let mut notices = Vec::new();
    let is_batch_norm = |name: &str| name.starts_with("BatchNorm");
    let nodes: Vec<&str> = network
        .steps
        .iter()
        .filter(|step| is_batch_norm(&operation_name(&step.operation)))
        .map(|step| &*step.node)
        .collect();
    if !nodes.is_empty() {
        notices.push(format!(
            "batch norm ({}) is in inference form: it reads the running statistics, which only a forward pass \
             of the module itself updates",
            nodes.join(", ")
        ));
    }
    if !parameters.dropouts.is_empty() {
        notices.push(format!(
            "dropout ({}) is absent",
            parameters.dropouts.join(", ")
        ));
    }
    notices
}

impl Traced {
    /// Capture a module's forward pass with one input and one output, as [`Network::capture`] does.
    /// Every step then takes an input of the captured shape, batch axis included.
    ///
    /// ```no_run
    /// # use burn::{nn::{Linear, LinearConfig}, tensor::{Device, Tensor}};
    /// # use linearscope::{RuleSet, training::Traced};
    /// # fn main() -> linearscope::Result<()> {
    /// # let device = Device::flex().autodiff();
    /// # let model = LinearConfig::new(4, 2).init(&device);
    /// # let x0 = Tensor::<2>::zeros([8, 4], &device);
    /// let traced = Traced::capture(&model, |model, ports| {
    ///     let x = ports.input("x", [8, 4]);
    ///     ports.output("y", model.forward(x));
    /// })?;
    /// // In each step:
    /// let step = traced.bind(&model)?.freeze(x0, RuleSet::default())?;
    /// let (y0, r) = (step.reference::<2>()?, step.residual::<2>()?);
    /// let loss = y0.square().mean() + r.square().mean();
    /// let gradients = loss.backward();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Capture`] for a forward pass that cannot be captured, has several inputs or
    /// outputs, or reads no parameter.
    pub fn capture<M: Module>(module: &M, forward: impl FnOnce(&M, &mut Ports)) -> Result<Self> {
        let single = module.valid().map(&mut Single);
        let (mut network, named) = Network::capture_named(single, forward)?;
        for (what, ports) in [("inputs", network.inputs()), ("outputs", network.outputs())] {
            if ports.len() != 1 {
                return Err(Error::Capture(format!(
                    "training needs one input and one output, but the forward pass has {} {what}; use \
                     linearscope::Recorded for networks with several",
                    ports.len()
                )));
            }
        }
        let notices = notices(&network, &named);
        let mut parameters: BTreeMap<String, Vec<Slot>> = BTreeMap::new();
        let known = tensors(&network);
        let mut bound = Vec::new();
        for (id, name) in named.names {
            // What no op reads takes no part.
            let Some(tensor) = known.get(&id) else {
                continue;
            };
            let shape = tensor.shape.clone();
            bound.push(id);
            parameters.entry(name).or_default().push(Slot { id, shape });
        }
        if parameters.is_empty() {
            return Err(Error::Capture(
                "the forward pass reads no parameter of the module, so there is nothing to train"
                    .into(),
            ));
        }
        for id in bound {
            network.weights.remove(&id);
        }
        Ok(Self {
            network: Arc::new(network),
            parameters,
            notices,
            loaded: Mutex::new(None),
        })
    }

    /// The network, without the values of its parameters.
    pub fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// Names of the parameters that are bound in each step, running statistics among them.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.parameters.keys().map(String::as_str)
    }

    /// How the captured network differs from the module in training: batch norms that read their
    /// running statistics, dropouts that are absent. One sentence each, to be shown once.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// The network with the module's current parameters. Nothing is copied: the tensors are those
    /// that the optimiser updates, so gradients find them by their ids.
    ///
    /// Cost: one visit of the module; the first time on a device, also the upload of constants.
    ///
    /// # Errors
    /// [`Error::Parameter`] when the module lacks a parameter, or has one of another shape, dtype or
    /// device than the others.
    pub fn bind<M: Module>(&self, module: &M) -> Result<Bound> {
        // Running statistics keep each thread's updates apart until they are asked for; a visit does
        // not ask, `valid` does.
        drop(module.valid());
        let mut live = Live::default();
        module.visit(&mut live);
        let Live {
            found,
            device,
            dtype,
            differentiable,
            ..
        } = live;
        let (Some(device), Some(dtype)) = (device, dtype) else {
            return Err(Error::Capture(
                "the module has no float parameter to bind".into(),
            ));
        };
        let device = match differentiable {
            true => device.autodiff(),
            false => device,
        };
        // Running statistics are on no tape; as constants beside one they need its context.
        let found = found.into_iter().map(|(name, handle)| match handle {
            HandleKind::Float(x) => {
                let x = beside(x.into_value(), device.as_dispatch());
                (name, HandleKind::Float(ScopeTensor::constant(x)))
            }
            other => (name, other),
        });
        let found: HashMap<String, Handle<Dispatch>> = found.collect();
        let mut weights = Vec::new();
        for (name, slots) in &self.parameters {
            let wrong = |because: String| Error::Parameter {
                name: name.clone(),
                because,
            };
            let Some(handle) = found.get(name) else {
                return Err(wrong(
                    "of the captured module does not exist in this one; capture this one".into(),
                ));
            };
            let (shape, own_dtype, own_device) = described(handle);
            for slot in slots {
                if shape != slot.shape {
                    return Err(wrong(format!(
                        "has shape {:?}, but was captured with {:?}; capture the module again",
                        shape.to_vec(),
                        slot.shape.to_vec()
                    )));
                }
                weights.push((slot.id, handle.clone()));
            }
            if own_dtype.is_float() && own_dtype != dtype {
                return Err(wrong(format!(
                    "is {own_dtype:?}, but others are {dtype:?}; cast the module to one dtype"
                )));
            }
            if own_device != *device.as_dispatch() {
                return Err(wrong(format!(
                    "is on {own_device:?}, but others are on {device:?}; move the module to one \
                     device"
                )));
            }
        }
        let constants = self.constants(&device, dtype)?;
        Ok(Bound {
            loaded: Arc::new(constants.with_weights(weights)),
        })
    }

    /// What is not a parameter, on the device.
    fn constants(&self, device: &Device, dtype: DType) -> Result<Arc<Loaded<Dispatch>>> {
        let mut cached = self.loaded.lock().expect("constants");
        let device = device.as_dispatch();
        if let Some(loaded) = &*cached
            // Devices are equal with and without autodiff.
            && loaded.device() == device
            && Dispatch::ad_enabled(loaded.device()) == Dispatch::ad_enabled(device)
            && loaded.dtype() == dtype
        {
            return Ok(loaded.clone());
        }
        let loaded = Loaded::new(self.network.clone(), device.clone(), dtype)?;
        Ok(cached.insert(Arc::new(loaded)).clone())
    }
}

/// Shape, dtype and device of a weight.
fn described(handle: &Handle<Dispatch>) -> (Shape, DType, DispatchDevice) {
    match handle {
        HandleKind::Float(x) => (x.shape(), x.dtype(), x.device()),
        HandleKind::Int(x) => (x.shape(), x.dtype(), x.device()),
        HandleKind::Bool(x) => (x.shape(), x.dtype(), x.device()),
        _ => unreachable!("only these are visited"),
    }
}

/// The parameters of a module as they are now, by path.
#[derive(Default)]
struct Live {
    path: Vec<String>,
    found: HashMap<String, Handle<Dispatch>>,
    /// Of the first float parameter.
    device: Option<Device>,
    dtype: Option<DType>,
    /// Whether any is on an autodiff device.
    differentiable: bool,
}

impl ModuleVisitor for Live {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        self.differentiable |= tensor.device().is_autodiff();
        self.device.get_or_insert_with(|| tensor.device());
        self.dtype.get_or_insert_with(|| tensor.dtype());
        let tensor = ScopeTensor::constant(tensor.into_dispatch());
        self.found
            .insert(self.path.join("."), HandleKind::Float(tensor));
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        let tensor = Tracked::constant(param.val().into_dispatch());
        self.found
            .insert(self.path.join("."), HandleKind::Int(tensor));
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        let tensor = Tracked::constant(param.val().into_dispatch());
        self.found
            .insert(self.path.join("."), HandleKind::Bool(tensor));
    }
}

/// A captured network with the parameters of one moment.
#[derive(Clone, Debug)]
pub struct Bound {
    loaded: Arc<Loaded<Dispatch>>,
}

impl Bound {
    /// Freeze at x₀, of the captured input's shape. Cost: one forward pass and the rules' decisions.
    /// Memory: the decisions, and on an autodiff device the tape.
    ///
    /// x₀ may be on the plain device: then it is a constant. Its values are not checked, because
    /// that would wait for the device.
    ///
    /// # Errors
    /// [`Error::Shape`]; [`Error::NoRule`], [`Error::LostTrace`] and [`Error::Panicked`] as
    /// [`Interpreter::freeze`].
    pub fn freeze<const D: usize>(&self, x0: Tensor<D>, rules: RuleSet) -> Result<Interpreter> {
        Interpreter::unchecked(self.loaded.clone(), x0, rules)
    }

    /// The plain output f(x), for any x of the captured input's shape.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::Panicked`].
    pub fn forward<const D: usize, const E: usize>(&self, x: Tensor<D>) -> Result<Tensor<E>> {
        let x = fitting("the input", x, &self.loaded)?;
        let y = self.loaded.forward(vec![x])?.remove(0);
        ranked("the output", y)
    }
}
