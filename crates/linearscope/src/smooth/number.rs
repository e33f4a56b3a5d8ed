//! What formulas compute with: numbers, and tensors entry by entry.

use std::ops::{Add, Div, Mul, Neg, Sub};

use burn_backend::{
    Backend, Scalar, TensorMetadata, get_or_init_device_settings, tensor::FloatTensor,
};

use super::Smooth;

/// A real number, or many at once.
pub(crate) trait Number:
    Clone
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// h(x).
    fn under(self, h: Smooth) -> Self;

    /// x + c.
    fn plus(self, c: f64) -> Self;

    /// c x.
    fn times(self, c: f64) -> Self;

    /// `near(x)` where |x| < `radius`, else `far(x)`. `far` never sees an |x| below the radius; what
    /// `near` makes of one beyond it is dropped.
    fn near_zero(
        self,
        radius: f64,
        near: impl FnOnce(Self) -> Self,
        far: impl FnOnce(Self) -> Self,
    ) -> Self;

    /// x².
    fn square(self) -> Self {
        self.clone() * self
    }
}

impl Number for f64 {
    fn under(self, h: Smooth) -> Self {
        h.on_number(self)
    }

    fn plus(self, c: f64) -> Self {
        self + c
    }

    fn times(self, c: f64) -> Self {
        self * c
    }

    fn near_zero(
        self,
        radius: f64,
        near: impl FnOnce(Self) -> Self,
        far: impl FnOnce(Self) -> Self,
    ) -> Self {
        match self.abs() < radius {
            true => near(self),
            false => far(self),
        }
    }
}

/// A float tensor as the numbers in it, in its own dtype and on its device.
#[derive(Clone)]
pub(crate) struct Entries<B: Backend>(pub(crate) FloatTensor<B>);

impl<B: Backend> Number for Entries<B> {
    fn under(self, h: Smooth) -> Self {
        Self(h.on_tensor::<B>(self.0))
    }

    fn plus(self, c: f64) -> Self {
        Self(B::float_add_scalar(self.0, Scalar::Float(c)))
    }

    fn times(self, c: f64) -> Self {
        Self(B::float_mul_scalar(self.0, Scalar::Float(c)))
    }

    fn near_zero(
        self,
        radius: f64,
        near: impl FnOnce(Self) -> Self,
        far: impl FnOnce(Self) -> Self,
    ) -> Self {
        let bool_dtype = get_or_init_device_settings::<B>(&self.0.device()).bool_dtype;
        let size = B::float_abs(self.0.clone());
        let small = B::float_lower_elem(size, Scalar::Float(radius), bool_dtype);
        let one = Scalar::Float(1.0);
        let safe = B::float_mask_fill(self.0.clone(), small.clone(), one);
        let far = far(Self(safe)).0;
        Self(B::float_mask_where(far, small, near(self).0))
    }
}

impl<B: Backend> Add for Entries<B> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(B::float_add(self.0, other.0))
    }
}

impl<B: Backend> Sub for Entries<B> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(B::float_sub(self.0, other.0))
    }
}

impl<B: Backend> Mul for Entries<B> {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self(B::float_mul(self.0, other.0))
    }
}

impl<B: Backend> Div for Entries<B> {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        Self(B::float_div(self.0, other.0))
    }
}

impl<B: Backend> Neg for Entries<B> {
    type Output = Self;
    fn neg(self) -> Self {
        Self(B::float_neg(self.0))
    }
}
