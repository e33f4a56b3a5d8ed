//! Slopes and secants that take more than a line of the table, from x and y = h(x).
//!
//! Near 0, where h(x) − h(0) would cancel, a secant is a series; what it neglects is said against the
//! secant itself.

use std::f64::consts::{FRAC_2_SQRT_PI, LN_2, PI};

use super::{Number, Smooth::*};

/// Σ cᵢ xⁱ.
fn polynomial<N: Number>(x: N, coefficients: &[f64]) -> N {
    let (last, rest) = coefficients.split_last().expect("a polynomial");
    let start = x.clone().times(0.0).plus(*last);
    let terms = rest.iter().rev();
    terms.fold(start, |sum, c| (sum * x.clone()).plus(*c))
}

/// h(x)/x of an odd h that its op computes accurately near 0: its series Σ cₙ x²ⁿ within `radius`.
fn odd<N: Number>(x: N, y: N, radius: f64, series: &[f64]) -> N {
    x.near_zero(radius, |x| polynomial(x.square(), series), |x| y / x)
}

/// 1/(2n + 1)!, the series of sinh(x)/x in x².
fn sinh_series() -> [f64; 8] {
    let mut factorial = 1.0;
    std::array::from_fn(|n| {
        let odd = 2.0 * n as f64 + 1.0;
        factorial *= (odd * (odd - 1.0)).max(1.0);
        1.0 / factorial
    })
}

/// sin(x)/x in x²; below 0.1 it neglects x¹⁰/11! < 10⁻¹⁷.
const SIN_SERIES: [f64; 5] = [1.0, -1.0 / 6.0, 1.0 / 120.0, -1.0 / 5040.0, 1.0 / 362_880.0];

/// (2n)!/(4ⁿ n!² (2n + 1)), the series of asin(x)/x in x²; below 0.2 it neglects x²⁴/150 < 10⁻¹⁸.
fn asin_series() -> [f64; 12] {
    let mut binomial = 1.0;
    std::array::from_fn(|n| {
        let even = 2.0 * n as f64;
        if n > 0 {
            binomial *= (even - 1.0) / even;
        }
        binomial / (even + 1.0)
    })
}

/// 1/(2n + 1), the series of atanh(x)/x in x²; below 0.2 it neglects x²⁴/25 < 10⁻¹⁸.
fn atanh_series<const TERMS: usize>() -> [f64; TERMS] {
    std::array::from_fn(|n| 1.0 / (2.0 * n as f64 + 1.0))
}

/// The same with every second sign turned: h(ix)/(ix) of an odd h.
fn alternating<const TERMS: usize>(mut series: [f64; TERMS]) -> [f64; TERMS] {
    series.iter_mut().skip(1).step_by(2).for_each(|c| *c = -*c);
    series
}

/// (eˣ − 1)/x; below 1 as e^u sinh(u)/u with u = x/2, whose series neglects u¹⁶/17! < 10⁻¹⁹.
pub(crate) fn exp_secant<N: Number>(x: N, y: N) -> N {
    x.near_zero(
        1.0,
        |x| {
            let u = x.times(0.5);
            polynomial(u.clone().square(), &sinh_series()) * Exp.of(u)
        },
        |x| y.plus(-1.0) / x,
    )
}

/// log(1 + x)/x; below 0.2 by atanh, log(1 + x) = 2 atanh(z) with z = x/(2 + x), whose series neglects
/// z¹⁶/17 < 10⁻¹⁶.
pub(super) fn log1p_secant<N: Number>(x: N, y: N) -> N {
    x.near_zero(
        0.2,
        |x| {
            let two = x.clone().plus(2.0);
            let z = x / two.clone();
            let series = atanh_series::<8>().map(|c| 2.0 * c);
            polynomial(z.square(), &series) / two
        },
        |x| y / x,
    )
}

/// c xᶜ⁻¹; 0 for c = 0.
pub(super) fn power_slope<N: Number>(x: N, c: f64) -> N {
    match c {
        0.0 => x.times(0.0),
        c => Power(c - 1.0).of(x).times(c),
    }
}

/// xᶜ⁻¹ for whole c ≥ 1. Other powers have no finite slope at 0, or no value there.
pub(super) fn power_secant<N: Number>(x: N, y: N, c: f64) -> Option<N> {
    let whole = c >= 1.0 && c.fract() == 0.0;
    let at_zero = if c == 1.0 { 1.0 } else { 0.0 };
    whole.then(|| {
        let radius = f64::from(f32::MIN_POSITIVE);
        x.near_zero(radius, |x| x.times(0.0).plus(at_zero), |x| y / x)
    })
}

/// sin(x)/x.
pub(super) fn sin_secant<N: Number>(x: N, y: N) -> N {
    odd(x, y, 0.1, &SIN_SERIES)
}

/// (cos(x) − 1)/x = −sin(x/2) sin(x/2)/(x/2).
pub(super) fn cos_secant<N: Number>(x: N) -> N {
    let half = x.times(0.5);
    let sin = Sin.of(half.clone());
    -(sin.clone() * sin_secant(half, sin))
}

/// tan(x)/x; below 0.1 as (sin(x)/x)/cos(x).
pub(super) fn tan_secant<N: Number>(x: N, y: N) -> N {
    x.near_zero(
        0.1,
        |x| polynomial(x.clone().square(), &SIN_SERIES) / Cos.of(x),
        |x| y / x,
    )
}

/// 1/√(1 − x²) by factors, because 1 − x² cancels near ±1.
pub(super) fn asin_slope<N: Number>(x: N) -> N {
    let (up, down) = (x.clone().plus(1.0), x.plus(-1.0));
    Recip.of(Sqrt.of(-(up * down)))
}

