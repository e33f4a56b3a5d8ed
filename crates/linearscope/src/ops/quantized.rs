//! `QTensorOps`: quantised tensors are never traced; quantising a traced tensor has no rule.
//!
//! The many defaulted ops dequantise, run a float op of this decorator and quantise again; none
//! of Burn's backends overrides them, so they are inherited.

use burn_backend::{
    Backend, ExecutionError, FloatDType, IntDType, Shape, Slice, TensorData, TensorPrimitive,
    ops::QTensorOps,
    quantization::{QuantScheme, QuantizationParametersPrimitive},
    tensor::{Device, FloatTensor, IntTensor, QuantizedTensor},
};

use super::classes::{Lower, Raise};
use crate::{
    LinearScope,
    run::{Tracked, open::Opened},
};

impl<B: Backend> QTensorOps<Self> for LinearScope<B> {
    inert! {
        fn q_from_data(data: TensorData, device: &Device<Self>) -> QuantizedTensor<Self>;
    }

    fn quantize(
        tensor: FloatTensor<Self>,
        scheme: &QuantScheme,
        qparams: QuantizationParametersPrimitive<Self>,
    ) -> QuantizedTensor<Self> {
        let mut op = Opened::<B>::default();
        let tensor = Lower::<B>::lower(tensor, &mut op);
        let qparams = QuantizationParametersPrimitive {
            scales: Lower::<B>::lower(qparams.scales, &mut op),
            global: qparams
                .global
                .map(|global| Lower::<B>::lower(global, &mut op)),
        };
        let quantised = B::quantize(tensor, scheme, qparams);
        Raise::<B, _>::refused(quantised, &op, "quantize", "")
    }

    refused! {
        fn quantize_dynamic(tensor: FloatTensor<Self>, scheme: &QuantScheme) -> QuantizedTensor<Self>;
    }
    passes_on! {
        fn dequantize(tensor: QuantizedTensor<Self>, dtype: FloatDType) -> FloatTensor<Self>;
    }

    fn q_to_device(tensor: QuantizedTensor<Self>, device: &Device<Self>) -> QuantizedTensor<Self> {
        let Tracked { value, origin } = tensor;
        Tracked {
            value: B::q_to_device(value, device),
            origin,
        }
    }

    passes_on! {
        fn q_reshape(tensor: QuantizedTensor<Self>, shape: Shape) -> QuantizedTensor<Self>;
    }

    async fn q_into_data(tensor: QuantizedTensor<Self>) -> Result<TensorData, ExecutionError> {
        B::q_into_data(tensor.into_value()).await
    }

    passes_on! {
        fn q_expand(tensor: QuantizedTensor<Self>, shape: Shape) -> QuantizedTensor<Self>;
        fn q_swap_dims(tensor: QuantizedTensor<Self>, dim1: usize, dim2: usize) -> QuantizedTensor<Self>;
        fn q_permute(tensor: QuantizedTensor<Self>, axes: &[usize]) -> QuantizedTensor<Self>;
        fn q_flip(tensor: QuantizedTensor<Self>, axes: &[usize]) -> QuantizedTensor<Self>;
        fn q_select(tensor: QuantizedTensor<Self>, dim: usize, indices: IntTensor<Self>) -> QuantizedTensor<Self>;
        fn q_slice(tensor: QuantizedTensor<Self>, slices: &[Slice]) -> QuantizedTensor<Self>;
        fn q_gather(dim: usize, tensor: QuantizedTensor<Self>, indices: IntTensor<Self>) -> QuantizedTensor<Self>;
        fn q_argmax(tensor: QuantizedTensor<Self>, dim: usize, out_dtype: IntDType) -> IntTensor<Self>;
        fn q_argmin(tensor: QuantizedTensor<Self>, dim: usize, out_dtype: IntDType) -> IntTensor<Self>;
    }

    /// Quantised factors by the inner backend; a float factor that is traced has no rule here.
    fn q_matmul(lhs: TensorPrimitive<Self>, rhs: TensorPrimitive<Self>) -> TensorPrimitive<Self> {
        let mut op = Opened::<B>::default();
        let mut lower = |x: TensorPrimitive<Self>| match x {
            TensorPrimitive::Float(x) => TensorPrimitive::Float(Lower::<B>::lower(x, &mut op)),
            TensorPrimitive::QFloat(x) => TensorPrimitive::QFloat(Lower::<B>::lower(x, &mut op)),
        };
        let (lhs, rhs) = (lower(lhs), lower(rhs));
        match B::q_matmul(lhs, rhs) {
            TensorPrimitive::Float(y) => {
                TensorPrimitive::Float(Raise::<B, _>::refused(y, &op, "q_matmul", ""))
            }
            TensorPrimitive::QFloat(y) => {
                TensorPrimitive::QFloat(Raise::<B, _>::refused(y, &op, "q_matmul", ""))
            }
        }
    }
}
