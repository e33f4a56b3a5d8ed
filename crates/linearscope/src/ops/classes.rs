//! The classes an op can belong to. Each macro's name states the mathematics.
//!
//! In every class the *value* is computed by the inner backend's own function, so that y₀ is
//! what the inner backend alone computes. What differs is the tracer:
//!
//! | class | tracer |
//! | --- | --- |
//! | `inert!` | no tensor that could be traced goes in |
//! | `passes_on!` | ints and bools: a decision of decisions |
//! | `reads!` | reads x₀ only: the result is a decision, with its kinks |
//! | `compares!` | reads x₀ only: one tensor against another |
//! | `steps!` | a staircase: read where a rule or the recogniser says so, else refused |
//! | `linear!` | y₁ = A x₁ with the named map |
//! | `gradient!` | a backward op: the same in its output gradient |
//! | `refused!` | no rule: [`Error::NoRule`](crate::Error::NoRule) names the op and says why |
//!
//! Ops outside the macros are written out: shifts and ruled ops that call into `rules`.

use burn_backend::{
    Backend, BoolDType, Distribution, FloatDType, IntDType, Scalar, Shape, Slice, TensorData,
    ops::{GridSampleOptions, PadMode},
    quantization::QuantScheme,
    tensor::{FloatTensor, IndexingUpdateOp},
};

use crate::{
    coefficient::Coefficient,
    run::{
        ScopeTensor, Tracked,
        open::{Opened, Operand},
    },
};

/// From an argument of the decorator's op to that of the inner backend's op.
pub(crate) trait Lower<B: Backend> {
    /// What a map may keep of it: tensors say where they came from.
    type Held;
    type Inner;
    fn hold(self, op: &mut Opened<B>) -> Self::Held;
    fn plain(held: &Self::Held) -> Self::Inner;
    fn lower(self, op: &mut Opened<B>) -> Self::Inner
    where
        Self: Sized,
    {
        Self::plain(&self.hold(op))
    }
}

impl<B: Backend> Lower<B> for ScopeTensor<B> {
    type Held = Coefficient<FloatTensor<B>>;
    type Inner = FloatTensor<B>;
    fn hold(self, op: &mut Opened<B>) -> Self::Held {
        match op.float(self) {
            // For ops that are refused then.
            Operand::Traced(x) => Coefficient::carried(x.value),
            Operand::Fixed(x) => x,
        }
    }
    fn plain(held: &Self::Held) -> Self::Inner {
        held.value().clone()
    }
    fn lower(self, op: &mut Opened<B>) -> Self::Inner {
        self.hold(op).into_value()
    }
}

impl<B: Backend, T: Clone> Lower<B> for Tracked<B, T> {
    type Held = Coefficient<T>;
    type Inner = T;
    fn hold(self, op: &mut Opened<B>) -> Self::Held {
        op.other(self)
    }
    fn plain(held: &Self::Held) -> T {
        held.value().clone()
    }
    fn lower(self, op: &mut Opened<B>) -> T {
        self.hold(op).into_value()
    }
}

impl<B: Backend, T: Lower<B>> Lower<B> for Vec<T> {
    type Held = Vec<T::Held>;
    type Inner = Vec<T::Inner>;
    fn hold(self, op: &mut Opened<B>) -> Self::Held {
        self.into_iter().map(|x| x.hold(op)).collect()
    }
    fn plain(held: &Self::Held) -> Self::Inner {
        held.iter().map(T::plain).collect()
    }
}

impl<B: Backend, T: Lower<B>> Lower<B> for Option<T> {
    type Held = Option<T::Held>;
    type Inner = Option<T::Inner>;
    fn hold(self, op: &mut Opened<B>) -> Self::Held {
        self.map(|x| x.hold(op))
    }
    fn plain(held: &Self::Held) -> Self::Inner {
        held.as_ref().map(T::plain)
    }
}

