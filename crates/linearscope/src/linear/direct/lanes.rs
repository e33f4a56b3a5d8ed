//! Vectors of floats in registers, for either precision.

use std::{
    ops::{Add, Mul},
    sync::Mutex,
};

use burn_backend::Element;
use burn_flex::FlexTensor;
use pulp::Simd;

/// A float that comes in vectors.
pub(super) trait Lanes: Element + Default + Add<Output = Self> + Mul<Output = Self> {
    /// A register of them.
    type Vector<S: Simd>: Copy;

    /// How many fit into a register.
    fn lanes<S: Simd>() -> usize;

    /// The same number in each lane.
    fn splat<S: Simd>(simd: S, x: Self) -> Self::Vector<S>;

    /// a · b + c.
    fn mul_add<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;

    /// a + b.
    fn sum<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;

    /// The sum of the lanes, in one order.
    fn across<S: Simd>(simd: S, a: Self::Vector<S>) -> Self;

    /// Numbers as whole vectors; what is left over is dropped.
    fn vectors<S: Simd>(numbers: &[Self]) -> &[Self::Vector<S>];

    /// Numbers as whole vectors to be written.
    fn vectors_mut<S: Simd>(numbers: &mut [Self]) -> &mut [Self::Vector<S>];

    /// Memory that is used again.
    fn scratch() -> &'static Mutex<Vec<Vec<Self>>>;

    /// The numbers of a tensor from its first entry on; `None`: of another kind.
    fn numbers(x: &FlexTensor) -> Option<&[Self]>;
}

macro_rules! lanes {
    ($float:ty, $vector:ident, $lanes:ident, $splat:ident, $mul_add:ident, $add:ident, $across:ident, $view:ident, $view_mut:ident) => {
        impl Lanes for $float {
            type Vector<S: Simd> = S::$vector;

            #[inline(always)]
            fn lanes<S: Simd>() -> usize {
                S::$lanes
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, x: Self) -> S::$vector {
                simd.$splat(x)
            }

            #[inline(always)]
            fn mul_add<S: Simd>(
                simd: S,
                a: S::$vector,
                b: S::$vector,
                c: S::$vector,
            ) -> S::$vector {
                simd.$mul_add(a, b, c)
            }

            #[inline(always)]
            fn sum<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$add(a, b)
            }

            #[inline(always)]
            fn across<S: Simd>(simd: S, a: S::$vector) -> Self {
                simd.$across(a)
            }

            #[inline(always)]
            fn vectors<S: Simd>(numbers: &[Self]) -> &[S::$vector] {
                S::$view(numbers).0
            }

            #[inline(always)]
            fn vectors_mut<S: Simd>(numbers: &mut [Self]) -> &mut [S::$vector] {
                S::$view_mut(numbers).0
            }

            fn scratch() -> &'static Mutex<Vec<Vec<Self>>> {
                static SCRATCH: Mutex<Vec<Vec<$float>>> = Mutex::new(Vec::new());
                &SCRATCH
            }

            fn numbers(x: &FlexTensor) -> Option<&[Self]> {
                (x.dtype() == <Self as Element>::dtype())
                    .then(|| &x.storage::<Self>()[x.layout().start_offset()..])
            }
        }
    };
}

lanes!(
    f32,
    f32s,
    F32_LANES,
    splat_f32s,
    mul_add_e_f32s,
    add_f32s,
    reduce_sum_f32s,
    as_simd_f32s,
    as_mut_simd_f32s
);
lanes!(
    f64,
    f64s,
    F64_LANES,
    splat_f64s,
    mul_add_e_f64s,
    add_f64s,
    reduce_sum_f64s,
    as_simd_f64s,
    as_mut_simd_f64s
);
