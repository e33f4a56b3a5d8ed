//! A backend for questions of structure: it makes no numbers that depend on the input.
//!
//! What a network is to the interpreter (which ops are linear, which rules freeze the others, how the maps are
//! shaped and what they store) does not hang on the numbers that flow through it. So an op that reads something
//! of the input and makes floats is not computed at all: its result has a shape and is *unknown*. Weights and
//! what is made of them are known and computed. What turns floats into choices (a comparison, the winners of a
//! pool) is computed, too, since a choice is stored: an unknown operand is noise then.
//!
//! It is a Burn router, the layer under its remote devices: ops arrive as Burn's IR, and those that are computed
//! go to Burn's CPU backend.

use std::{
    collections::{HashMap, HashSet},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
};

use burn_backend::{
    Backend, DType, DTypeUsageSet, DeviceId, DeviceOps, DeviceSettings, ExecutionError, Shape,
    TensorData, backend::Device, ops::FloatTensorOps,
};
use burn_flex::{Flex, FlexDevice, FlexTensor};
use burn_ir::{
    BackendIr, GraphBindings, GraphId, HandleKind, NumericOperationIr, OperationIr, TensorId,
    TensorIr, TensorStatus,
};
use burn_router::{
    BackendRouter, Graph, MultiBackendBridge, RouterChannel, RouterClient,
    RouterClientRegistration, RouterTensor, TensorInterpreter, register_scoped_client,
};

use crate::{driver::register_op, random::SplitMix64};

/// The backend.
pub(super) type Sketch = BackendRouter<SketchChannel>;

/// Where one network is sketched. What was made there goes with it.
pub(super) struct Scope {
    client: SketchClient,
    /// As long as it is there, the backend finds the client by its device.
    _registered: RouterClientRegistration<SketchChannel>,
}

impl Scope {
    /// `None` while 65,536 others are open.
    pub(super) fn open() -> Option<Self> {
        static OPENED: AtomicU16 = AtomicU16::new(0);
        let device = SketchDevice(OPENED.fetch_add(1, Ordering::Relaxed));
        let client = SketchClient::new(device);
        Some(Self {
            _registered: register_scoped_client::<SketchChannel>(&device, client.clone())?,
            client,
        })
    }

    pub(super) fn device(&self) -> SketchDevice {
        self.client.device
    }

    /// From here on no float is computed: not even what is made of weights alone, which takes a pass over them.
    pub(super) fn stop_computing(&self) {
        self.client.state().computes = false;
    }

    /// An input.
    pub(super) fn unknown(&self, shape: Shape, dtype: DType) -> RouterTensor<SketchClient> {
        let mut state = self.client.state();
        let id = state.next_id();
        state.unknown.insert(id);
        drop(state);
        RouterTensor::new(id, shape, dtype, self.client.clone())
    }
}

/// The device of a [`Scope`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SketchDevice(u16);

impl Device for SketchDevice {
    fn from_id(id: DeviceId) -> Self {
        Self(id.index_id)
    }

    fn to_id(&self) -> DeviceId {
        DeviceId::new(0, self.0)
    }
}

impl DeviceOps for SketchDevice {
    fn defaults(&self) -> DeviceSettings {
        FlexDevice.defaults()
    }
}

/// The way from the router to the client.
#[derive(Clone)]
pub(super) struct SketchChannel;

impl RouterChannel for SketchChannel {
    type Device = SketchDevice;
    type Bridge = SketchBridge;
    type Client = SketchClient;

    fn name(_device: &SketchDevice) -> String {
        "sketch".into()
    }

    fn init_client(device: &SketchDevice) -> SketchClient {
        SketchClient::new(*device)
    }

    fn get_tensor_handle(tensor: &TensorIr, client: &SketchClient) -> FlexHandle {
        let mut state = client.state();
        state.known(tensor, |interpreter, tensor| {
            interpreter.get_tensor_handle(tensor)
        })
    }

    fn register_tensor(
        client: &SketchClient,
        handle: FlexHandle,
        shape: Shape,
        dtype: DType,
    ) -> RouterTensor<SketchClient> {
        let mut state = client.state();
        let to = client.clone();
        state.interpreter.register_tensor(handle, shape, dtype, to)
    }
}

/// What reading a tensor promises.
type Reading = Pin<Box<dyn Future<Output = Result<TensorData, ExecutionError>> + Send>>;

type FlexHandle = <Flex as BackendIr>::Handle;

/// All scopes compute in one memory: nothing is carried over.
pub(super) struct SketchBridge;

impl MultiBackendBridge for SketchBridge {
    type TensorHandle = FlexHandle;
    type Device = SketchDevice;

    fn change_backend_float(tensor: FlexHandle, _: Shape, _: &SketchDevice) -> FlexHandle {
        tensor
    }

