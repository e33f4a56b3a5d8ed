//! Entries that are infinite at x₀ in a network whose outputs are finite: −∞ in a mask under a softmax, in
//! the border of a max pool, log 0 in a branch that nobody selects.
//!
//! What such an entry becomes (0 under a softmax, a plateau of a sigmoid) does not change while x₁ is finite:
//! y₁ = y₀ there. That is selected, like any decision, and never a gain of 0 times ∞. Linear maps
//! carry infinities on as they are; selections leave them out.

use burn_backend::{
    Backend, Scalar, TensorMetadata, get_or_init_device_settings, read_sync,
    tensor::{BoolTensor, FloatTensor},
};

use crate::{
    coefficient::Coefficient,
    linear::Mask,
    report::Decided,
    run::{Run, Tracer},
};

/// Where x is infinite; none where it nowhere is, or the run assumes so. Else it waits for the device, which is asked for
/// one number.
pub(crate) fn entries<B: Backend>(run: &Run<B>, x: &FloatTensor<B>) -> Option<BoolTensor<B>> {
    if run.assumes_finite(x) {
        return None;
    }
    // A sum is finite only where every term is; that is one pass.
    let sum = crate::host::<B>(B::float_sum(x.clone())).ok()?;
    if sum.iter().all(|sum| sum.is_finite()) {
        return None;
    }
    let bool_dtype = get_or_init_device_settings::<B>(&x.device()).bool_dtype;
    let infinite = B::float_is_inf(x.clone(), bool_dtype);
    let any = read_sync(B::bool_into_data(B::bool_any(infinite.clone()))).ok()?;
    let any = any.iter::<bool>().any(|any| any);
    any.then_some(infinite)
}

/// x with `c` in those places.
pub(crate) fn filled<B: Backend>(x: FloatTensor<B>, at: &BoolTensor<B>, c: f64) -> FloatTensor<B> {
    B::float_mask_fill(x, at.clone(), Scalar::Float(c))
}

/// The tracer with nothing in those places.
pub(crate) fn cut<B: Backend>(
    tracer: Tracer<B>,
    at: &BoolTensor<B>,
    decided: &Decided,
) -> Tracer<B> {
    let shape = at.shape();
    tracer.map(Mask::new(Coefficient::decided(at.clone(), decided)), &shape)
}

/// The tracer of an entrywise y₀ = h(x₀) by `rule`, which is given x and y that are finite wherever x is
/// infinite, with y₁ = y₀ in those places.
///
/// # Errors
/// Those of `rule`.
pub(crate) fn apart<B: Backend, E>(
    tracer: Tracer<B>,
    x: FloatTensor<B>,
    y: &FloatTensor<B>,
    rule: impl FnOnce(Tracer<B>, FloatTensor<B>, &FloatTensor<B>) -> Result<Tracer<B>, E>,
) -> Result<Tracer<B>, E> {
    let Some(at) = entries::<B>(tracer.run(), &x) else {
        return rule(tracer, x, y);
    };
    let shape = y.shape();
    let decided = tracer.freeze("infinite entries", None);
    // Whatever the rule makes of these is cut off again: neither at 0, where it may refuse, nor singular.
    let (inner_x, inner_y) = (filled::<B>(x, &at, 1.0), filled::<B>(y.clone(), &at, 0.0));
    let tracer = rule(cut(tracer, &at, &decided), inner_x, &inner_y)?;
    let source = filled::<B>(y.clone(), &B::bool_not(at.clone()), 0.0);
    Ok(cut(tracer, &at, &decided).source(Coefficient::decided(source, &decided), &shape))
}
