//! Pointwise functions made of several ops, frozen as one: softplus, mish, the tanh form of gelu…
//!
//! secant: y₁ = g x₁ + h(0), g = (h(x₀) − h(0))/x₀. Away from 0 by that quotient; near 0, where it
//! cancels, by g = ∫₀¹ h′(t x₀) dt with Gauss and Legendre's nodes, exact to the dtype for a smooth h.
//! How near is decided from h on single numbers: within the piece that 0 belongs to, and where few
//! nodes do. taylor: y₁ = h(x₀) + h′(x₀)(x₁ − x₀); also for secant where h(0) or h′(0) is not
//! finite; what has no finite slope at x₀ counts 0. mask: y₁ = h(x₀)/x₀ · x₁, refused where x₀ ≈ 0 and h(0) ≠ 0.
//! All are exact at x₀.
//!
//! h′ is the tangent of the very ops, replayed on the decorator with a probe of ones; a branch that
//! x₀ does not select counts nothing, even where it overflows.

use burn_backend::{
    Backend, DType, Scalar, TensorMetadata, get_or_init_device_settings, tensor::FloatTensor,
};

use super::{
    Pointwise,
    pointwise::{finite, masked},
};
use crate::{
    coefficient::{Coefficient, literal},
    error::Result,
    linear::Diagonal,
    run::Tracer,
};

/// h at one number.
pub(crate) struct Sample {
    pub value: f64,
    pub slope: f64,
    /// The pieces of its piecewise ops it lies in.
    pub pieces: Vec<u8>,
}

/// What the rule needs to know of h beforehand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Function {
    /// h(0).
    at_zero: f64,
    /// Whether h(0) and h′(0) are finite.
    regular: bool,
    /// |x| below which the mean slope replaces the quotient: in f64, and in narrower dtypes.
    near: [f64; 2],
}

/// How many nodes the mean slope takes in f64, and in narrower dtypes; and how exact it must be.
const NODES: [(usize, f64); 2] = [(10, 4e-15), (5, 1e-8)];

