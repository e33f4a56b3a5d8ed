//! The classes an op can belong to. Each macro's name states the mathematics.
//!
//! In every class the *value* is computed by the inner backend's own function, so that y₀ is
//! what the inner backend alone computes. What differs is the probe:
//!
//! | class | probe |
//! | --- | --- |
//! | `inert!` | no tensor that could carry one goes in |
//! | `reads!` | reads x₀ only: the result is a decision |
//! | `linear!` | y₁ = A x₁ with the named map |
//! | `gradient!` | a backward op: the same in its output gradient |
//! | `refused!` | no rule: [`Error::NoRule`] names the op and says why, the probe is poisoned |
//!
//! Ops outside the macros are written out: shifts and ruled ops that call into `rules`.

use std::sync::Arc;

use burn_backend::{
    Backend, BoolDType, Distribution, FloatDType, IntDType, Scalar, Shape, Slice, TensorData,
    TensorMetadata,
    ops::{GridSampleOptions, PadMode},
    quantization::QuantScheme,
    tensor::{FloatTensor, IndexingUpdateOp},
};

use crate::{
    error::Error,
    scope::{Probe, Scope},
    tensor::{Lineage, ScopeTensor, Tracked},
};

/// What the operands of an op carried besides their values.
#[derive(Clone)]
pub(crate) struct Seen<B: Backend> {
    probe: Option<(Probe<B>, Shape)>,
    scope: Option<Arc<Scope<B>>>,
    /// Why the op is refused, when there is more to say than its name.
    because: &'static str,
}

impl<B: Backend> Default for Seen<B> {
    fn default() -> Self {
        Self {
            probe: None,
            scope: None,
            because: "",
        }
    }
}

impl<B: Backend> Seen<B> {
    /// Say why the op is refused if it is; starts with `: `.
    pub(crate) fn because(self, because: &'static str) -> Self {
        Self { because, ..self }
    }

    /// Take the value out of a float operand, remembering its lineage.
    pub(crate) fn open(&mut self, x: ScopeTensor<B>) -> FloatTensor<B> {
        let (value, lineage) = x.open();
        if let Some(scope) = lineage.scope() {
            self.meet(scope);
        }
        if let Lineage::Probed(probe) = lineage
            && self.probe.is_none()
        {
            self.probe = Some((probe, value.shape()));
        }
        value
    }

    /// An operand of this run takes part; operands of two runs are an error of both.
    fn meet(&mut self, scope: &Arc<Scope<B>>) {
        let first = self.scope.get_or_insert_with(|| scope.clone());
        if !Arc::ptr_eq(first, scope) {
            let place = first.place("");
            scope.fail(Error::ScopesMeet {
                place: place.clone(),
            });
            first.fail(Error::ScopesMeet { place });
        }
    }

    /// The lineage of a result that reads its operands at x₀ only.
    fn decision(self) -> Lineage<B> {
        match self.scope {
            Some(scope) => Lineage::Decision(scope),
            None => Lineage::Constant,
        }
    }

    /// The lineage of a result without a rule: poisoned if any operand was probed.
    pub(crate) fn refused(self, op: &str) -> Lineage<B> {
        match self.probe {
            Some((probe, shape)) => {
                let error = Error::NoRule {
                    place: probe.scope().place(op),
                    shape: shape.to_vec(),
                    because: self.because.into(),
                };
                Lineage::Probed(probe.refuse(error))
            }
            None => self.decision(),
        }
    }
}

/// From an argument of the decorator's op to that of the inner backend's op.
pub(crate) trait Lower<B: Backend> {
    type Inner;
    fn lower(self, seen: &mut Seen<B>) -> Self::Inner;
}

impl<B: Backend> Lower<B> for ScopeTensor<B> {
    type Inner = FloatTensor<B>;
    fn lower(self, seen: &mut Seen<B>) -> Self::Inner {
        seen.open(self)
    }
}

impl<B: Backend, T> Lower<B> for Tracked<B, T> {
    type Inner = T;
    fn lower(self, seen: &mut Seen<B>) -> T {
        if let Some(origin) = &self.origin {
            seen.meet(origin);
        }
        self.value
    }
}

impl<B: Backend, T: Lower<B>> Lower<B> for Vec<T> {
    type Inner = Vec<T::Inner>;
    fn lower(self, seen: &mut Seen<B>) -> Self::Inner {
        self.into_iter().map(|x| x.lower(seen)).collect()
    }
}

impl<B: Backend, T: Lower<B>> Lower<B> for Option<T> {
    type Inner = Option<T::Inner>;
    fn lower(self, seen: &mut Seen<B>) -> Self::Inner {
        self.map(|x| x.lower(seen))
    }
}

/// Arguments that are no tensors pass as they are.
macro_rules! passes {
    ($($ty:ty),* $(,)?) => {$(
        impl<B: Backend> Lower<B> for $ty {
            type Inner = Self;
            fn lower(self, _: &mut Seen<B>) -> Self { self }
        }
    )*};
}

passes!(
    usize,
    i64,
    f64,
    bool,
    [usize; 2],
    [usize; 3],
    TensorData,
    Shape,
    Scalar,
    Distribution,
    PadMode,
    GridSampleOptions,
    IndexingUpdateOp,
    FloatDType,
    IntDType,
    BoolDType,
    std::ops::Range<i64>,
    &QuantScheme,
    &[usize],
    &[Slice],
    &[(usize, usize)],
    burn_backend::ops::AttentionModuleOptions,
    burn_backend::ops::UnfoldOptions,
    burn_backend::ops::ConvOptions<1>,
    burn_backend::ops::ConvOptions<2>,
    burn_backend::ops::ConvOptions<3>,
    burn_backend::ops::ConvTransposeOptions<1>,
    burn_backend::ops::ConvTransposeOptions<2>,
    burn_backend::ops::ConvTransposeOptions<3>,
    burn_backend::ops::DeformConvOptions<2>,
    burn_backend::ops::InterpolateOptions,
);

