//! Numbers as people read them: so many significant digits, and no more decimals than an error allows.

/// Where plain digits end and powers of ten begin.
const PLAIN: std::ops::Range<f64> = 1e-3..1e6;

/// `x` with so many significant digits: plain from 0.001 to a million, else with a power of ten.
///
/// ```
/// use linearscope_picture::significant;
/// assert_eq!(significant(4.039428, 3), "4.04");
/// assert_eq!(significant(-51230.7, 3), "-51231");
/// assert_eq!(significant(1.5e-7, 3), "1.50e-7");
/// assert_eq!(significant(0.0, 3), "0");
/// ```
pub fn significant(x: f64, digits: usize) -> String {
    let digits = digits.max(1);
    if x == 0.0 {
        "0".into()
    } else if PLAIN.contains(&x.abs()) || !x.is_finite() {
        let decimals = decimals(x, digits);
        format!("{x:.decimals$}")
    } else {
        let decimals = digits - 1;
        format!("{x:.decimals$e}")
    }
}

/// `value ± error`, both to the second significant digit of the error: what lies beyond says nothing.
///
/// ```
/// use linearscope_picture::with_error;
/// assert_eq!(with_error(202.457, 0.264), "202.46 ± 0.26");
/// assert_eq!(with_error(5680.4, 12.3), "5680 ± 12");
/// assert_eq!(with_error(2.02457e9, 2.6e6), "(2.0246 ± 0.0026)e9");
/// assert_eq!(with_error(44.604, 0.0), "44.6040 ± 0");
/// ```
pub fn with_error(value: f64, error: f64) -> String {
    let largest = value.abs().max(error.abs());
    if !largest.is_finite() || largest == 0.0 {
        return format!("{value} ± {error}");
    }
    if !PLAIN.contains(&largest) {
        let power = largest.log10().floor();
        let unit = 10f64.powf(power);
        return format!("({})e{power}", with_error(value / unit, error / unit));
    }
    if error == 0.0 {
        return format!("{} ± 0", significant(value, 6));
    }
    // A value is told to six digits at most, however small its error.
    let decimals = decimals(error, 2).min(decimals(largest, 6));
    match format!("{error:.decimals$}") {
        nothing if nothing.trim_matches(['0', '.']).is_empty() => {
            format!("{value:.decimals$} ± {}", significant(error, 2))
        }
        error => format!("{value:.decimals$} ± {error}"),
    }
}

/// Decimals that show so many significant digits of `x`.
fn decimals(x: f64, digits: usize) -> usize {
    let first = match x == 0.0 || !x.is_finite() {
        true => 0,
        false => x.abs().log10().floor() as i32,
    };
    (digits as i32 - 1 - first).max(0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_decide_the_decimals() {
        assert_eq!(with_error(35.1544, 2.5), "35.2 ± 2.5");
        assert_eq!(with_error(6912.0, 2.6e-4), "6912.00 ± 2.6e-4");
        assert_eq!(with_error(0.0, 0.0), "0 ± 0");
        assert_eq!(with_error(0.0, 0.5), "0.00 ± 0.50");
        assert_eq!(with_error(f64::NAN, 0.5), "NaN ± 0.50");
        assert_eq!(with_error(3.0e-20, 4.0e-21), "(3.00 ± 0.40)e-20");
    }

    #[test]
    fn every_scale_has_its_digits() {
        assert_eq!(significant(1e-30, 3), "1.00e-30");
        assert_eq!(significant(999_999.4, 3), "999999");
        assert_eq!(significant(1e6, 3), "1.00e6");
        assert_eq!(significant(0.001, 3), "0.00100");
        assert_eq!(significant(f64::INFINITY, 3), "inf");
        assert_eq!(significant(-4.039428, 6), "-4.03943");
    }
}
