//! A mask of slopes: y = s ⊙ x where each sᵢ is one of two. relu (1 or 0), leaky_relu, prelu, abs, clip.
//!
//! An op's mask is a bool tensor, of which a float gain is made when it is first used: a multiplication by a gain is
//! what backends do best. A program keeps one bit a unit instead: where the host computes see `packed`, elsewhere in
//! [`Sides`], which the device packs and unpacks without the host.

mod packed;

use std::sync::Arc;

use burn_backend::{
    Backend, DType, Scalar, Shape, Slice as Range, TensorMetadata, get_or_init_device_settings,
    tensor::{BoolTensor, FloatTensor},
};

use self::packed::PackedSlopeMask;
use super::{
    Choice, Chosen, Cut, LinearMap, Locality, Region, Restricted, Sides, Storage, Stored,
    Structure, batch, elsewhere, expansion::Expansion, locality::entrywise,
};
use crate::{coefficient::Coefficient, error::Result};

/// The slope where the mask is false.
#[derive(Clone, Debug)]
pub(crate) enum Left<B: Backend> {
    /// The same for every unit.
    Number(f64),
    /// Of the units' rank, broadcasting against them (prelu).
    Tensor(Coefficient<FloatTensor<B>>),
}

impl<B: Backend> Left<B> {
    fn within(&self, region: &Region) -> Self {
        match self {
            Left::Number(number) => Left::Number(*number),
            Left::Tensor(left) => {
                Left::Tensor(left.clone().map(|left| region.of_broadcast::<B>(left)))
            }
        }
    }
}

/// y = s ⊙ x; s is `right` where the mask is true, else `left`.
#[derive(Debug)]
pub(crate) struct SlopeMask<B: Backend> {
    /// Of the shape of x.
    mask: Coefficient<Sides<B>>,
    right: f64,
    left: Left<B>,
    dtype: DType,
    /// s as `[1, ..]`.
    gain: Expansion<FloatTensor<B>>,
}

impl<B: Backend> SlopeMask<B> {
    /// `like` lends the dtype of s.
    pub(crate) fn new(
        mask: Coefficient<BoolTensor<B>>,
        right: f64,
        left: Left<B>,
        like: &FloatTensor<B>,
    ) -> Self {
        Self::of_dtype(mask, right, left, like.dtype())
    }

    fn of_dtype(mask: Coefficient<BoolTensor<B>>, right: f64, left: Left<B>, dtype: DType) -> Self {
        Self::of(mask.map(Sides::whole), right, left, dtype)
    }

    fn of(mask: Coefficient<Sides<B>>, right: f64, left: Left<B>, dtype: DType) -> Self {
        let gain = Expansion::default();
        // On a tape, whose gradient passes through it, and for a paired run, which uses it once.
        gain.keep(!mask.value().is_packed());
        Self {
            mask,
            right,
            left,
            dtype,
            gain,
        }
    }

    /// Zeros where units are flat, whatever is there: x₀ may have infinite entries, and nobody has to ask.
    fn selected(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let mask = self.mask.value().get();
        let flat = B::bool_reshape(
            B::bool_not(mask),
            batch::shape_of(1, self.mask.value().shape()),
        );
        let x = B::float_mask_fill(
            x.clone(),
            B::bool_expand(flat, x.shape()),
            Scalar::Float(0.0),
        );
        match self.right {
            1.0 => x,
            right => B::float_mul_scalar(x, Scalar::Float(right)),
        }
    }

    /// Whether it is applied by selecting, in the form that a device keeps.
    fn selects(&self) -> bool {
        self.mask.value().is_packed() && matches!(self.left, Left::Number(0.0))
    }