/// Arguments that are not tensors pass as they are.
macro_rules! passes {
    ($($ty:ty),* $(,)?) => {$(
        impl<B: Backend> Lower<B> for $ty {
            type Held = Self;
            type Inner = Self;
            fn hold(self, _: &mut Opened<B>) -> Self { self }
            fn plain(held: &Self) -> Self { held.clone() }
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

/// From the inner backend's result to the decorator's. `because` says why an op is refused; it starts
/// with `: ` or is empty.
pub(crate) trait Raise<B: Backend, Inner> {
    fn fixed(inner: Inner, op: &Opened<B>) -> Self;
    fn refused(inner: Inner, op: &Opened<B>, name: &str, because: &str) -> Self;
}

impl<B: Backend> Raise<B, FloatTensor<B>> for ScopeTensor<B> {
    fn fixed(value: FloatTensor<B>, op: &Opened<B>) -> Self {
        op.fixed(value)
    }
    fn refused(value: FloatTensor<B>, op: &Opened<B>, name: &str, because: &str) -> Self {
        op.refused(value, name, because)
    }
}

impl<B: Backend, T> Raise<B, T> for Tracked<B, T> {
    fn fixed(value: T, op: &Opened<B>) -> Self {
        op.tracked(value)
    }
    fn refused(value: T, op: &Opened<B>, name: &str, because: &str) -> Self {
        op.refuse(name, because);
        op.tracked(value)
    }
}

/// Several results of one op: each is raised by itself.
impl<B: Backend, X, Y, XI, YI> Raise<B, (XI, YI)> for (X, Y)
where
    X: Raise<B, XI>,
    Y: Raise<B, YI>,
{
    fn fixed((x, y): (XI, YI), op: &Opened<B>) -> Self {
        (X::fixed(x, op), Y::fixed(y, op))
    }
    fn refused((x, y): (XI, YI), op: &Opened<B>, name: &str, because: &str) -> Self {
        (
            X::refused(x, op, name, because),
            Y::refused(y, op, name, because),
        )
    }
}

impl<B: Backend, X: Raise<B, XI>, XI> Raise<B, Option<XI>> for Option<X> {
    fn fixed(x: Option<XI>, op: &Opened<B>) -> Self {
        x.map(|x| X::fixed(x, op))
    }
    fn refused(x: Option<XI>, op: &Opened<B>, name: &str, because: &str) -> Self {
        x.map(|x| X::refused(x, op, name, because))
    }
}

/// Ints and bools of ints and bools: what decisions make of each other.
macro_rules! passes_on {
    ($(fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $out:ty;)*) => {$(
        fn $name($($arg: $ty),*) -> $out {
            let mut op = $crate::run::open::Opened::<B>::default();
            let inner = B::$name($($crate::ops::classes::Lower::<B>::lower($arg, &mut op)),*);
            $crate::ops::classes::Raise::<B, _>::fixed(inner, &op)
        }
    )*};
}

/// y = h(x₀): the result depends on the input through decisions only. The row ends with a word and with
/// how what is decided hangs on the first operand, from its value and tracer.
macro_rules! reads {
    ($(fn $name:ident($x:ident: $xty:ty $(, $arg:ident: $ty:ty)* $(,)?) -> $out:ty => $what:literal: $decides:expr;)*) => {$(
        fn $name($x: $xty $(, $arg: $ty)*) -> $out {
            let mut op = $crate::run::open::Opened::<B>::default();
            let $x = op.read($x, $what, |x, tracer| {
                let read = $crate::run::kinks::Read::traced(x, tracer);
                ($decides)(read)
            });
            let inner = B::$name($x $(, $crate::ops::classes::Lower::<B>::lower($arg, &mut op))*);
            $crate::ops::classes::Raise::<B, _>::fixed(inner, &op)
        }
    )*};
}

/// One tensor against another, entry by entry. The row ends with the test, `swapped` where it is the
/// second that is tested against the first.
macro_rules! compares {
    ($(fn $name:ident($lhs:ident: $lty:ty, $rhs:ident: $rty:ty, $dtype:ident: $dty:ty) -> $out:ty => $test:expr $(, $swapped:ident)?;)*) => {$(
        fn $name($lhs: $lty, $rhs: $rty, $dtype: $dty) -> $out {
            let mut op = $crate::run::open::Opened::<B>::default();
            let swapped = matches!(concat!("" $(, stringify!($swapped))?), "swapped");
            let ($lhs, $rhs) = op.compare($lhs, $rhs, $test, swapped);
            let inner = B::$name($lhs, $rhs, $dtype);
            $crate::ops::classes::Raise::<B, _>::fixed(inner, &op)
        }
    )*};
}

/// A staircase of one tensor. The row ends with where its steps are.
macro_rules! steps {
    ($(fn $name:ident($x:ident: $xty:ty) -> $out:ty => $stairs:expr;)*) => {$(
        fn $name($x: $xty) -> $out {
            let mut op = $crate::run::open::Opened::<B>::default();
            let $x = op.climb($x, $stairs);
            let inner = B::$name($x);
            $crate::ops::classes::Raise::<B, _>::refused(inner, &op, stringify!($name), "")
        }
    )*};
}

/// No tensor goes in, so no tracer can.
macro_rules! inert {
    ($(fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $out:ty;)*) => {$(
        fn $name($($arg: $ty),*) -> $out {
            <$out>::constant(B::$name($($arg),*))
        }
    )*};
}

/// No rule: a traced operand makes the run fail, naming the op. A row may end with the reason.
macro_rules! refused {
    ($(fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $out:ty $(=> $because:literal)?;)*) => {$(
        fn $name($($arg: $ty),*) -> $out {
            let mut op = $crate::run::open::Opened::<B>::default();
            let inner = B::$name($($crate::ops::classes::Lower::<B>::lower($arg, &mut op)),*);
            let because = concat!($(": ", $because)?);
            $crate::ops::classes::Raise::<B, _>::refused(inner, &op, stringify!($name), because)
        }
    )*};
}

/// y₁ = A x₁. The row ends with the map, made from the shape of the first operand.
macro_rules! linear {
    ($(fn $name:ident($x:ident: $xty:ty $(, $arg:ident: $ty:ty)* $(,)?) -> $out:ty => $map:expr;)*) => {$(
        fn $name($x: $xty $(, $arg: $ty)*) -> $out {
            #[allow(clippy::clone_on_copy)]
            $crate::run::open::linear($x, |x| B::$name(x $(, $arg.clone())*), $map)
        }
    )*};
}

/// y₁ = A g₁ in the output gradient g alone. The row names the gradient and ends with the map, made
/// from the other operands as coefficients.
macro_rules! gradient {
    ($(fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $out:ty => $gradient:ident: $carry:expr;)*) => {$(
        fn $name($($arg: $ty),*) -> $out {
            let mut op = $crate::run::open::Opened::<B>::default();
            let gradient = op.float($gradient);
            let $gradient = $crate::run::ScopeTensor::<B>::constant(gradient.value().clone());
            let mut others = $crate::run::open::Opened::<B>::default();
            $(let $arg = $crate::ops::classes::Lower::<B>::hold($arg, &mut others);)*
            let value = B::$name($(<$ty as $crate::ops::classes::Lower<B>>::plain(&$arg)),*);
            op.join(&others);
            let traced = others.any_traced();
            $crate::rules::gradient::of_gradient(stringify!($name), &op, value, gradient, traced, || $carry)
        }
    )*};
}

/// A literal as f64.
pub(crate) fn float(c: Scalar) -> f64 {
    c.elem()
}
