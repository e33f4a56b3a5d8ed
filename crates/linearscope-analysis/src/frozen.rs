//! A captured network at one x₀ as a linear operator on Burn tensors.

use std::sync::{Arc, OnceLock};

use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};
use burn_backend::{Backend, TensorMetadata, ops::FloatTensorOps};
use burn_dispatch::Dispatch;
use linearscope::{
    Frozen, Interpreter, Interrupt, Loaded, Network, Paired, Recorded, RuleSet, SourceShare,
    delivered, program::machine_budget,
};

use crate::{
    error::{Error, Result},
    locality,
    operator::{Field, Geometry, LinearOperator, by_products},
    progress::Observer,
    vectors::{batched, check, flat, row, shaped},
};

/// A network with one input and one output, frozen at x₀: y(x) = F x + r, on any Burn device.
///
/// # Example
/// ```
/// use burn::{nn::LinearConfig, tensor::{Device, FloatDType, TensorData, activation::relu}};
/// use linearscope::{Network, RuleSet};
/// use linearscope_analysis::{FrozenNetwork, vectors::read};
///
/// let device = Device::flex();
/// let layers = vec![LinearConfig::new(4, 8).init(&device), LinearConfig::new(8, 3).init(&device)];
/// let network = Network::capture(&layers, |layers, ports| {
///     let x = ports.input("x", [1, 4]);
///     ports.output("y", layers[1].forward(relu(layers[0].forward(x))));
/// })?;
/// let loaded = FrozenNetwork::load(network, &device, FloatDType::F64)?;
/// let x0 = TensorData::from([[0.3, -0.2, 0.9, 0.5]]);
/// let frozen = FrozenNetwork::new(loaded, x0, RuleSet::default())?;
/// // F x₀ + r is f(x₀).
/// let (affine, y0) = (read(frozen.affine(frozen.x0())?)?, read(frozen.reference())?);
/// assert!(affine.iter().zip(&y0).all(|(a, b)| (a - b).abs() < 1e-12));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FrozenNetwork {
    frozen: Frozen<Dispatch>,
    device: Device,
    dtype: FloatDType,
    x0: Tensor<2>,
    input_shape: Vec<usize>,
    output_shape: Vec<usize>,
    /// The network on the autodiff device, for adjoints where nothing was recorded; copies share it.
    taped: Arc<OnceLock<Arc<Loaded<Dispatch>>>>,
}

impl FrozenNetwork {
    /// Upload `network`'s weights to `device`, in `dtype` (f32, or f64 where the device has it).
    ///
    /// # Errors
    /// [`linearscope::Error::Replay`] for operations that cannot be replayed; [`linearscope::Error::Shape`] for a network
    /// with several inputs or outputs.
    pub fn load(
        network: Network,
        device: &Device,
        dtype: FloatDType,
    ) -> Result<Arc<Loaded<Dispatch>>> {
        Ok(Interpreter::load(network, device, dtype)?)
    }

    /// Compute the plain output f(x) of a loaded network, without freezing anything.
    ///
    /// # Errors
    /// As [`Loaded::forward`]; [`Error::Data`].
    pub fn forward(loaded: &Loaded<Dispatch>, x: TensorData) -> Result<TensorData> {
        let x = x.convert_dtype(loaded.dtype());
        let x = Dispatch::float_from_data(x, loaded.device());
        let y = loaded.forward(vec![x])?;
        let y = row(y.into_iter().next().expect("one output"));
        Ok(delivered(y.try_into_data())?)
    }

    /// Freeze the network at x₀, which has the input's shape. Cost: one forward pass and the rules'
    /// decisions.
    ///
    /// # Errors
    /// As [`Recorded::new`], [`linearscope::Error::Memory`] apart.
    pub fn new(loaded: Arc<Loaded<Dispatch>>, x0: TensorData, rules: RuleSet) -> Result<Self> {
        Self::within(loaded, x0, rules, machine_budget())
    }

