//! Products and quotients of two tensors.
//!
//! With one side constant they are linear: x · c, x / c, x W. With both from the input, x · g:
//!
//! - g a gate (the output of a sigmoid, softmax or clip, moved or scaled since): y₁ = g₀ ⊙ x₁, the
//!   paper's reading of what decides and what is decided about;
//! - none or both gates: y₁ = ½(g₀ ⊙ x₁ + x₀ ⊙ g₁), the mean of both readings, exact at x₀; always
//!   so by the rule *halves*;
//! - by the rule *taylor* the tangent, y₁ = g₀ ⊙ x₁ + x₀ ⊙ g₁ − x₀ ⊙ g₀.
//!
//! a / b: b frozen, y₁ = a₁ / b₀; c / b with c constant, and a / b by *taylor*: the tangent,
//! a₁/b₀ − a₀/b₀² b₁ + a₀/b₀. The same for matrix products, so that attention's weights are frozen
//! and its values pass.

use burn_backend::{
    Backend, Scalar, Shape, TensorMetadata, get_or_init_device_settings, tensor::FloatTensor,
};

use super::Product;
use crate::{
    coefficient::Coefficient,
    linear::{Cross, Diagonal, Divide, LinearMap, MatmulLeft, MatmulRight},
    run::{
        ScopeTensor, Tracer,
        open::{Opened, Operand, Traced},
    },
};

/// Σ of the parts of a product that pass: the side that is no gate, or half of each, or the tangent,
/// for which `at_x0` gives the product itself. Both tracers have the product's shape, or the maps give
/// it to them.
pub(super) fn passing<B: Backend, M, W>(
    x: Traced<B>,
    y: Traced<B>,
    shape: &Shape,
    by_y: impl FnOnce(Coefficient<FloatTensor<B>>) -> M,
    by_x: impl FnOnce(Coefficient<FloatTensor<B>>) -> W,
    at_x0: impl FnOnce() -> FloatTensor<B>,
) -> Tracer<B>
where
    M: LinearMap<B> + 'static,
    W: LinearMap<B> + 'static,
{
    let run = x.tracer.run().clone();
    let (product, gates) = (
        run.rules().product,
        (x.tracer.is_gate(), y.tracer.is_gate()),
    );
    let decided = run.freeze(
        match (product, gates) {
            (Product::Gate, (true, false) | (false, true)) => "gate",
            (Product::Gate | Product::Halves, _) => "half of each",
            (Product::Taylor, _) => "taylor",
        },
        None,
    );
    let (x0, y0) = (
        Coefficient::decided(x.value, &decided),
        Coefficient::decided(y.value, &decided),
    );
    match (product, gates) {
        (Product::Gate, (false, true)) => x.tracer.map(by_y(y0), shape),
        (Product::Gate, (true, false)) => y.tracer.map(by_x(x0), shape),
        (product, _) => {
            let (tx, ty) = (x.tracer.map(by_y(y0), shape), y.tracer.map(by_x(x0), shape));
            match product {
                Product::Taylor => {
                    let source = Coefficient::decided(B::float_neg(at_x0()), &decided);
                    Tracer::sum(vec![(1.0, tx), (1.0, ty)], shape).source(source, shape)
                }
                _ => Tracer::sum(vec![(0.5, tx), (0.5, ty)], shape),
            }
        }
    }
}

