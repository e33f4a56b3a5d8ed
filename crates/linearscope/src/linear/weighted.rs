//! What can be put in place of a map's weights.

use burn_backend::{Backend, Scalar, TensorMetadata, tensor::FloatTensor};

/// What becomes of each weight w of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transform {
    /// |w|.
    Absolute,
    /// max(w, 0).
    Positive,
    /// min(w, 0).
    Negative,
    /// w².
    Squared,
    /// 1, also for a weight that happens to be 0. The zeros of interpolations and of samples between
    /// pixels are no weights, and stay.
    Ones,
}

impl Transform {
    /// All of them.
    pub const ALL: [Transform; 5] = [
        Transform::Absolute,
        Transform::Positive,
        Transform::Negative,
        Transform::Squared,
        Transform::Ones,
    ];

    /// A tensor of weights, transformed.
    pub(crate) fn of<B: Backend>(self, w: FloatTensor<B>) -> FloatTensor<B> {
        let zero = Scalar::Float(0.0);
        match self {
            Transform::Absolute => B::float_abs(w),
            Transform::Positive => B::float_clamp_min(w, zero),
            Transform::Negative => B::float_clamp_max(w, zero),
            Transform::Squared => B::float_mul(w.clone(), w),
            Transform::Ones => B::float_ones(w.shape(), &w.device(), w.dtype().into()),
        }
    }

    /// A tensor of weights among zeros that are none, transformed.
    pub(crate) fn of_sparse<B: Backend>(self, w: FloatTensor<B>) -> FloatTensor<B> {
        match self {
            Transform::Ones => B::float_abs(B::float_sign(w)),
            other => other.of::<B>(w),
        }
    }
}