/// Nodes t and weights w of Gauss–Legendre quadrature on [0, 1].
fn gauss(count: usize) -> Vec<(f64, f64)> {
    let n = count as f64;
    (0..count)
        .map(|i| {
            let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n + 0.5)).cos();
            let mut slope = 0.0;
            for _ in 0..100 {
                let (mut last, mut p) = (1.0, x);
                for k in 2..=count {
                    let k = k as f64;
                    (last, p) = (p, ((2.0 * k - 1.0) * x * p - (k - 1.0) * last) / k);
                }
                slope = n * (x * p - last) / (x * x - 1.0);
                let step = p / slope;
                x -= step;
                if step.abs() < 1e-16 {
                    break;
                }
            }
            (0.5 * (1.0 - x), 1.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect()
}

impl Function {
    /// Look at h on single numbers.
    pub(crate) fn of(h: impl Fn(f64) -> Sample) -> Self {
        let origin = h(0.0);
        let regular = origin.value.is_finite() && origin.slope.is_finite();
        // 0 itself may lie on a kink: each side has a piece of its own.
        let one_piece = |end: f64| {
            let first = h(1e-12 * end.signum()).pieces;
            (1..=64).all(|i| h(end * f64::from(i) / 64.0).pieces == first)
                && (1..=38).all(|i| h(end * 0.5f64.powi(i)).pieces == first)
        };
        let mean = |x: f64, nodes: &[(f64, f64)]| -> f64 {
            nodes.iter().map(|(t, w)| w * h(t * x).slope).sum()
        };
        let fine: Vec<(f64, f64)> = (0..16)
            .flat_map(|panel| {
                let panel = f64::from(panel);
                let nodes = gauss(10).into_iter();
                nodes.map(move |(t, w)| ((t + panel) / 16.0, w / 16.0))
            })
            .collect();
        let near = NODES.map(|(count, limit)| {
            let nodes = gauss(count);
            let exact = |x: f64| {
                let (few, many) = (mean(x, &nodes), mean(x, &fine));
                (few - many).abs() <= limit * many.abs().max(origin.slope.abs())
            };
            let radii = (0..=20).map(|halvings| 0.5f64.powi(halvings));
            let good = radii.into_iter().find(|&radius| {
                [radius, -radius].iter().all(|&end| {
                    one_piece(end) && [1.0, 0.7, 0.4].iter().all(|part| exact(part * end))
                })
            });
            good.unwrap_or(0.5f64.powi(20))
        });
        Self {
            at_zero: origin.value,
            regular,
            near,
        }
    }
}

/// Freeze y = h(x) at x₀: `slope` gives h′.
///
/// # Errors
/// Those of `slope`.
pub(crate) fn freeze<B: Backend>(
    tracer: Tracer<B>,
    x: FloatTensor<B>,
    y: &FloatTensor<B>,
    h: &Function,
    slope: impl Fn(FloatTensor<B>) -> Result<FloatTensor<B>>,
) -> Result<Tracer<B>> {
    let shape = x.shape();
    let pointwise = tracer.run().rules().pointwise;
    // With h(0) = 0 the mask's gain is the secant's.
    if pointwise == Pointwise::Mask && (!h.regular || h.at_zero != 0.0) {
        return Ok(masked(tracer, x, y, h.at_zero));
    }
    if pointwise == Pointwise::Taylor || !h.regular {
        let gain = finite::<B>(slope(x.clone())?);
        let source = B::float_sub(y.clone(), B::float_mul(gain.clone(), x));
        let decided = tracer.freeze("taylor", None);
        return Ok(tracer
            .map(Diagonal::new(Coefficient::decided(gain, &decided)), &shape)
            .source(Coefficient::decided(source, &decided), &shape));
    }
    let gain = finite::<B>(secant::<B>(x, y, h, slope)?);
    let decided = tracer.freeze("secant", None);
    let tracer = tracer.map(Diagonal::new(Coefficient::decided(gain, &decided)), &shape);
    if h.at_zero == 0.0 {
        return Ok(tracer);
    }
    Ok(tracer.unit(literal::<B>(h.at_zero, shape.num_dims(), y), &shape))
}

/// (h(x) − h(0))/x.
fn secant<B: Backend>(
    x: FloatTensor<B>,
    y: &FloatTensor<B>,
    h: &Function,
    slope: impl Fn(FloatTensor<B>) -> Result<FloatTensor<B>>,
) -> Result<FloatTensor<B>> {
    let precision = usize::from(x.dtype() != DType::F64);
    let radius = h.near[precision];
    let bool_dtype = get_or_init_device_settings::<B>(&x.device()).bool_dtype;
    let small = B::float_lower_elem(B::float_abs(x.clone()), Scalar::Float(radius), bool_dtype);
    // Neither branch sees what it could not bear.
    let far = B::float_mask_fill(x.clone(), small.clone(), Scalar::Float(1.0));
    let near = B::float_mask_fill(x, B::bool_not(small.clone()), Scalar::Float(0.0));
    let rise = B::float_sub_scalar(y.clone(), Scalar::Float(h.at_zero));
    let quotient = B::float_div(rise, far);
    let mut mean: Option<FloatTensor<B>> = None;
    for (t, w) in gauss(NODES[precision].0) {
        let at = B::float_mul_scalar(near.clone(), Scalar::Float(t));
        let part = B::float_mul_scalar(slope(at)?, Scalar::Float(w));
        mean = Some(match mean {
            Some(sum) => B::float_add(sum, part),
            None => part,
        });
    }
    let mean = mean.expect("a quadrature has nodes");
    Ok(B::float_mask_where(quotient, small, mean))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// n nodes integrate polynomials of degree 2n − 1 exactly.
    #[test]
    fn quadrature_is_gausss() {
        for count in [1, 2, 5, 10] {
            let nodes = gauss(count);
            assert_eq!(nodes.len(), count);
            for degree in 0..2 * count as i32 {
                let sum: f64 = nodes.iter().map(|(t, w)| w * t.powi(degree)).sum();
                let exact = 1.0 / f64::from(degree + 1);
                assert!((sum - exact).abs() < 1e-15, "x^{degree} by {count}: {sum}");
            }
        }
    }

    /// A kink, or a singularity next to 0, narrows what counts as near; without either it is 1.
    #[test]
    fn near_stays_within_the_piece_of_zero() {
        let of = |value: fn(f64) -> f64, slope: fn(f64) -> f64, kink: f64| {
            Function::of(|x| Sample {
                value: value(x),
                slope: slope(x),
                pieces: vec![u8::from(x > kink)],
            })
        };
        let smooth = of(f64::exp, f64::exp, 5.0);
        assert_eq!(smooth.near, [1.0, 1.0]);
        assert_eq!(smooth.at_zero, 1.0);
        assert!(smooth.regular);
        assert_eq!(of(f64::exp, f64::exp, 0.3).near, [0.25, 0.25]);
        let singular = of(|x| (x + 0.1).ln(), |x| 1.0 / (x + 0.1), 5.0);
        assert!(
            singular.near[0] <= 0.0625 && singular.near[0] >= 1e-3,
            "{singular:?}"
        );
        assert!(!of(f64::ln, f64::recip, 5.0).regular);
    }
}
