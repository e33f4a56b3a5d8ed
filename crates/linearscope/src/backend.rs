//! `LinearScope<B>`: the decorator type and its `Backend` and `BackendIr` implementations.

use std::marker::PhantomData;

use burn_backend::{
    Backend, BackendGraph, BackendTypes, DType, DTypeUsageSet, ExecutionError, MemoryPoolUsage,
    ProfileDuration, ProfileOptions, ProfileToken, SlicedPoolReport, TensorData,
    tensor::{BoolTensor, FloatTensor, IntTensor, QuantizedTensor},
};
use burn_ir::{BackendIr, HandleKind, TensorHandle};

use crate::run::{ScopeTensor, Tracked};

/// A Burn backend that traces values of an inner backend `B` back to an input.
///
/// Every op computes its value with `B`'s own function, so the reference output y₀ is what `B`
/// alone gives. On a traced tensor, an op also advances the tracer by its rule or linear map, or
/// refuses by name. The type is used like `Autodiff<B>` or `Fusion<B>`, usually not directly but
/// through [`Interpreter`](crate::Interpreter).
///
/// The bare decorator sees single ops and cannot tell a norm's mean from an average pool. So it
/// refuses a norm composed of ops, which is recognised only in a captured
/// [`Network`](crate::Network).
#[derive(Clone, Copy, Debug, Default)]
pub struct LinearScope<B: Backend> {
    inner: PhantomData<B>,
}

impl<B: Backend> BackendTypes for LinearScope<B> {
    type Device = B::Device;
    type FloatTensorPrimitive = ScopeTensor<B>;
    type IntTensorPrimitive = Tracked<B, B::IntTensorPrimitive>;
    type BoolTensorPrimitive = Tracked<B, B::BoolTensorPrimitive>;
    type QuantizedTensorPrimitive = Tracked<B, B::QuantizedTensorPrimitive>;
    type GraphPrimitive = B::GraphPrimitive;
}

impl<B: Backend> Backend for LinearScope<B> {
    fn ad_enabled(device: &Self::Device) -> bool {
        B::ad_enabled(device)
    }

    fn memory_persistent_allocations<
        Output: Send,
        Input: Send,
        Func: Fn(Input) -> Output + Send,
    >(
        device: &Self::Device,
        input: Input,
        func: Func,
    ) -> Output {
        B::memory_persistent_allocations(device, input, func)
    }

    fn memory_cleanup(device: &Self::Device) {
        B::memory_cleanup(device);
    }

    fn memory_pool_report(device: &Self::Device) -> Option<Vec<SlicedPoolReport>> {
        B::memory_pool_report(device)
    }

    fn memory_pool_usage(device: &Self::Device) -> Option<MemoryPoolUsage> {
        B::memory_pool_usage(device)
    }

    fn name(device: &Self::Device) -> String {
        format!("linearscope<{}>", B::name(device))
    }

    fn seed(device: &Self::Device, seed: u64) {
        B::seed(device, seed);
    }

    fn sync(device: &Self::Device) -> Result<(), ExecutionError> {
        B::sync(device)
    }

    fn profile<O: Send + 'static>(
        device: &Self::Device,
        options: ProfileOptions,
        func: impl FnOnce() -> O + Send,
    ) -> Result<(O, ProfileDuration), ExecutionError> {
        B::profile(device, options, func)
    }

    fn profile_start(device: &Self::Device) -> Result<Option<ProfileToken>, ExecutionError> {
        B::profile_start(device)
    }

    fn profile_end(
        device: &Self::Device,
        token: ProfileToken,
        options: ProfileOptions,
    ) -> Result<ProfileDuration, ExecutionError> {
        B::profile_end(device, token, options)
    }

    fn profile_abandon(device: &Self::Device, token: ProfileToken) {
        B::profile_abandon(device, token);
    }

    fn graph_prepare(device: &Self::Device) -> Result<(), ExecutionError> {
        B::graph_prepare(device)
    }

    fn graph_start_capture(device: &Self::Device) -> Result<(), ExecutionError> {
        B::graph_start_capture(device)
    }

    fn graph_stop_capture(device: &Self::Device) -> Result<BackendGraph<Self>, ExecutionError> {
        B::graph_stop_capture(device)
    }

    unsafe fn graph_replay(
        device: &Self::Device,
        graph: &BackendGraph<Self>,
    ) -> Result<(), ExecutionError> {
        // SAFETY: the caller's promise about the graph is passed on unchanged.
        unsafe { B::graph_replay(device, graph) }
    }

    fn flush(device: &Self::Device) -> Result<(), ExecutionError> {
        B::flush(device)
    }

    fn staging<'a, Iter>(data: Iter, device: &Self::Device)
    where
        Iter: Iterator<Item = &'a mut TensorData>,
    {
        B::staging(data, device);
    }

    fn supports_dtype(device: &Self::Device, dtype: DType) -> bool {
        B::supports_dtype(device, dtype)
    }

    fn dtype_usage(device: &Self::Device, dtype: DType) -> DTypeUsageSet {
        B::dtype_usage(device, dtype)
    }

    fn device_count(type_id: u16) -> usize {
        B::device_count(type_id)
    }
}

/// What a captured graph replays on: the handle is the primitive itself.
impl<B: Backend> BackendIr for LinearScope<B> {
    type Handle = HandleKind<Self>;

    fn float_tensor(handle: TensorHandle<Self::Handle>) -> FloatTensor<Self> {
        match handle.handle {
            HandleKind::Float(tensor) => tensor,
            other => panic!("a float tensor was expected, a {} one came", other.name()),
        }
    }

    fn int_tensor(handle: TensorHandle<Self::Handle>) -> IntTensor<Self> {
        match handle.handle {
            HandleKind::Int(tensor) => tensor,
            other => panic!("an int tensor was expected, a {} one came", other.name()),
        }
    }

    fn bool_tensor(handle: TensorHandle<Self::Handle>) -> BoolTensor<Self> {
        match handle.handle {
            HandleKind::Bool(tensor) => tensor,
            other => panic!("a bool tensor was expected, a {} one came", other.name()),
        }
    }

    fn quantized_tensor(handle: TensorHandle<Self::Handle>) -> QuantizedTensor<Self> {
        match handle.handle {
            HandleKind::Quantized(tensor) => tensor,
            other => panic!(
                "a quantised tensor was expected, a {} one came",
                other.name()
            ),
        }
    }

    fn float_tensor_handle(tensor: FloatTensor<Self>) -> Self::Handle {
        HandleKind::Float(tensor)
    }

    fn int_tensor_handle(tensor: IntTensor<Self>) -> Self::Handle {
        HandleKind::Int(tensor)
    }

    fn bool_tensor_handle(tensor: BoolTensor<Self>) -> Self::Handle {
        HandleKind::Bool(tensor)
    }

    fn quantized_tensor_handle(tensor: QuantizedTensor<Self>) -> Self::Handle {
        HandleKind::Quantized(tensor)
    }
}
