//! Training with the interpreter in the loss.
//!
//! ```text
//! capture once          Traced::capture(&model, forward)
//! each step   bind      traced.bind(&model)           live parameters, checked
//!             freeze    bound.freeze(x0, rules)       y₀, and the map F, r at x₀
//!             ask       step.y0() · residual() · columns(..) · apply(..) · affine(..) · rows(..)
//! ```
//!
//! What a [`Step`] answers are ordinary Burn tensors. With the module on an autodiff device their
//! gradients reach the parameters: through the weights in every linear map, through the sources, and
//! through what was frozen as a function of x₀ (a gain, a standard deviation). Masks, winners and
//! indices are constant around x₀ and have no gradient.
//!
//! What is trained is the network as captured. Batch norm is in *inference form*: it reads the
//! running statistics, which only a forward of the module itself on an autodiff device updates.
//! Dropout is absent. [`Traced::notices`] says which of the two a network has.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    tensor::{Bool, Device, FloatDType, Int, Tensor},
};
use burn_backend::{
    AutodiffBackend, Backend, DType, Shape, TensorData, TensorMetadata, ops::FloatTensorOps,
};
use burn_dispatch::{Dispatch, DispatchAutodiffContext, DispatchDevice, DispatchTensor};
use burn_ir::{HandleKind, OperationIr, TensorId, TensorIr};

use crate::{
    Interpreter, Loaded, Network, Ports, RuleSet, ScopeTensor, Tracked,
    driver::Handle,
    error::{Error, Place, Result},
    network::{ParameterNames, operation_name},
    program::Operation,
};

/// Linear maps whose adjoint is one of Burn's backward ops that have no derivative of their own.
const ADJOINT_WITHOUT_GRADIENT: &[&str] = &[
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
];

/// A parameter of the captured module.
#[derive(Clone, Debug)]
struct Slot {
    id: TensorId,
    shape: Shape,
}

