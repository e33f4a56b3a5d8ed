//! The interpreter: y(x) = F x + r for one network at one x₀, with Burn's tensors.

use std::sync::Arc;

use burn::tensor::{Device, FloatDType, Tensor};
use burn_backend::{
    AutodiffBackend, Backend, Shape, TensorData, TensorMetadata, ops::FloatTensorOps,
};
use burn_dispatch::{Dispatch, DispatchAutodiffContext, DispatchDevice, DispatchTensor};

use crate::{
    driver::Loaded,
    error::{Error, Place, Result},
    findings::DecisionsAtRisk,
    frozen::{Recorded, SourceShare},
    network::Network,
    program::{NodeId, Operation, machine_budget},
    rule_set::RuleSet,
};

/// A network with one input and one output, frozen at x₀: y(x) = F x + r. It takes and returns
/// ordinary Burn tensors, on any device.
///
/// F x, Fᵀ y and their like take k vectors at once: probes are `[k, ..input]`, cotangents
/// `[k, ..output]`, so their ranks are one more than those of the input and the output. Ranks are const
/// parameters that the compiler infers where the result has a type; another rank than the network's is
/// an error. On an autodiff device the answers have gradients, see [`training`](crate::training).
///
/// ```
#[doc = include_str!("interpreter/prelude.md")]
/// let loaded = Interpreter::load(network, &device, FloatDType::F32)?;
/// let frozen = Interpreter::freeze(loaded, x0, RuleSet::default())?;
/// let (y0, r) = (frozen.reference::<2>()?, frozen.residual::<2>()?);
/// // Rows of F, one for each class: [k, ..input].
/// let rows: Tensor<5> = frozen.rows(&[&[0], &[1]])?;
/// assert_eq!(rows.dims(), [2, 1, 1, 6, 6]);
/// # assert_eq!((y0.dims(), r.dims()), ([1, 2], [1, 2]));
/// # Ok(())
/// # }
/// ```
///
/// For networks with several inputs or outputs, for discussions and deconvolutions, and for products
/// without a recorded program, use the engine on primitives: [`Recorded`],
/// [`Paired`](crate::Paired), [`Frozen`](crate::Frozen).
#[derive(Debug)]
pub struct Interpreter {
    recorded: Recorded<Dispatch>,
    x0: DispatchTensor,
}

impl Interpreter {
    /// Upload the weights of `network` to `device`, in `dtype` (f32, or f64 where the device has it).
    ///
    /// ```
    #[doc = include_str!("interpreter/prelude.md")]
    /// let loaded = Interpreter::load(network, &device, FloatDType::F32)?;
    /// assert_eq!(loaded.network().inputs()[0].shape.to_vec(), [1, 1, 6, 6]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Replay`] for operations that cannot be replayed; [`Error::Shape`] for a network
    /// with several inputs or outputs.
    pub fn load(
        network: Network,
        device: &Device,
        dtype: FloatDType,
    ) -> Result<Arc<Loaded<Dispatch>>> {
        check_ports(&network)?;
        let device = device.as_dispatch().clone();
        Ok(Arc::new(Loaded::new(
            Arc::new(network),
            device,
            dtype.into(),
        )?))
    }

    /// Freeze the network at x₀, `[..input]`. Cost: one forward pass and the rules' decisions. Memory: the
    /// decisions, up to [`machine_budget`].
    ///
    /// ```
    #[doc = include_str!("interpreter/prelude.md")]
    /// let loaded = Interpreter::load(network, &device, FloatDType::F32)?;
    /// let frozen = Interpreter::freeze(loaded, x0, RuleSet::default())?;
    /// assert_eq!(frozen.reference::<2>()?.dims(), [1, 2]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] for an x₀ that does not fit, or a network with several inputs or outputs;
    /// [`Error::Data`] for an x₀ on another device or of another dtype; those of [`Recorded::new`].
    pub fn freeze<const D: usize>(
        loaded: Arc<Loaded<Dispatch>>,
        x0: Tensor<D>,
        rules: RuleSet,
    ) -> Result<Self> {
        Self::within(loaded, x0, rules, machine_budget())
    }

