//! Diagonal maps: y = g ⊙ x for a frozen gain g, a scalar, a mask; and dtype casts.

use std::sync::Arc;

use burn_backend::{
    Backend, FloatDType, Scalar as Literal, Shape, Slice as Range, TensorMetadata,
    tensor::{BoolTensor, FloatTensor},
};

use super::{Cut, LinearMap, Region, Restricted, Stored, batch};

/// y = g ⊙ x; g broadcasts against x and has its rank. The map of every gain that takes more
/// than two values; a mask of slopes is a [`Slopes`](super::Slopes) in a program.
#[derive(Debug)]
pub(crate) struct Scale<B: Backend> {
    gain: FloatTensor<B>,
}

impl<B: Backend> Scale<B> {
    pub(crate) fn new(gain: FloatTensor<B>) -> Self {
        Self {
            gain: batch::of_one::<B>(gain),
        }
    }

    /// From a gain that has the probe axis already, of size 1.
    pub(crate) fn of_batched(gain: FloatTensor<B>) -> Self {
        Self { gain }
    }
}

impl<B: Backend> LinearMap<B> for Scale<B> {
    fn name(&self) -> &'static str {
        "scale"
    }
    fn gain(&self) -> Option<FloatTensor<B>> {
        Some(self.gain.clone())
    }
    fn then_gain(&self, gain: &FloatTensor<B>) -> Option<Arc<dyn LinearMap<B>>> {
        let gain = B::float_mul(self.gain.clone(), gain.clone());
        Some(Arc::new(Self { gain }))
    }
    fn is_entrywise(&self) -> bool {
        true
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_mul(x, self.gain.clone())
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        B::float_mul(y, self.gain.clone())
    }
    fn stored(&self) -> Stored {
        Stored::tensor(&self.gain)
    }
    fn flops(&self, _input: &Shape, output: &Shape) -> u64 {
        output.num_elements() as u64
    }
    fn reach(&self, _input: &Shape, _output: &Shape, from: &Region) -> Region {
        from.clone()
    }
    fn field(&self, _input: &Shape, _output: &Shape, to: &Region) -> Region {
        to.clone()
    }
    fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
        let region = cut.from.intersection(cut.to);
        Some(Restricted::entrywise(region, |region| Self {
            gain: region.of_batched::<B>(self.gain.clone()),
        }))
    }
}

/// y = x / d; d broadcasts against x and has its rank. Kept apart from [`Scale`] because
/// x·(1/d) rounds twice.
#[derive(Debug)]
pub(crate) struct Divide<B: Backend> {
    divisor: FloatTensor<B>,
}

impl<B: Backend> Divide<B> {
    pub(crate) fn new(divisor: FloatTensor<B>) -> Self {
        Self {
            divisor: batch::of_one::<B>(divisor),
        }
    }
}

impl<B: Backend> LinearMap<B> for Divide<B> {
    fn name(&self) -> &'static str {
        "divide"
    }
    fn gain(&self) -> Option<FloatTensor<B>> {
        Some(B::float_recip(self.divisor.clone()))
    }
    fn then_gain(&self, gain: &FloatTensor<B>) -> Option<Arc<dyn LinearMap<B>>> {
        let gain = B::float_div(gain.clone(), self.divisor.clone());
        Some(Arc::new(Scale { gain }))
    }
    fn is_entrywise(&self) -> bool {
        true
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_div(x, self.divisor.clone())
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        B::float_div(y, self.divisor.clone())
    }
    fn stored(&self) -> Stored {
        Stored::tensor(&self.divisor)
    }
    fn flops(&self, _input: &Shape, output: &Shape) -> u64 {
        output.num_elements() as u64
    }
    fn reach(&self, _input: &Shape, _output: &Shape, from: &Region) -> Region {
        from.clone()
    }
    fn field(&self, _input: &Shape, _output: &Shape, to: &Region) -> Region {
        to.clone()
    }
    fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
        let region = cut.from.intersection(cut.to);
        Some(Restricted::entrywise(region, |region| Self {
            divisor: region.of_batched::<B>(self.divisor.clone()),
        }))
    }
}

/// y = c x.
#[derive(Debug)]
pub(crate) struct Scalar(pub f64);

