//! What an op does to the entries of its operands, on single numbers in f64.
//!
//! The recogniser judges a chain of ops by its function of one number: h(0), h′(0), where its kinks
//! are, and whether the ops' own rules already give its secant. Nothing of a run is computed here.

use burn_ir::{
    ActivationOperationIr, BaseOperationIr, BoolOperationIr, FloatOperationIr, NumericOperationIr,
    OperationIr, TensorIr,
};

use super::graph::number;

/// A value and its derivative. A truth value is 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Dual {
    pub value: f64,
    pub slope: f64,
}

impl Dual {
    pub(super) fn constant(value: f64) -> Self {
        Self { value, slope: 0.0 }
    }
}

/// A function of one number.
type H = fn(f64) -> f64;

/// What an op does to entries.
#[derive(Clone, Copy, Debug)]
pub(super) enum Function {
    /// a x.
    Scale(f64),
    /// x + b.
    Shift(f64),
    /// h(x), and h′ of x and h(x). Its own rule is the secant, if `secant`, else the tangent; a `gate`
    /// weighs others.
    Smooth {
        h: H,
        slope: fn(f64, f64) -> f64,
        secant: bool,
        gate: bool,
    },
    /// xᶜ.
    Power(f64),
    /// x where x > 0, else a x.
    Leaky(f64),
    /// |x|.
    Abs,
    /// x between two bounds.
    Clamp(f64, f64),
    /// clip(a x + b, 0, 1).
    HardSigmoid(f64, f64),
    /// x + c y.
    Sum(f64),
    /// x y.
    Product,
    /// x / y.
    Quotient,
    /// −1, 0 or 1.
    Sign,
    /// A comparison with another tensor, or with a number.
    Compare(fn(&f64, &f64) -> bool, Option<f64>),
    /// not, and, or, xor.
    Logic(fn(bool, bool) -> bool),
    /// A truth value as 0 or 1.
    Float,
    /// A number where the mask (second operand) is true, x elsewhere.
    Fill(f64),
    /// Third operand where the mask (second) is true, the first elsewhere.
    Where,
}

/// An op that works entry by entry.
#[derive(Debug)]
pub(super) struct Entrywise<'a> {
    pub operands: Vec<&'a TensorIr>,
    pub out: &'a TensorIr,
    pub function: Function,
}

/// The logistic function.
fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// erf, by its series below 3 and the continued fraction of erfc beyond (Abramowitz and Stegun
/// 7.1.5, 7.1.14).
fn erf(x: f64) -> f64 {
    if x.abs() < 3.0 {
        let (mut term, mut sum) = (x, x);
        for n in 1..60 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        return sum * std::f64::consts::FRAC_2_SQRT_PI;
    }
    let z = x.abs();
    let tail = (1..60)
        .rev()
        .fold(z, |tail, n| z + 0.5 * f64::from(n) / tail);
    let rest = (-z * z).exp() / (std::f64::consts::PI.sqrt() * tail);
    x.signum() * (1.0 - rest)
}

/// Φ, the normal distribution function.
fn normal(x: f64) -> f64 {
    0.5 * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2))
}

fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