    /// Like [`new`](Self::new), but within a budget in bytes for decisions and probes. If the
    /// decisions do not fit, forward products run the network with its reference alongside the
    /// probes, and backward products use the autodiff tape. This is slower, but gives the same
    /// results.
    ///
    /// # Errors
    /// As [`Frozen::within`].
    pub fn within(
        loaded: Arc<Loaded<Dispatch>>,
        x0: TensorData,
        rules: RuleSet,
        budget: usize,
    ) -> Result<Self> {
        let dtype: FloatDType = loaded.dtype().into();
        let x0 = x0.convert_dtype(loaded.dtype());
        let device = Device::new(loaded.device().clone());
        let x0 = Dispatch::float_from_data(x0, loaded.device());
        let frozen = Frozen::within(loaded, vec![x0.clone()], rules, budget)?;
        let input_shape = frozen.loaded().network().inputs()[0].shape.to_vec();
        let output_shape = frozen.reference()[0].shape().to_vec();
        Ok(Self {
            device,
            dtype,
            x0: row(x0),
            input_shape,
            output_shape,
            frozen,
            taped: Arc::default(),
        })
    }

    /// The same frozen network, stopped by `interrupt` and no longer by the interrupt with which it was loaded. Use one
    /// copy for each of several questions that must be stopped separately. Results are the same bits.
    ///
    /// Cost: lists of nodes, microseconds per hundred layers; weights, decisions and what is made from them are
    /// shared.
    ///
    /// ```
    /// # use burn::{nn::LinearConfig, tensor::{Device, FloatDType, TensorData}};
    /// # use linearscope::{Interrupt, Network, RuleSet};
    /// # use linearscope_analysis::FrozenNetwork;
    /// # let device = Device::flex();
    /// # let layer = LinearConfig::new(4, 3).init(&device);
    /// # let network = Network::capture(&layer, |layer, ports| {
    /// #     let x = ports.input("x", [1, 4]);
    /// #     ports.output("y", layer.forward(x));
    /// # })?;
    /// # let loaded = FrozenNetwork::load(network, &device, FloatDType::F64)?;
    /// # let x0 = TensorData::from([[0.3, -0.2, 0.9, 0.5]]);
    /// let frozen = FrozenNetwork::new(loaded, x0, RuleSet::default())?;
    /// let interrupt = Interrupt::new();
    /// let question = frozen.with_interrupt(&interrupt);
    /// interrupt.stop();
    /// assert!(question.residual().is_err());
    /// assert!(frozen.residual().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_interrupt(&self, interrupt: &Interrupt) -> Self {
        Self {
            frozen: self.frozen.with_interrupt(interrupt),
            device: self.device.clone(),
            x0: self.x0.clone(),
            input_shape: self.input_shape.clone(),
            output_shape: self.output_shape.clone(),
            taped: self.taped.clone(),
            dtype: self.dtype,
        }
    }

    /// The engine underneath, recorded or paired: network, rules, and what the freeze found.
    pub fn frozen(&self) -> &Frozen<Dispatch> {
        &self.frozen
    }

    /// The recorded network with its program; `None` if the decisions did not fit in memory.
    pub fn recorded(&self) -> Option<&Recorded<Dispatch>> {
        self.frozen.recorded()
    }

    /// The recorded network, needed because `what` requires a program.
    ///
    /// # Errors
    /// [`linearscope::Error::Memory`] names `what` and the budget.
    pub fn recorded_for(&self, what: &str) -> Result<&Recorded<Dispatch>> {
        Ok(self.frozen.recorded_for(what)?)
    }

    /// x₀ as `[1, n]`.
    pub fn x0(&self) -> Tensor<2> {
        self.x0.clone()
    }

    /// y₀ = f(x₀) as `[1, N]`.
    pub fn reference(&self) -> Tensor<2> {
        row(self.frozen.reference()[0].clone())
    }

    /// r as `[1, N]`. Cost: one replay.
    ///
    /// # Errors
    /// As [`Frozen::residual`].
    pub fn residual(&self) -> Result<Tensor<2>> {
        Ok(row(self.frozen.residual()?.remove(0)))
    }

    /// F x + r for k vectors, `[k, n] → [k, N]`.
    ///
    /// # Errors
    /// As [`LinearOperator::apply`].
    pub fn affine(&self, x: Tensor<2>) -> Result<Tensor<2>> {
        check("the probe", &x, self.input_len())?;
        let y = self.frozen.affine(&[batched(x, &self.input_shape)])?;
        Ok(flat(y.into_iter().next().expect("one output")))
    }

    /// Fᵀ y for k vectors, and each source's contribution ⟨Fₛᵀ y, b⟩.
    ///
    /// # Errors
    /// As [`LinearOperator::apply_adjoint`].
    pub fn contributions(&self, y: Tensor<2>) -> Result<(Tensor<2>, Vec<SourceShare>)> {
        check("the cotangent", &y, self.output_len())?;
        let recorded = self.recorded_for("contributions")?;
        let (x, shares) = recorded.contributions(&[batched(y, &self.output_shape)])?;
        Ok((flat(x.into_iter().next().expect("one input")), shares))
    }

    /// Fᵀ y as the gradient of ⟨y, F x⟩ in a paired run on an autodiff device, one y at a time.
    ///
    /// Cost: the weights once more, and for each y two forwards, a backward pass, and a tape of all
    /// activations that is freed afterwards.
    fn adjoint_by_tape(&self, y: &Tensor<2>) -> Result<Tensor<2>> {
        let device = self.device.clone().autodiff();
        let loaded = match self.taped.get() {
            Some(loaded) => loaded,
            None => {
                let network = self.frozen.loaded().network().clone();
                let on_tape = device.as_dispatch().clone();
                let made = Loaded::new(network, on_tape, self.dtype.into())?;
                self.taped.get_or_init(|| Arc::new(made))
            }
        };
        let on = |x: Tensor<2>, device: &Device| -> Result<Tensor<2>> {
            let x = delivered(x.try_into_data())?;
            Ok(Tensor::from_data(x, (device, DType::from(self.dtype))))
        };
        let on_tape = |x| on(x, &device);
        let mut rows = Vec::new();
        let loaded = &loaded.with_interrupt(self.frozen.loaded().interrupt().clone());
        for i in 0..y.dims()[0] {
            let y = on_tape(y.clone().narrow(0, i, 1))?;
            let x = on_tape(self.upload(vec![0.0; self.input_len()], self.input_len()))?;
            let x = x.require_grad();
            let probe = batched(x.clone(), &self.input_shape);
            let x0 = shaped(on_tape(self.x0())?, &self.input_shape);
            let rules = self.frozen.rules().clone();
            let (_, found) = Paired::beside(loaded, vec![x0], vec![probe], rules, false)?;
            let found = flat(found.into_iter().next().expect("one output"));
            let gradients = (found * y).sum().backward();
            let gradient = x
                .grad(&gradients)
                .ok_or_else(|| Error::Data("the tape holds no gradient of the probe".into()))?;
            rows.push(on(gradient, &self.device)?);
        }
        Ok(Tensor::cat(rows, 0))
    }

    /// Names of the layers over which contributions are summed; number 0 is the input. Empty if
    /// nothing was recorded.
    pub fn layers(&self) -> &[Arc<str>] {
        self.recorded().map_or(&[], |f| f.program().layers())
    }

    /// The device's own name, for manifests.
    pub fn backend_name(&self) -> String {
        Dispatch::name(self.device.as_dispatch())
    }
}

