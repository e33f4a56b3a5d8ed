//! The paper's Algorithm 1: power iteration on FᵀF with momentum, then deflation.
//!
//! Its misprints mended: the momentum is m ≈ σ₂⁴/4 (printed: always 0), σ is ‖F v‖ of a unit v
//! (the printed quotient of norms is biased where m ≠ 0), and u = F v / σ (printed: σ F v).

use std::ops::ControlFlow;

use burn::tensor::Tensor;
use linearscope::SplitMix64;

use super::{
    config::{Momentum, SvdConfig},
    result::{self, Ended, SvdError, TripletResidual, progress},
};
use crate::{
    error::Error,
    operator::{InUnits, LinearOperator},
    progress::Progress,
    vectors::row_norms,
};

/// Iterations between two looks at how fast the residual shrinks.
const WINDOW: usize = 8;

/// Triplets already found, to be taken out of F.
#[derive(Default)]
struct Found {
    u: Vec<Tensor<2>>,
    v: Vec<Tensor<2>>,
    sigma: Vec<f64>,
    residuals: Vec<TripletResidual>,
}

/// A triplet as it is found.
struct Triplet {
    u: Tensor<2>,
    v: Tensor<2>,
    sigma: f64,
    /// ‖Fᵀ u − σ v‖ / σ₁ on what is deflated.
    residual: f64,
}

impl Found {
    /// One more, apart from the others. What it loses of u to them is no more than their residuals let in.
    fn add(&mut self, triplet: Triplet) -> Result<(), SvdError> {
        // The deflated part is σ⟨x, v⟩u: only good if u and v are apart from the others.
        let (u, v) = (without(triplet.u, &self.u), without(triplet.v, &self.v));
        let (norm_u, norm_v) = (row_norms(&u)?[0], row_norms(&v)?[0]);
        let before: f64 = self.residuals.iter().map(|r| r.left * r.left).sum();
        self.u.push(u / norm_u);
        self.v.push(v / norm_v);
        self.sigma.push(triplet.sigma);
        self.residuals.push(TripletResidual {
            right: before.sqrt(),
            left: triplet.residual,
        });
        Ok(())
    }
}

/// x minus its projection on unit rows.
fn without(mut x: Tensor<2>, rows: &[Tensor<2>]) -> Tensor<2> {
    for row in rows {
        let overlap = (x.clone() * row.clone()).sum_dim(1);
        x = x - row.clone() * overlap;
    }
    x
}

/// x minus Σ σᵢ ⟨x, fromᵢ⟩ toᵢ.
fn deflated(
    x: Tensor<2>,
    of: &Tensor<2>,
    from: &[Tensor<2>],
    to: &[Tensor<2>],
    sigma: &[f64],
) -> Tensor<2> {
    let mut x = x;
    for ((from, to), &sigma) in from.iter().zip(to).zip(sigma) {
        let overlap = (of.clone() * from.clone()).sum_dim(1) * sigma;
        x = x - to.clone() * overlap;
    }
    x
}

/// σ₂² from how fast the residual shrank, at momentum m and largest eigenvalue λ₁ of FᵀF.
///
/// With momentum the component of λ grows by (λ + √(λ² − 4m))/2 a step, or √m where λ² < 4m.
fn second(rate: f64, largest: f64, m: f64) -> Option<f64> {
    let first = 0.5 * (largest + (largest * largest - 4.0 * m).max(0.0).sqrt());
    let growth = rate.min(1.0) * first;
    // At or below √m the momentum is already too large to tell.
    (growth > 1.01 * m.sqrt()).then(|| growth + m / growth)
}