impl<B: Backend> LinearMap<B> for Scalar {
    fn name(&self) -> &'static str {
        "scalar"
    }
    fn moves(&self) -> bool {
        true
    }
    fn is_entrywise(&self) -> bool {
        true
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        batch::scaled::<B>(x, self.0)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        batch::scaled::<B>(y, self.0)
    }
    fn flops(&self, _input: &Shape, output: &Shape) -> u64 {
        output.num_elements() as u64
    }
    fn reach(&self, _input: &Shape, _output: &Shape, from: &Region) -> Region {
        from.clone()
    }
    fn field(&self, _input: &Shape, _output: &Shape, to: &Region) -> Region {
        to.clone()
    }
    fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
        let region = cut.from.intersection(cut.to);
        Some(Restricted::entrywise(region, |_| Self(self.0)))
    }
}

/// y = x where the mask is false, 0 where it is true. Unlike a product with 0 it also removes
/// infinities.
#[derive(Debug)]
pub(crate) struct MaskOut<B: Backend> {
    mask: BoolTensor<B>,
}

impl<B: Backend> MaskOut<B> {
    pub(crate) fn new(mask: BoolTensor<B>) -> Self {
        let shape = batch::shape_of(1, &mask.shape());
        Self {
            mask: B::bool_reshape(mask, shape),
        }
    }
}

impl<B: Backend> LinearMap<B> for MaskOut<B> {
    fn name(&self) -> &'static str {
        "mask"
    }
    fn is_entrywise(&self) -> bool {
        true
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let mask = B::bool_expand(self.mask.clone(), x.shape());
        B::float_mask_fill(x, mask, Literal::Float(0.0))
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        <Self as LinearMap<B>>::apply(self, y)
    }
    fn stored(&self) -> Stored {
        Stored::tensor(&self.mask)
    }
    fn reach(&self, _input: &Shape, _output: &Shape, from: &Region) -> Region {
        from.clone()
    }
    fn field(&self, _input: &Shape, _output: &Shape, to: &Region) -> Region {
        to.clone()
    }
    fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
        let region = cut.from.intersection(cut.to);
        Some(Restricted::entrywise(region, |region| {
            let mut ranges = vec![Range::from(0..1)];
            let axes = self.mask.shape();
            ranges.extend(axes.iter().skip(1).zip(&region.0).map(|(&size, range)| {
                if size == 1 {
                    Range::from(0..1)
                } else {
                    Range::from(range.clone())
                }
            }));
            Self {
                mask: B::bool_slice(self.mask.clone(), &ranges),
            }
        }))
    }
}

/// A change of float dtype; exact when it widens.
#[derive(Debug)]
pub(crate) struct Cast {
    pub from: FloatDType,
    pub to: FloatDType,
}

impl<B: Backend> LinearMap<B> for Cast {
    fn name(&self) -> &'static str {
        "cast"
    }
    fn is_entrywise(&self) -> bool {
        true
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_cast(x, self.to)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        B::float_cast(y, self.from)
    }
    fn reach(&self, _input: &Shape, _output: &Shape, from: &Region) -> Region {
        from.clone()
    }
    fn field(&self, _input: &Shape, _output: &Shape, to: &Region) -> Region {
        to.clone()
    }
    fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
        let region = cut.from.intersection(cut.to);
        Some(Restricted::entrywise(region, |_| Self {
            from: self.from,
            to: self.to,
        }))
    }
}

/// y = x, cut off from the autodiff tape as the value is.
#[derive(Debug)]
pub(crate) struct Detach;

impl<B: Backend> LinearMap<B> for Detach {
    fn name(&self) -> &'static str {
        "detach"
    }
    fn is_entrywise(&self) -> bool {
        true
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_detach(x)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        B::float_detach(y)
    }
    fn reach(&self, _input: &Shape, _output: &Shape, from: &Region) -> Region {
        from.clone()
    }
    fn field(&self, _input: &Shape, _output: &Shape, to: &Region) -> Region {
        to.clone()
    }
    fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
        let region = cut.from.intersection(cut.to);
        Some(Restricted::entrywise(region, |_| Self))
    }
}
