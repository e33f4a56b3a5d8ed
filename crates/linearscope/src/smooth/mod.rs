//! The smooth functions of one number: what the pointwise rule freezes, and what the recogniser
//! computes with.
//!
//! A row of the table is all there is to know of a function h: its value, its slope, what it is at 0,
//! and its secant. The formulas are written once, over a [`Number`]: an f64, for the recogniser, or the
//! [`Entries`] of a tensor, for the rule.

mod gains;
mod number;
mod table;
#[cfg(test)]
mod tests;

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_PI_2, LN_2};

use burn_backend::{Backend, Scalar, tensor::FloatTensor};

pub(crate) use gains::exp_secant;
pub(crate) use number::{Entries, Number};

use gains::*;
use table::smooth;

const INFINITY: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

// Columns, with x a number or a tensor and y = h(x):
//
// 1. h on a number.
// 2. h on a tensor of the backend B: Burn's own op, so that y₀ is bit for bit what B alone computes.
// 3. h′(x), from x and y.
// 4. h(0), its limit from the right where that is infinite, NaN where there is none.
// 5. (h(x) − h(0))/x for every x, 0 included, from x and y and without cancellation; none where h(0) or
//    h′(0) is not finite. Then the tangent is taken whatever the rule.
// 6. Whether h is a gate: as a factor of a product it is frozen and the other factor passes.
//
// `Power` lists exponents for the tests that go through every row.
smooth! { |x, y|
    // h        on a number     on a tensor        h′(x)                       h(0)          (h(x) − h(0))/x                 gate
    Exp        [x.exp(),        B::float_exp(x),   y,                          1.0,          Some(exp_secant(x, y)),         false],
    Log        [x.ln(),         B::float_log(x),   Recip.of(x),                -INFINITY,    None,                           false],
    Log1p      [x.ln_1p(),      B::float_log1p(x), Recip.of(x.plus(1.0)),      0.0,          Some(log1p_secant(x, y)),       false],
    Sqrt       [x.sqrt(),       B::float_sqrt(x),  Recip.of(y).times(0.5),     0.0,          None,                           false],
    Recip      [x.recip(),      B::float_recip(x), -y.square(),                INFINITY,     None,                           false],
    Power(c: -1.5, 0.5, 3.0)
               [x.powf(c),      powf::<B>(x, c),   power_slope(x, c),          0f64.powf(c), power_secant(x, y, c),          false],
    Sin        [x.sin(),        B::float_sin(x),   Cos.of(x),                  0.0,          Some(sin_secant(x, y)),         false],
    Cos        [x.cos(),        B::float_cos(x),   -Sin.of(x),                 1.0,          Some(cos_secant(x)),            false],
    Tan        [x.tan(),        B::float_tan(x),   y.square().plus(1.0),       0.0,          Some(tan_secant(x, y)),         false],
    Asin       [x.asin(),       B::float_asin(x),  asin_slope(x),              0.0,          Some(asin_secant(x, y)),        false],
    Acos       [x.acos(),       B::float_acos(x),  -asin_slope(x),             FRAC_PI_2,    Some(acos_secant(x)),           false],
    Atan       [x.atan(),       B::float_atan(x),  atan_slope(x),              0.0,          Some(atan_secant(x, y)),        false],
    Sinh       [x.sinh(),       B::float_sinh(x),  Cosh.of(x),                 0.0,          Some(sinh_secant(x, y)),        false],
    Cosh       [x.cosh(),       B::float_cosh(x),  Sinh.of(x),                 1.0,          Some(cosh_secant(x)),           false],
    Tanh       [x.tanh(),       B::float_tanh(x),  (-y.square()).plus(1.0),    0.0,          Some(tanh_secant(x, y)),        false],
    Asinh      [x.asinh(),      B::float_asinh(x), asinh_slope(x),             0.0,          Some(asinh_secant(x, y)),       false],
    Acosh      [x.acosh(),      B::float_acosh(x), acosh_slope(x),             NAN,          None,                           false],
    Atanh      [x.atanh(),      B::float_atanh(x), atanh_slope(x),             0.0,          Some(atanh_secant(x, y)),       false],
    Erf        [libm::erf(x),   B::float_erf(x),   erf_slope(x),               0.0,          Some(erf_secant(x, y)),         false],
    Gelu       [gelu(x),        B::gelu(x),        gelu_slope(x, y),           0.0,          Some(gelu_secant(x, y)),        false],
    Sigmoid    [sigmoid(x),     B::sigmoid(x),     y.clone() * (-y).plus(1.0), 0.5,          Some(sigmoid_secant(x)),        true],
    LogSigmoid [log_sigmoid(x), B::log_sigmoid(x), Sigmoid.of(-x),             -LN_2,        Some(log_sigmoid_secant(x, y)), false],
}

/// x Φ(x), with Φ by erfc because 1 + erf cancels far to the left.
fn gelu(x: f64) -> f64 {
    0.5 * x * libm::erfc(-x * FRAC_1_SQRT_2)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn log_sigmoid(x: f64) -> f64 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

fn powf<B: Backend>(x: FloatTensor<B>, c: f64) -> FloatTensor<B> {
    B::float_powf_scalar(x, Scalar::Float(c))
}

impl Smooth {
    /// h(x).
    pub(crate) fn of<N: Number>(self, x: N) -> N {
        x.under(self)
    }

    /// Whether there is a secant: its rule is one by default.
    pub(crate) fn has_secant(self) -> bool {
        self.secant(0.0, self.at_zero()).is_some()
    }
}
