//! Linear maps: one linear op with its coefficients, applied to batches of probes, both ways.
//!
//! Every map works on `[k, ..shape]`: k probes of the op's input (for
//! [`apply`](LinearMap::apply)) or k cotangents of its output (for
//! [`adjoint`](LinearMap::adjoint)). The two satisfy ⟨A x, y⟩ = ⟨x, Aᵀ y⟩; the tests in
//! `rules` check that and every op against a slow twin on numbers.

use std::{fmt::Debug, sync::Arc};

use burn_backend::{Backend, Shape, TensorMetadata, tensor::FloatTensor};

use crate::error::Result;

/// What a map in another form leaves to `self.own`: all but how it is applied and what it stores. A box
/// of it is prepared anew.
macro_rules! as_own {
    () => {
        fn flops(&self, input: &Shape, output: &Shape) -> u64 {
            self.own.flops(input, output)
        }

        fn reach(&self, input: &Shape, output: &Shape, from: &Region) -> Region {
            self.own.reach(input, output, from)
        }

        fn field(&self, input: &Shape, output: &Shape, to: &Region) -> Region {
            self.own.field(input, output, to)
        }

        fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
            let own = self.own.restrict(cut)?;
            Some(Restricted {
                map: own.map.prepared().unwrap_or(own.map),
                ..own
            })
        }

        fn then_gain(&self, gain: &FloatTensor<B>) -> Option<Arc<dyn LinearMap<B>>> {
            self.own.then_gain(gain)
        }
    };
}

pub(crate) mod batch;
mod chosen;
mod conv;
mod conv_weight;
mod convolution_kernel;
mod cross;
mod direct;
mod expansion;
mod interpolate;
mod matmul;
mod pad;
mod pool;
mod reduce;
mod region;
mod sample;
mod scale;
mod select;
mod shape;
mod slopes;
mod transpose;
mod winners;

pub use chosen::Chosen;
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
pub(crate) use region::Adapt;
pub use region::{Cut, Region, Restricted};
pub(crate) use sample::{Corner, Sample};
pub(crate) use scale::{Cast, Detach, Divide, MaskOut, Scalar, Scale};
pub(crate) use select::{Pick, Select};
pub(crate) use shape::{
    Embed, Expand, Flip, Permute, RepeatDim, Reshape, Slice, SwapDims, Zero, regrouped,
};
pub(crate) use slopes::{Left, Slopes};
pub(crate) use transpose::Transpose;
pub(crate) use winners::Winners;

/// What a map stores, for accounts of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Bytes at rest.
    pub bytes: usize,
    /// Coefficients they stand for: slopes, winners, gains, weights.
    pub coefficients: usize,
    /// Bytes of the form that replays work with, where that is another one and may be kept.
    pub expanded: usize,
}

impl Stored {
    /// A tensor of coefficients, stored as it is.
    pub(crate) fn tensor<T: TensorMetadata>(x: &T) -> Self {
        let coefficients = x.shape().num_elements();
        Self {
            bytes: coefficients * x.dtype().size(),
            coefficients,
            expanded: 0,
        }
    }
}

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

    /// The memory its coefficients take.
    fn stored(&self) -> Stored {
        Stored::default()
    }

    /// What each unit chose, for a map whose coefficients are choices among finitely many.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) where they live on a device that does not deliver.
    fn chosen(&self) -> Result<Option<Chosen<'_>>> {
        Ok(None)
    }

    /// Whether to keep, between replays, the form that replays work with.
    fn keep_expanded(&self, _keep: bool) {}

    /// Floating-point operations for one probe, a multiply-add counted as two; 0 for what only
    /// moves data.
    fn flops(&self, _input: &Shape, _output: &Shape) -> u64 {
        0
    }

    /// The outputs that inputs of a box reach, as a box that holds them.
    fn reach(&self, _input: &Shape, output: &Shape, _from: &Region) -> Region {
        Region::full(output)
    }

    /// The inputs that outputs of a box depend on, as a box that holds them.
    fn field(&self, input: &Shape, _output: &Shape, _to: &Region) -> Region {
        Region::full(input)
    }

    /// g as `[1, ..]`, broadcasting, if the map is y = g ⊙ x for a gain of floats.
    fn gain(&self) -> Option<FloatTensor<B>> {
        None
    }

    /// The map followed by y = g ⊙ x, g as `[1, ..]`, as one map of the same kind, if there is one.
    fn then_gain(&self, _gain: &FloatTensor<B>) -> Option<Arc<dyn LinearMap<B>>> {
        None
    }

    /// Whether each output entry is its input entry times a number.
    fn is_entrywise(&self) -> bool {
        false
    }

    /// The map with |weights|, for a map with weights of either sign.
    fn magnitudes(&self) -> Option<Arc<dyn LinearMap<B>>> {
        None
    }

    /// Whether entries stay in order and only the shape changes.
    fn reshapes(&self) -> bool {
        false
    }

    /// The same map in a form that replays faster, if there is one.
    fn prepared(&self) -> Option<Arc<dyn LinearMap<B>>> {
        None
    }

    /// The map restricted to boxes; `None`: it has no smaller form than itself.
    fn restrict(&self, _cut: &Cut<'_>) -> Option<Restricted<B>> {
        None
    }
}

/// A map behind a pointer, a user's own for instance, is that map.
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
    fn stored(&self) -> Stored {
        (**self).stored()
    }
    fn chosen(&self) -> Result<Option<Chosen<'_>>> {
        (**self).chosen()
    }
    fn keep_expanded(&self, keep: bool) {
        (**self).keep_expanded(keep);
    }
    fn flops(&self, input: &Shape, output: &Shape) -> u64 {
        (**self).flops(input, output)
    }
    fn reach(&self, input: &Shape, output: &Shape, from: &Region) -> Region {
        (**self).reach(input, output, from)
    }
    fn field(&self, input: &Shape, output: &Shape, to: &Region) -> Region {
        (**self).field(input, output, to)
    }
    fn gain(&self) -> Option<FloatTensor<B>> {
        (**self).gain()
    }
    fn then_gain(&self, gain: &FloatTensor<B>) -> Option<Arc<dyn LinearMap<B>>> {
        (**self).then_gain(gain)
    }
    fn is_entrywise(&self) -> bool {
        (**self).is_entrywise()
    }
    fn magnitudes(&self) -> Option<Arc<dyn LinearMap<B>>> {
        (**self).magnitudes()
    }
    fn reshapes(&self) -> bool {
        (**self).reshapes()
    }
    fn prepared(&self) -> Option<Arc<dyn LinearMap<B>>> {
        (**self).prepared()
    }
    fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
        (**self).restrict(cut)
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
