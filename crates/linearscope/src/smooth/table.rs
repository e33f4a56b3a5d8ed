//! From rows to [`Smooth`](super::Smooth): every function takes one column of every row, so that a row
//! without a column does not compile.

/// The enum of a table's rows, and its columns. A row with a parameter lists examples of it for tests:
/// `Power(c: 0.5, 3.0)`.
macro_rules! smooth {
    (|$x:ident, $y:ident| $(
        $name:ident $(($c:ident: $($example:expr),+))?
            [$number:expr, $tensor:expr, $slope:expr, $at_zero:expr, $secant:expr, $gate:expr $(,)?]
    ),* $(,)?) => {
        /// A smooth function of one number.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub(crate) enum Smooth {
            $($name $((smooth!(@parameter $c)))?,)*
        }

        use Smooth::*;

        #[allow(unused_variables)]
        impl Smooth {
            /// h of a number.
            fn on_number(self, $x: f64) -> f64 {
                match self { $(Self::$name $(($c))? => $number,)* }
            }

            /// h of every entry of a tensor.
            fn on_tensor<B: Backend>(self, $x: FloatTensor<B>) -> FloatTensor<B> {
                match self { $(Self::$name $(($c))? => $tensor,)* }
            }

            /// h′(x), from x and y = h(x).
            pub(crate) fn slope<N: Number>(self, $x: N, $y: N) -> N {
                match self { $(Self::$name $(($c))? => $slope,)* }
            }

            /// h(0).
            pub(crate) fn at_zero(self) -> f64 {
                match self { $(Self::$name $(($c))? => $at_zero,)* }
            }

            /// (h(x) − h(0))/x, h′(0) at 0, from x and y = h(x); none where h(0) or h′(0) is not finite.
            pub(crate) fn secant<N: Number>(self, $x: N, $y: N) -> Option<N> {
                match self { $(Self::$name $(($c))? => $secant,)* }
            }

            /// Whether it weighs the other factor of a product.
            pub(crate) fn is_gate(self) -> bool {
                match self { $(Self::$name $(($c))? => $gate,)* }
            }

            /// Every row.
            #[cfg(test)]
            pub(crate) fn all() -> Vec<Self> {
                [$(smooth!(@examples $name $($($example),+)?)),*].concat()
            }
        }
    };
    (@parameter $c:ident) => { f64 };
    (@examples $name:ident) => { vec![Self::$name] };
    (@examples $name:ident $($example:expr),+) => { vec![$(Self::$name($example)),+] };
}

pub(super) use smooth;
