//! Whose kernels compute the convolutions of the reference.

use std::{fmt, str::FromStr};

use burn_backend::Backend;
use burn_ir::{HandleKind, ModuleOperationIr, OperationIr, TensorId, TensorIr};

use super::{Loaded, Planned, Replayed};
use crate::{
    error::{Error, Result},
    interrupt::Interrupt,
    linear::{self, Shared},
    rules::weighted::{self, Own},
    run::ScopeTensor,
};

/// Whose kernels compute the convolutions, in a plain forward pass and in the reference of a frozen
/// network.
///
/// With either choice, y₀ equals what [`Loaded::forward`] gives with the same kernels, bit for bit. Between the two
/// choices, outputs differ by rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kernels {
    /// The backend's: what Burn itself computes.
    #[default]
    Burn,
    /// This library's own, which also replay programs. They compute convolutions and transposed convolutions over one
    /// and two axes whose weights are stored in the network. The weights are packed once for all forward passes, and
    /// programs share them. All other ops still use the backend's kernels.
    Own,
}

impl Kernels {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Burn, Self::Own];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Burn => "burn",
            Self::Own => "own",
        }
    }
}

impl fmt::Display for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kernels {
    type Err = String;

    fn from_str(word: &str) -> std::result::Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kernels| kernels.name() == word);
        found.ok_or_else(|| format!("unknown kernels \"{word}\"; use burn or own"))
    }
}

/// The weight of a convolution that the host's kernel can compute.
fn weight(operation: &OperationIr) -> Option<&TensorIr> {
    let OperationIr::Module(operation) = operation else {
        return None;
    };
    match operation {
        ModuleOperationIr::Conv1d(op) => Some(&op.weight),
        ModuleOperationIr::Conv2d(op) => Some(&op.weight),
        ModuleOperationIr::ConvTranspose1d(op) => Some(&op.weight),
        ModuleOperationIr::ConvTranspose2d(op) => Some(&op.weight),
        _ => None,
    }
}

impl<B: Backend> Loaded<B> {
    /// The same network with these kernels for its forward passes. Cost: negligible at first; the weights of each
    /// convolution are packed, into a copy, when they are first used.
    ///
    /// A paired run whose adjoint runs on Burn's tape must take the tape's decisions, which Burn's kernels make.
    /// [`Frozen::within`](crate::Frozen::within) then falls back to those by itself;
    /// [`Paired::new`](crate::Paired::new) uses the kernels it is given.
    ///
    /// # Errors
    /// [`Error::Replay`] for [`Kernels::Own`] on a device whose memory is not this process's, or on a tape.
    pub fn with_kernels(&self, kernels: Kernels) -> Result<Self> {
        if kernels == Kernels::Own && !linear::on_host::<B>(&self.device) {
            return Err(Error::Replay {
                place: crate::error::Place::default(),
                because: format!(
                    "LinearScope's own kernels run on the CPU, but this network is on {}; use the kernels burn",
                    B::name(&self.device)
                ),
            });
        }
        let plan = self.plan.iter().cloned().map(|mut step| {
            step.packed = match kernels {
                Kernels::Burn => None,
                Kernels::Own => weight(&step.operation)
                    .filter(|weight| self.weights.contains_key(&weight.id))
                    .map(|_| Shared::default()),
            };
            step
        });
        Ok(Self {
            kernels,
            plan: plan.collect(),
            ..self.with_interrupt(self.interrupt.clone())
        })
    }

    /// Whose kernels compute its forward passes.
    pub fn kernels(&self) -> Kernels {
        self.kernels
    }
}

impl Planned {
    /// Forget what was packed of weights that are replaced.
    pub(super) fn repacked(mut self, replaced: impl Fn(&TensorId) -> bool) -> Self {
        let is_replaced = weight(&self.operation).is_some_and(|weight| replaced(&weight.id));
        if self.packed.is_some() && is_replaced {
            self.packed = Some(Shared::default());
        }
        self
    }
}

/// Run a convolution, of those that have a [`weight`], by the kernel of our own, which keeps its packed weights in `packed`.
pub(super) fn execute_own<B: Backend>(
    interpreter: &mut Replayed<B>,
    operation: &OperationIr,
    packed: &Shared,
    interrupt: &Interrupt,
) {
    let own = Some(Own { packed, interrupt });
    let mut float = |tensor: &TensorIr| -> ScopeTensor<B> {
        match interpreter.get_tensor(tensor) {
            HandleKind::Float(tensor) => tensor,
            _ => panic!("a convolution reads float tensors"),
        }
    };
    macro_rules! by {
        ($op:ident, $run:path) => {{
            let (x, weight) = (float(&$op.x), float(&$op.weight));
            let bias = $op.bias.as_ref().map(&mut float);
            let made = $run(x, weight, bias, $op.options.clone().into(), own);
            (&$op.out, made)
        }};
    }
    use ModuleOperationIr::{Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d};
    let (out, made) = match operation {
        OperationIr::Module(Conv1d(op)) => by!(op, weighted::conv1d),
        OperationIr::Module(Conv2d(op)) => by!(op, weighted::conv2d),
        OperationIr::Module(ConvTranspose1d(op)) => by!(op, weighted::conv_transpose1d),
        OperationIr::Module(ConvTranspose2d(op)) => by!(op, weighted::conv_transpose2d),
        _ => unreachable!("only a convolution with a weight has packed ones"),
    };
    interpreter.register_tensor_to_device(out.id, HandleKind::Float(made));
}

