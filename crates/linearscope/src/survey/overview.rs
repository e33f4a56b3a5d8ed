//! An overview: what a network is to the interpreter, and what its program would be, without running it.

use std::{collections::BTreeMap, sync::Arc};

use burn::tensor::Device;
use burn_backend::{Backend, DType, Shape, TensorData, ops::FloatTensorOps, tensor::FloatTensor};
use burn_dispatch::Dispatch;

use super::{
    Surveyed,
    sketch::{Scope, Sketch},
};
use crate::{
    Interrupt, Loaded, Network, Recorded, RuleSet,
    error::Result,
    linear::Region,
    noise,
    program::{Account, NodeId, Program},
};

/// What can be said of a network before there is an x₀.
#[derive(Clone, Debug, PartialEq)]
pub struct Overview {
    /// Every op that the outputs depend on, in the order they run.
    pub ops: Vec<Surveyed>,
    /// What is recorded of it; `None` where an op is refused.
    pub recording: Option<Recording>,
}

/// A program in numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// With its sources.
    pub program: Account,
    /// F alone, in fewer maps.
    pub homogeneous: Account,
    /// How much of the (first) input the middle of a node's output depends on, by node; see [`FieldSize`].
    pub fields: BTreeMap<Arc<str>, FieldSize>,
}

/// The size of the part of an input that the middle of a node's output depends on, of all channels together.
///
/// Nodes that have one have the input's rank, batch and channels first: pictures (rank 4), signals (3) and volumes
/// (5). It is the bounding box of what shapes and strides allow
/// ([`Program::receptive_fields`]), whatever the weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldSize {
    /// Cells along each axis after the channels.
    pub cells: Vec<usize>,
    /// Whether it reaches a border: then it may be larger in a larger input.
    pub clipped: bool,
}

impl FieldSize {
    fn of(field: &Region, input: &Shape) -> Self {
        let axes = field.0.iter().zip(input.iter()).skip(2);
        Self {
            cells: axes.clone().map(|(range, _)| range.len()).collect(),
            clipped: axes
                .into_iter()
                .any(|(range, &size)| range.start == 0 || range.end == size),
        }
    }
}

impl<B: Backend> Program<B> {
    /// The size of the field of each named node that has one. Cost: as
    /// [`receptive_fields`](Self::receptive_fields).
    ///
    /// # Errors
    /// As [`receptive_fields`](Self::receptive_fields).
    pub fn field_sizes(&self) -> Result<BTreeMap<Arc<str>, FieldSize>> {
        let Some(&input) = self.inputs().first() else {
            return Ok(BTreeMap::new());
        };
        let from = self.shape(input)?;
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut middles: Vec<(NodeId, Region)> = Vec::new();
        for name in self.place_names() {
            let Some(at) = self.place(name) else { continue };
            let shape = self.shape(at)?;
            if shape.num_dims() == from.num_dims() && shape.num_dims() > 2 {
                names.push(name.into());
                middles.push((at, middle(shape)));
            }
        }
        let fields = self.receptive_fields(input, &middles)?;
        let found = names.into_iter().zip(fields);
        Ok(found
            .filter_map(|(name, field)| Some((name, FieldSize::of(&field?, from))))
            .collect())
    }
}

/// All channels of the middle of the first of a batch.
fn middle(shape: &Shape) -> Region {
    let axes = shape.iter().enumerate();
    let ranges = axes.map(|(axis, &size)| match axis {
        0 => 0..size.min(1),
        1 => 0..size,
        _ => size / 2..(size / 2 + 1).min(size),
    });
    Region(ranges.collect())
}

impl Overview {
    /// What a network is to the interpreter under these rules, and what its program would be.
    ///
    /// It is [`sketched`](Self::sketched) where that says everything, and else found [by
    /// running](Self::by_running) the network.
    ///
    /// # Errors
    /// As [`by_running`](Self::by_running).
    pub fn of(network: &Arc<Network>, rules: &RuleSet, interrupt: &Interrupt) -> Result<Self> {
        match Self::sketched(network, rules, interrupt) {
            Some(sketched) => Ok(sketched),
            None => Self::by_running(network, rules, interrupt),
        }
    }

    /// The overview without running the network: no number that depends on the input is computed, only what it
    /// takes to store choices. `None` where that does not get through or an op is refused, since a refusal may
    /// hang on numbers.
    ///
    /// Cost: the weights once more in memory, and a pass over the graph that makes and stores choices.
    pub fn sketched(
        network: &Arc<Network>,
        rules: &RuleSet,
        interrupt: &Interrupt,
    ) -> Option<Self> {
        let scope = Scope::open()?;
        let loaded = Loaded::<Sketch>::new(network.clone(), scope.device(), DType::F32).ok()?;
        let loaded = Arc::new(loaded.with_interrupt(interrupt.clone()));
        let inputs = network.inputs().iter();
        let x0 = inputs.map(|port| scope.unknown(port.shape.clone(), DType::F32));
        // What remains to be said of the program is said of shapes.
        let done = || scope.stop_computing();
        let found = look(&loaded, x0.collect(), rules, done).ok()?;
        found.recording.is_some().then_some(found)
    }

