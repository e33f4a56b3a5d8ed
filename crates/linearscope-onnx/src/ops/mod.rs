//! The table of supported ops: one row each. A function a row, grouped by family.

mod activation;
mod arithmetic;
mod convolution;
mod elementwise;
mod normalisation;
mod padding;
mod pooling;
mod product;
mod reduction;
mod resize;
mod shape;

use burn_backend::Backend;
use onnx_ir::Node;

use crate::{
    context::{Context, Outputs},
    error::Error,
};

macro_rules! table {
    ($($variant:ident => $op:path;)*) => {
        /// Run one node.
        pub(crate) fn execute<B: Backend>(cx: &Context<'_, B>, node: &Node) -> Outputs<B> {
            match node {
                $(Node::$variant(node) => $op(cx, node),)*
                node => Err(Error::UnsupportedOp {
                    node: cx.node.into(),
                    op: kind(node),
                }),
            }
        }

        /// Whether the table has a row for it.
        pub(crate) fn supported(node: &Node) -> bool {
            matches!(node, $(Node::$variant(_))|*)
        }

        /// The name of a supported op, for errors.
        pub(crate) fn name(node: &Node) -> &'static str {
            match node {
                $(Node::$variant(_) => stringify!($variant),)*
                _ => "this op",
            }
        }
    };
}

table! {
    // activations
    Abs => activation::abs;
    Celu => activation::celu;
    Clip => activation::clip;
    Elu => activation::elu;
    Gelu => activation::gelu;
    HardSigmoid => activation::hard_sigmoid;
    HardSwish => activation::hard_swish;
    LeakyRelu => activation::leaky_relu;
    LogSoftmax => activation::log_softmax;
    PRelu => activation::prelu;
    Relu => activation::relu;
    Selu => activation::selu;
    Sigmoid => activation::sigmoid;
    Softmax => activation::softmax;
    Softplus => activation::softplus;
    Softsign => activation::softsign;
    Tanh => activation::tanh;
    ThresholdedRelu => activation::thresholded_relu;
    // arithmetic
    Add => arithmetic::add;
    Div => arithmetic::div;
    Mul => arithmetic::mul;
    Neg => arithmetic::neg;
    Sub => arithmetic::sub;
    Sum => arithmetic::sum;
    // convolutions
    Conv1d => convolution::conv1d;
    Conv2d => convolution::conv2d;
    ConvTranspose2d => convolution::conv_transpose2d;
    // norms
    BatchNormalization => normalisation::batch_norm;
    InstanceNormalization => normalisation::instance_norm;
    // padding
    Pad => padding::pad;
    // pooling
    AveragePool2d => pooling::average_pool2d;
    GlobalAveragePool => pooling::global_average_pool;
    MaxPool2d => pooling::max_pool2d;
    // mathematical functions
    Ceil => elementwise::ceil;
    Cos => elementwise::cos;
    Erf => elementwise::erf;
    Exp => elementwise::exp;
    Floor => elementwise::floor;
    Log => elementwise::log;
    Pow => elementwise::pow;
    Reciprocal => elementwise::reciprocal;
    Round => elementwise::round;
    Sign => elementwise::sign;
    Sin => elementwise::sin;
    Sqrt => elementwise::sqrt;
    // matrix products
    Gemm => product::gemm;
    Linear => product::linear;
    MatMul => product::matmul;
    // reductions
    ReduceMean => reduction::mean;
    ReduceSum => reduction::sum;
    // resampling
    Resize => resize::resize;
    Upsample => resize::resize;
    // shapes
    Concat => shape::concat;
    Constant => shape::constant;
    DepthToSpace => shape::depth_to_space;
    Dropout => shape::dropout;
    Flatten => shape::flatten;
    Identity => shape::identity;
    Reshape => shape::reshape;
    Slice => shape::slice;
    SpaceToDepth => shape::space_to_depth;
    Squeeze => shape::squeeze;
    Transpose => shape::transpose;
    Unsqueeze => shape::unsqueeze;
}

/// The node's kind in words, for [`Error::UnsupportedOp`].
pub(crate) fn kind(node: &Node) -> String {
    match node {
        Node::Custom(custom) if custom.domain.is_empty() => custom.op_type.clone(),
        Node::Custom(custom) => format!("{}::{}", custom.domain, custom.op_type),
        node => node.node_type().to_string(),
    }
}
