//! Diagonal maps: y = g ⊙ x for a frozen gain g, a scalar, a mask; and dtype casts.

use burn_backend::{
    Backend, FloatDType, Scalar as Literal, TensorMetadata,
    tensor::{BoolTensor, FloatTensor},
};

use super::{LinearMap, batch};

/// y = g ⊙ x; g broadcasts against x and has its rank. The map of every slope mask and gain.
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
}

impl<B: Backend> LinearMap<B> for Scale<B> {
    fn name(&self) -> &'static str {
        "scale"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_mul(x, self.gain.clone())
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        B::float_mul(y, self.gain.clone())
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
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_div(x, self.divisor.clone())
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        B::float_div(y, self.divisor.clone())
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
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        batch::scaled::<B>(x, self.0)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        batch::scaled::<B>(y, self.0)
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
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let mask = B::bool_expand(self.mask.clone(), x.shape());
        B::float_mask_fill(x, mask, Literal::Float(0.0))
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        <Self as LinearMap<B>>::apply(self, y)
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
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_cast(x, self.to)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        B::float_cast(y, self.from)
    }
}

/// y = x, cut off from the autodiff tape as the value is.
#[derive(Debug)]
pub(crate) struct Detach;

impl<B: Backend> LinearMap<B> for Detach {
    fn name(&self) -> &'static str {
        "detach"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_detach(x)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        B::float_detach(y)
    }
}