/// From the inner backend's result to the decorator's.
pub(crate) trait Raise<B: Backend, Inner> {
    fn reads(inner: Inner, seen: Seen<B>) -> Self;
    fn refused(inner: Inner, seen: Seen<B>, op: &str) -> Self;
}

impl<B: Backend> Raise<B, FloatTensor<B>> for ScopeTensor<B> {
    fn reads(value: FloatTensor<B>, seen: Seen<B>) -> Self {
        if let Some(scope) = &seen.scope {
            scope.note_decision();
        }
        Self {
            value,
            lineage: seen.decision(),
        }
    }
    fn refused(value: FloatTensor<B>, seen: Seen<B>, op: &str) -> Self {
        Self {
            value,
            lineage: seen.refused(op),
        }
    }
}

impl<B: Backend, T> Raise<B, T> for Tracked<B, T> {
    fn reads(value: T, seen: Seen<B>) -> Self {
        Self {
            value,
            origin: seen.scope,
        }
    }
    fn refused(value: T, seen: Seen<B>, op: &str) -> Self {
        let origin = seen.scope.clone();
        seen.refused(op);
        Self { value, origin }
    }
}

/// Several results of one op: each is raised by itself.
impl<B: Backend, X, Y, XI, YI> Raise<B, (XI, YI)> for (X, Y)
where
    X: Raise<B, XI>,
    Y: Raise<B, YI>,
{
    fn reads((x, y): (XI, YI), seen: Seen<B>) -> Self {
        (X::reads(x, seen.clone()), Y::reads(y, seen))
    }
    fn refused((x, y): (XI, YI), seen: Seen<B>, op: &str) -> Self {
        (X::refused(x, seen.clone(), op), Y::refused(y, seen, op))
    }
}

impl<B: Backend, X: Raise<B, XI>, XI> Raise<B, Option<XI>> for Option<X> {
    fn reads(x: Option<XI>, seen: Seen<B>) -> Self {
        x.map(|x| X::reads(x, seen))
    }
    fn refused(x: Option<XI>, seen: Seen<B>, op: &str) -> Self {
        x.map(|x| X::refused(x, seen, op))
    }
}

/// y = h(x₀): the result depends on the input through decisions only.
macro_rules! reads {
    ($(fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $out:ty;)*) => {$(
        fn $name($($arg: $ty),*) -> $out {
            let mut seen = $crate::ops::classes::Seen::<B>::default();
            let inner = B::$name($($crate::ops::classes::Lower::<B>::lower($arg, &mut seen)),*);
            $crate::ops::classes::Raise::<B, _>::reads(inner, seen)
        }
    )*};
}

/// No tensor goes in, so no probe can.
macro_rules! inert {
    ($(fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $out:ty;)*) => {$(
        fn $name($($arg: $ty),*) -> $out {
            <$out>::constant(B::$name($($arg),*))
        }
    )*};
}

/// No rule: a probed operand makes the run fail, naming the op. A row may end with the reason.
macro_rules! refused {
    ($(fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $out:ty $(=> $because:literal)?;)*) => {$(
        fn $name($($arg: $ty),*) -> $out {
            let mut seen = $crate::ops::classes::Seen::<B>::default()
                $(.because(concat!(": ", $because)))?;
            let inner = B::$name($($crate::ops::classes::Lower::<B>::lower($arg, &mut seen)),*);
            $crate::ops::classes::Raise::<B, _>::refused(inner, seen, stringify!($name))
        }
    )*};
}

/// y₁ = A x₁. The row ends with the map, made from the shape of the first operand.
macro_rules! linear {
    ($(fn $name:ident($x:ident: $xty:ty $(, $arg:ident: $ty:ty)* $(,)?) -> $out:ty => $map:expr;)*) => {$(
        fn $name($x: $xty $(, $arg: $ty)*) -> $out {
            let (value, lineage) = $x.open();
            let $crate::tensor::Lineage::Probed(probe) = lineage else {
                let lineage = lineage.frozen();
                return $crate::tensor::ScopeTensor { value: B::$name(value $(, $arg)*), lineage };
            };
            let map = ($map)(&burn_backend::TensorMetadata::shape(&value));
            let value = B::$name(value $(, $arg)*);
            let probe = probe.map(map, &burn_backend::TensorMetadata::shape(&value));
            $crate::tensor::ScopeTensor::probed(value, probe)
        }
    )*};
}

/// y₁ = A g₁ in the output gradient g alone. The row names the gradient and ends with the map, made
/// from the values of the other operands.
macro_rules! gradient {
    ($(fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $out:ty => $gradient:ident: $carry:expr;)*) => {$(
        fn $name($($arg: $ty),*) -> $out {
            let ($gradient, lineage) = $gradient.open();
            let $gradient = $crate::tensor::ScopeTensor::<B>::constant($gradient);
            let mut seen = $crate::ops::classes::Seen::<B>::default();
            $(let $arg = $crate::ops::classes::Lower::<B>::lower($arg, &mut seen);)*
            #[allow(clippy::clone_on_copy)]
            let value = B::$name($($arg.clone()),*);
            $crate::rules::gradient::of_gradient(stringify!($name), value, lineage, seen, || $carry)
        }
    )*};
}

/// A literal as f64.
pub(crate) fn float(c: Scalar) -> f64 {
    c.elem()
}
