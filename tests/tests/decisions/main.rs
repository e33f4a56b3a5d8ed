//! ◆ Certificates that cannot be false: what a network says of its own decisions, held against what it
//! does.
//!
//! A *decision* is what x₀ chose: a comparison, an arg-max, a truncation, a winner. Where a decision is
//! constant between kinks a radius is known; where it changes by degrees there is none. It may decide
//! a slope, or it may be *data*: a float made of it can be any operand of any op. The tables:
//!
//! - [`understood`]: every op that decides, with a kink of its own;
//! - [`doors`]: every operand through which a decision can enter, op by op through
//!   `crates/linearscope/src/ops/{float,module,activation}.rs`;
//! - [`moved`]: every op that can be applied to a decision before it enters;
//! - [`curved`]: what has no radius, and must not pass for something that has;
//! - [`ties`]: units exactly at their kink;
//! - [`stored`]: what is counted as a decision and what as a weight, and lists that do not depend on
//!   memory;
//! - [`random`]: networks of all of these;
//! - [`files`]: the same from ONNX files, and branches that x₀ may not choose.

/// One test a network: its name, the nodes that decide, the network as a function of x.
macro_rules! networks {
    ($answer:ident, $shape:expr, $rules:expr;
     $($(#[$attribute:meta])* $name:ident by $deciders:tt: |$x:ident| $body:expr;)*) => {$(
        $(#[$attribute])*
        #[test]
        fn $name() {
            let network = linearscope_tests::certified::captured($shape, |$x| $body);
            let rules = $rules.parse().expect("a rule set");
            $crate::data::holds(stringify!($name), network, rules, $crate::Answer::$answer, &$deciders);
        }
    )*};
}

mod curved;
mod data;
mod doors;
mod files;
mod moved;
mod random;
mod stored;
mod ties;
mod understood;

use linearscope_tests::certified::Answer;
