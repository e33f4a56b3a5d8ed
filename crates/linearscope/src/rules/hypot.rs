//! √(x² + y²) of two tensors, the length of an edge.
//!
//! The tangent by any rule: y₁ = (x₀ x₁ + y₀ y₁)/h₀, h₀ the length at x₀. Where both sides come from the
//! input it has no source, for h is homogeneous of degree 1; a constant side c is the source c²/h₀. 0 where
//! h₀ is, which has no tangent. Exact at x₀ where h₀ is finite.

use burn_backend::{
    Backend, Scalar, TensorMetadata, get_or_init_device_settings, tensor::FloatTensor,
};

use crate::{
    coefficient::Coefficient,
    linear::Diagonal,
    report::Decided,
    run::{
        ScopeTensor, Tracer,
        open::{Opened, Operand, Traced},
    },
};

/// c/h, 0 where h is.
fn share<B: Backend>(c: FloatTensor<B>, h: &FloatTensor<B>) -> FloatTensor<B> {
    let bool_dtype = get_or_init_device_settings::<B>(&h.device()).bool_dtype;
    let nothing = B::float_equal_elem(h.clone(), Scalar::Float(0.0), bool_dtype);
    // There c is 0 as well.
    B::float_div(
        c,
        B::float_mask_fill(h.clone(), nothing, Scalar::Float(1.0)),
    )
}

/// √(x² + y²).
pub(crate) fn hypot<B: Backend>(x: ScopeTensor<B>, y: ScopeTensor<B>) -> ScopeTensor<B> {
    let mut op = Opened::default();
    let (x, y) = (op.float(x), op.float(y));
    let h = B::float_hypot(x.value().clone(), y.value().clone());
    let shape = h.shape();
    let passed = |x: Traced<B>, decided: &Decided| {
        let gain = Coefficient::decided(share::<B>(x.value.clone(), &h), decided);
        x.broadcast(&shape).tracer.map(Diagonal::new(gain), &shape)
    };
    let decide = |x: &Traced<B>| x.tracer.freeze("taylor", None);
    let tracer = match (x, y) {
        (Operand::Fixed(_), Operand::Fixed(_)) => return op.fixed(h),
        (Operand::Traced(x), Operand::Traced(y)) => {
            let decided = decide(&x);
            let terms = [x, y].map(|side| (1.0, passed(side, &decided)));
            Tracer::sum(terms.into(), &shape)
        }
        (Operand::Traced(x), Operand::Fixed(c)) | (Operand::Fixed(c), Operand::Traced(x)) => {
            let decided = decide(&x);
            let c = c.into_value();
            let source = B::float_mul(share::<B>(c.clone(), &h), c);
            passed(x, &decided).source(Coefficient::decided(source, &decided), &shape)
        }
    };
    op.traced(h, tracer)
}
