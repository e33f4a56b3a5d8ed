//! What an op does to the entries of its operands, on single numbers in f64.
//!
//! The recogniser judges a chain of ops by its function of one number: h(0), h′(0), where its kinks
//! are, and whether the ops' own rules already give its secant. Nothing of a run is computed here.

use burn_ir::{
    ActivationOperationIr, BaseOperationIr, BoolOperationIr, FloatOperationIr, NumericOperationIr,
    OperationIr, TensorIr,
};

use super::graph::number;
use crate::smooth::Smooth;

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

/// What an op does to entries.
#[derive(Clone, Copy, Debug)]
pub(super) enum Function {
    /// a x.
    Scale(f64),
    /// x + b.
    Shift(f64),
    /// h(x).
    Smooth(Smooth),
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

impl<'a> Entrywise<'a> {
    /// The op as a function of entries, if it is one.
    pub(super) fn of(operation: &'a OperationIr) -> Option<Self> {
        use ActivationOperationIr as A;
        use BaseOperationIr as B;
        use FloatOperationIr as F;
        use NumericOperationIr as N;
        macro_rules! one {
            ($op:expr, $input:ident, $function:expr) => {
                Some(Self {
                    operands: vec![&$op.$input],
                    out: &$op.out,
                    function: $function,
                })
            };
        }
        macro_rules! smooth {
            ($op:expr, $h:expr) => {
                one!($op, input, Function::Smooth($h))
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
        // All are named, so that an op that is new in Burn has to be placed.
        macro_rules! others {
            ($enum:ident: $($op:ident)+) => { $($enum::$op(_))|+ };
        }
        match operation {
            OperationIr::Float(_, op) => match op {
                F::Exp(op) => smooth!(op, Smooth::Exp),
                F::Log(op) => smooth!(op, Smooth::Log),
                F::Log1p(op) => smooth!(op, Smooth::Log1p),
                F::Erf(op) => smooth!(op, Smooth::Erf),
                F::PowfScalar(op) => {
                    one!(op, lhs, Function::Smooth(Smooth::Power(number(&op.rhs))))
                }
                F::Sqrt(op) => smooth!(op, Smooth::Sqrt),
                F::Recip(op) => smooth!(op, Smooth::Recip),
                F::Sin(op) => smooth!(op, Smooth::Sin),
                F::Cos(op) => smooth!(op, Smooth::Cos),
                F::Tan(op) => smooth!(op, Smooth::Tan),
                F::Sinh(op) => smooth!(op, Smooth::Sinh),
                F::Cosh(op) => smooth!(op, Smooth::Cosh),
                F::Tanh(op) => smooth!(op, Smooth::Tanh),
                F::ArcSin(op) => smooth!(op, Smooth::Asin),
                F::ArcCos(op) => smooth!(op, Smooth::Acos),
                F::ArcTan(op) => smooth!(op, Smooth::Atan),
                F::ArcSinh(op) => smooth!(op, Smooth::Asinh),
                F::ArcCosh(op) => smooth!(op, Smooth::Acosh),
                F::ArcTanh(op) => smooth!(op, Smooth::Atanh),
                others! { F:
                    ArcTan2 Round Floor Ceil Trunc IntoInt Matmul Cross Random IsNan IsInf
                    Quantize Dequantize GridSample2d Powf Hypot
                } => None,
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
                N::PowiScalar(op) => {
                    one!(op, lhs, Function::Smooth(Smooth::Power(number(&op.rhs))))
                }
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
                others! { N:
                    Rem RemScalar Full MeanDim Mean Sum SumDim SumDims Prod ProdDim ArgMax
                    ArgTopK TopK TopKWithIndices ArgMin Max MaxDimWithIndices MinDimWithIndices
                    Min MaxDim MinDim MaxAbs MaxAbsDim IntRandom Powi CumSum CumProd CumMin
                    CumMax Sort SortWithIndices ArgSort Pad
                } => None,
            },
            OperationIr::Activation(op) => match op {
                A::Relu(op) => one!(op, input, Function::Leaky(0.0)),
                A::LeakyRelu(op) => one!(op, lhs, Function::Leaky(number(&op.rhs))),
                A::Sigmoid(op) => smooth!(op, Smooth::Sigmoid),
                A::LogSigmoid(op) => smooth!(op, Smooth::LogSigmoid),
                A::Gelu(op) => smooth!(op, Smooth::Gelu),
                A::HardSigmoid(op) => {
                    let function = Function::HardSigmoid(number(&op.alpha), number(&op.beta));
                    one!(op, tensor, function)
                }
                others! { A:
                    ReluBackward PRelu GeluBackward SigmoidBackward LogSigmoidBackward Softmax
                    LogSoftmax Softmin
                } => None,
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
                others! { B:
                    Reshape SwapDims Permute Flip Expand Unfold Slice SliceAssign Select
                    SelectAssign Gather Scatter ScatterNd GatherNd Equal RepeatDim Cat Cast
                    Empty Ones Zeros NotEqual All Any AllDim AnyDim
                } => None,
            },
            OperationIr::Bool(op) => match op {
                BoolOperationIr::IntoFloat(op) => one!(op, input, Function::Float),
                BoolOperationIr::Not(op) => one!(op, input, Function::Logic(|a, _| !a)),
                BoolOperationIr::And(op) => two!(op, Function::Logic(|a, b| a && b)),
                BoolOperationIr::Or(op) => two!(op, Function::Logic(|a, b| a || b)),
                BoolOperationIr::Xor(op) => two!(op, Function::Logic(|a, b| a != b)),
                BoolOperationIr::IntoInt(_) => None,
            },
            OperationIr::BaseInt(_)
            | OperationIr::BaseBool(_)
            | OperationIr::Int(_)
            | OperationIr::Module(_)
            | OperationIr::Init(_)
            | OperationIr::Custom(_)
            | OperationIr::NumericInt(..)
            | OperationIr::Drop(_)
            | OperationIr::Distributed(_) => None,
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
            Function::Smooth(h) => {
                let y = h.of(value);
                Dual {
                    value: y,
                    slope: h.slope(value, y) * slope,
                }
            }
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

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};
    use burn_capture::CaptureBackend;

    use super::*;
    use crate::smooth::Entries;

    /// Every row of the table is recognised in the op that computes it: captured, it is that row.
    #[test]
    fn every_smooth_function_is_recognised() {
        let device = Device::capture();
        for h in Smooth::all() {
            let captured = device.capture_scope(|scope| {
                let x = Tensor::<1>::from_data([0.5], &device);
                let x = x.try_into_primitive::<CaptureBackend>().expect("captured");
                let x_id = x.id();
                let y = h.of(Entries::<CaptureBackend>(x)).0;
                scope.complete([x_id], [y.id()])
            });
            let operations = captured.expect("a capture").graph.operations;
            let of: Vec<Entrywise<'_>> = operations.iter().filter_map(Entrywise::of).collect();
            let [op] = &of[..] else {
                panic!("{h:?} is not recognised in {operations:?}");
            };
            let found = op.function;
            assert!(
                matches!(found, Function::Smooth(found) if found == h),
                "{h:?} is recognised as {found:?}"
            );
        }
    }
}
