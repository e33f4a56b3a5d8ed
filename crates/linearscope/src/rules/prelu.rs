//! prelu(x, α) = x where x > 0, else α ⊙ x; α broadcasts against x.
//!
//! With a constant α the slope of x₀ is all that is frozen (`slope.rs`). With a traced α the left
//! part is a product and follows the rule of products: y₁ = [x₀ > 0] ⊙ x₁ + [x₀ ≤ 0] ⊙ (the gate
//! frozen, else ½(α₀ x₁ + x₀ α₁)). A constant x: linear in α, the right part a source. Exact at x₀;
//! at 0 the left part counts.

use burn_backend::{Backend, Scalar, TensorMetadata, tensor::FloatTensor};

use super::{product::passing, slope};
use crate::{
    coefficient::Coefficient,
    linear::{Diagonal, Left, SlopeMask},
    run::{
        ScopeTensor, Tracer,
        kinks::Decides,
        open::{Opened, Operand},
    },
};

pub(crate) fn prelu<B: Backend>(x: ScopeTensor<B>, alpha: ScopeTensor<B>) -> ScopeTensor<B> {
    let mut op = Opened::default();
    let (x, alpha) = (op.float(x), op.float(alpha));
    let shape = x.value().shape();
    // 0 where x₀ > 0.
    let on_left = |right, v: FloatTensor<B>| B::float_mask_fill(v, right, Scalar::Float(0.0));
    match (x, alpha) {
        (Operand::Fixed(x), Operand::Fixed(alpha)) => {
            op.fixed(B::prelu(x.into_value(), alpha.into_value()))
        }
        (Operand::Traced(x), Operand::Fixed(alpha)) => {
            let value = B::prelu(x.value.clone(), alpha.value().clone());
            op.traced(value, slope::prelu(&x.value, x.tracer, alpha))
        }
        (Operand::Fixed(x), Operand::Traced(alpha)) => {
            let right = slope::above::<B>(x.value(), 0.0);
            let value = B::prelu(x.value().clone(), alpha.value.clone());
            let left = B::bool_not(right.clone());
            let source = |x| B::float_mask_fill(x, left, Scalar::Float(0.0));
            let tracer = alpha
                .broadcast(&shape)
                .tracer
                .map(Diagonal::new(x.clone().map(|x| on_left(right, x))), &shape)
                .source(x.map(source), &shape);
            op.traced(value, tracer)
        }
        (Operand::Traced(x), Operand::Traced(alpha)) => {
            let value = B::prelu(x.value.clone(), alpha.value.clone());
            let right = slope::above::<B>(&x.value, 0.0);
            let alpha = alpha.broadcast(&shape);
            let decides = Decides::above(&x.value, &x.tracer, &[0.0]);
            let decided = x.tracer.freeze("slope", Some(decides));
            let mask = Coefficient::decided(right.clone(), &decided);
            let map = SlopeMask::new(mask, 1.0, Left::Number(0.0), &x.value);
            let kept = x.tracer.clone().map(map, &shape);
            let at_x0 = on_left(right.clone(), value.clone());
            let (by_alpha, by_x) = (right.clone(), right);
            let product = passing(
                x,
                alpha,
                &shape,
                |alpha| {
                    let full = alpha.map(|alpha| B::float_expand(alpha, shape.clone()));
                    Diagonal::new(full.map(|alpha| on_left(by_alpha, alpha)))
                },
                |x| Diagonal::new(x.map(|x| on_left(by_x, x))),
                || at_x0,
            );
            let tracer = Tracer::sum(vec![(1.0, kept), (1.0, product)], &shape);
            op.traced(value, tracer)
        }
    }
}
