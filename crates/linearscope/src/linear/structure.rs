//! What is known of a map's matrix, so that whoever carries something through it need not ask its name.

use std::{fmt::Debug, sync::Arc};

use burn_backend::{Backend, tensor::FloatTensor};

use super::{Choice, LinearMap, Locality, Storage, Stored, Transform};
use crate::coefficient::Coefficient;

/// What a map's matrix A is, y = A x. Consumers match it without a wildcard, so that a new kind is a
/// question the compiler asks all of them.
///
/// Each kind but [`General`](Self::General) hands out what can be asked of maps of that kind. The test
/// `linear::tests::every_map_is_what_it_says` holds all claims against dense matrices.
#[derive(Debug)]
pub enum Structure<'a, B: Backend> {
    /// Nothing is known of it: a map of a user's that does not say. It replays as any other, both ways;
    /// whoever would have to know more refuses it with [`Error::GeneralMap`](crate::Error::GeneralMap).
    General,
    /// y = 0.
    Zero(&'a dyn Locality<B>),
    /// y = x, perhaps in another float type or off the tape.
    Identity(&'a dyn Locality<B>),
    /// y = c x.
    Multiple(f64, &'a dyn Locality<B>),
    /// yᵢ = gᵢ xᵢ.
    Diagonal(&'a dyn Gain<B>),
    /// yᵢ = sᵢ xᵢ, where each unit i chose sᵢ among two slopes.
    SlopeMask(&'a dyn Choice<B>),
    /// yᵢ = xᵢ or 0.
    Mask(&'a dyn Choice<B>),
    /// The entries of x in the same order, in another shape.
    Reshape(&'a dyn Locality<B>),
    /// Each output is one input, which one is a matter of shapes alone: each row has one 1.
    View(&'a dyn Locality<B>),
    /// Each output is one input, named by stored indices: each row has one 1.
    Selection(&'a dyn Choice<B>),
    /// Inputs in places of their own among zeros, some perhaps left out: no row and no column has more
    /// than one 1. A matter of shapes alone.
    Placement(&'a dyn Locality<B>),
    /// Each input is added to one output: each column has one 1. The transpose of a selection.
    Spread(&'a dyn Choice<B>),
    /// Sums and averages: weights ≥ 0 that shapes alone fix.
    NonNegative(&'a dyn NonNegative<B>),
    /// An interpolation: fixed weights of either sign, each row's sum is 1.
    Interpolation(&'a dyn Weighted<B>),
    /// Stored weights of either sign.
    Weighted(&'a dyn Weighted<B>),
}

impl<B: Backend> Clone for Structure<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Backend> Copy for Structure<'_, B> {}

/// y = g ⊙ x for a gain of floats.
pub trait Gain<B: Backend>: Locality<B> + Storage<B> {
    /// g as `[1, ..]`, broadcasting.
    fn gain(&self) -> Coefficient<FloatTensor<B>>;

    /// The map followed by y = g′ ⊙ x, g′ as `[1, ..]`, as one map.
    fn then_gain(&self, gain: &Coefficient<FloatTensor<B>>) -> Arc<dyn LinearMap<B>>;
}

/// Sums and averages.
pub trait NonNegative<B: Backend>: Locality<B> {
    /// Whether Burn can differentiate the ops of which [`LinearMap::adjoint`] is made.
    fn adjoint_has_gradient(&self) -> bool;
}

/// Maps with weights: every entry of the matrix is one weight or 0.
pub trait Weighted<B: Backend>: Locality<B> + Storage<B> {
    /// The same map with something else in place of each weight.
    ///
    /// Cost: a pass over the weights, and a copy of them.
    fn with_weights(&self, transform: Transform) -> Arc<dyn LinearMap<B>>;

    /// The map followed by y = g ⊙ x, g as `[1, ..]`, as one map of the same kind, if there is one: one node
    /// less to replay. A map that says nothing is only slower.
    fn then_gain(&self, _gain: &Coefficient<FloatTensor<B>>) -> Option<Arc<dyn LinearMap<B>>> {
        None
    }

    /// The same map in a form that replays faster, if there is one.
    fn prepared(&self) -> Option<Arc<dyn LinearMap<B>>> {
        None
    }

    /// Its weights by input and output channel, if they are so arranged.
    fn filters(&self) -> Option<Filters<'_, B>>;

    /// Whether Burn can differentiate the ops of which [`LinearMap::adjoint`] is made.
    fn adjoint_has_gradient(&self) -> bool;
}

/// [`Weighted`] of a map in another form: that of `self.plain`. Whether its adjoint has a gradient is the form's own.
macro_rules! weighted_as_plain {
    () => {
        fn with_weights(&self, transform: Transform) -> Arc<dyn LinearMap<B>> {
            self.plain.with_weights(transform)
        }

        fn then_gain(&self, gain: &Coefficient<FloatTensor<B>>) -> Option<Arc<dyn LinearMap<B>>> {
            self.plain.then_gain(gain)
        }

        fn filters(&self) -> Option<Filters<'_, B>> {
            self.plain.filters()
        }
    };
}
pub(super) use weighted_as_plain;

/// Weights that are the same at every place.
#[derive(Clone, Copy, Debug)]
pub struct Filters<'a, B: Backend> {
    /// As the op takes them.
    pub weight: &'a FloatTensor<B>,
    /// Which axis is what.
    pub arrangement: Arrangement,
}

/// Which axis of weights is what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrangement {
    /// `[c_out, c_in/groups, ..]`: a convolution.
    OutIn {
        /// Groups of channels.
        groups: usize,
    },
    /// `[c_in, c_out/groups, ..]`: a transposed convolution.
    InOut {
        /// Groups of channels.
        groups: usize,
    },
    /// `[.., in, out]`: the right factor of a matrix product; `flat` where the left one is `[n, in]`.
    Right {
        /// Whether features are channels.
        flat: bool,
    },
    /// `[.., out, in]`: the left factor.
    Left,
}

impl<'a, B: Backend> Structure<'a, B> {
    /// Where its entries lie and what it costs; `None`: anywhere, and nobody knows.
    pub fn locality(self) -> Option<&'a dyn Locality<B>> {
        Some(match self {
            Structure::General => return None,
            Structure::Zero(map)
            | Structure::Identity(map)
            | Structure::Multiple(_, map)
            | Structure::Reshape(map)
            | Structure::View(map)
            | Structure::Placement(map) => map,
            Structure::Diagonal(map) => map,
            Structure::SlopeMask(map)
            | Structure::Mask(map)
            | Structure::Selection(map)
            | Structure::Spread(map) => map,
            Structure::NonNegative(map) => map,
            Structure::Interpolation(map) | Structure::Weighted(map) => map,
        })
    }

    /// The memory its coefficients take; `None` if unknown.
    pub fn stored(self) -> Option<Stored> {
        Some(match self {
            Structure::General => return None,
            Structure::Zero(_)
            | Structure::Identity(_)
            | Structure::Multiple(..)
            | Structure::Reshape(_)
            | Structure::View(_)
            | Structure::Placement(_)
            | Structure::NonNegative(_) => Stored::default(),
            Structure::Diagonal(map) => map.stored(),
            Structure::SlopeMask(map)
            | Structure::Mask(map)
            | Structure::Selection(map)
            | Structure::Spread(map) => map.stored(),
            Structure::Interpolation(map) | Structure::Weighted(map) => map.stored(),
        })
    }

    /// What can be asked of a map whose coefficients are choices among finitely many; `None` for all
    /// others, and where that is unknown.
    pub fn choice(self) -> Option<&'a dyn Choice<B>> {
        match self {
            Structure::SlopeMask(map)
            | Structure::Mask(map)
            | Structure::Selection(map)
            | Structure::Spread(map) => Some(map),
            Structure::General
            | Structure::Zero(_)
            | Structure::Identity(_)
            | Structure::Multiple(..)
            | Structure::Diagonal(_)
            | Structure::Reshape(_)
            | Structure::View(_)
            | Structure::Placement(_)
            | Structure::NonNegative(_)
            | Structure::Interpolation(_)
            | Structure::Weighted(_) => None,
        }
    }

    /// What can be asked of a map with weights; `None` for all others, and where that is unknown.
    pub fn weights(self) -> Option<&'a dyn Weighted<B>> {
        match self {
            Structure::Interpolation(map) | Structure::Weighted(map) => Some(map),
            Structure::General
            | Structure::Zero(_)
            | Structure::Identity(_)
            | Structure::Multiple(..)
            | Structure::Diagonal(_)
            | Structure::SlopeMask(_)
            | Structure::Mask(_)
            | Structure::Reshape(_)
            | Structure::View(_)
            | Structure::Selection(_)
            | Structure::Placement(_)
            | Structure::Spread(_)
            | Structure::NonNegative(_) => None,
        }
    }

    /// g as `[1, ..]`, if the map is y = g ⊙ x for a gain of floats.
    pub fn gain(self) -> Option<Coefficient<FloatTensor<B>>> {
        match self {
            Structure::Diagonal(map) => Some(map.gain()),
            Structure::General
            | Structure::Zero(_)
            | Structure::Identity(_)
            | Structure::Multiple(..)
            | Structure::SlopeMask(_)
            | Structure::Mask(_)
            | Structure::Reshape(_)
            | Structure::View(_)
            | Structure::Selection(_)
            | Structure::Placement(_)
            | Structure::Spread(_)
            | Structure::NonNegative(_)
            | Structure::Interpolation(_)
            | Structure::Weighted(_) => None,
        }
    }

    /// The map followed by y = g ⊙ x, g as `[1, ..]`, as one map of the same kind, if there is one.
    pub fn then_gain(self, gain: &Coefficient<FloatTensor<B>>) -> Option<Arc<dyn LinearMap<B>>> {
        match self {
            Structure::Diagonal(map) => Some(map.then_gain(gain)),
            other => other.weights()?.then_gain(gain),
        }
    }

    /// The same map in a form that replays faster, if there is one.
    pub fn prepared(self) -> Option<Arc<dyn LinearMap<B>>> {
        self.weights()?.prepared()
    }

    /// Whether entries stay in order and only the shape changes.
    pub fn reshapes(self) -> bool {
        match self {
            Structure::Reshape(_) => true,
            Structure::General
            | Structure::Zero(_)
            | Structure::Identity(_)
            | Structure::Multiple(..)
            | Structure::Diagonal(_)
            | Structure::SlopeMask(_)
            | Structure::Mask(_)
            | Structure::View(_)
            | Structure::Selection(_)
            | Structure::Placement(_)
            | Structure::Spread(_)
            | Structure::NonNegative(_)
            | Structure::Interpolation(_)
            | Structure::Weighted(_) => false,
        }
    }

    /// Whether each output is one input times a number, the same for all: then a gate stays a gate.
    pub fn is_scaled_selection(self) -> bool {
        match self {
            Structure::Identity(_)
            | Structure::Multiple(..)
            | Structure::Reshape(_)
            | Structure::View(_)
            | Structure::Selection(_) => true,
            Structure::General
            | Structure::Zero(_)
            | Structure::Diagonal(_)
            | Structure::SlopeMask(_)
            | Structure::Mask(_)
            | Structure::Placement(_)
            | Structure::Spread(_)
            | Structure::NonNegative(_)
            | Structure::Interpolation(_)
            | Structure::Weighted(_) => false,
        }
    }

    /// Whether Burn can differentiate the ops of which [`LinearMap::adjoint`] is made; `None`: nobody
    /// knows.
    pub fn adjoint_has_gradient(self) -> Option<bool> {
        match self {
            Structure::General => None,
            Structure::NonNegative(map) => Some(map.adjoint_has_gradient()),
            Structure::Interpolation(map) | Structure::Weighted(map) => {
                Some(map.adjoint_has_gradient())
            }
            Structure::Zero(_)
            | Structure::Identity(_)
            | Structure::Multiple(..)
            | Structure::Diagonal(_)
            | Structure::SlopeMask(_)
            | Structure::Mask(_)
            | Structure::Reshape(_)
            | Structure::View(_)
            | Structure::Selection(_)
            | Structure::Placement(_)
            | Structure::Spread(_) => Some(true),
        }
    }
}
