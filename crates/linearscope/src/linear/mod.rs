//! Linear maps: one linear op with its coefficients, applied to batches of probes, both ways.
//!
//! Every map works on `[k, ..shape]`: k probes of the op's input (for
//! [`apply`](LinearMap::apply)) or k cotangents of its output (for
//! [`adjoint`](LinearMap::adjoint)). The two satisfy ⟨A x, y⟩ = ⟨x, Aᵀ y⟩; the tests in
//! `rules` check that and every op against a slow twin on numbers.

use std::fmt::Debug;

use burn_backend::{Backend, tensor::FloatTensor};

pub(crate) mod batch;
mod conv;
mod conv_weight;
mod cross;
mod interpolate;
mod matmul;
mod pad;
mod pool;
mod reduce;
mod sample;
mod scale;
mod select;
mod shape;
mod transpose;

pub(crate) use conv::{Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d};
pub(crate) use conv_weight::{
    Conv1dWeight, Conv2dWeight, Conv3dWeight, ConvTranspose1dWeight, ConvTranspose2dWeight,
    ConvTranspose3dWeight,
};
pub(crate) use cross::Cross;
pub(crate) use interpolate::Interpolate;
pub(crate) use matmul::{MatmulLeft, MatmulRight};
pub(crate) use pad::Pad;
pub(crate) use pool::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AvgPool1d, AvgPool2d,
};
pub(crate) use reduce::{CumSum, MeanDim, Sum, SumDim};
pub(crate) use sample::{Corner, Sample};
pub(crate) use scale::{Cast, Detach, Divide, MaskOut, Scalar, Scale};
pub(crate) use select::{Pick, Select};
pub(crate) use shape::{Embed, Expand, Flip, Permute, RepeatDim, Reshape, Slice, SwapDims, Zero};
pub(crate) use transpose::Transpose;

/// One linear op with frozen coefficients.
pub trait LinearMap<B: Backend>: Debug + Send + Sync {
    /// The word `inspect` prints: `conv2d`, `scale`, `select`…
    fn name(&self) -> &'static str;

    /// Whether each entry of the result is one entry of the operand, times a number of all: then a
    /// gate stays a gate.
    fn moves(&self) -> bool {
        false
    }

    /// A x for k probes: `[k, ..input] → [k, ..output]`. Cost: k times the op.
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B>;

    /// Aᵀ y for k cotangents: `[k, ..output] → [k, ..input]`.
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B>;
}

impl<B: Backend> LinearMap<B> for Box<dyn LinearMap<B>> {
    fn name(&self) -> &'static str {
        (**self).name()
    }
    fn moves(&self) -> bool {
        (**self).moves()
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        (**self).apply(x)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        (**self).adjoint(y)
    }
}

/// y = g ⊙ x for a gain that broadcasts against x and has its rank: what a rule of one's own for a
/// pointwise op gives.
pub fn gain<B: Backend>(g: FloatTensor<B>) -> Box<dyn LinearMap<B>> {
    Box::new(Scale::new(g))
}

/// y = c x.
pub fn multiple<B: Backend>(c: f64) -> Box<dyn LinearMap<B>> {
    Box::new(Scalar(c))
}