    fn change_backend_int(tensor: FlexHandle, _: Shape, _: &SketchDevice) -> FlexHandle {
        tensor
    }

    fn change_backend_bool(tensor: FlexHandle, _: Shape, _: &SketchDevice) -> FlexHandle {
        tensor
    }
}

/// Takes ops and keeps what they make.
#[derive(Clone)]
pub(super) struct SketchClient {
    device: SketchDevice,
    state: Arc<Mutex<State>>,
}

struct State {
    /// What is known.
    interpreter: TensorInterpreter<Flex>,
    /// What is not.
    unknown: HashSet<TensorId>,
    /// What stands for the unknown, by shape.
    noise: HashMap<(Shape, DType), FlexTensor>,
    graphs: HashMap<GraphId, Graph>,
    /// Whether floats that are made of what is known are computed.
    computes: bool,
    next: u64,
}

impl State {
    /// Whether the result of an op stays unknown: it makes floats, and floats only, of what is not known. Signs are
    /// choices.
    fn makes_unknown(&self, operation: &OperationIr) -> bool {
        let sign = matches!(
            operation,
            OperationIr::NumericFloat(_, NumericOperationIr::Sign(_))
        );
        let unknown = |read: &TensorIr| self.unknown.contains(&read.id);
        let is_known = self.computes && !operation.inputs().any(unknown);
        !is_known && !sign && operation.outputs().all(|made| made.dtype.is_float())
    }

    fn next_id(&mut self) -> TensorId {
        self.next += 1;
        TensorId::new(self.next)
    }

    /// Noise in [−1, 1), the same for every tensor of a shape.
    fn noise(&mut self, tensor: &TensorIr) -> FlexTensor {
        let key = (tensor.shape.clone(), tensor.dtype);
        let made = self.noise.entry(key).or_insert_with(|| {
            let mut numbers = SplitMix64::new(1);
            let len = tensor.shape.num_elements();
            let values: Vec<f32> = (0..len).map(|_| numbers.next_uniform() as f32).collect();
            let data = TensorData::new(values, tensor.shape.clone());
            Flex::float_from_data(data.convert_dtype(tensor.dtype), &FlexDevice)
        });
        made.clone()
    }

    /// `read` of a tensor; what is unknown is noise meanwhile, and unknown again unless it was read for the last
    /// time.
    fn known<T>(
        &mut self,
        tensor: &TensorIr,
        read: impl FnOnce(&mut TensorInterpreter<Flex>, &TensorIr) -> T,
    ) -> T {
        self.with_known(std::slice::from_ref(tensor), |interpreter| {
            read(interpreter, tensor)
        })
    }

    fn with_known<T>(
        &mut self,
        tensors: &[TensorIr],
        work: impl FnOnce(&mut TensorInterpreter<Flex>) -> T,
    ) -> T {
        let mut lent = HashSet::new();
        for tensor in tensors {
            if self.unknown.contains(&tensor.id) && lent.insert(tensor.id) {
                let noise = HandleKind::Float(self.noise(tensor));
                self.interpreter.register_tensor_to_device(tensor.id, noise);
            }
        }
        let done = work(&mut self.interpreter);
        for tensor in tensors {
            if tensor.status == TensorStatus::ReadWrite {
                self.unknown.remove(&tensor.id);
            } else if lent.contains(&tensor.id) {
                self.interpreter
                    .register_op(OperationIr::Drop(tensor.clone()));
            }
        }
        done
    }

    fn forget(&mut self, tensor: &TensorIr) {
        if !self.unknown.remove(&tensor.id) {
            self.interpreter
                .register_op(OperationIr::Drop(tensor.clone()));
        }
    }

    fn register_op(&mut self, operation: OperationIr) {
        if let OperationIr::Drop(tensor) = &operation {
            return self.forget(tensor);
        }
        let read: Vec<TensorIr> = operation.inputs().cloned().collect();
        if self.makes_unknown(&operation) {
            let last = |tensor: &&TensorIr| tensor.status == TensorStatus::ReadWrite;
            read.iter().filter(last).for_each(|t| self.forget(t));
            self.unknown.extend(operation.outputs().map(|made| made.id));
            return;
        }
        self.with_known(&read, |interpreter| register_op(interpreter, operation));
    }
}

