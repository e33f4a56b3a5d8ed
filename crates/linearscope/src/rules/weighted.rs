//! Ops with weights and a bias: y = W x + b, bilinear in picture and weight.
//!
//! - x traced, W constant: y₁ = W x₁ + b, a layer of its own; the bias is a source of it.
//! - W traced, x constant (weights made by a network): y₁ = W₁ x + b, linear in W.
//! - both: the rule of products (`product.rs`): y₁ = W₀ x₁ where W is a gate, else ½(W₀ x₁ + W₁
//!   x₀).
//!
//! A traced bias is added. Exact at x₀ in every case.

use burn_backend::{
    Backend, Shape, TensorMetadata,
    ops::{ConvOptions, ConvTransposeOptions},
    tensor::FloatTensor,
};

use super::product::{into, passing};
use crate::{
    coefficient::Coefficient,
    interrupt::Interrupt,
    linear::{self as map, LinearMap, Reshape, Shared},
    run::{
        ScopeTensor, Tracer,
        open::{Opened, Operand},
    },
};

/// A convolution or transposed convolution over `[n, c, ..]` with bias `[c_out]`. The maps are made
/// of the other operand's value: `of_x(weight, shape of x)`, `of_weight(x, shape of the weight)`.
pub(crate) fn convolution<B: Backend, M, W>(
    x: ScopeTensor<B>,
    weight: ScopeTensor<B>,
    bias: Option<ScopeTensor<B>>,
    value: impl FnOnce(FloatTensor<B>, FloatTensor<B>, Option<FloatTensor<B>>) -> FloatTensor<B>,
    of_x: impl FnOnce(Coefficient<FloatTensor<B>>, Shape) -> M,
    of_weight: impl FnOnce(Coefficient<FloatTensor<B>>, Shape) -> W,
) -> ScopeTensor<B>
where
    M: LinearMap<B> + 'static,
    W: LinearMap<B> + 'static,
{
    let mut op = Opened::default();
    let (x, weight) = (op.float(x), op.float(weight));
    let bias = bias.map(|bias| op.float(bias));
    let plain_bias = bias.as_ref().map(|bias| bias.value().clone());
    let y = value(
        x.value().clone(),
        weight.value().clone(),
        plain_bias.clone(),
    );
    let shape = y.shape();
    let (input, kernel) = (x.value().shape(), weight.value().shape());
    let spread = plain_bias.map(|bias| per_channel::<B>(bias, shape.num_dims()));
    // What the product alone gives.
    let without_bias = |y: &FloatTensor<B>| match &spread {
        Some(bias) => B::float_sub(y.clone(), bias.clone()),
        None => y.clone(),
    };
    // W x without its bias: traced, or else where it came from.
    let product = match (x, weight) {
        (Operand::Traced(x), Operand::Traced(weight)) => Ok(passing(
            x,
            weight,
            &shape,
            |weight| of_x(weight, input),
            |x| of_weight(x, kernel),
            || without_bias(&y),
        )),
        (Operand::Traced(x), Operand::Fixed(weight)) => {
            Ok(into(x.tracer, of_x(weight, input), &shape, true))
        }
        (Operand::Fixed(x), Operand::Traced(weight)) => {
            Ok(into(weight.tracer, of_weight(x, kernel), &shape, true))
        }
        (Operand::Fixed(x), Operand::Fixed(weight)) => Err(x.join(weight, |_, _| ())),
    };
    let tracer = match (product, bias) {
        (Ok(tracer), None) => tracer,
        (Ok(tracer), Some(Operand::Fixed(bias))) => {
            let bias = bias.map(|bias| per_channel::<B>(bias, shape.num_dims()));
            tracer.source(bias, &shape)
        }
        (Err(_), None | Some(Operand::Fixed(_))) => return op.fixed(y),
        (product, Some(Operand::Traced(bias))) => {
            let channels = bias.value.shape();
            let aligned = per_channel::<B>(bias.value, shape.num_dims()).shape();
            let bias = bias
                .tracer
                .map(Reshape::new(&channels, &aligned), &aligned)
                .broadcast(&aligned, &shape);
            match product {
                Ok(tracer) => Tracer::sum(vec![(1.0, tracer), (1.0, bias)], &shape),
                Err(origin) => bias.source(origin.map(|()| without_bias(&y)), &shape),
            }
        }
    };
    op.traced(y, tracer)
}

/// A kernel of our own for the value of a convolution whose weights never change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own<'a> {
    /// The weights in the kernel's order; programs share them.
    pub packed: &'a Shared,
    /// What stops it.
    pub interrupt: &'a Interrupt,
}

/// A convolution's value and its maps, over some number of axes: by the backend's kernel, or by `own`.
macro_rules! convolutions {
    ($($name:ident, $options:ty, $map:ident, $by_weight:ident, ($($input:ident)?);)*) => {$(
        #[doc = concat!("`", stringify!($name), "` of x `[n, c, ..]`.")]
        pub(crate) fn $name<B: Backend>(
            x: ScopeTensor<B>,
            weight: ScopeTensor<B>,
            bias: Option<ScopeTensor<B>>,
            options: $options,
            own: Option<Own<'_>>,
        ) -> ScopeTensor<B> {
            let packed = own.map_or_else(Shared::default, |own| own.packed.clone());
            let of_x = |weight, _input: Shape| map::$map {
                weight,
                options: options.clone(),
                $($input: _input,)?
                direct: packed.clone(),
            };
            let by_own = |x: &FloatTensor<B>, weight: &FloatTensor<B>, bias: Option<&FloatTensor<B>>| {
                let made = of_x(Coefficient::weight(weight.clone()), x.shape());
                made.value(x, bias, own?.interrupt)
            };
            convolution(
                x,
                weight,
                bias,
                |x, weight, bias| match by_own(&x, &weight, bias.as_ref()) {
                    Some(made) => made,
                    None => B::$name(x, weight, bias, options.clone()),
                },
                of_x,
                |x, weight| map::$by_weight { x, options: options.clone(), weight },
            )
        }
    )*};
}

convolutions! {
    conv1d, ConvOptions<1>, Conv1d, Conv1dWeight, (input);
    conv2d, ConvOptions<2>, Conv2d, Conv2dWeight, (input);
    conv_transpose1d, ConvTransposeOptions<1>, ConvTranspose1d, ConvTranspose1dWeight, ();
    conv_transpose2d, ConvTransposeOptions<2>, ConvTranspose2d, ConvTranspose2dWeight, ();
}

/// `[c] → [1, c, 1, ..]` of the given rank.
pub(crate) fn per_channel<B: Backend>(x: FloatTensor<B>, rank: usize) -> FloatTensor<B> {
    let mut dims = vec![1; rank];
    dims[1] = x.shape().num_elements();
    B::float_reshape(x, Shape::from(dims))
}
