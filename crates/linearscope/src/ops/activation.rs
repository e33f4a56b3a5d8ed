//! `ActivationOps`: the non-linear units.

use burn_backend::{Backend, Scalar, ops::ActivationOps, tensor::FloatTensor};

use crate::{
    LinearScope,
    rules::{gradient, pointwise, prelu, slope, softmax},
    smooth::Smooth,
};

impl<B: Backend> ActivationOps<Self> for LinearScope<B> {
    fn leaky_relu(tensor: FloatTensor<Self>, negative_slope: Scalar) -> FloatTensor<Self> {
        slope::leaky_relu(tensor, negative_slope)
    }

    fn relu(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        slope::relu(tensor)
    }

    fn prelu(tensor: FloatTensor<Self>, alpha: FloatTensor<Self>) -> FloatTensor<Self> {
        prelu::prelu(tensor, alpha)
    }

    fn sigmoid(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        pointwise::freeze(tensor, Smooth::Sigmoid)
    }

    fn gelu(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        pointwise::freeze(tensor, Smooth::Gelu)
    }

    fn hard_sigmoid(tensor: FloatTensor<Self>, alpha: Scalar, beta: Scalar) -> FloatTensor<Self> {
        slope::hard_sigmoid(tensor, alpha, beta)
    }

    fn log_sigmoid(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        pointwise::freeze(tensor, Smooth::LogSigmoid)
    }

    fn softmax(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        softmax::softmax(tensor, dim, 1.0, |x| B::softmax(x, dim))
    }

    fn log_softmax(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        softmax::log_softmax(tensor, dim)
    }

    fn softmin(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        softmax::softmax(tensor, dim, -1.0, |x| B::softmin(x, dim))
    }

    gradient! {
        fn relu_backward(output: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self>
            => grad: gradient::slope(grad.value(), output, B::relu_backward);
        fn gelu_backward(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self>
            => grad: gradient::slope(grad.value(), x, B::gelu_backward);
        fn sigmoid_backward(output: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self>
            => grad: gradient::slope(grad.value(), output, B::sigmoid_backward);
        fn log_sigmoid_backward(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self>
            => grad: gradient::slope(grad.value(), x, B::log_sigmoid_backward);
    }
}
