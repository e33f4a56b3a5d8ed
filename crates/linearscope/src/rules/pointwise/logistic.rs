//! sigmoid and log sigmoid.

use burn_backend::Backend;

use super::{hyperbolic::tanh_over_x, *};

/// sigmoid: secant tanh(x/2)/(2x), derivative σ(1 − σ), σ(0) = ½. A gate.
pub(crate) fn sigmoid<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    let y = frozen(
        x,
        Smooth {
            value: B::sigmoid,
            secant: Some(|x, _| times::<B>(tanh_over_x::<B>(times::<B>(x.clone(), 0.5)), 0.25)),
            derivative: |_: &Tensor<B>, y: Tensor<B>| {
                mul::<B>(y.clone(), plus::<B>(B::float_neg(y), 1.0))
            },
            at_zero: 0.5,
        },
    );
    y.gate()
}

/// log σ(x): secant ½ − log cosh(x/2)/x, derivative 1 − σ(x), −log 2 at 0.
pub(crate) fn log_sigmoid<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::log_sigmoid,
            secant: Some(|x, _| {
                let part = near_zero::<B>(
                    x,
                    0.1,
                    // log cosh(u) = u²/2 − u⁴/12 + u⁶/45 − 17u⁸/2520 …, over x = 2u.
                    |x| {
                        let u = times::<B>(x.clone(), 0.5);
                        let u2 = mul::<B>(u.clone(), u.clone());
                        let terms = [0.25, -1.0 / 24.0, 1.0 / 90.0, -17.0 / 5040.0];
                        mul::<B>(polynomial::<B>(&u2, &terms), u)
                    },
                    |x| {
                        near_zero::<B>(
                            &x,
                            4.0,
                            // log(1 + 2 sinh²(u/2)): no cancellation of logarithms.
                            |x| {
                                let quarter = times::<B>(x.clone(), 0.25);
                                let up = B::float_exp(quarter.clone());
                                let down = B::float_exp(B::float_neg(quarter));
                                let twice = B::float_sub(up, down);
                                let square = times::<B>(mul::<B>(twice.clone(), twice), 0.5);
                                B::float_div(B::float_log1p(square), x.clone())
                            },
                            // |u| + log(1 + e^(−2|u|)) − log 2: no overflow.
                            |x| {
                                let size = B::float_abs(x.clone());
                                let tail = B::float_exp(B::float_neg(size.clone()));
                                let tail = B::float_log1p(tail);
                                let sum = B::float_add(times::<B>(size, 0.5), tail);
                                B::float_div(plus::<B>(sum, -std::f64::consts::LN_2), x)
                            },
                        )
                    },
                );
                plus::<B>(B::float_neg(part), 0.5)
            }),
            derivative: |x: &Tensor<B>, _| B::sigmoid(B::float_neg(x.clone())),
            at_zero: -std::f64::consts::LN_2,
        },
    )
}
