//! Capture of any Burn module whose forward pass is a fixed graph.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{Bool, Device, Int, Tensor, TensorData},
};
use burn_capture::CaptureBackend;
use burn_ir::{OperationIr, TensorId};

use super::{Network, operation_name};
use crate::error::{Error, Result, panic_message};

/// The inputs and outputs of a forward pass that is being captured.
#[derive(Debug)]
pub struct Ports {
    device: Device,
    inputs: Vec<(String, TensorId)>,
    outputs: Vec<(String, TensorId)>,
    failed: Option<Error>,
}

impl Ports {
    /// Declare an input of the network: a placeholder of this shape, batch axis included.
    pub fn input<const D: usize>(&mut self, name: &str, shape: [usize; D]) -> Tensor<D> {
        // What is absurd is refused, and a single number takes its place for the rest of the run.
        let shape = match super::check_input(name, &shape) {
            Ok(()) => shape,
            Err(error) => {
                self.failed.get_or_insert(error);
                [1; D]
            }
        };
        let zeros = TensorData::zeros::<f32, _>(shape);
        let tensor = Tensor::from_data(zeros, &self.device);
        if let Some(id) = self.id(name, &tensor) {
            self.inputs.push((name.into(), id));
        }
        tensor
    }

    /// Declare an output of the network.
    pub fn output<const D: usize>(&mut self, name: &str, tensor: Tensor<D>) {
        if let Some(id) = self.id(name, &tensor) {
            self.outputs.push((name.into(), id));
        }
    }

    fn id<const D: usize>(&mut self, name: &str, tensor: &Tensor<D>) -> Option<TensorId> {
        match tensor.clone().try_into_primitive::<CaptureBackend>() {
            Ok(primitive) => Some(primitive.id()),
            Err(error) => {
                self.failed.get_or_insert(Error::Capture(format!(
                    "\"{name}\" is not on the capture device ({error:?}); build every tensor of the forward \
                     pass from the inputs or the module, or on an input's device"
                )));
                None
            }
        }
    }
}

/// The modules' own names of the parameters.
#[derive(Default)]
pub(crate) struct ParameterNames {
    path: Vec<String>,
    /// Dot-separated paths of the captured tensors.
    pub(crate) names: HashMap<TensorId, String>,
    /// Paths of the module's dropouts: they leave no op behind.
    pub(crate) dropouts: Vec<String>,
}

impl ParameterNames {
    fn record(&mut self, id: Option<TensorId>) {
        if let Some(id) = id {
            self.names.insert(id, self.path.join("."));
        }
    }
}

impl ModuleVisitor for ParameterNames {
    fn enter_module(&mut self, name: &str, container: &str) {
        // The container is the module that has the field `name`, not what the field holds.
        if container == "Struct:Dropout" {
            let path = self.path.join(".");
            if self.dropouts.last() != Some(&path) {
                self.dropouts.push(path);
            }
        }
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val().try_into_primitive::<CaptureBackend>();
        self.record(tensor.ok().map(|tensor| tensor.id()));
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        let tensor = param.val().try_into_primitive::<CaptureBackend>();
        self.record(tensor.ok().map(|tensor| tensor.id()));
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        let tensor = param.val().try_into_primitive::<CaptureBackend>();
        self.record(tensor.ok().map(|tensor| tensor.id()));
    }
}

/// The name of each tensor's maker: the module whose parameter the op reads ("features.0" for
/// "features.0.weight"), else the op's kind and number.
fn makers(
    operations: &[OperationIr],
    parameters: &HashMap<TensorId, String>,
) -> HashMap<TensorId, String> {
    let mut names = HashMap::new();
    for (number, operation) in operations.iter().enumerate() {
        let parameter = operation
            .inputs()
            .find_map(|input| parameters.get(&input.id));
        let name = match parameter.and_then(|path| path.rsplit_once('.')) {
            Some((module, _)) => module.to_string(),
            None => match parameter {
                Some(path) => path.clone(),
                None => format!("{}_{number}", operation_name(operation)),
            },
        };
        for output in operation.outputs() {
            names.insert(output.id, name.clone());
        }
    }
    names
}

impl Network {
    /// Capture a module's forward pass. It is run once on Burn's capture device, which records
    /// operations and executes none.
    ///
    /// `forward` takes its inputs from the [`Ports`] and gives its outputs to them. It must be a
    /// fixed graph: it must not read data back, use randomness, or branch on values. Batch norm is
    /// recorded in inference form (running statistics) and dropout vanishes, because the capture
    /// device is not an autodiff device. Weights keep their current values. The module itself is not
    /// changed, and may be on an autodiff device.
    ///
    /// ```no_run
    /// # use burn::{nn::{Linear, LinearConfig}, tensor::Device};
    /// # use linearscope::Network;
    /// let layer = LinearConfig::new(4, 2).init(&Device::flex());
    /// let network = Network::capture(&layer, |layer, ports| {
    ///     let x = ports.input("x", [1, 4]);
    ///     ports.output("y", layer.forward(x));
    /// });
    /// ```
    ///
    /// # Errors
    /// [`Error::Capture`] for a forward pass that cannot be captured; the error names the call.
    pub fn capture<M: Module>(module: &M, forward: impl FnOnce(&M, &mut Ports)) -> Result<Self> {
        // A clone would share its batch norms' running state with the user's module, and moving it
        // to the capture device would take it from there. `valid` copies it.
        Ok(Self::capture_named(module.valid(), forward)?.0)
    }

    /// Capture a module that shares nothing with the user's, and the names of its parameters.
    ///
    /// # Errors
    /// As [`capture`](Self::capture).
    pub(crate) fn capture_named<M: Module>(
        module: M,
        forward: impl FnOnce(&M, &mut Ports),
    ) -> Result<(Self, ParameterNames)> {
        let device = Device::capture();
        let mut ports = Ports {
            device: device.clone(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            failed: None,
        };
        let mut parameters = ParameterNames::default();
        let captured = catch_unwind(AssertUnwindSafe(|| {
            device.capture_scope(|scope| {
                let module = module.to_device(&device);
                module.visit(&mut parameters);
                forward(&module, &mut ports);
                let ids = |ports: &[(String, TensorId)]| -> Vec<TensorId> {
                    ports.iter().map(|(_, id)| *id).collect()
                };
                scope.complete(ids(&ports.inputs), ids(&ports.outputs))
            })
        }))
        .map_err(|panic| {
            Error::Capture(format!(
                "the forward stopped with: {}",
                panic_message(panic.as_ref())
            ))
        });
        // What went wrong first is the reason of what came after.
        if let Some(error) = ports.failed {
            return Err(error);
        }
        let captured = captured?;
        let captured = captured.map_err(|error| Error::Capture(error.to_string()))?;
        let names = |ports: &[(String, TensorId)]| -> Vec<String> {
            ports.iter().map(|(name, _)| name.clone()).collect()
        };
        let (inputs, outputs) = (names(&ports.inputs), names(&ports.outputs));
        if outputs.is_empty() {
            return Err(Error::Capture(
                "the forward pass gave no output; call ports.output(name, tensor)".into(),
            ));
        }
        let makers = makers(&captured.graph.operations, &parameters.names);
        let network = Self::new(captured, &inputs, &outputs, |id| makers.get(&id).cloned())?;
        Ok((network, parameters))
    }
}
