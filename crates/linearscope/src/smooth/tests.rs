//! Every row of the table against itself: its columns are of one function, on numbers and on tensors.

use burn_backend::{TensorData, ops::FloatTensorOps};
use burn_flex::{Flex, FlexDevice};

use super::*;

/// 0, both signs of 1e-8 to 1 by equal factors, and −30 to 30 by equal steps.
fn points() -> Vec<f64> {
    let small = (0..200).map(|step| 1e-8 * 1e8f64.powf(f64::from(step) / 199.0));
    let wide = (1..=300).map(|step| 0.1 * f64::from(step));
    let sizes = small.chain(wide);
    [0.0]
        .into_iter()
        .chain(sizes.flat_map(|x| [x, -x]))
        .collect()
}

fn tensor(values: &[f64]) -> Entries<Flex> {
    let data = TensorData::new(values.to_vec(), [values.len()]);
    Entries(Flex::float_from_data(data, &FlexDevice))
}

fn numbers(x: Entries<Flex>) -> Vec<f64> {
    crate::host::<Flex>(x.0).expect("flex reads back")
}

/// |found − expected| in units of the expected, or of `scale` where that is more; 0 where both are
/// the same infinity or NaN.
fn miss(found: f64, expected: f64, scale: f64) -> f64 {
    if found == expected || found.is_nan() && expected.is_nan() {
        return 0.0;
    }
    let miss = (found - expected).abs() / expected.abs().max(scale);
    if miss.is_nan() { f64::INFINITY } else { miss }
}

/// On numbers and on tensors of f64 a row is one function. Worst found: 3.2e-16.
#[test]
fn tensors_and_numbers_agree() {
    let xs = points();
    for h in Smooth::all() {
        let x = tensor(&xs);
        let y = h.of(x.clone());
        let slope = h.slope(x.clone(), y.clone());
        let tensors = [Some(y.clone()), Some(slope), h.secant(x, y)];
        let tensors = tensors.map(|column| column.map(numbers));
        for (i, &x) in xs.iter().enumerate() {
            let y = h.of(x);
            let columns = [Some(y), Some(h.slope(x, y)), h.secant(x, y)];
            for ((what, found), expected) in ["h", "h′", "secant"].iter().zip(&tensors).zip(columns)
            {
                assert_eq!(found.is_some(), expected.is_some(), "{h:?}: {what}");
                let (Some(found), Some(expected)) = (found, expected) else {
                    continue;
                };
                // Burn's own gelu, ½ x (1 + erf), cancels to the left: it is held against ½ x.
                let scale = match (h, *what) {
                    (Gelu, "h") => 0.5 * x.abs(),
                    (Gelu, _) => 0.5,
                    _ => 0.0,
                };
                let miss = miss(found[i], expected, scale);
                assert!(
                    miss <= 1e-15,
                    "{h:?}: {what} at {x:e} is {expected:e}, on a tensor {:e}",
                    found[i]
                );
            }
        }
    }
}

/// h′ is the limit of central differences, extrapolated from two. They are exact to the bound: the
/// difference between the two, and rounding. Worst found: half of it.
#[test]
fn slopes_are_differences() {
    for h in Smooth::all() {
        let mut seen = 0;
        for x in points() {
            let d = match x.abs() < 0.5 {
                true => x.abs() / 512.0,
                false => 1.0 / 1024.0,
            };
            let ys = [-1.0, -0.5, 0.5, 1.0].map(|t| h.of(x + t * d));
            if x == 0.0 || ys.iter().any(|y| !y.is_finite()) {
                continue;
            }
            let (wide, narrow) = ((ys[3] - ys[0]) / (2.0 * d), (ys[2] - ys[1]) / d);
            let (found, expected) = (h.slope(x, h.of(x)), (4.0 * narrow - wide) / 3.0);
            let size = ys.iter().fold(0.0f64, |size, y| size.max(y.abs()));
            let bound = (narrow - wide).abs() + 1e-15 * size / d;
            assert!(
                (found - expected).abs() <= bound,
                "{h:?}′({x:e}) is {found:e}, by differences {expected:e}"
            );
            seen += 1;
        }
        assert!(seen > 250, "{h:?}: {seen} points");
    }
}

/// secant · x + h(0) = h(x), against the larger of h(x) and h(0). Worst found: 7.8e-16.
#[test]
fn secants_lead_to_the_value() {
    for h in Smooth::all() {
        for x in points() {
            let y = h.of(x);
            let Some(secant) = h.secant(x, y).filter(|_| y.is_finite()) else {
                continue;
            };
            let found = secant * x + h.at_zero();
            assert!(
                miss(found, y, h.at_zero().abs()) <= 2e-15,
                "{h:?}({x:e}) is {y:e}, by its secant {found:e}"
            );
        }
    }
}

/// The secant is ∫₀¹ h′(t x) dt, relative to itself however small x is: neither cancels. By Gauss and
/// Legendre's five nodes in 32 panels; worst found: 4e-15, next to where a series of log sigmoid ends.
#[test]
fn secants_are_mean_slopes() {
    const NODES: [(f64, f64); 5] = [
        (0.0, 0.568_888_888_888_888_9),
        (0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
        (-0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
        (0.906_179_845_938_664, 0.236_926_885_056_189_1),
        (-0.906_179_845_938_664, 0.236_926_885_056_189_1),
    ];
    for h in Smooth::all() {
        for x in points().into_iter().filter(|x| x.abs() <= 0.75) {
            let Some(secant) = h.secant(x, h.of(x)) else {
                continue;
            };
            let mut mean = 0.0;
            for panel in 0..32 {
                for (node, weight) in NODES {
                    let t = x * (f64::from(panel) + 0.5 + 0.5 * node) / 32.0;
                    mean += weight / 64.0 * h.slope(t, h.of(t));
                }
            }
            assert!(
                miss(secant, mean, 0.0) <= 1e-14,
                "{h:?}: the secant at {x:e} is {secant:e}, the mean slope {mean:e}"
            );
        }
    }
}

/// At 0 the value is h(0) and the secant is the slope; there is one if both are finite.
#[test]
fn the_secant_at_zero_is_the_slope() {
    for h in Smooth::all().into_iter().chain([1.0, 2.0].map(Power)) {
        let y = h.of(0.0);
        assert_eq!(miss(y, h.at_zero(), 0.0), 0.0, "{h:?}(0) is {y:e}");
        let (slope, secant) = (h.slope(0.0, y), h.secant(0.0, y));
        let regular = y.is_finite() && slope.is_finite();
        assert_eq!(secant.is_some(), regular, "{h:?}");
        assert_eq!(h.has_secant(), regular, "{h:?}");
        if let Some(secant) = secant {
            assert_eq!(secant, slope, "{h:?}");
        }
    }
}
