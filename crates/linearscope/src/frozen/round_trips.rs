//! How often the host waits for a device: counted on one that is none, Burn's CPU backend behind a router, whose tensors
//! are not this process's memory to anybody who asks.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use burn::{
    module::Module,
    nn::{
        PaddingConfig2d,
        conv::{Conv2d, Conv2dConfig},
        pool::{MaxPool1dConfig, MaxPool2dConfig},
    },
    tensor::{Device as BurnDevice, Tensor, activation},
};
use burn_backend::{
    Backend, DType, DTypeUsageSet, DeviceId, DeviceOps, DeviceSettings, ExecutionError, Shape,
    TensorData, TensorMetadata, backend::Device, tensor::FloatTensor,
};
use burn_flex::{Flex, FlexDevice};
use burn_ir::{BackendIr, GraphBindings, GraphId, OperationIr, TensorId, TensorIr};
use burn_router::{
    BackendRouter, MultiBackendBridge, RouterChannel, RouterClient, RouterTensor,
    TensorInterpreter, register_scoped_client,
};

use super::{Frozen, Recorded};
use crate::{
    Error, Loaded, Network, RuleSet,
    conformance::{Allowed, Floor, OneToOne, all_hold, promises},
    host, noise,
};

/// Burn's CPU backend as a device.
type Far = BackendRouter<FarChannel>;

/// One for each test, so that they count apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct FarDevice(u16);

impl Device for FarDevice {
    fn from_id(id: DeviceId) -> Self {
        Self(id.index_id)
    }

    fn to_id(&self) -> DeviceId {
        DeviceId::new(0, self.0)
    }
}

impl DeviceOps for FarDevice {
    fn defaults(&self) -> DeviceSettings {
        FlexDevice.defaults()
    }
}

#[derive(Clone)]
struct FarChannel;

type Handle = <Flex as BackendIr>::Handle;

impl RouterChannel for FarChannel {
    type Device = FarDevice;
    type Bridge = FarBridge;
    type Client = FarClient;

    fn name(_device: &FarDevice) -> String {
        "far".into()
    }

    fn init_client(device: &FarDevice) -> FarClient {
        FarClient::new(*device)
    }

    fn get_tensor_handle(tensor: &TensorIr, client: &FarClient) -> Handle {
        client.interpreter().get_tensor_handle(tensor)
    }

    fn register_tensor(
        client: &FarClient,
        handle: Handle,
        shape: Shape,
        dtype: DType,
    ) -> RouterTensor<FarClient> {
        let to = client.clone();
        client
            .interpreter()
            .register_tensor(handle, shape, dtype, to)
    }
}

struct FarBridge;

impl MultiBackendBridge for FarBridge {
    type TensorHandle = Handle;
    type Device = FarDevice;

    fn change_backend_float(tensor: Handle, _: Shape, _: &FarDevice) -> Handle {
        tensor
    }

    fn change_backend_int(tensor: Handle, _: Shape, _: &FarDevice) -> Handle {
        tensor
    }

    fn change_backend_bool(tensor: Handle, _: Shape, _: &FarDevice) -> Handle {
        tensor
    }
}

/// Computes, and counts what makes the host wait.
#[derive(Clone)]
struct FarClient {
    device: FarDevice,
    interpreter: Arc<Mutex<TensorInterpreter<Flex>>>,
    next: Arc<AtomicUsize>,
    waits: Arc<AtomicUsize>,
}

impl FarClient {
    fn new(device: FarDevice) -> Self {
        Self {
            device,
            interpreter: Arc::new(Mutex::new(TensorInterpreter::new(FlexDevice))),
            next: Arc::default(),
            waits: Arc::default(),
        }
    }

    fn interpreter(&self) -> MutexGuard<'_, TensorInterpreter<Flex>> {
        self.interpreter
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn next_id(&self) -> TensorId {
        TensorId::new(1 + self.next.fetch_add(1, Ordering::SeqCst) as u64)
    }

    /// The waits since they were counted last.
    fn counted(&self) -> usize {
        self.waits.swap(0, Ordering::SeqCst)
    }
}

impl RouterClient for FarClient {
    type Device = FarDevice;

    fn register_op(&self, operation: OperationIr) {
        // As the server of a remote device does: an op that it has no arm for panics.
        self.interpreter().register_op(operation);
    }

