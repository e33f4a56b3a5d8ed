//! What docs/book/src/upstream.md says of Burn and its crates, executed.
//!
//! Each test holds as long as the fault is there. One that fails after an update says that a fault has been mended: then its
//! section goes, and so does what works around it here. Findings 6 and 8 are about devices that this machine need not have.

#[path = "../../crates/linearscope-onnx/tests/made/mod.rs"]
mod made;

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::{
    module::{Module, ModuleMapper, Param},
    nn::{BatchNormConfig, PReluConfig},
    tensor::{DType, Device, Tensor, TensorData, activation::hard_sigmoid},
};
use burn_backend::{
    Shape, TensorMetadata,
    ops::{ConvOptions, FloatTensorOps, IntTensorOps, ModuleOps},
};
use burn_flex::{Flex, FlexDevice};
use burn_ir::{
    BaseOperationIr, CastOpIr, HandleKind, OperationIr, TensorId, TensorIr, TensorStatus,
};
use burn_router::TensorInterpreter;
use burn_store::{ModuleSnapshot, PyTorchToBurnAdapter, SafetensorsStore};
use linearscope::panic_message;
use made::{floats, ints, node, proto};
use onnx_ir::{Message, ModelProto, OnnxGraphBuilder};

/// The numbers of a tensor in f64.
fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.into_data().try_to_vec().expect("in f64")
}

fn double(values: &[f64], device: &Device) -> Tensor<1> {
    let data = TensorData::new(values.to_vec(), [values.len()]);
    Tensor::from_data(data, (device, DType::F64))
}

#[test]
fn finding_1_autodiff_divides_by_a_scalar_in_f32() {
    let x = double(&[1.0], &Device::flex().autodiff()).require_grad();
    let gradients = x.clone().div_scalar(3.0).sum().backward();
    let slope = numbers(x.grad(&gradients).expect("a gradient"));
    assert_eq!(slope, [f64::from(1.0f32 / 3.0)]);
}

#[test]
fn finding_2_the_backward_of_conv3d_ignores_unequal_padding() {
    let at = |values: Vec<f32>| {
        let len = values.len();
        Flex::float_from_data(TensorData::new(values, [1, 1, 1, 1, len]), &FlexDevice)
    };
    let options = ConvOptions::<3>::new_with_padding([1; 3], [(0, 0), (0, 0), (1, 0)], [1; 3], 1);
    let (x, w) = (at(vec![1.0, 2.0, 3.0, 4.0]), at(vec![1.0, 1.0]));
    let gradient = Flex::conv3d_x_backward(x, w, at(vec![1.0; 4]), options);
    assert_ne!(gradient.shape().to_vec(), [1, 1, 1, 1, 4], "the shape of x");
}

/// Adds one to every float.
struct PlusOne;

impl ModuleMapper for PlusOne {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|x| x + 1.0)
    }
}

#[test]
fn finding_3_mapping_a_clone_changes_the_running_state_of_the_original() {
    let device = Device::flex();
    let norm = BatchNormConfig::new(1).init(&device);
    let _mapped = norm.clone().map(&mut PlusOne);
    let alike = |x: Tensor<1>| x.into_data().iter::<f64>().collect::<Vec<_>>();
    assert_eq!(alike(norm.gamma.val()), [1.0], "parameters stay");
    assert_eq!(alike(norm.running_mean.value()), [1.0], "it was 0");
}

fn parsed(model: &ModelProto) -> Result<String, String> {
    let bytes = model.write_to_bytes().expect("a protobuf");
    let parse = || OnnxGraphBuilder::new().parse_bytes(&bytes);
    match catch_unwind(AssertUnwindSafe(parse)) {
        Ok(Ok(graph)) => Ok(format!("{graph:?}")),
        Ok(Err(error)) => Err(error.to_string()),
        Err(panic) => Err(panic_message(panic.as_ref())),
    }
}

#[test]
fn finding_4_a_batch_norm_without_epsilon_gets_0() {
    let one = |name| floats(name, &[1], vec![1.0]);
    let norm = node(
        "BatchNormalization",
        &["x", "s", "b", "m", "v"],
        "y",
        vec![],
    );
    let graph = proto(
        &[1, 1, 1, 1],
        vec![norm],
        ["s", "b", "m", "v"].map(one).into(),
    );
    let said = parsed(&graph).expect("is read");
    assert!(said.contains("epsilon: 0.0,"), "{said}");
}

#[test]
fn finding_5_a_cast_of_ints_is_unreachable_in_the_interpreter() {
    let tensor = |id, dtype, status| TensorIr {
        id: TensorId::new(id),
        shape: Shape::from([2]),
        status,
        dtype,
    };
    let cast = OperationIr::BaseInt(BaseOperationIr::Cast(CastOpIr {
        input: tensor(1, DType::I64, TensorStatus::ReadOnly),
        out: tensor(2, DType::I32, TensorStatus::NotInit),
    }));
    let mut interpreter = TensorInterpreter::<Flex>::new(FlexDevice);
    let ints = Flex::int_from_data(TensorData::from([1i64, 2]), &FlexDevice);
    interpreter.register_tensor_to_device(TensorId::new(1), HandleKind::Int(ints));
    let replayed = catch_unwind(AssertUnwindSafe(|| interpreter.register_op(cast)));
    let said = panic_message(replayed.expect_err("it is cast").as_ref());
    assert!(said.contains("unreachable"), "{said}");
}

#[test]
fn finding_7_hard_sigmoid_is_in_f32_on_an_autodiff_device() {
    let value = |device: &Device| numbers(hard_sigmoid(double(&[0.1], device), 0.2, 0.5))[0];
    let apart = value(&Device::flex()) - value(&Device::flex().autodiff());
    assert!((1e-9..1e-7).contains(&apart.abs()), "{apart:e}");
}

#[test]
fn finding_9_a_prelu_of_pytorch_is_not_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("prelu.safetensors");
    let header = br#"{"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let bytes = [
        &(header.len() as u64).to_le_bytes()[..],
        header,
        &0.125f32.to_le_bytes(),
    ];
    std::fs::write(&path, bytes.concat()).expect("written");
    let mut module = PReluConfig::new().init(&Device::flex());
    let mut store = SafetensorsStore::from_file(&path).with_from_adapter(PyTorchToBurnAdapter);
    let loaded = module.load_from(&mut store).map(|_| ());
    let said = loaded.expect_err("alpha is found").to_string();
    assert!(said.contains("alpha"), "{said}");
}

#[test]
fn finding_10_a_transposed_convolution_of_unequal_pads_is_refused() {
    let attributes = vec![ints("strides", &[2, 2]), ints("pads", &[0, 0, 1, 1])];
    let up = node("ConvTranspose", &["x", "w"], "y", attributes);
    let weight = floats("w", &[1, 1, 2, 2], vec![1.0; 4]);
    let said = parsed(&proto(&[1, 1, 3, 3], vec![up], vec![weight])).expect_err("is read");
    assert!(said.contains("symmetric padding"), "{said}");
}