    /// Like [`freeze`](Self::freeze), but within a budget in bytes for decisions and probes. Probes
    /// are split into batches that fit; results do not depend on the split.
    ///
    /// ```
    #[doc = include_str!("interpreter/prelude.md")]
    /// let loaded = Interpreter::load(network, &device, FloatDType::F32)?;
    /// let freeze = |budget| Interpreter::within(loaded.clone(), x0.clone(), RuleSet::default(), budget);
    /// assert!(freeze(1 << 20).is_ok());
    /// assert!(matches!(freeze(1), Err(linearscope::Error::Memory { budget: 1, .. })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`freeze`](Self::freeze); [`Error::Memory`] if the decisions do not fit.
    /// [`Frozen::within`](crate::Frozen::within) then works without them.
    pub fn within<const D: usize>(
        loaded: Arc<Loaded<Dispatch>>,
        x0: Tensor<D>,
        rules: RuleSet,
        budget: usize,
    ) -> Result<Self> {
        check_ports(loaded.network())?;
        let x0 = fitting("x₀", x0, &loaded)?;
        let recorded = Recorded::within(loaded, vec![x0.clone()], rules, budget)?;
        Ok(Self { recorded, x0 })
    }

    /// The same without a budget and without a look at the values, for training.
    pub(crate) fn unchecked<const D: usize>(
        loaded: Arc<Loaded<Dispatch>>,
        x0: Tensor<D>,
        rules: RuleSet,
    ) -> Result<Self> {
        let x0 = fitting("x₀", x0, &loaded)?;
        let recorded = Recorded::unchecked(loaded, vec![x0.clone()], rules)?;
        Ok(Self { recorded, x0 })
    }

    /// y₀ = f(x₀), `[..output]`.
    ///
    /// ```
    #[doc = include_str!("interpreter/frozen.md")]
    /// let y0: Tensor<2> = frozen.reference()?;
    /// assert_eq!(y0.dims(), [1, 2]);
    /// assert!(frozen.reference::<3>().is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] for another rank than the output's.
    pub fn reference<const D: usize>(&self) -> Result<Tensor<D>> {
        ranked("y₀", self.recorded.reference()[0].clone())
    }

    /// The residual r, `[..output]`: the affine map at x₁ = 0. Cost: one forward pass.
    ///
    /// ```
    #[doc = include_str!("interpreter/frozen.md")]
    /// let r: Tensor<2> = frozen.residual()?;
    /// let of_x0: Tensor<3> = frozen.apply(x0.unsqueeze::<5>())?;
    /// let gap = of_x0.squeeze_dim::<2>(0) + r - frozen.reference::<2>()?;
    /// assert!(gap.abs().max().into_scalar::<f32>() < 1e-5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] for another rank than the output's.
    pub fn residual<const D: usize>(&self) -> Result<Tensor<D>> {
        ranked("r", self.recorded.residual()?.remove(0))
    }

    /// F x for k probes, `[k, ..input] → [k, ..output]`. Cost: k forward passes.
    ///
    /// ```
    #[doc = include_str!("interpreter/frozen.md")]
    /// let probes = Tensor::<5>::ones([3, 1, 1, 6, 6], &device);
    /// let y: Tensor<3> = frozen.apply(probes)?;
    /// assert_eq!(y.dims(), [3, 1, 2]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::NoProbes`]; [`Error::Data`] for probes on another device or of
    /// another dtype.
    pub fn apply<const P: usize, const Q: usize>(&self, probes: Tensor<P>) -> Result<Tensor<Q>> {
        let x = self.fitting("the probe", probes)?;
        ranked("F x", self.recorded.apply(&[x])?.remove(0))
    }