    fn read_tensor_async(
        &self,
        tensor: TensorIr,
    ) -> Pin<Box<dyn Future<Output = Result<TensorData, ExecutionError>> + Send>> {
        self.waits.fetch_add(1, Ordering::SeqCst);
        self.interpreter().read_tensor_async(tensor)
    }

    fn sync(&self) -> Result<(), ExecutionError> {
        self.waits.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn flush(&self) {}

    fn create_empty_handle(&self) -> TensorId {
        self.next_id()
    }

    fn register_tensor_data(&self, data: TensorData) -> RouterTensor<Self> {
        let (shape, dtype, id) = (data.shape().clone(), data.dtype(), self.next_id());
        self.interpreter().register_tensor_data_id(id, data);
        RouterTensor::new(id, shape, dtype, self.clone())
    }

    fn device(&self) -> FarDevice {
        self.device
    }

    fn seed(&self, seed: u64) {
        Flex::seed(&FlexDevice, seed);
    }

    fn dtype_usage(&self, dtype: DType) -> DTypeUsageSet {
        Flex::dtype_usage(&FlexDevice, dtype)
    }

    fn register_and_execute_graph(&self, _: GraphId, _: Vec<OperationIr>, _: GraphBindings) {
        unreachable!("nothing here is captured")
    }

    fn execute_graph(&self, _: GraphId, _: GraphBindings) {
        unreachable!("nothing here is captured")
    }

    fn register_alias(&self, new: TensorId, of: TensorId) {
        self.interpreter().register_alias(new, of);
    }
}

const SHAPE: [usize; 4] = [1, 2, 13, 11];

#[derive(Module, Debug)]
struct Layers {
    first: Conv2d,
    second: Conv2d,
}

/// Convolutions, slopes of all kinds, pools over two axes and one, and smooth units where `smooth`.
fn network(smooth: bool) -> Arc<Network> {
    let device = BurnDevice::flex();
    let layer = |from, to| {
        let config = Conv2dConfig::new([from, to], [3, 3]);
        config
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .init(&device)
    };
    let layers = Layers {
        first: layer(2, 5),
        second: layer(5, 4),
    };
    let network = Network::capture(&layers, |layers, ports| {
        let x: Tensor<4> = ports.input("x", SHAPE);
        let pool = MaxPool2dConfig::new([3, 3]).with_strides([2, 2]);
        let pool = pool
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .init();
        let x = pool.forward(activation::relu(layers.first.forward(x)));
        let x = activation::leaky_relu(layers.second.forward(x), 0.1);
        let x = x.clamp(-0.4, 0.3);
        let line = x.flatten::<3>(2, 3);
        let line = MaxPool1dConfig::new(4).with_stride(3).init().forward(line);
        ports.output(
            "y",
            match smooth {
                true => activation::softmax(activation::silu(line), 2),
                false => line,
            },
        );
    });
    Arc::new(network.expect("captured"))
}

/// Numbers on a backend's device.
fn put<B: Backend>(seed: u64, shape: &[usize], device: &B::Device) -> FloatTensor<B> {
    let values = noise(shape.iter().product(), seed);
    let data = TensorData::new(values, shape.to_vec()).convert_dtype(DType::F64);
    B::float_from_data(data, device)
}

fn frozen<B: Backend>(network: &Arc<Network>, device: &B::Device, budget: usize) -> Recorded<B> {
    let loaded = Loaded::<B>::new(network.clone(), device.clone(), DType::F64).expect("loads");
    let x0 = vec![put::<B>(3, &SHAPE, device)];
    Recorded::within(Arc::new(loaded), x0, RuleSet::default(), budget).expect("freezes")
}

fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-13, "{found} and {expected}");
    }
}