/// asin(x)/x.
pub(super) fn asin_secant<N: Number>(x: N, y: N) -> N {
    odd(x, y, 0.2, &asin_series())
}

/// (acos(x) − π/2)/x = −asin(x)/x.
pub(super) fn acos_secant<N: Number>(x: N) -> N {
    let asin = Asin.of(x.clone());
    -asin_secant(x, asin)
}

/// 1/(1 + x²).
pub(super) fn atan_slope<N: Number>(x: N) -> N {
    Recip.of(x.square().plus(1.0))
}

/// atan(x)/x.
pub(super) fn atan_secant<N: Number>(x: N, y: N) -> N {
    odd(x, y, 0.2, &alternating(atanh_series::<12>()))
}

/// sinh(x)/x; its series below 1 neglects x¹⁶/17! < 10⁻¹⁴.
pub(super) fn sinh_secant<N: Number>(x: N, y: N) -> N {
    odd(x, y, 1.0, &sinh_series())
}

/// (cosh(x) − 1)/x = sinh(x/2) sinh(x/2)/(x/2).
pub(super) fn cosh_secant<N: Number>(x: N) -> N {
    let half = x.times(0.5);
    let sinh = Sinh.of(half.clone());
    sinh_secant(half, sinh.clone()) * sinh
}

/// tanh(x)/x; its series below 10⁻³ neglects 17x⁶/315 < 10⁻¹⁹.
pub(super) fn tanh_secant<N: Number>(x: N, y: N) -> N {
    odd(x, y, 1e-3, &[1.0, -1.0 / 3.0, 2.0 / 15.0])
}

/// 1/√(1 + x²).
pub(super) fn asinh_slope<N: Number>(x: N) -> N {
    Recip.of(Sqrt.of(x.square().plus(1.0)))
}

/// asinh(x)/x.
pub(super) fn asinh_secant<N: Number>(x: N, y: N) -> N {
    odd(x, y, 0.2, &alternating(asin_series()))
}

/// 1/√(x² − 1) by factors, because x² − 1 cancels near 1.
pub(super) fn acosh_slope<N: Number>(x: N) -> N {
    let (up, down) = (x.clone().plus(1.0), x.plus(-1.0));
    Recip.of(Sqrt.of(up * down))
}

/// 1/(1 − x²) by factors.
pub(super) fn atanh_slope<N: Number>(x: N) -> N {
    let (up, down) = (x.clone().plus(1.0), x.plus(-1.0));
    -Recip.of(up * down)
}

/// atanh(x)/x.
pub(super) fn atanh_secant<N: Number>(x: N, y: N) -> N {
    odd(x, y, 0.2, &atanh_series::<12>())
}

/// 2/√π · exp(−x²).
pub(super) fn erf_slope<N: Number>(x: N) -> N {
    Exp.of(-x.square()).times(FRAC_2_SQRT_PI)
}

/// erf(x)/x; its series 2/√π Σ (−x²)ⁿ/(n! (2n + 1)) below 0.5 neglects x²⁴/(12! · 25) < 10⁻¹⁶.
pub(super) fn erf_secant<N: Number>(x: N, y: N) -> N {
    let mut factorial = 1.0;
    let series: [f64; 12] = std::array::from_fn(|n| {
        let n = n as f64;
        factorial *= if n == 0.0 { 1.0 } else { -n };
        FRAC_2_SQRT_PI / (factorial * (2.0 * n + 1.0))
    });
    odd(x, y, 0.5, &series)
}

/// Φ(x) + x φ(x).
pub(super) fn gelu_slope<N: Number>(x: N, y: N) -> N {
    let density = Exp.of(x.clone().square().times(-0.5));
    let density = density.times(1.0 / (2.0 * PI).sqrt());
    gelu_secant(x.clone(), y) + x * density
}

/// Φ(x) = gelu(x)/x; below 10⁻⁴ as ½ + φ(0) (x − x³/6), which neglects x⁵/100 < 10⁻²².
pub(super) fn gelu_secant<N: Number>(x: N, y: N) -> N {
    let slope = 1.0 / (2.0 * PI).sqrt();
    let series = [0.5, slope, 0.0, -slope / 6.0];
    x.near_zero(1e-4, |x| polynomial(x, &series), |x| y / x)
}

/// (σ(x) − ½)/x = tanh(x/2)/(2x).
pub(super) fn sigmoid_secant<N: Number>(x: N) -> N {
    let half = x.times(0.5);
    let tanh = Tanh.of(half.clone());
    tanh_secant(half, tanh).times(0.25)
}

/// (log σ(x) + log 2)/x; below 1, where that cancels, ½ − log cosh(u)/x with u = x/2, whose log cosh is
///
/// - below |x| = 0.1 the series u²/2 − u⁴/12 + u⁶/45 − 17u⁸/2520, which neglects 31u¹⁰/14175 < 10⁻¹⁵;
/// - beyond log(1 + 2 sinh²(u/2)).
pub(super) fn log_sigmoid_secant<N: Number>(x: N, y: N) -> N {
    let log_cosh_over_x = |x: N| {
        x.near_zero(
            0.1,
            |x| {
                let u = x.times(0.5);
                let series = [0.25, -1.0 / 24.0, 1.0 / 90.0, -17.0 / 5040.0];
                polynomial(u.clone().square(), &series) * u
            },
            |x| {
                let quarter = x.clone().times(0.25);
                let twice_sinh = Exp.of(quarter.clone()) - Exp.of(-quarter);
                Log1p.of(twice_sinh.square().times(0.5)) / x
            },
        )
    };
    x.near_zero(
        1.0,
        |x| (-log_cosh_over_x(x)).plus(0.5),
        |x| y.plus(LN_2) / x,
    )
}