impl SketchClient {
    fn new(device: SketchDevice) -> Self {
        let state = State {
            interpreter: TensorInterpreter::new(FlexDevice),
            unknown: HashSet::new(),
            noise: HashMap::new(),
            graphs: HashMap::new(),
            computes: true,
            next: 0,
        };
        Self {
            device,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// An op that panics ends its run; what other tensors it leaves are only dropped.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RouterClient for SketchClient {
    type Device = SketchDevice;

    fn register_op(&self, operation: OperationIr) {
        self.state().register_op(operation);
    }

    fn read_tensor_async(&self, tensor: TensorIr) -> Reading {
        let mut state = self.state();
        state.known(&tensor, |interpreter, tensor| {
            interpreter.read_tensor_async(tensor.clone())
        })
    }

    fn sync(&self) -> Result<(), ExecutionError> {
        Ok(())
    }

    fn flush(&self) {}

    fn create_empty_handle(&self) -> TensorId {
        self.state().next_id()
    }

    fn register_tensor_data(&self, data: TensorData) -> RouterTensor<Self> {
        let (shape, dtype) = (data.shape().clone(), data.dtype());
        let mut state = self.state();
        let id = state.next_id();
        state.interpreter.register_tensor_data_id(id, data);
        drop(state);
        RouterTensor::new(id, shape, dtype, self.clone())
    }

    fn device(&self) -> SketchDevice {
        self.device
    }

    fn seed(&self, seed: u64) {
        Flex::seed(&FlexDevice, seed);
    }

    fn dtype_usage(&self, dtype: DType) -> DTypeUsageSet {
        Flex::dtype_usage(&FlexDevice, dtype)
    }

    fn register_and_execute_graph(
        &self,
        id: GraphId,
        relative: Vec<OperationIr>,
        bindings: GraphBindings,
    ) {
        self.state().graphs.insert(id, Graph::new(relative));
        self.execute_graph(id, bindings);
    }

    fn execute_graph(&self, id: GraphId, bindings: GraphBindings) {
        let mut state = self.state();
        if let Some(graph) = state.graphs.get(&id).cloned() {
            let bound = graph.bind(bindings).operations;
            bound.into_iter().for_each(|op| state.register_op(op));
        }
    }

    fn register_alias(&self, new: TensorId, of: TensorId) {
        let mut state = self.state();
        match state.unknown.contains(&of) {
            true => {
                state.unknown.insert(new);
            }
            false => state.interpreter.register_alias(new, of),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn_backend::{BoolDType, FloatDType, Scalar, TensorMetadata, ops::BoolTensorOps};

    use super::*;

    fn numbers(x: RouterTensor<SketchClient>) -> Vec<f64> {
        crate::host::<Sketch>(x).expect("reads")
    }

    #[test]
    fn what_reads_an_input_is_not_computed_and_choices_are() {
        let scope = Scope::open().expect("few are open");
        let given = |values: &[f32]| {
            let data = TensorData::new(values.to_vec(), [2, 2]);
            Sketch::float_from_data(data, &scope.device())
        };
        let is_unknown = |id: TensorId| scope.client.state().unknown.contains(&id);
        let w = given(&[1.0, 2.0, 3.0, 4.0]);
        let known = Sketch::float_matmul(w.clone(), w.clone());
        assert!(!is_unknown(known.id()));
        assert_eq!(numbers(known), [7.0, 10.0, 15.0, 22.0]);

        let x = scope.unknown(Shape::from(vec![2, 2]), DType::F32);
        let y = Sketch::float_matmul(x, w);
        assert_eq!((y.shape().to_vec(), is_unknown(y.id())), (vec![2, 2], true));
        let above = Sketch::float_greater_elem(y.clone(), Scalar::Float(0.0), BoolDType::Native);
        let mask = Sketch::bool_into_float(above, FloatDType::F32);
        assert!(!is_unknown(mask.id()));
        let noise = numbers(y.clone());
        let expected: Vec<f64> = noise
            .iter()
            .map(|v| f64::from(u8::from(*v > 0.0)))
            .collect();
        assert_eq!(numbers(mask), expected);
        // It was noise for that op only, and goes when it is dropped.
        let id = y.id();
        assert!(is_unknown(id));
        drop(y);
        assert!(!is_unknown(id));
        let sign = scope.unknown(Shape::from(vec![2, 2]), DType::F32);
        let sign = numbers(Sketch::float_sign(sign));
        assert!(sign.iter().all(|sign| sign.abs() == 1.0), "{sign:?}");
        // In the end nothing is.
        scope.stop_computing();
        let made = Sketch::float_neg(given(&[1.0; 4]));
        assert!(is_unknown(made.id()));
    }

    /// Scopes know nothing of each other.
    #[test]
    fn scopes_have_devices_of_their_own() {
        let (one, other) = (Scope::open().expect("open"), Scope::open().expect("open"));
        assert_ne!(one.device(), other.device());
        let x = Sketch::float_zeros(vec![3].into(), &one.device(), DType::F32.into());
        let x = Sketch::float_to_device(x, &other.device());
        assert_eq!((x.device(), numbers(x)), (other.device(), vec![0.0; 3]));
    }
}