#[cfg(test)]
mod tests {
    use burn::{
        nn::{
            PaddingConfig2d,
            conv::{Conv2d, Conv2dConfig},
        },
        tensor::{Device, activation},
    };
    use burn_backend::{DType, TensorData, ops::FloatTensorOps};
    use burn_dispatch::Dispatch;
    use burn_flex::{Flex, FlexDevice, FlexTensor};
    use std::sync::Arc;

    use super::*;
    use crate::{Frozen, LinearScope, Network, RuleSet, host, noise};

    const SHAPE: [usize; 4] = [1, 2, 9, 7];

    /// Two convolutions and a ReLU between them.
    fn network() -> Arc<Network> {
        let device = Device::flex();
        let padding = PaddingConfig2d::Explicit(1, 1, 1, 1);
        let layer = |from, to| {
            let config = Conv2dConfig::new([from, to], [3, 3]).with_padding(padding.clone());
            config.init(&device)
        };
        let layers: (Conv2d, Conv2d) = (layer(2, 11), layer(11, 3));
        let network = Network::capture(&layers, |(first, second), ports| {
            let x = ports.input("x", SHAPE);
            ports.output("y", second.forward(activation::relu(first.forward(x))));
        });
        Arc::new(network.expect("captured"))
    }

    fn x0() -> FlexTensor {
        let data = TensorData::new(noise(SHAPE.iter().product(), 3), SHAPE);
        Flex::float_from_data(data.convert_dtype(DType::F64), &FlexDevice)
    }

    fn own(network: &Arc<Network>) -> Loaded<Flex> {
        let loaded = Loaded::new(network.clone(), FlexDevice, DType::F64).expect("loads");
        loaded.with_kernels(Kernels::Own).expect("on the host")
    }

    fn forward(loaded: &Loaded<Flex>) -> Vec<f64> {
        let y = loaded.forward(vec![x0()]).expect("runs");
        host::<Flex>(y.into_iter().next().expect("one")).expect("reads")
    }

    fn assert_close(found: &[f64], expected: &[f64]) {
        let largest = expected.iter().fold(0.0f64, |most, y| most.max(y.abs()));
        for (y, expected) in found.iter().zip(expected) {
            assert!(
                (y - expected).abs() <= 1e-13 * largest,
                "{y} and {expected}"
            );
        }
    }

    /// What was packed of the weights before is not what the new ones are convolved with.
    #[test]
    fn replaced_weights_are_packed_anew() {
        let network = network();
        let loaded = own(&network);
        let before = forward(&loaded);
        let doubled = loaded.weights.iter().map(|(id, handle)| {
            let HandleKind::Float(weight) = handle.clone() else {
                panic!("weights are floats");
            };
            let twice = LinearScope::<Flex>::float_mul_scalar(weight, 2.0.into());
            (*id, HandleKind::Float(twice))
        });
        let doubled = loaded.with_weights(doubled.collect::<Vec<_>>());
        assert_eq!(doubled.kernels(), Kernels::Own);
        let burn = doubled.with_kernels(Kernels::Burn).expect("always there");
        assert_close(&forward(&doubled), &forward(&burn));
        assert_eq!(forward(&loaded), before);
    }

    /// Decisions that do not fit are made by the tape's kernels, those that fit by the network's.
    #[test]
    fn paired_runs_go_back_to_burns_kernels() {
        let network = network();
        let within = |budget| {
            let frozen = Frozen::within(
                Arc::new(own(&network)),
                vec![x0()],
                RuleSet::default(),
                budget,
            );
            frozen.expect("freezes")
        };
        let recorded = within(usize::MAX);
        assert!(recorded.recorded().is_some());
        assert_eq!(recorded.loaded().kernels(), Kernels::Own);
        let paired = within(1);
        assert!(paired.recorded().is_none());
        assert_eq!(paired.loaded().kernels(), Kernels::Burn);
        let burn = Loaded::new(network.clone(), FlexDevice, DType::F64).expect("loads");
        let y0 = host::<Flex>(paired.reference()[0].clone()).expect("reads");
        assert_eq!(y0, forward(&burn));
    }

    #[test]
    fn a_stop_is_answered_and_a_tape_refused() {
        let network = network();
        let interrupt = Interrupt::new();
        let loaded = own(&network).with_interrupt(interrupt.clone());
        assert_eq!(loaded.kernels(), Kernels::Own);
        forward(&loaded);
        interrupt.stop();
        assert_eq!(loaded.forward(vec![x0()]).unwrap_err(), Error::Interrupted);

        let tape = Device::flex().autodiff().as_dispatch().clone();
        let loaded = Loaded::<Dispatch>::new(network, tape, DType::F32).expect("loads");
        let refused = loaded.with_kernels(Kernels::Own).unwrap_err().to_string();
        assert!(refused.contains("use the kernels burn"), "{refused}");
    }
}