    fn gain(&self) -> FloatTensor<B> {
        let make = || {
            let mask = self.mask.value().get();
            let (shape, dtype) = (mask.shape(), self.dtype.into());
            let left = match &self.left {
                Left::Number(0.0) if self.right == 1.0 => {
                    return batch::of_one::<B>(B::bool_into_float(mask, dtype));
                }
                Left::Number(left) => {
                    B::float_full(shape, Scalar::Float(*left), &mask.device(), dtype)
                }
                Left::Tensor(left) => B::float_expand(left.value().clone(), shape),
            };
            batch::of_one::<B>(B::float_mask_fill(left, mask, Scalar::Float(self.right)))
        };
        self.gain.get(make)
    }
}

impl<B: Backend> LinearMap<B> for SlopeMask<B> {
    fn name(&self) -> &'static str {
        "slope_mask"
    }
    /// An infinite entry on a flat side leaves nothing; all others are the product, to the sign of their zeros.
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        if self.selects() {
            return self.selected(x);
        }
        if !matches!(self.left, Left::Number(0.0)) {
            return B::float_mul(x, self.gain());
        }
        let flat = B::bool_not(self.mask.value().get());
        let flat = B::bool_reshape(flat, batch::shape_of(1, self.mask.value().shape()));
        let flat = B::bool_expand(flat, x.shape());
        let bool_dtype = get_or_init_device_settings::<B>(&x.device()).bool_dtype;
        let infinite = B::bool_or(
            B::float_is_inf(x.clone(), bool_dtype),
            B::float_is_nan(x.clone(), bool_dtype),
        );
        let cut = B::float_mask_fill(x, B::bool_and(flat, infinite), Scalar::Float(0.0));
        B::float_mul(cut, self.gain())
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        match self.selects() {
            true => self.selected(y),
            false => B::float_mul(y, self.gain()),
        }
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::SlopeMask(self)
    }
}

impl<B: Backend> Storage<B> for SlopeMask<B> {
    fn stored(&self) -> Stored {
        let mask = self.mask.stored(self.dtype.size());
        match &self.left {
            Left::Number(_) => mask,
            Left::Tensor(left) => mask.and(Stored::of(left)),
        }
    }
}

impl<B: Backend> Choice<B> for SlopeMask<B> {
    fn chosen(&self) -> Result<Option<Chosen<'_>>> {
        self.mask.chosen()
    }

    fn largest(&self) -> [f64; 2] {
        let left = match &self.left {
            Left::Number(left) => left.abs(),
            Left::Tensor(left) => crate::host::<B>(left.value().clone())
                .map_or(f64::INFINITY, |left| {
                    left.iter().fold(0f64, |m, s| m.max(s.abs()))
                }),
        };
        [self.right.abs(), left]
    }

    fn keep_expanded(&self, keep: bool) {
        // What is not packed is on a tape, and its gain with it.
        if self.selects() {
            self.mask.value().keep(keep);
        } else if self.mask.value().is_packed() {
            self.gain.keep(keep);
        }
    }

    fn packed(&self) -> Result<Option<Arc<dyn LinearMap<B>>>> {
        let mask = self.mask.value().get();
        if !elsewhere::<B>(&mask.device()) {
            return Ok(Some(Arc::new(PackedSlopeMask::new(self)?)));
        }
        let mask = self.mask.as_ref().map(Sides::packed);
        Ok(Some(Arc::new(Self::of(
            mask,
            self.right,
            self.left.clone(),
            self.dtype,
        ))))
    }
}

impl<B: Backend> Locality<B> for SlopeMask<B> {
    fn flops(&self, _input: &Shape, output: &Shape) -> u64 {
        output.num_elements() as u64
    }
    entrywise!(|map: &Self, region: &Region| {
        let ranges: Vec<Range> = region.0.iter().map(|r| Range::from(r.clone())).collect();
        let slice = |mask: &Sides<B>| B::bool_slice(mask.get(), &ranges);
        let mask = map.mask.as_ref().map(slice);
        Self::of_dtype(mask, map.right, map.left.within(region), map.dtype)
    });
}