impl LinearOperator for FrozenNetwork {
    fn input_shape(&self) -> &[usize] {
        &self.input_shape
    }

    fn output_shape(&self) -> &[usize] {
        &self.output_shape
    }

    fn device(&self) -> &Device {
        &self.device
    }

    fn dtype(&self) -> FloatDType {
        self.dtype
    }

    fn apply(&self, x: Tensor<2>) -> Result<Tensor<2>> {
        check("the probe", &x, self.input_len())?;
        let y = self.frozen.apply(&[batched(x, &self.input_shape)])?;
        Ok(flat(y.into_iter().next().expect("one output")))
    }

    fn apply_adjoint(&self, y: Tensor<2>) -> Result<Tensor<2>> {
        check("the cotangent", &y, self.output_len())?;
        match &self.frozen {
            Frozen::Recorded(recorded) => {
                let x = recorded.adjoint(&[batched(y, &self.output_shape)])?;
                Ok(flat(x.into_iter().next().expect("one input")))
            }
            Frozen::Paired(_) => self.adjoint_by_tape(&y),
        }
    }

    fn geometry(&self) -> Result<Option<Geometry>> {
        let Some(recorded) = self.recorded() else {
            return Ok(None);
        };
        let program = recorded.program();
        Ok(Some(
            program.places(program.inputs()[0], program.outputs()[0])?,
        ))
    }

    fn memory(&self) -> Option<usize> {
        Some(self.frozen.budget())
    }

    fn check_interrupt(&self) -> Result<()> {
        Ok(self.frozen.loaded().interrupt().check()?)
    }

    fn fields(
        &self,
        field: Field,
        places: &[Vec<usize>],
        observer: &mut Observer<'_>,
    ) -> Result<Tensor<2>> {
        match self.recorded() {
            Some(recorded) => {
                field.check(field.places(self), places)?;
                locality::fields(recorded, field, places, observer)
            }
            None => by_products(self, field, places, observer),
        }
    }
}