/// Unit vectors u and v of as many triplets as were reached, converged or not. Stopped in the middle of a step,
/// with the one before it.
pub(super) fn solve<F: LinearOperator + ?Sized>(
    f: &InUnits<'_, F>,
    config: &SvdConfig,
    momentum: Momentum,
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<result::Found, SvdError> {
    let mut random = SplitMix64::new(config.seed);
    let mut found = Found::default();
    // Each triplet comes from a random start of its own, outside those before it.
    let mut ended = None;
    while found.sigma.len() < config.k && ended.is_none() {
        let mut last = None;
        let search = Search {
            f,
            config,
            momentum,
            found: &found,
        };
        match search.run(&mut random, &mut last, &mut observer) {
            Ok((triplet, at)) => {
                found.add(triplet)?;
                ended = at;
            }
            Err(error) if error.is_stopped() => {
                ended = Some(Ended::Stopped);
                match last {
                    Some(triplet) => found.add(triplet)?,
                    None if found.sigma.is_empty() => return Err(error),
                    None => {}
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(result::Found {
        u: Tensor::cat(found.u, 0),
        v: Tensor::cat(found.v, 0),
        sigma: found.sigma,
        residuals: found.residuals,
        ended: match ended {
            Some(Ended::Stopped) => Ended::Stopped,
            // What was not reached shows by its number or residual.
            _ => Ended::Complete,
        },
    })
}

/// The search for one more triplet.
struct Search<'a, F: ?Sized> {
    f: &'a InUnits<'a, F>,
    config: &'a SvdConfig,
    momentum: Momentum,
    found: &'a Found,
}

impl<F: LinearOperator + ?Sized> Search<'_, F> {
    /// Iterate until it converges or all ends; `last` is where it was last.
    fn run(
        &self,
        random: &mut SplitMix64,
        last: &mut Option<Triplet>,
        observer: &mut impl FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<(Triplet, Option<Ended>), SvdError> {
        let Self {
            f,
            config,
            momentum,
            found,
        } = *self;
        let operator = f.operator();
        let start = operator.upload(random.uniform(operator.input_len()), operator.input_len());
        // Apart from what was found by projection too: deflation leaves its errors.
        let start = without(start, &found.v);
        let mut v = start.clone() / row_norms(&start)?[0];
        let mut before: Option<Tensor<2>> = None;
        let mut m = 0.0;
        let mut trail: Vec<f64> = Vec::new();
        loop {
            let p = f.apply(v.clone())?;
            let p = deflated(p, &v, &found.v, &found.u, &found.sigma);
            let sigma = row_norms(&p)?[0];
            if !sigma.is_finite() {
                return Err(Error::overflow("F v").into());
            }
            let largest = found.sigma.first().copied().unwrap_or(sigma);
            if sigma <= f64::MIN_POSITIVE.max(1e-12 * largest) {
                // F has no more: any unit vector on the left is as good.
                let any =
                    operator.upload(random.uniform(operator.output_len()), operator.output_len());
                let any = without(any, &found.u);
                let triplet = Triplet {
                    u: any.clone() / row_norms(&any)?[0],
                    v,
                    sigma: 0.0,
                    residual: 0.0,
                };
                return Ok((triplet, None));
            }
            let z = f.apply_adjoint(p.clone())?;
            let z = deflated(z, &p, &found.u, &found.v, &found.sigma);
            let residual = row_norms(&(z.clone() / sigma - v.clone() * sigma))?[0] / largest;
            let triplet = Triplet {
                u: p / sigma,
                v: v.clone(),
                sigma,
                residual,
            };
            let progress = progress(found.sigma.len(), config.k, f.products(), residual);
            let used_up = f.products() >= config.max_products;
            let ended = Ended::after(observer(&progress), false, used_up);
            if ended.is_some() || residual <= 0.5 * config.tolerance {
                return Ok((triplet, ended));
            }
            *last = Some(triplet);
            trail.push(residual);
            if momentum == Momentum::Adaptive && trail.len() > WINDOW {
                let shrunk = trail[trail.len() - 1] / trail[0];
                let rate = shrunk.powf(1.0 / (trail.len() - 1) as f64);
                m = match second(rate, sigma * sigma, m) {
                    // Just below λ₁ at most: beyond it nothing would converge.
                    Some(next) => (next.min(0.9999 * sigma * sigma)).powi(2) / 4.0,
                    // Too large to tell: a little less, until it can be told again.
                    None => 0.9 * m,
                };
                trail.clear();
            }
            // x ← FᵀF x − m x₋₁, both scaled so that x stays of norm 1.
            let next = match before {
                Some(before) if m > 0.0 => z - before * m,
                _ => z,
            };
            let next = without(next, &found.v);
            let norm = row_norms(&next)?[0];
            before = Some(v / norm);
            v = next / norm;
        }
    }
}