    /// F x + r for k probes, `[k, ..input] → [k, ..output]`. Cost: k forward passes.
    ///
    /// ```
    #[doc = include_str!("interpreter/frozen.md")]
    /// let y: Tensor<3> = frozen.affine(x0.unsqueeze::<5>())?;
    /// let gap = y.squeeze_dim::<2>(0) - frozen.reference::<2>()?;
    /// assert!(gap.abs().max().into_scalar::<f32>() < 1e-5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn affine<const P: usize, const Q: usize>(&self, probes: Tensor<P>) -> Result<Tensor<Q>> {
        let x = self.fitting("the probe", probes)?;
        ranked("F x + r", self.recorded.affine(&[x])?.remove(0))
    }

    /// Columns of F, `[k, ..output]`. Entry j of `at` is a place in one picture of the batch (the
    /// input's index without its batch axis). The unit impulse is set there in *every* picture. As
    /// long as the network keeps pictures separate, picture i of answer j is the column of that
    /// picture. Cost: k forward passes.
    ///
    /// ```
    #[doc = include_str!("interpreter/frozen.md")]
    /// // At channel, row and column of the picture.
    /// let columns: Tensor<3> = frozen.columns(&[&[0, 2, 3], &[0, 5, 5]])?;
    /// assert_eq!(columns.dims(), [2, 1, 2]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`]; [`Error::Shape`].
    pub fn columns<const Q: usize>(&self, at: &[&[usize]]) -> Result<Tensor<Q>> {
        let shape = self.loaded().network().inputs()[0].shape.clone();
        let y = self.recorded.apply(&[self.impulses(&shape, at)?])?;
        ranked("a batch of columns", only(y))
    }

    /// Rows of F, `[k, ..input]`, at places of the output; see [`columns`](Self::columns) for
    /// places. Cost: as k forward passes.
    ///
    /// ```
    #[doc = include_str!("interpreter/frozen.md")]
    /// let row: Tensor<5> = frozen.rows(&[&[1]])?;
    /// assert_eq!(row.dims(), [1, 1, 1, 6, 6]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoGradient`] on an autodiff device when the adjoint of an op cannot be
    /// differentiated, [`Error::GeneralMap`] when that is unknown; [`Error::OutOfRange`];
    /// [`Error::Shape`].
    pub fn rows<const P: usize>(&self, at: &[&[usize]]) -> Result<Tensor<P>> {
        let shape = self.recorded.reference()[0].shape();
        self.adjoint_of(self.impulses(&shape, at)?)
    }

    /// Fᵀ y for k cotangents, `[k, ..output] → [k, ..input]`. Cost: as k forward passes.
    ///
    /// ```
    #[doc = include_str!("interpreter/frozen.md")]
    /// let y = Tensor::<3>::ones([4, 1, 2], &device);
    /// let x: Tensor<5> = frozen.adjoint(y)?;
    /// assert_eq!(x.dims(), [4, 1, 1, 6, 6]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`rows`](Self::rows); [`Error::NoProbes`]; [`Error::Data`] for cotangents on another device
    /// or of another dtype.
    pub fn adjoint<const Q: usize, const P: usize>(&self, y: Tensor<Q>) -> Result<Tensor<P>> {
        self.adjoint_of(self.fitting("the cotangent", y)?)
    }

    fn adjoint_of<const P: usize>(&self, y: DispatchTensor) -> Result<Tensor<P>> {
        self.check_gradient(None, None)?;
        ranked("Fᵀ y", only(self.recorded.adjoint(&[y])?))
    }

    /// Fᵀ y, `[k, ..output] → [k, ..input]`, and what every source contributes to ⟨y, F x + r⟩, k
    /// numbers each. The contributions sum to ⟨y, r⟩. Sums are taken in f64 on the host. Cost: one
    /// adjoint and a read-back per source.
    ///
    /// ```
    #[doc = include_str!("interpreter/frozen.md")]
    /// let y = Tensor::<3>::ones([1, 1, 2], &device);
    /// let (row, shares) = frozen.contributions::<3, 5>(y)?;
    /// assert_eq!(row.dims(), [1, 1, 1, 6, 6]);
    /// let sum: f64 = shares.iter().map(|share| share.values[0]).sum();
    /// let r: f32 = frozen.residual::<2>()?.sum().into_scalar();
    /// assert!((sum - f64::from(r)).abs() < 1e-5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`adjoint`](Self::adjoint).
    pub fn contributions<const Q: usize, const P: usize>(
        &self,
        y: Tensor<Q>,
    ) -> Result<(Tensor<P>, Vec<SourceShare>)> {
        let y = self.fitting("the cotangent", y)?;
        self.check_gradient(None, None)?;
        let (x, shares) = self.recorded.contributions(&[y])?;
        Ok((ranked("Fᵀ y", only(x))?, shares))
    }

    /// Apply the sub-network between two nodes, without sources. The k probes replace the output of
    /// node `from` (`None`: the input), and the result is what they become at node `to` (`None`: at
    /// the output). Paths that do not pass `from` carry zeros. Names are the model's;
    /// [`place_names`](crate::program::Program::place_names) lists them.
    ///
    /// ```
    #[doc = include_str!("interpreter/frozen.md")]
    /// let probes = Tensor::<5>::ones([3, 1, 1, 6, 6], &device);
    /// let y: Tensor<5> = frozen.apply_between(probes, None, Some("conv"))?;
    /// assert_eq!(y.dims(), [3, 1, 2, 4, 4]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`apply`](Self::apply); [`Error::NoSuchNode`] lists the existing names; [`Error::NoPath`]
    /// when `to` does not depend on `from`.
    pub fn apply_between<const P: usize, const Q: usize>(
        &self,
        probes: Tensor<P>,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<Tensor<Q>> {
        let x = self.fitting("the probe", probes)?;
        let (from, to) = self.ends(from, to)?;
        let y = self.recorded.apply_between(x, from, to)?;
        ranked("F x", y)
    }

    /// Like [`apply_between`](Self::apply_between), but with sources: the frozen network with node
    /// `from` set to the probes. Paths that do not pass `from` carry x₀.
    ///
    /// ```
    #[doc = include_str!("interpreter/frozen.md")]
    /// let at_conv: Tensor<5> = frozen.affine_between(x0.unsqueeze::<5>(), None, Some("conv"))?;
    /// let y: Tensor<3> = frozen.affine_between(at_conv, Some("conv"), None)?;
    /// let gap = y.squeeze_dim::<2>(0) - frozen.reference::<2>()?;
    /// assert!(gap.abs().max().into_scalar::<f32>() < 1e-5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`apply_between`](Self::apply_between).
    pub fn affine_between<const P: usize, const Q: usize>(
        &self,
        probes: Tensor<P>,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<Tensor<Q>> {
        let x = self.fitting("the probe", probes)?;
        let (from, to) = self.ends(from, to)?;
        let x0 = std::slice::from_ref(&self.x0);
        let y = self.recorded.affine_between(x, from, to, x0)?;
        ranked("F x + r", y)
    }

    /// The adjoint of [`apply_between`](Self::apply_between): k cotangents of `to` carried back to
    /// `from`.
    ///
    /// ```
    #[doc = include_str!("interpreter/frozen.md")]
    /// let y = Tensor::<3>::ones([1, 1, 2], &device);
    /// let x: Tensor<5> = frozen.adjoint_between(y, Some("conv"), None)?;
    /// assert_eq!(x.dims(), [1, 1, 2, 4, 4]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`apply_between`](Self::apply_between) and [`rows`](Self::rows).
    pub fn adjoint_between<const Q: usize, const P: usize>(
        &self,
        y: Tensor<Q>,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<Tensor<P>> {
        let y = self.fitting("the cotangent", y)?;
        let (from, to) = self.ends(from, to)?;
        self.check_gradient(from, to)?;
        ranked("Fᵀ y", self.recorded.adjoint_between(y, from, to)?)
    }

    /// The network, on its device.
    ///
    /// ```
    #[doc = include_str!("interpreter/frozen.md")]
    /// assert_eq!(frozen.loaded().network().outputs()[0].name, "scores");
    /// # Ok(())
    /// # }
    /// ```
    pub fn loaded(&self) -> &Arc<Loaded<Dispatch>> {
        self.recorded.loaded()
    }

    /// The rules that froze the non-linear units: first those given, then the network's own.
    ///
    /// ```
    #[doc = include_str!("interpreter/prelude.md")]
    /// let loaded = Interpreter::load(network, &device, FloatDType::F32)?;
    /// let frozen = Interpreter::freeze(loaded, x0, "Relu=secant".parse()?)?;
    /// assert_eq!(frozen.rules().entries().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn rules(&self) -> &RuleSet {
        self.recorded.rules()
    }

    /// Entries of the rule set that fitted nothing in the network, perhaps because of a misspelt
    /// name.
    ///
    /// ```
    #[doc = include_str!("interpreter/prelude.md")]
    /// let loaded = Interpreter::load(network, &device, FloatDType::F32)?;
    /// let frozen = Interpreter::freeze(loaded, x0, "gelu=taylor".parse()?)?;
    /// assert_eq!(frozen.unused_rules().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn unused_rules(&self) -> &[String] {
        self.recorded.unused_rules()
    }

    /// How many decisions rounding may have changed; `None` in training, where they are not counted.
    ///
    /// ```
    #[doc = include_str!("interpreter/frozen.md")]
    /// let at_risk = frozen.decisions_at_risk()?.expect("counted");
    /// // A ReLU of two channels, each 4 × 4.
    /// assert_eq!(at_risk.units, 32);
    /// # Ok(())
    /// # }
    /// ```
    pub fn decisions_at_risk(&self) -> Result<Option<&DecisionsAtRisk>> {
        self.recorded.decisions_at_risk()
    }

    /// The engine underneath, on Burn's primitives: the program, discussions, deconvolutions.
    ///
    /// ```
    #[doc = include_str!("interpreter/frozen.md")]
    /// let program = frozen.recorded().program();
    /// assert_eq!(program.account().decisions, 32);
    /// assert!(program.place_names().any(|name| name == "conv"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn recorded(&self) -> &Recorded<Dispatch> {
        &self.recorded
    }

    fn fitting<const D: usize>(&self, what: &str, x: Tensor<D>) -> Result<DispatchTensor> {
        fitting(what, x, self.loaded())
    }

    fn ends(
        &self,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<(Option<NodeId>, Option<NodeId>)> {
        let find = |name: Option<&str>| name.map(|name| self.recorded.node(name)).transpose();
        Ok((find(from)?, find(to)?))
    }

    /// On an autodiff device: whether gradients pass through the adjoints between two places.
    fn check_gradient(&self, from: Option<NodeId>, to: Option<NodeId>) -> Result<()> {
        if !Dispatch::ad_enabled(self.loaded().device()) {
            return Ok(());
        }
        let program = self.recorded.program();
        for (id, node) in program.ids().zip(program.nodes()) {
            let Operation::Map { map, .. } = &node.operation else {
                continue;
            };
            if let Some(from) = from
                && !program.depends(id, from)?
            {
                continue;
            }
            if let Some(to) = to
                && !program.depends(to, id)?
            {
                continue;
            }
            match map.structure().adjoint_has_gradient() {
                Some(true) => {}
                Some(false) => {
                    return Err(Error::NoGradient {
                        place: Place {
                            node: node.name.to_string(),
                            op: map.name().into(),
                        },
                        because: "Burn does not differentiate its backward op, so a loss on rows does not \
                                  reach the weights through it; use columns, or bind module.valid() to get \
                                  only the numbers"
                            .into(),
                    });
                }
                None => return Err(node.unknown("a gradient through rows")),
            }
        }
        Ok(())
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

/// The one result of a network of one input and one output.
fn only(found: Vec<DispatchTensor>) -> DispatchTensor {
    found.into_iter().next().expect("one port")
}

/// One input and one output, or an error that says where to turn with several.
pub(crate) fn check_ports(network: &Network) -> Result<()> {
    for (what, ports) in [("inputs", network.inputs()), ("outputs", network.outputs())] {
        if ports.len() != 1 {
            return Err(Error::Shape {
                what: format!("the network's list of {what}"),
                got: vec![ports.len()],
                expected: vec![1],
                hint: "; use linearscope::Recorded for networks with several".into(),
            });
        }
    }
    Ok(())
}

/// A tensor that may enter the network: on its device, in its dtype, and no part of a tape that the
/// network is not on.
pub(crate) fn fitting<const D: usize>(
    what: &str,
    x: Tensor<D>,
    loaded: &Loaded<Dispatch>,
) -> Result<DispatchTensor> {
    let (x, device) = (x.into_dispatch(), loaded.device());
    let own = x.device();
    let taped = Dispatch::ad_enabled(&own) && !Dispatch::ad_enabled(device);
    if x.dtype() == loaded.dtype() && own == *device && !taped {
        return Ok(beside(x, device));
    }
    Err(Error::Data(format!(
        "{what} is {:?} on {own:?}, but the network is {:?} on {device:?}",
        x.dtype(),
        loaded.dtype(),
    )))
}

/// A constant as an op with tensors of `device` takes it: on an autodiff device with its context,
/// still without a gradient.
pub(crate) fn beside(x: DispatchTensor, device: &DispatchDevice) -> DispatchTensor {
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

/// A Burn tensor of rank D, or an error that gives both ranks.
pub(crate) fn ranked<const D: usize>(what: &str, x: DispatchTensor) -> Result<Tensor<D>> {
    let shape = x.shape();
    if shape.num_dims() == D {
        return Ok(Tensor::from_dispatch(x));
    }
    Err(Error::Shape {
        what: format!("{what} requested as a tensor of rank {D}"),
        got: shape.to_vec(),
        expected: vec![],
        hint: format!("; ask for rank {}", shape.num_dims()),
    })
}