    /// The overview by running the network on the CPU, in f32, at noise in 0..1: any picture shows the structure.
    ///
    /// Cost: one forward pass and the rules' decisions.
    ///
    /// # Errors
    /// As [`Loaded::survey`]; [`Error::LostTrace`](crate::Error::LostTrace) when no op is refused and an output is no
    /// linear function of the input.
    pub fn by_running(
        network: &Arc<Network>,
        rules: &RuleSet,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        interrupt.check()?;
        let device = Device::flex().as_dispatch().clone();
        let loaded = Loaded::<Dispatch>::new(network.clone(), device, DType::F32)?;
        let loaded = Arc::new(loaded.with_interrupt(interrupt.clone()));
        let x0 = network.inputs().iter().map(|port| {
            let values = noise(port.shape.num_elements(), 1);
            let values: Vec<f64> = values.iter().map(|v| 0.5 + 0.5 * v).collect();
            let data = TensorData::new(values, port.shape.clone()).convert_dtype(DType::F32);
            Dispatch::float_from_data(data, loaded.device())
        });
        look(&loaded, x0.collect(), rules, || ())
    }
}

/// An overview by one run; `recorded` is told when it is over.
///
/// # Errors
/// As [`Overview::by_running`].
fn look<B: Backend>(
    loaded: &Arc<Loaded<B>>,
    x0: Vec<FloatTensor<B>>,
    rules: &RuleSet,
    recorded: impl FnOnce(),
) -> Result<Overview> {
    let (ops, program) = loaded.survey_recording(x0.clone(), rules.clone())?;
    if ops.iter().any(Surveyed::is_refused) {
        return Ok(Overview {
            ops,
            recording: None,
        });
    }
    let again;
    let program = match &program {
        Some(program) => program,
        None => {
            // It says why there is none.
            again = Recorded::unchecked(loaded.clone(), x0, rules.clone())?;
            again.program()
        }
    };
    recorded();
    Ok(Overview {
        ops,
        recording: Some(Recording {
            program: program.account(),
            homogeneous: program.homogeneous().account(),
            fields: program.field_sizes()?,
        }),
    })
}

#[cfg(test)]
mod tests {
    use burn::{
        nn::{
            PaddingConfig2d,
            conv::{Conv2d, Conv2dConfig},
        },
        tensor::{Tensor, activation::leaky_relu, module::max_pool2d, ops::MaxPoolOptions},
    };

    use super::*;

    fn convolution() -> Conv2d {
        Conv2dConfig::new([2, 2], [3, 3])
            .with_padding(PaddingConfig2d::Same)
            .init(&Device::flex())
    }

    fn network(forward: impl Fn(&Conv2d, Tensor<4>) -> Tensor<4>, side: usize) -> Arc<Network> {
        let network = Network::capture(&convolution(), |layer, ports| {
            let x = ports.input("x", [1, 2, side, side]);
            ports.output("y", forward(layer, x));
        });
        Arc::new(network.expect("captured"))
    }

    /// Two convolutions of 3 cells, a pool of 2 and a skip: 3 cells, twice 2, and 3 of twice 2.
    fn pooled(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
        let x = leaky_relu(layer.forward(x), 0.1);
        let x = max_pool2d(x, MaxPoolOptions::new([2, 2]));
        x.clone() + layer.forward(x)
    }

    #[test]
    fn a_sketch_says_what_a_run_says() {
        let network = network(pooled, 20);
        let (rules, interrupt) = (RuleSet::default(), Interrupt::new());
        let sketched = Overview::sketched(&network, &rules, &interrupt).expect("sketched");
        let run = Overview::by_running(&network, &rules, &interrupt).expect("runs");
        assert_eq!(sketched.ops, run.ops);
        let [sketched, run] = [sketched, run].map(|found| found.recording.expect("recorded"));
        assert_eq!(sketched.program, run.program);
        assert_eq!(sketched.fields, run.fields);
        let sizes: Vec<_> = sketched.fields.values().collect();
        let size = |cells: usize| FieldSize {
            cells: vec![cells; 2],
            clipped: false,
        };
        // A pixel after the pool is 2 with one around: 4. The convolution reads three of them: 8.
        for cells in [3, 4, 8] {
            assert!(sizes.contains(&&size(cells)), "{cells}: {sizes:?}");
        }
    }

    /// Whether a refusal holds, only numbers can say.
    #[test]
    fn what_is_refused_is_run() {
        let network = network(|layer, x| layer.forward(x).cumprod(3), 6);
        let (rules, interrupt) = (RuleSet::default(), Interrupt::new());
        assert!(Overview::sketched(&network, &rules, &interrupt).is_none());
        let found = Overview::of(&network, &rules, &interrupt).expect("looked at");
        assert!(found.recording.is_none());
        assert_eq!(found.ops.iter().filter(|op| op.is_refused()).count(), 1);
    }

    #[test]
    fn an_interrupt_stops_it() {
        let network = network(pooled, 20);
        let interrupt = Interrupt::new();
        interrupt.stop();
        let found = Overview::of(&network, &RuleSet::default(), &interrupt);
        assert_eq!(found.unwrap_err(), crate::Error::Interrupted);
    }
}
