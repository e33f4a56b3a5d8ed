//! Mathematical functions, entry by entry.

use burn_backend::{Backend, Scalar};
use onnx_ir::node;

use crate::context::{Context, Outputs, one};

macro_rules! functions {
    ($($name:ident($node:ty) => $function:ident;)*) => {$(
        pub(super) fn $name<B: Backend>(cx: &Context<'_, B>, _: &$node) -> Outputs<B> {
            one(B::$function(cx.float(0)?))
        }
    )*};
}

functions! {
    ceil(node::ceil::CeilNode) => float_ceil;
    cos(node::cos::CosNode) => float_cos;
    erf(node::erf::ErfNode) => float_erf;
    exp(node::exp::ExpNode) => float_exp;
    floor(node::floor::FloorNode) => float_floor;
    log(node::log::LogNode) => float_log;
    reciprocal(node::reciprocal::ReciprocalNode) => float_recip;
    round(node::round::RoundNode) => float_round;
    sign(node::sign::SignNode) => float_sign;
    sin(node::sin::SinNode) => float_sin;
    sqrt(node::sqrt::SqrtNode) => float_sqrt;
}

/// xᶜ for one number c.
pub(super) fn pow<B: Backend>(cx: &Context<'_, B>, _: &node::pow::PowNode) -> Outputs<B> {
    let exponent = cx.constant(1).filter(|data| data.num_elements() == 1);
    let Some(exponent) = exponent.and_then(|data| data.iter::<f64>().next()) else {
        return Err(cx.unsupported("an exponent that is not one constant number"));
    };
    one(B::float_powf_scalar(cx.float(0)?, Scalar::Float(exponent)))
}