/// A module's forward, captured once, without the values of its parameters.
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
            "batch norm ({}) is in inference form: it reads the running statistics, which only a \
             forward of the module itself updates",
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
    /// Capture a module's forward with one input and one output, as [`Network::capture`] does. The
    /// shape of the input, batch axis included, is that of every step.
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
    /// let (y0, r) = (step.y0::<2>()?, step.residual::<2>()?);
    /// let loss = y0.square().mean() + r.square().mean();
    /// let gradients = loss.backward();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Capture`] for a forward that cannot be captured, has several inputs or outputs, or
    /// reads no parameter.
    pub fn capture<M: Module>(module: &M, forward: impl FnOnce(&M, &mut Ports)) -> Result<Self> {
        let single = module.valid().map(&mut Single);
        let (mut network, named) = Network::capture_named(single, forward)?;
        for (what, ports) in [("inputs", network.inputs()), ("outputs", network.outputs())] {
            if ports.len() != 1 {
                return Err(Error::Capture(format!(
                    "training takes one input and one output, the forward has {} {what}; use \
                     linearscope::Interpreter for networks with several",
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
                "the forward reads no parameter of the module, so there is nothing to train".into(),
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

    /// Where the captured network differs from the module in training: batch norms that read their
    /// running statistics, dropouts that are absent. One sentence each, to be shown once.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// The network with the module's parameters as they are now. Nothing is copied: the tensors are
    /// those the optimiser moves, so gradients find them by their ids.
    ///
    /// Cost: one visit of the module; the first time on a device also the upload of constants.
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
                    "of the captured module is not in this one; capture this one".into(),
                ));
            };
            let (shape, own_dtype, own_device) = described(handle);
            for slot in slots {
                if shape != slot.shape {
                    return Err(wrong(format!(
                        "has shape {:?}, but was captured with {:?}; capture the module anew",
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

    /// What is no parameter, on the device.
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

/// A constant as an op with tensors of `device` takes it: on an autodiff device with its context,
/// still without a gradient.
fn beside(x: DispatchTensor, device: &DispatchDevice) -> DispatchTensor {
    let DispatchDevice::Autodiff(device) = device else {
        return x;
    };
    let mut x = match x.autodiff {
        DispatchAutodiffContext::Disabled => Dispatch::from_inner(x),
        DispatchAutodiffContext::Enabled(_) => return x,
    };
    x.autodiff = DispatchAutodiffContext::Enabled(device.gradient_checkpointing_strategy());
    x
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
    /// Freeze at x₀, of the captured input's shape. Cost: one forward and the rules' decisions;
    /// memory: those, and on an autodiff device the tape.
    ///
    /// x₀ may be on the plain device: then it is a constant. The values are not looked at, which
    /// would wait for the device.
    ///
    /// # Errors
    /// [`Error::Shape`]; [`Error::NoRule`], [`Error::LostProbe`] and [`Error::Panicked`] as
    /// [`Interpreter::new`].
    pub fn freeze<const D: usize>(&self, x0: Tensor<D>, rules: RuleSet) -> Result<Step> {
        let x0 = self.fitting("x₀", x0.into_dispatch())?;
        let interpreter = Interpreter::record(self.loaded.clone(), vec![x0], rules)?;
        Ok(Step { interpreter })
    }

    /// The plain output f(x), for any x of the captured input's shape.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::Panicked`].
    pub fn forward<const D: usize, const E: usize>(&self, x: Tensor<D>) -> Result<Tensor<E>> {
        let x = self.fitting("the input", x.into_dispatch())?;
        let y = self.loaded.forward(vec![x])?.remove(0);
        ranked("the output", y)
    }

    fn fitting(&self, what: &str, x: DispatchTensor) -> Result<DispatchTensor> {
        let device = self.loaded.device();
        let own = x.device();
        let taped = Dispatch::ad_enabled(&own) && !Dispatch::ad_enabled(device);
        if x.dtype() == self.loaded.dtype() && own == *device && !taped {
            return Ok(beside(x, device));
        }
        Err(Error::Data(format!(
            "{what} is {:?} on {own:?}, the parameters are {:?} on {device:?}",
            x.dtype(),
            self.loaded.dtype(),
        )))
    }
}

/// One training step's interpreter: y(x) = F x + r of the bound network at x₀. Every answer is an
/// ordinary Burn tensor.
#[derive(Debug)]
pub struct Step {
    interpreter: Interpreter<Dispatch>,
}

/// A Burn tensor of rank D, or an error that gives both ranks.
fn ranked<const D: usize>(what: &str, x: DispatchTensor) -> Result<Tensor<D>> {
    let shape = x.shape();
    if shape.num_dims() == D {
        return Ok(Tensor::from_dispatch(x));
    }
    Err(Error::Shape {
        what: format!("{what} asked for as a tensor of rank {D}"),
        got: shape.to_vec(),
        expected: vec![],
        hint: format!("; ask for rank {}", shape.num_dims()),
    })
}

impl Step {
    /// y₀ = f(x₀).
    ///
    /// # Errors
    /// [`Error::Shape`] for another rank than the output's.
    pub fn y0<const D: usize>(&self) -> Result<Tensor<D>> {
        ranked("y₀", self.interpreter.reference()[0].clone())
    }

    /// The residual r, of the output's shape. Cost: one forward.
    ///
    /// # Errors
    /// [`Error::Shape`] for another rank than the output's.
    pub fn residual<const D: usize>(&self) -> Result<Tensor<D>> {
        ranked("r", self.interpreter.residual()?.remove(0))
    }

    /// F x for k probes, `[k, ..input] → [k, ..output]`. Cost: k forwards.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub fn apply<const P: usize, const Q: usize>(&self, probes: Tensor<P>) -> Result<Tensor<Q>> {
        let y = self.interpreter.apply(&[probes.into_dispatch()])?;
        ranked("F x", y.into_iter().next().expect("one output"))
    }

    /// F x + r for k probes, `[k, ..input] → [k, ..output]`. Cost: k forwards.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub fn affine<const P: usize, const Q: usize>(&self, probes: Tensor<P>) -> Result<Tensor<Q>> {
        let y = self.interpreter.affine(&[probes.into_dispatch()])?;
        ranked("F x + r", y.into_iter().next().expect("one output"))
    }

    /// Columns of F, `[k, ..output]`. Entry j of `at` is a place in one picture of the batch (the
    /// input's index without its batch axis); the unit impulse goes into *every* picture there. As
    /// long as the network keeps pictures apart, picture i of the answer j is the column of that
    /// picture. Cost: k forwards.
    ///
    /// # Errors
    /// [`Error::OutOfRange`]; [`Error::Shape`].
    pub fn columns<const Q: usize>(&self, at: &[&[usize]]) -> Result<Tensor<Q>> {
        let shape = self.loaded().network().inputs()[0].shape.clone();
        let y = self.interpreter.apply(&[self.impulses(&shape, at)?])?;
        ranked(
            "a batch of columns",
            y.into_iter().next().expect("one output"),
        )
    }

    /// Rows of F, `[k, ..input]`, at places of the output, as [`columns`](Self::columns). Cost: k
    /// forwards.
    ///
    /// # Errors
    /// [`Error::NoGradient`] on an autodiff device when the adjoint of an op cannot be
    /// differentiated; [`Error::OutOfRange`]; [`Error::Shape`].
    pub fn rows<const P: usize>(&self, at: &[&[usize]]) -> Result<Tensor<P>> {
        let shape = self.interpreter.reference()[0].shape();
        self.sweep(self.impulses(&shape, at)?)
    }

    /// Fᵀ y for k cotangents, `[k, ..output] → [k, ..input]`.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub fn adjoint<const Q: usize, const P: usize>(&self, y: Tensor<Q>) -> Result<Tensor<P>> {
        self.sweep(y.into_dispatch())
    }

    fn sweep<const P: usize>(&self, y: DispatchTensor) -> Result<Tensor<P>> {
        if Dispatch::ad_enabled(self.loaded().device()) {
            for node in self.interpreter.program().nodes() {
                if let Operation::Map { map, .. } = &node.operation
                    && ADJOINT_WITHOUT_GRADIENT.contains(&map.name())
                {
                    return Err(Error::NoGradient {
                        place: Place {
                            node: node.name.to_string(),
                            op: map.name().into(),
                        },
                        because: "Burn does not differentiate its backward op, so no loss on rows \
                                  reaches the weights through it; use columns, or bind \
                                  module.valid() to get the numbers"
                            .into(),
                    });
                }
            }
        }
        let x = self.interpreter.adjoint(&[y])?;
        ranked("Fᵀ y", x.into_iter().next().expect("one input"))
    }

    /// The interpreter underneath, on Burn's primitives.
    pub fn interpreter(&self) -> &Interpreter<Dispatch> {
        &self.interpreter
    }

    fn loaded(&self) -> &Arc<Loaded<Dispatch>> {
        self.interpreter.loaded()
    }

    /// `[k, ..shape]`: 1 at place j of every picture in batch entry j.
    fn impulses(&self, shape: &Shape, at: &[&[usize]]) -> Result<DispatchTensor> {
        let (pictures, one) = (shape[0], &shape[1..]);
        let size: usize = one.iter().product();
        let mut values = vec![0f32; at.len() * pictures * size];
        for (j, &place) in at.iter().enumerate() {
            let inside = place.len() == one.len() && place.iter().zip(one).all(|(i, n)| i < n);
            if !inside {
                return Err(Error::OutOfRange {
                    what: "the place in one picture".into(),
                    index: place.to_vec(),
                    shape: one.to_vec(),
                });
            }
            let flat = place.iter().zip(one).fold(0, |flat, (i, n)| flat * n + i);
            for picture in 0..pictures {
                values[(j * pictures + picture) * size + flat] = 1.0;
            }
        }
        let dims: Vec<usize> = std::iter::once(at.len())
            .chain(shape.iter().copied())
            .collect();
        let data = TensorData::new(values, dims).convert_dtype(self.loaded().dtype());
        Ok(Dispatch::float_from_data(data, self.loaded().device()))
    }
}
