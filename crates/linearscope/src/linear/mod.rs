//! Linear maps: one linear op with its coefficients, applied to batches of probes, forwards and
//! backwards.
//!
//! Every map works on `[k, ..shape]`: k probes of the op's input (for [`apply`](LinearMap::apply))
//! or k cotangents of its output (for [`adjoint`](LinearMap::adjoint)). The two satisfy ⟨A x,
//! y⟩ = ⟨x, Aᵀ y⟩; the tests in `rules` check this, and compare every op with a slow twin on
//! numbers.
//!
//! Everything else about a map is derived from its [`Structure`].
//!
//! | the matrix | maps |
//! | --- | --- |
//! | diagonal | `multiple`, `diagonal`, `mask`, `slope_mask` |
//! | each row one 1 | `reshape`, `view`, `select`, `switches`, `pad` |
//! | ones among zeros | `placement`; `transpose` of a selection |
//! | fixed weights | `pool`, `reduce`, `interpolate` |
//! | stored weights | `conv`, `conv_weight`, `matmul`, `cross`, `sample` |
//!
//! `convolution_kernel`, `convolution_phases` and `direct` are forms of convolutions that replay faster. `direct` also has the
//! host's products and interpolations, in which each entry is summed in one order, whatever is computed with
//! it.

use std::{fmt::Debug, sync::Arc};

use burn_backend::{Backend, tensor::FloatTensor};

use crate::{coefficient::Coefficient, interrupt::Interrupt};

pub(crate) mod batch;
mod bits;
mod chosen;
mod conv;
mod conv_weight;
mod convolution_kernel;
mod convolution_phases;
mod cross;
mod diagonal;
mod direct;
mod expansion;
pub(crate) mod integers;
mod interpolate;
mod locality;
mod mask;
mod matmul;
mod multiple;
mod pad;
mod place;
mod placement;
mod pool;
mod reduce;
mod region;
mod reshape;
mod sample;
mod select;
mod sides;
mod slope_mask;
mod storage;
mod structure;
mod switches;
#[cfg(test)]
mod tests;

mod transpose;
mod view;
mod weighted;

pub use chosen::Chosen;
pub(crate) use conv::{Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d};
pub(crate) use conv_weight::{
    Conv1dWeight, Conv2dWeight, Conv3dWeight, ConvTranspose1dWeight, ConvTranspose2dWeight,
    ConvTranspose3dWeight, singly,
};
pub(crate) use cross::Cross;
pub(crate) use diagonal::{Diagonal, Divide};
pub(crate) use direct::{Pooling, Shared, deal, elsewhere, max_pool, on_host};
pub(crate) use interpolate::Interpolate;
pub use locality::{Cut, Locality, Restricted};
pub(crate) use mask::Mask;
pub(crate) use matmul::{MatmulLeft, MatmulRight};
pub(crate) use multiple::{Cast, Detach, Multiple, Zero};
pub(crate) use pad::Pad;
pub use place::{AxisPlace, Ratio};
pub(crate) use placement::{Adapt, Embed};
pub(crate) use pool::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AvgPool1d, AvgPool2d,
};
pub(crate) use reduce::{CumSum, MeanDim, Sum, SumDim};
pub use region::Region;
pub(crate) use region::Stride;
pub(crate) use reshape::{Reshape, regrouped};
pub(crate) use sample::{Corner, Sample};
pub(crate) use select::{Pick, Select};
pub(crate) use sides::Sides;
pub(crate) use slope_mask::{Left, SlopeMask};
pub(crate) use storage::recorded_form;
pub use storage::{Amount, Choice, Storage, Stored};
pub use structure::{Arrangement, Filters, Gain, NonNegative, Structure, Weighted};
pub(crate) use switches::{Switches, Windows};
pub(crate) use transpose::Transpose;
pub(crate) use view::{Expand, Flip, Permute, RepeatDim, Slice, SwapDims};
pub use weighted::Transform;

/// One linear op with frozen coefficients.
pub trait LinearMap<B: Backend>: Debug + Send + Sync {
    /// The name that `inspect` prints: `conv2d`, `diagonal`, `select`… It decides nothing.
    fn name(&self) -> &'static str;

    /// A x for k probes: `[k, ..input] → [k, ..output]`. Cost: k times the op.
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B>;

    /// Aᵀ y for k cotangents: `[k, ..output] → [k, ..input]`.
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B>;

    /// Like [`apply`](Self::apply), but it may give up once `interrupt` is stopped. The result then has its
    /// shape but is meaningless, so callers check the interrupt afterwards. The default does not give up; a
    /// map that takes seconds should.
    fn apply_until(&self, x: FloatTensor<B>, _interrupt: &Interrupt) -> FloatTensor<B> {
        self.apply(x)
    }

    /// The same for [`adjoint`](Self::adjoint).
    fn adjoint_until(&self, y: FloatTensor<B>, _interrupt: &Interrupt) -> FloatTensor<B> {
        self.adjoint(y)
    }

    /// What is known about A. A custom map may return [`Structure::General`].
    fn structure(&self) -> Structure<'_, B>;
}

/// `apply` and `adjoint` of a map that gives both up: those that nobody stops.
macro_rules! unstopped {
    () => {
        fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
            self.apply_until(x, &$crate::interrupt::Interrupt::new())
        }
        fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
            self.adjoint_until(y, &$crate::interrupt::Interrupt::new())
        }
    };
}
pub(crate) use unstopped;

/// A map behind a pointer is that map.
macro_rules! behind_a_pointer {
    ($($pointer:ident)+) => {$(
        impl<B: Backend> LinearMap<B> for $pointer<dyn LinearMap<B>> {
            fn name(&self) -> &'static str {
                (**self).name()
            }
            fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
                (**self).apply(x)
            }
            fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
                (**self).adjoint(y)
            }
            fn apply_until(&self, x: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
                (**self).apply_until(x, interrupt)
            }
            fn adjoint_until(&self, y: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
                (**self).adjoint_until(y, interrupt)
            }
            fn structure(&self) -> Structure<'_, B> {
                (**self).structure()
            }
        }
    )+};
}

behind_a_pointer!(Arc Box);

/// y = g ⊙ x for a gain that broadcasts against x and has its rank, as a custom rule for a
/// pointwise op returns it. The gain counts as chosen by x₀.
pub fn gain<B: Backend>(g: FloatTensor<B>) -> Box<dyn LinearMap<B>> {
    Box::new(Diagonal::new(Coefficient::carried(g)))
}

/// y = c x.
pub fn multiple<B: Backend>(c: f64) -> Box<dyn LinearMap<B>> {
    Box::new(Multiple(c))
}