/// An op that is linear in each of two operands: `by_y` is its map of x for a given y, `by_x` that of
/// y. `aligned` gives a tracer the shape that the maps read.
pub(super) fn bilinear<B: Backend, M, W>(
    x: ScopeTensor<B>,
    y: ScopeTensor<B>,
    value: impl FnOnce(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
    aligned: impl Fn(Traced<B>, &Shape) -> Traced<B>,
    layer: bool,
    by_y: impl FnOnce(Coefficient<FloatTensor<B>>, &Shape) -> M,
    by_x: impl FnOnce(Coefficient<FloatTensor<B>>, &Shape) -> W,
) -> ScopeTensor<B>
where
    M: LinearMap<B> + 'static,
    W: LinearMap<B> + 'static,
{
    let mut op = Opened::default();
    let (x, y) = (op.float(x), op.float(y));
    let out = value(x.value().clone(), y.value().clone());
    let shape = out.shape();
    let tracer = match (x, y) {
        (Operand::Fixed(_), Operand::Fixed(_)) => return op.fixed(out),
        (Operand::Traced(x), Operand::Traced(y)) => {
            let (x, y) = (aligned(x, &shape), aligned(y, &shape));
            passing(
                x,
                y,
                &shape,
                |y| by_y(y, &shape),
                |x| by_x(x, &shape),
                || out.clone(),
            )
        }
        (Operand::Traced(x), Operand::Fixed(y)) => {
            into(aligned(x, &shape).tracer, by_y(y, &shape), &shape, layer)
        }
        (Operand::Fixed(x), Operand::Traced(y)) => {
            into(aligned(y, &shape).tracer, by_x(x, &shape), &shape, layer)
        }
    };
    op.traced(out, tracer)
}

/// Through a map that begins a layer, or not.
pub(super) fn into<B: Backend>(
    tracer: Tracer<B>,
    map: impl LinearMap<B> + 'static,
    shape: &Shape,
    layer: bool,
) -> Tracer<B> {
    match layer {
        true => tracer.weighted(map, shape),
        false => tracer.map(map, shape),
    }
}

/// x ⊙ y.
pub(crate) fn mul<B: Backend>(x: ScopeTensor<B>, y: ScopeTensor<B>) -> ScopeTensor<B> {
    bilinear(
        x,
        y,
        B::float_mul,
        |x, shape| x.broadcast(shape),
        false,
        |y, _| Diagonal::new(y),
        |x, _| Diagonal::new(x),
    )
}

/// x × y along an axis of three. Operands broadcast against each other.
pub(crate) fn cross<B: Backend>(
    x: ScopeTensor<B>,
    y: ScopeTensor<B>,
    dim: usize,
) -> ScopeTensor<B> {
    let full = |x: FloatTensor<B>, shape: &Shape| B::float_expand(x, shape.clone());
    bilinear(
        x,
        y,
        |x, y| B::float_cross(x, y, dim),
        |x, shape| x.broadcast(shape),
        false,
        |y, shape| Cross::new(y.map(|y| full(y, shape)), dim),
        // x × y = −y × x.
        |x, shape| Cross::new(x.map(|x| B::float_neg(full(x, shape))), dim),
    )
}

/// x y, the matrix product over the last two axes. A constant side is a layer's weight.
pub(crate) fn matmul<B: Backend>(x: ScopeTensor<B>, y: ScopeTensor<B>) -> ScopeTensor<B> {
    let (of_x, of_y) = (x.shape(), y.shape());
    bilinear(
        x,
        y,
        B::float_matmul,
        |x, _| x,
        true,
        |y, _| MatmulRight::new(&of_x, y),
        |x, _| MatmulLeft::new(&of_y, x),
    )
}

/// −x/y², the derivative of x/y in y; 0 where y is.
fn inverse_slope<B: Backend>(
    x: FloatTensor<B>,
    y: FloatTensor<B>,
    shape: &Shape,
) -> FloatTensor<B> {
    let bool_dtype = get_or_init_device_settings::<B>(&y.device()).bool_dtype;
    let singular = B::float_equal_elem(y.clone(), Scalar::Float(0.0), bool_dtype);
    let safe = B::float_mask_fill(y, singular.clone(), Scalar::Float(1.0));
    let slope = B::float_neg(B::float_div(B::float_div(x, safe.clone()), safe));
    let singular = B::bool_expand(singular, shape.clone());
    B::float_mask_fill(slope, singular, Scalar::Float(0.0))
}

/// x / y.
pub(crate) fn div<B: Backend>(x: ScopeTensor<B>, y: ScopeTensor<B>) -> ScopeTensor<B> {
    let mut op = Opened::default();
    let (x, y) = (op.float(x), op.float(y));
    let out = B::float_div(x.value().clone(), y.value().clone());
    let shape = out.shape();
    let tracer = match (x, y) {
        (Operand::Fixed(_), Operand::Fixed(_)) => return op.fixed(out),
        (Operand::Traced(x), Operand::Fixed(y)) => {
            x.broadcast(&shape).tracer.map(Divide::new(y), &shape)
        }
        (Operand::Fixed(x), Operand::Traced(y)) => {
            let decided = y.tracer.freeze("taylor", None);
            let gain = inverse_slope::<B>(x.into_value(), y.value.clone(), &shape);
            let source = B::float_mul_scalar(out.clone(), Scalar::Float(2.0));
            let gain = Diagonal::new(Coefficient::decided(gain, &decided));
            let tracer = y.broadcast(&shape).tracer.map(gain, &shape);
            tracer.source(Coefficient::decided(source, &decided), &shape)
        }
        (Operand::Traced(x), Operand::Traced(y)) => {
            let taylor = x.tracer.run().rules().product == Product::Taylor;
            let decided = x
                .tracer
                .freeze(if taylor { "taylor" } else { "divisor" }, None);
            let divide = Divide::new(Coefficient::decided(y.value.clone(), &decided));
            let x0 = x.value.clone();
            let tx = x.broadcast(&shape).tracer.map(divide, &shape);
            match taylor {
                false => tx,
                true => {
                    let gain = inverse_slope::<B>(x0, y.value.clone(), &shape);
                    let gain = Diagonal::new(Coefficient::decided(gain, &decided));
                    let ty = y.broadcast(&shape).tracer.map(gain, &shape);
                    Tracer::sum(vec![(1.0, tx), (1.0, ty)], &shape)
                        .source(Coefficient::decided(out.clone(), &decided), &shape)
                }
            }
        }
    };
    op.traced(out, tracer)
}