/// Nothing is read back but x₀, y₀ and one number when a network is frozen, nothing at all by replays both ways, and what
/// they give is what the host gives. The decisions at risk are counted when they are asked for.
#[test]
fn freezing_waits_twice_and_replays_never() {
    for (number, smooth) in [false, true].into_iter().enumerate() {
        let device = FarDevice(number as u16);
        let client = FarClient::new(device);
        let _registered = register_scoped_client::<FarChannel>(&device, client.clone());
        let network = network(smooth);
        // The gains are kept, or made anew each time.
        for budget in [usize::MAX / 2, 1 << 20] {
            let far = frozen::<Far>(&network, &device, budget);
            // x₀ and y₀ are looked at; where units are smooth one number tells that nothing was infinite.
            assert_eq!(client.counted(), 2 + usize::from(smooth), "{smooth}");
            let near = frozen::<Flex>(&network, &FlexDevice, budget);
            let output = near.reference()[0].shape().to_vec();
            let batch = |shape: &[usize]| [&[3], shape].concat();
            let read_far = |x: Vec<FloatTensor<Far>>| host::<Far>(x[0].clone()).expect("reads");
            let read_near = |x: Vec<FloatTensor<Flex>>| host::<Flex>(x[0].clone()).expect("reads");
            for seed in [5, 6] {
                let x = batch(&SHAPE);
                let (here, there) = (
                    put::<Flex>(seed, &x, &FlexDevice),
                    put::<Far>(seed, &x, &device),
                );
                let (here, there) = ([here], [there]);
                let found = [far.apply(&there), far.affine(&there)].map(|y| y.expect("replays"));
                assert_eq!(client.counted(), 0, "{smooth}");
                let expected = [near.apply(&here), near.affine(&here)].map(|y| y.expect("replays"));
                for (found, expected) in found.into_iter().zip(expected) {
                    assert_close(&read_far(found), &read_near(expected));
                }
                client.counted();
                let y = batch(&output);
                let (here, there) = (
                    put::<Flex>(seed, &y, &FlexDevice),
                    put::<Far>(seed, &y, &device),
                );
                let found = far.adjoint(&[there]).expect("replays");
                assert_eq!(client.counted(), 0, "{smooth}");
                let expected = near.adjoint(&[here]).expect("replays");
                assert_close(&read_far(found), &read_near(expected));
                client.counted();
            }
            let counted = |risk: Option<&crate::DecisionsAtRisk>| risk.cloned().expect("counted");
            let found = counted(far.decisions_at_risk().expect("counts"));
            assert!(client.counted() > 0);
            assert_eq!(found, counted(near.decisions_at_risk().expect("counts")));
            far.decisions_at_risk().expect("counts");
            assert_eq!(client.counted(), 0);
        }
    }
}

/// Burn's interpreter of ops, by which the server of a remote device computes, has what freezing and replays need; the promises
/// hold through it as they do on the host.
#[test]
fn the_promises_hold_behind_an_interpreter() {
    let device = FarDevice(8);
    let client = FarClient::new(device);
    let _registered = register_scoped_client::<FarChannel>(&device, client);
    let allowed = Allowed {
        reference: 1e-13,
        exact: 1e-12,
        other: 1e-12,
        floor: Floor::Zero,
    };
    for smooth in [false, true] {
        let far = frozen::<Far>(&network(smooth), &device, usize::MAX / 2);
        let x0 = put::<Far>(3, &SHAPE, &device);
        let checks = promises(&OneToOne::new(&far, x0).expect("one to one"), &allowed);
        all_hold(&checks.expect("measured")).unwrap_or_else(|broken| panic!("{smooth}: {broken}"));
    }
}

/// Decisions take a bit or so each there, too, and a budget holds.
#[test]
fn decisions_are_small_on_a_device() {
    let device = FarDevice(7);
    let client = FarClient::new(device);
    let _registered = register_scoped_client::<FarChannel>(&device, client);
    let network = network(false);
    let account = frozen::<Far>(&network, &device, usize::MAX / 2)
        .program()
        .account();
    // Slopes 31 to an integer; winners of pools, of which there are few, as they come.
    let floats = account.decision_floats;
    assert!(2 * account.decision_bytes < floats, "{account:?}");
    let loaded = Arc::new(Loaded::<Far>::new(network, device, DType::F64).expect("loads"));
    let x0 = vec![put::<Far>(3, &SHAPE, &device)];
    let paired = Frozen::within(loaded.clone(), x0.clone(), RuleSet::default(), 100);
    assert!(paired.expect("falls back").recorded().is_none());
    let refused = Recorded::within(loaded, x0, RuleSet::default(), 100);
    assert!(matches!(refused, Err(Error::Memory { .. })));
}
