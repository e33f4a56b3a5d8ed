//! The table of supported ops: one row each. A function a row, grouped by family.

mod activation;
mod arithmetic;
mod attention;
mod control;
mod convolution;
mod function;
mod generation;
mod logic;
mod normalisation;
mod padding;
mod pooling;
mod product;
mod quantisation;
mod reduction;
mod resize;
mod sampling;
mod selection;
mod shape;

use burn_backend::Backend;

use crate::{
    context::{Context, Outputs},
    error::Error,
    graph::Node,
};

macro_rules! table {
    ($($op:ident => $path:path;)*) => {
        /// The ops of the standard's domain that are supported, by their ONNX names, family by family.
        /// Attributes that an op does not support are errors that name them.
        pub const OPS: &[&str] = &[$(stringify!($op)),*];

        /// Run one node.
        pub(crate) fn execute<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
            let op = if cx.node.domain.is_empty() { &cx.node.op[..] } else { "" };
            match op {
                $(stringify!($op) => $path(cx),)*
                _ => Err(Error::UnsupportedOp {
                    node: cx.node.name.clone(),
                    op: kind(cx.node),
                }),
            }
        }
    };
}

table! {
    // activations
    Celu => activation::celu;
    Clip => activation::clip;
    Elu => activation::elu;
    Gelu => activation::gelu;
    HardSigmoid => activation::hard_sigmoid;
    HardSwish => activation::hard_swish;
    Hardmax => activation::hardmax;
    LeakyRelu => activation::leaky_relu;
    LogSoftmax => activation::log_softmax;
    Mish => activation::mish;
    PRelu => activation::prelu;
    Relu => activation::relu;
    Selu => activation::selu;
    Shrink => activation::shrink;
    Sigmoid => activation::sigmoid;
    Softmax => activation::softmax;
    Softplus => activation::softplus;
    Softsign => activation::softsign;
    Swish => activation::swish;
    ThresholdedRelu => activation::thresholded_relu;
    // arithmetic
    Add => arithmetic::add;
    BitShift => arithmetic::bit_shift;
    BitwiseAnd => arithmetic::bitwise_and;
    BitwiseNot => arithmetic::bitwise_not;
    BitwiseOr => arithmetic::bitwise_or;
    BitwiseXor => arithmetic::bitwise_xor;
    Div => arithmetic::div;
    Max => arithmetic::max;
    Mean => arithmetic::mean;
    Min => arithmetic::min;
    Mod => arithmetic::modulo;
    Mul => arithmetic::mul;
    Neg => arithmetic::neg;
    Pow => arithmetic::pow;
    Sub => arithmetic::sub;
    Sum => arithmetic::sum;
    // attention
    Attention => attention::attention;
    RotaryEmbedding => attention::rotary_embedding;
    // control, where it folds away
    If => control::if_;
    Loop => control::loop_;
    // convolutions
    Col2Im => convolution::col2im;
    Conv => convolution::conv;
    ConvInteger => convolution::conv_integer;
    ConvTranspose => convolution::conv_transpose;
    DeformConv => convolution::deform_conv;
    QLinearConv => convolution::qlinear_conv;
    // constants
    BlackmanWindow => generation::blackman_window;
    Constant => generation::constant;
    ConstantOfShape => generation::constant_of_shape;
    EyeLike => generation::eye_like;
    HammingWindow => generation::hamming_window;
    HannWindow => generation::hann_window;
    Range => generation::range;
    // logic
    And => logic::and;
    Cast => logic::cast;
    CastLike => logic::cast_like;
    Equal => logic::equal;
    Greater => logic::greater;
    GreaterOrEqual => logic::greater_or_equal;
    Less => logic::less;
    LessOrEqual => logic::less_or_equal;
    Not => logic::not;
    Or => logic::or;
    Where => logic::where_;
    Xor => logic::xor;
    // mathematical functions
    Abs => function::abs;
    Acos => function::acos;
    Acosh => function::acosh;
    Asin => function::asin;
    Asinh => function::asinh;
    Atan => function::atan;
    Atanh => function::atanh;
    Ceil => function::ceil;
    Cos => function::cos;
    Cosh => function::cosh;
    Det => function::det;
    Erf => function::erf;
    Exp => function::exp;
    Floor => function::floor;
    IsInf => function::is_inf;
    IsNaN => function::is_nan;
    Log => function::log;
    Reciprocal => function::reciprocal;
    Round => function::round;
    Sign => function::sign;
    Sin => function::sin;
    Sinh => function::sinh;
    Sqrt => function::sqrt;
    Tan => function::tan;
    Tanh => function::tanh;
    // matrix products
    Einsum => product::einsum;
    Gemm => product::gemm;
    MatMul => product::matmul;
    MatMulInteger => quantisation::matmul_integer;
    QLinearMatMul => quantisation::qlinear_matmul;
    // norms
    BatchNormalization => normalisation::batch_norm;
    GroupNormalization => normalisation::group_norm;
    InstanceNormalization => normalisation::instance_norm;
    LRN => normalisation::lrn;
    LayerNormalization => normalisation::layer_norm;
    LpNormalization => normalisation::lp_norm;
    MeanVarianceNormalization => normalisation::mean_variance_norm;
    RMSNormalization => normalisation::rms_norm;
    // padding
    Pad => padding::pad;
    // pooling
    AveragePool => pooling::average_pool;
    GlobalAveragePool => pooling::global_average_pool;
    GlobalLpPool => pooling::global_lp_pool;
    GlobalMaxPool => pooling::global_max_pool;
    LpPool => pooling::lp_pool;
    MaxPool => pooling::max_pool;
    MaxUnpool => pooling::max_unpool;
    // quantisation
    DequantizeLinear => quantisation::dequantize;
    DynamicQuantizeLinear => quantisation::dynamic_quantize;
    QuantizeLinear => quantisation::quantize;
    // reductions
    ArgMax => reduction::arg_max;
    ArgMin => reduction::arg_min;
    CumSum => reduction::cumulative_sum;
    ReduceL1 => reduction::l1;
    ReduceL2 => reduction::l2;
    ReduceLogSum => reduction::log_sum;
    ReduceLogSumExp => reduction::log_sum_exp;
    ReduceMax => reduction::max;
    ReduceMean => reduction::mean;
    ReduceMin => reduction::min;
    ReduceProd => reduction::product;
    ReduceSum => reduction::sum;
    ReduceSumSquare => reduction::sum_square;
    TopK => reduction::top_k;
    // resampling
    AffineGrid => sampling::affine_grid;
    GridSample => sampling::grid_sample;
    NonMaxSuppression => sampling::non_max_suppression;
    Resize => resize::resize;
    RoiAlign => sampling::roi_align;
    Upsample => resize::resize;
    // selection
    Compress => selection::compress;
    Gather => selection::gather;
    GatherElements => selection::gather_elements;
    GatherND => selection::gather_nd;
    NonZero => selection::non_zero;
    OneHot => selection::one_hot;
    ReverseSequence => selection::reverse_sequence;
    Scatter => selection::scatter_elements;
    ScatterElements => selection::scatter_elements;
    ScatterND => selection::scatter_nd;
    TensorScatter => selection::tensor_scatter;
    Trilu => selection::trilu;
    Unique => selection::unique;
    // shapes
    CenterCropPad => shape::center_crop_pad;
    Concat => shape::concat;
    DepthToSpace => shape::depth_to_space;
    Dropout => shape::dropout;
    Expand => shape::expand;
    Flatten => shape::flatten;
    Identity => shape::identity;
    Reshape => shape::reshape;
    Shape => shape::shape;
    Size => shape::size;
    Slice => shape::slice;
    SpaceToDepth => shape::space_to_depth;
    Split => shape::split;
    Squeeze => shape::squeeze;
    Tile => shape::tile;
    Transpose => shape::transpose;
    Unsqueeze => shape::unsqueeze;
}

/// Whether the table has a row for it.
pub(crate) fn supported(node: &Node) -> bool {
    node.domain.is_empty() && OPS.contains(&&node.op[..])
}

/// Whether the op runs graphs of its own, which see the values around it.
pub(crate) fn has_bodies(op: &str) -> bool {
    matches!(op, "If" | "Loop")
}

/// The op in words, for [`Error::UnsupportedOp`].
pub(crate) fn kind(node: &Node) -> String {
    match &node.domain[..] {
        "" => node.op.clone(),
        domain => format!("{domain}::{}", node.op),
    }
}