impl<'a> Entrywise<'a> {
    /// The op as a function of entries, if it is one.
    pub(super) fn of(operation: &'a OperationIr) -> Option<Self> {
        use ActivationOperationIr as A;
        use BaseOperationIr as B;
        use FloatOperationIr as F;
        use NumericOperationIr as N;
        let smooth = |h: H, slope: fn(f64, f64) -> f64| Function::Smooth {
            h,
            slope,
            secant: true,
            gate: false,
        };
        let tangent = |h: H, slope: fn(f64, f64) -> f64| Function::Smooth {
            h,
            slope,
            secant: false,
            gate: false,
        };
        macro_rules! one {
            ($op:expr, $input:ident, $function:expr) => {
                Some(Self {
                    operands: vec![&$op.$input],
                    out: &$op.out,
                    function: $function,
                })
            };
        }
        macro_rules! two {
            ($op:expr, $function:expr) => {
                Some(Self {
                    operands: vec![&$op.lhs, &$op.rhs],
                    out: &$op.out,
                    function: $function,
                })
            };
        }
        match operation {
            OperationIr::Float(_, op) => match op {
                F::Exp(op) => one!(op, input, smooth(f64::exp, |_, y| y)),
                F::Log(op) => one!(op, input, tangent(f64::ln, |x, _| 1.0 / x)),
                F::Log1p(op) => one!(op, input, smooth(f64::ln_1p, |x, _| 1.0 / (1.0 + x))),
                F::Erf(op) => {
                    let slope = |x: f64, _| std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp();
                    one!(op, input, smooth(erf, slope))
                }
                F::PowfScalar(op) => one!(op, lhs, Function::Power(number(&op.rhs))),
                F::Sqrt(op) => one!(op, input, tangent(f64::sqrt, |_, y| 0.5 / y)),
                F::Recip(op) => one!(op, input, tangent(f64::recip, |_, y| -y * y)),
                F::Sin(op) => one!(op, input, smooth(f64::sin, |x, _| x.cos())),
                F::Cos(op) => one!(op, input, smooth(f64::cos, |x, _| -x.sin())),
                F::Tan(op) => one!(op, input, smooth(f64::tan, |_, y| 1.0 + y * y)),
                F::Sinh(op) => one!(op, input, smooth(f64::sinh, |x, _| x.cosh())),
                F::Cosh(op) => one!(op, input, smooth(f64::cosh, |x, _| x.sinh())),
                F::Tanh(op) => one!(op, input, smooth(f64::tanh, |_, y| 1.0 - y * y)),
                F::ArcSin(op) => {
                    one!(
                        op,
                        input,
                        smooth(f64::asin, |x, _| (1.0 - x * x).sqrt().recip())
                    )
                }
                F::ArcCos(op) => {
                    one!(
                        op,
                        input,
                        smooth(f64::acos, |x, _| -(1.0 - x * x).sqrt().recip())
                    )
                }
                F::ArcTan(op) => one!(op, input, smooth(f64::atan, |x, _| 1.0 / (1.0 + x * x))),
                F::ArcSinh(op) => {
                    one!(
                        op,
                        input,
                        smooth(f64::asinh, |x, _| (1.0 + x * x).sqrt().recip())
                    )
                }
                F::ArcCosh(op) => {
                    one!(
                        op,
                        input,
                        tangent(f64::acosh, |x, _| (x * x - 1.0).sqrt().recip())
                    )
                }
                F::ArcTanh(op) => one!(op, input, smooth(f64::atanh, |x, _| 1.0 / (1.0 - x * x))),
                _ => None,
            },
            OperationIr::NumericFloat(_, op) => match op {
                N::Add(op) => two!(op, Function::Sum(1.0)),
                N::Sub(op) => two!(op, Function::Sum(-1.0)),
                N::Mul(op) => two!(op, Function::Product),
                N::Div(op) => two!(op, Function::Quotient),
                N::AddScalar(op) => one!(op, lhs, Function::Shift(number(&op.rhs))),
                N::SubScalar(op) => one!(op, lhs, Function::Shift(-number(&op.rhs))),
                N::MulScalar(op) => one!(op, lhs, Function::Scale(number(&op.rhs))),
                N::DivScalar(op) => one!(op, lhs, Function::Scale(1.0 / number(&op.rhs))),
                N::PowiScalar(op) => one!(op, lhs, Function::Power(number(&op.rhs))),
                N::Neg(op) => one!(op, input, Function::Scale(-1.0)),
                N::Abs(op) => one!(op, input, Function::Abs),
                N::Sign(op) => one!(op, input, Function::Sign),
                N::Clamp(op) => {
                    let (low, high) = (number(&op.min), number(&op.max));
                    (low <= high).then_some(())?;
                    one!(op, tensor, Function::Clamp(low, high))
                }
                N::ClampMin(op) => {
                    one!(op, lhs, Function::Clamp(number(&op.rhs), f64::INFINITY))
                }
                N::ClampMax(op) => {
                    one!(op, lhs, Function::Clamp(f64::NEG_INFINITY, number(&op.rhs)))
                }
                N::Greater(op) => two!(op, Function::Compare(f64::gt, None)),
                N::GreaterEqual(op) => two!(op, Function::Compare(f64::ge, None)),
                N::Lower(op) => two!(op, Function::Compare(f64::lt, None)),
                N::LowerEqual(op) => two!(op, Function::Compare(f64::le, None)),
                N::GreaterElem(op) => {
                    one!(op, lhs, Function::Compare(f64::gt, Some(number(&op.rhs))))
                }
                N::GreaterEqualElem(op) => {
                    one!(op, lhs, Function::Compare(f64::ge, Some(number(&op.rhs))))
                }
                N::LowerElem(op) => {
                    one!(op, lhs, Function::Compare(f64::lt, Some(number(&op.rhs))))
                }
                N::LowerEqualElem(op) => {
                    one!(op, lhs, Function::Compare(f64::le, Some(number(&op.rhs))))
                }
                _ => None,
            },
            OperationIr::Activation(op) => match op {
                A::Relu(op) => one!(op, input, Function::Leaky(0.0)),
                A::LeakyRelu(op) => one!(op, lhs, Function::Leaky(number(&op.rhs))),
                A::Sigmoid(op) => {
                    let function = Function::Smooth {
                        h: sigmoid,
                        slope: |_, y| y * (1.0 - y),
                        secant: true,
                        gate: true,
                    };
                    one!(op, input, function)
                }
                A::LogSigmoid(op) => {
                    let h = |x: f64| x.min(0.0) - (-x.abs()).exp().ln_1p();
                    one!(op, input, smooth(h, |x, _| sigmoid(-x)))
                }
                A::Gelu(op) => {
                    let slope = |x: f64, _| normal(x) + x * density(x);
                    one!(op, input, smooth(|x| x * normal(x), slope))
                }
                A::HardSigmoid(op) => {
                    let function = Function::HardSigmoid(number(&op.alpha), number(&op.beta));
                    one!(op, tensor, function)
                }
                _ => None,
            },
            OperationIr::BaseFloat(op) => match op {
                B::MaskFill(op) => Some(Self {
                    operands: vec![&op.tensor, &op.mask],
                    out: &op.out,
                    function: Function::Fill(number(&op.value)),
                }),
                B::MaskWhere(op) => Some(Self {
                    operands: vec![&op.tensor, &op.mask, &op.value],
                    out: &op.out,
                    function: Function::Where,
                }),
                B::EqualElem(op) => {
                    one!(op, lhs, Function::Compare(f64::eq, Some(number(&op.rhs))))
                }
                B::NotEqualElem(op) => {
                    one!(op, lhs, Function::Compare(f64::ne, Some(number(&op.rhs))))
                }
                _ => None,
            },
            OperationIr::Bool(op) => match op {
                BoolOperationIr::IntoFloat(op) => one!(op, input, Function::Float),
                BoolOperationIr::Not(op) => one!(op, input, Function::Logic(|a, _| !a)),
                BoolOperationIr::And(op) => two!(op, Function::Logic(|a, b| a && b)),
                BoolOperationIr::Or(op) => two!(op, Function::Logic(|a, b| a || b)),
                BoolOperationIr::Xor(op) => two!(op, Function::Logic(|a, b| a != b)),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Function {
    /// Value and derivative at operands; `pieces` takes the piece of every function that has some.
    pub(super) fn at(&self, x: &[Dual], pieces: &mut Vec<u8>) -> Dual {
        let mut piece = |which: u8, value: f64, slope: f64| {
            pieces.push(which);
            Dual { value, slope }
        };
        let Dual { value, slope } = x[0];
        let truth = |dual: &Dual| dual.value != 0.0;
        match *self {
            Function::Scale(a) => Dual {
                value: a * value,
                slope: a * slope,
            },
            Function::Shift(b) => Dual {
                value: value + b,
                slope,
            },
            Function::Smooth {
                h,
                slope: derivative,
                ..
            } => {
                let y = h(value);
                Dual {
                    value: y,
                    slope: derivative(value, y) * slope,
                }
            }
            Function::Power(c) => Dual {
                value: value.powf(c),
                slope: match c {
                    0.0 => 0.0,
                    c => c * value.powf(c - 1.0) * slope,
                },
            },
            Function::Leaky(_) if value > 0.0 => piece(1, value, slope),
            Function::Leaky(a) => piece(0, a * value, a * slope),
            Function::Abs if value > 0.0 => piece(1, value, slope),
            Function::Abs => piece(0, -value, -slope),
            Function::Clamp(low, _) if value <= low => piece(0, low, 0.0),
            Function::Clamp(_, high) if value > high => piece(2, high, 0.0),
            Function::Clamp(..) => piece(1, value, slope),
            Function::HardSigmoid(a, b) => match a * value + b {
                y if y <= 0.0 => piece(0, 0.0, 0.0),
                y if y > 1.0 => piece(2, 1.0, 0.0),
                y => piece(1, y, a * slope),
            },
            Function::Sum(c) => Dual {
                value: value + c * x[1].value,
                slope: slope + c * x[1].slope,
            },
            Function::Product => Dual {
                value: value * x[1].value,
                slope: slope * x[1].value + value * x[1].slope,
            },
            Function::Quotient => Dual {
                value: value / x[1].value,
                slope: (slope - value / x[1].value * x[1].slope) / x[1].value,
            },
            Function::Sign => match value {
                0.0 => piece(1, 0.0, 0.0),
                value if value > 0.0 => piece(2, 1.0, 0.0),
                _ => piece(0, -1.0, 0.0),
            },
            Function::Compare(compare, with) => {
                let holds = compare(&value, &with.unwrap_or_else(|| x[1].value));
                piece(u8::from(holds), f64::from(holds), 0.0)
            }
            Function::Logic(logic) => {
                let other = x.get(1).is_some_and(truth);
                Dual::constant(f64::from(logic(truth(&x[0]), other)))
            }
            Function::Float => Dual::constant(value),
            Function::Fill(c) if truth(&x[1]) => Dual::constant(c),
            Function::Where if truth(&x[1]) => x[2],
            Function::Fill(_) | Function::Where => x[0],
        }
    }
}
