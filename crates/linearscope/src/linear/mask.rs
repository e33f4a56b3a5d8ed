//! What a mask lets through: y = x where it is false, 0 where it is true.
//!
//! Unlike a product with 0 this also removes infinities. An op's mask is a bool tensor; a program keeps one that x₀
//! chose in one bit an entry where the host computes, and in one of [`Sides`] elsewhere.

use std::sync::Arc;

use burn_backend::{
    Backend, Scalar, Shape, Slice as Range, TensorData, TensorMetadata,
    get_or_init_device_settings,
    tensor::{BoolTensor, Device, FloatTensor},
};

use super::{
    Amount, Choice, Chosen, Cut, LinearMap, Locality, Region, Restricted, Sides, Storage, Stored,
    Structure, batch,
    bits::{Bits, table},
    elsewhere,
    expansion::Expansion,
    locality::entrywise,
};
use crate::{
    coefficient::{Coefficient, Origin},
    error::Result,
};

/// y = x where the mask is false, 0 where it is true; the mask broadcasts against x and has its rank.
#[derive(Debug)]
pub(crate) struct Mask<B: Backend> {
    /// `[1, ..]`.
    mask: Coefficient<Sides<B>>,
}

impl<B: Backend> Mask<B> {
    pub(crate) fn new(mask: Coefficient<BoolTensor<B>>) -> Self {
        Self::batched(mask.map(|mask| {
            let shape = batch::shape_of(1, &mask.shape());
            B::bool_reshape(mask, shape)
        }))
    }

    /// Of a mask `[1, ..]`.
    fn batched(mask: Coefficient<BoolTensor<B>>) -> Self {
        Self {
            mask: mask.map(Sides::whole),
        }
    }
}

/// x where `mask`, `[1, ..]`, is false.
fn masked<B: Backend>(x: FloatTensor<B>, mask: BoolTensor<B>) -> FloatTensor<B> {
    let mask = B::bool_expand(mask, x.shape());
    B::float_mask_fill(x, mask, Scalar::Float(0.0))
}

/// A mask `[1, ..]` cut to a box.
fn within<B: Backend>(mask: BoolTensor<B>, region: &Region) -> BoolTensor<B> {
    let mut ranges = vec![Range::from(0..1)];
    let axes = mask.shape();
    ranges.extend(axes.iter().skip(1).zip(&region.0).map(|(&size, range)| {
        if size == 1 {
            Range::from(0..1)
        } else {
            Range::from(range.clone())
        }
    }));
    B::bool_slice(mask, &ranges)
}

impl<B: Backend> LinearMap<B> for Mask<B> {
    fn name(&self) -> &'static str {
        "mask"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        masked::<B>(x, self.mask.value().get())
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        masked::<B>(y, self.mask.value().get())
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::Mask(self)
    }
}

impl<B: Backend> Storage<B> for Mask<B> {
    fn stored(&self) -> Stored {
        self.mask.stored(match self.mask.value().is_packed() {
            true => size_of::<u32>(),
            false => 0,
        })
    }
}

impl<B: Backend> Choice<B> for Mask<B> {
    fn chosen(&self) -> Result<Option<Chosen<'_>>> {
        self.mask.chosen()
    }
    fn largest(&self) -> [f64; 2] {
        [0.0, 1.0]
    }
    fn keep_expanded(&self, keep: bool) {
        self.mask.value().keep(keep);
    }
    fn packed(&self) -> Result<Option<Arc<dyn LinearMap<B>>>> {
        // The network has the others anyway.
        if self.mask.origin() == Origin::Weight {
            return Ok(None);
        }
        let mask = self.mask.value().get();
        if elsewhere::<B>(&mask.device()) {
            let mask = self.mask.as_ref().map(Sides::packed);
            return Ok(Some(Arc::new(Self { mask })));
        }
        Ok(Some(Arc::new(PackedMask::<B> {
            bits: Bits::read::<B>(&mask)?,
            shape: mask.shape(),
            device: mask.device(),
            mask: Expansion::default(),
        })))
    }
}

impl<B: Backend> Locality<B> for Mask<B> {
    fn flops(&self, _input: &Shape, _output: &Shape) -> u64 {
        0
    }
    entrywise!(|map: &Self, region: &Region| {
        let within = |sides: &Sides<B>| within::<B>(sides.get(), region);
        Self::batched(map.mask.as_ref().map(within))
    });
}

/// A [`Mask`] that x₀ chose, in bits on the host.
#[derive(Debug)]
struct PackedMask<B: Backend> {
    bits: Bits,
    /// `[1, ..]`.
    shape: Shape,
    device: Device<B>,
    mask: Expansion<BoolTensor<B>>,
}

impl<B: Backend> PackedMask<B> {
    fn mask(&self) -> BoolTensor<B> {
        self.mask.get(|| {
            let mut mask = Vec::with_capacity(self.bits.len());
            let table = table([false, true]);
            self.bits.expand(0, self.bits.len(), &table, &mut mask);
            let dtype = get_or_init_device_settings::<B>(&self.device).bool_dtype;
            let data = TensorData::new(mask, self.shape.clone()).convert_dtype(dtype.into());
            B::bool_from_data(data, &self.device)
        })
    }
}

impl<B: Backend> LinearMap<B> for PackedMask<B> {
    fn name(&self) -> &'static str {
        "mask"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        masked::<B>(x, self.mask())
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        masked::<B>(y, self.mask())
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::Mask(self)
    }
}

impl<B: Backend> Storage<B> for PackedMask<B> {
    fn stored(&self) -> Stored {
        let amount = Amount {
            bytes: self.bits.bytes().len(),
            coefficients: self.bits.len(),
        };
        let dtype: burn_backend::DType = get_or_init_device_settings::<B>(&self.device)
            .bool_dtype
            .into();
        Stored {
            expanded: self.bits.len() * dtype.size(),
            ..Stored::amount(Origin::Decision, amount)
        }
    }
}

impl<B: Backend> Choice<B> for PackedMask<B> {
    fn chosen(&self) -> Result<Option<Chosen<'_>>> {
        Ok(Some((&self.bits).into()))
    }
    fn largest(&self) -> [f64; 2] {
        [0.0, 1.0]
    }
    fn keep_expanded(&self, keep: bool) {
        self.mask.keep(keep);
    }
    fn packed(&self) -> Result<Option<Arc<dyn LinearMap<B>>>> {
        Ok(None)
    }
}

impl<B: Backend> Locality<B> for PackedMask<B> {
    fn flops(&self, _input: &Shape, _output: &Shape) -> u64 {
        0
    }
    entrywise!(|map: &Self, region: &Region| {
        Mask::batched(Coefficient::carried(within::<B>(map.mask(), region)))
    });
}
