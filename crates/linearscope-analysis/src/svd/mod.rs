//! The largest singular triplets of a network's linear map, F v = σ u and Fᵀ u = σ v.
//!
//! The right vectors v are *eigen-inputs*, the left vectors u *eigen-outputs*: pictures that the
//! frozen network passes, and what it makes of them (paper, section 3.3 and figure 13). F is never
//! formed; a solver sees [`LinearOperator`] alone.

mod basis;
mod dense;
mod lanczos;
mod power;
mod subspace;

use std::ops::ControlFlow;

use burn::tensor::{FloatDType, Tensor};
use serde::Serialize;

use crate::{LinearOperator, frozen::host, operator::Result};

/// How triplets are computed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Solver {
    /// Block Golub–Kahan–Lanczos with full reorthogonalisation and thick restart (Baglama and
    /// Reichel, *Augmented implicitly restarted Lanczos bidiagonalization methods*, 2005).
    Lanczos {
        /// Vectors multiplied at once: more cost products and win batch speed.
        block: usize,
        /// Vectors kept on either side before a restart; `None`: the larger of 4 K and K + 24.
        basis: Option<usize>,
    },
    /// Subspace iteration with Rayleigh–Ritz on K + `extra` vectors, all multiplied at once. Needs many
    /// products where σ cluster; simple, and a second opinion.
    Subspace {
        /// Vectors beyond K: more make it converge faster.
        extra: usize,
    },
    /// The paper's Algorithm 1: power iteration on FᵀF with momentum, one triplet after the other,
    /// found ones deflated. Slow where σ cluster.
    Power {
        /// The weight of the step before last.
        momentum: Momentum,
    },
}

/// The momentum m of Algorithm 1: x ← FᵀF x − m x₋₁.
///
/// As printed the algorithm sets both m and the σ² it would be computed from to zero, which is
/// plain power iteration. Meant is m ≈ σ₂⁴/4, the best for the gap to the next singular value (De
/// Sa et al., *Accelerated stochastic power iteration*, 2018).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Momentum {
    /// Plain power iteration.
    Off,
    /// σ₂⁴/4 with σ₂ measured from how fast the residual shrinks.
    Adaptive,
}

/// What to compute, and how well.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SvdConfig {
    /// How many triplets, K ≥ 1.
    pub k: usize,
    /// Allowed ‖F v − σ u‖ and ‖Fᵀ u − σ v‖, over σ₁. Default 1e-5.
    pub tolerance: f64,
    /// Give up after the step that reaches so many products with F and Fᵀ; the 2 K products that
    /// measure the residuals come on top. Default 20 000.
    pub max_products: usize,
    /// Seed of the starting vectors. Same seed, same machine: same bits.
    pub seed: u64,
    /// The solver. Default: Lanczos, one vector at a time.
    pub solver: Solver,
}

impl SvdConfig {
    /// The K largest triplets by the default solver.
    pub fn new(k: usize) -> Self {
        Self {
            k,
            tolerance: 1e-5,
            max_products: 20_000,
            seed: 0,
            solver: Solver::Lanczos {
                block: 1,
                basis: None,
            },
        }
    }
}

/// How far a triplet is from one, as measured by a product with F and one with Fᵀ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TripletResidual {
    /// ‖F v − σ u‖ / σ₁.
    pub right: f64,
    /// ‖Fᵀ u − σ v‖ / σ₁.
    pub left: f64,
}

impl TripletResidual {
    /// The larger of both.
    pub fn worst(self) -> f64 {
        // NaN counts as the worst of all.
        if self.right >= self.left || self.right.is_nan() {
            self.right
        } else {
            self.left
        }
    }
}

/// Singular triplets, largest first.
#[derive(Clone, Debug)]
pub struct Svd {
    /// Singular values, largest first.
    pub sigma: Vec<f64>,
    /// Eigen-outputs, `[K, N]`, of norm 1.
    pub u: Tensor<2>,
    /// Eigen-inputs, `[K, n]`, of norm 1; the entry of largest magnitude is positive.
    pub v: Tensor<2>,
    /// True residuals, measured afterwards.
    pub residuals: Vec<TripletResidual>,
    /// Vectors multiplied by F or Fᵀ, the measuring included.
    pub products: usize,
    /// Batches they were multiplied in.
    pub passes: usize,
}

/// Why there is no [`Svd`].
#[derive(Debug, thiserror::Error)]
pub enum SvdError {
    /// K, tolerance or block size that mean nothing.
    #[error("{what} is {got}, but {allowed}")]
    Config {
        /// The setting.
        what: &'static str,
        /// Its value.
        got: String,
        /// What it may be.
        allowed: String,
    },
    /// Products are used up, or the observer said stop, before all triplets converged.
    #[error(
        "{converged} of {wanted} triplets reached residual {tolerance:.0e} within {} products (the worst is at {worst:.1e}); allow more products, a larger basis, or a looser tolerance",
        .partial.products
    )]
    Unconverged {
        /// Everything found so far, with true residuals: those within the tolerance are good.
        partial: Box<Svd>,
        /// How many are within the tolerance.
        converged: usize,
        /// How many were asked for.
        wanted: usize,
        /// The tolerance asked for.
        tolerance: f64,
        /// The largest residual among those found.
        worst: f64,
    },
    /// Products were used up, or the observer said stop, when all triplets had converged but a search
    /// from a fresh start had not yet ruled out that a larger one, or a copy, is missing.
    #[error(
        "all triplets converged, but after {} products it was not yet ruled out that a larger one is missing (a repeated singular value shows late); allow more products",
        .partial.products
    )]
    Unconfirmed {
        /// What was found, with true residuals within the tolerance.
        partial: Box<Svd>,
    },
    /// A product came out as NaN or infinity.
    #[error("{what} is not finite: the network overflows; try another dtype or input")]
    NotFinite {
        /// Which product.
        what: &'static str,
    },
    /// The network itself failed.
    #[error(transparent)]
    Operator(#[from] linearscope::Error),
}

/// Where a solver is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Products used.
    pub products: usize,
    /// Triplets whose estimated residual is within the tolerance.
    pub converged: usize,
    /// The largest estimated residual over σ₁ among those wanted; infinite before there is one.
    pub worst: f64,
}

/// The K largest singular triplets of `f`.
///
/// `on_step` hears of every step and may break off; what is there by then comes back in
/// [`SvdError::Unconverged`]. Memory: the basis, up to max(4 K, K + 24) vectors of either side.
/// Numbers are the operator's dtype, small matrices f64.
///
/// # Errors
/// [`SvdError`]; an unconverged result is never an `Ok`.
///
/// # Example
/// ```no_run
/// # use linearscope_analysis::{FrozenNetwork, svd::{self, SvdConfig}};
/// # use std::ops::ControlFlow;
/// # fn f(frozen: &FrozenNetwork) -> Result<(), svd::SvdError> {
/// let found = svd::svd(frozen, &SvdConfig::new(8), |_| ControlFlow::Continue(()))?;
/// println!("σ = {:?}", found.sigma);
/// # Ok(()) }
/// ```
pub fn svd(
    f: &impl LinearOperator,
    config: &SvdConfig,
    on_step: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Svd, SvdError> {
    check(f, config)?;
    let mut counted = Counted {
        f,
        products: 0,
        passes: 0,
    };
    let Found { u, v, complete } = match config.solver {
        Solver::Lanczos { block, basis } => {
            lanczos::solve(&mut counted, config, block, basis, on_step)?
        }
        Solver::Subspace { extra } => subspace::solve(&mut counted, config, extra, on_step)?,
        Solver::Power { momentum } => power::solve(&mut counted, config, momentum, on_step)?,
    };
    let found = measured(&mut counted, u, v)?;
    let converged = found
        .residuals
        .iter()
        .filter(|r| r.worst() <= config.tolerance)
        .count();
    if converged == config.k && complete {
        return Ok(found);
    }
    if converged == config.k {
        return Err(SvdError::Unconfirmed {
            partial: Box::new(found),
        });
    }
    let worst = found
        .residuals
        .iter()
        .map(|r| r.worst())
        .fold(0.0, f64::max);
    Err(SvdError::Unconverged {
        partial: Box::new(found),
        converged,
        wanted: config.k,
        tolerance: config.tolerance,
        worst,
    })
}

/// What a solver found.
struct Found {
    /// Unit vectors `[K, N]`.
    u: Tensor<2>,
    /// Unit vectors `[K, n]`.
    v: Tensor<2>,
    /// No larger triplet, and no copy of one, was left out.
    complete: bool,
}

fn check(f: &impl LinearOperator, config: &SvdConfig) -> Result<(), SvdError> {
    let rank = f.input_len().min(f.output_len());
    let wrong = |what, got: String, allowed: String| Err(SvdError::Config { what, got, allowed });
    if config.k == 0 || config.k > rank {
        let of = format!(
            "F is {} × {}: it may be 1 to {rank}",
            f.output_len(),
            f.input_len()
        );
        return wrong("the number of triplets", config.k.to_string(), of);
    }
    let floor = match f.dtype() {
        FloatDType::F64 => 1e-14,
        _ => 1e-6,
    };
    if !(floor..1.0).contains(&config.tolerance) {
        let range = format!("it may be {floor:.0e} to 1 in {:?}", f.dtype());
        return wrong("the tolerance", config.tolerance.to_string(), range);
    }
    if let Solver::Lanczos { block, basis } = config.solver {
        if block == 0 {
            return wrong("the block size", "0".into(), "it is at least 1".into());
        }
        let least = (config.k + 2 * block).min(rank);
        if basis.is_some_and(|basis| basis < least) {
            let of = format!("it is at least {least}, K and two blocks");
            return wrong("the basis size", basis.unwrap_or(0).to_string(), of);
        }
    }
    Ok(())
}

/// An operator that counts what it is asked.
struct Counted<'a, F> {
    f: &'a F,
    products: usize,
    passes: usize,
}

impl<F: LinearOperator> Counted<'_, F> {
    fn apply(&mut self, x: Tensor<2>) -> Result<Tensor<2>> {
        self.products += x.dims()[0];
        self.passes += 1;
        self.f.apply(x)
    }

    fn apply_adjoint(&mut self, y: Tensor<2>) -> Result<Tensor<2>> {
        self.products += y.dims()[0];
        self.passes += 1;
        self.f.apply_adjoint(y)
    }
}

/// How many vectors are multiplied at once where all are known.
const BATCH: usize = 8;

/// ‖row‖ of each row.
fn norms(x: &Tensor<2>) -> Result<Vec<f64>> {
    Ok(host((x.clone() * x.clone()).sum_dim(1))?
        .into_iter()
        .map(f64::sqrt)
        .collect())
}

/// Measure unit vectors u `[K, N]` and v `[K, n]`: σ by Rayleigh's quotient uᵀF v, both residuals,
/// signs and order.
fn measured<F: LinearOperator>(
    f: &mut Counted<'_, F>,
    u: Tensor<2>,
    v: Tensor<2>,
) -> Result<Svd, SvdError> {
    let k = v.dims()[0];
    let (mut sigma, mut right, mut left) = (Vec::new(), Vec::new(), Vec::new());
    let (mut us, mut vs) = (Vec::new(), Vec::new());
    for start in (0..k).step_by(BATCH) {
        let rows = start..(start + BATCH).min(k);
        let u = u.clone().slice([rows.clone()]);
        let v = v.clone().slice([rows]);
        let fv = f.apply(v.clone())?;
        let fu = f.apply_adjoint(u.clone())?;
        let mut values = host((fv.clone() * u.clone()).sum_dim(1))?;
        let mut signs = host(v.clone().max_dim(1) + v.clone().min_dim(1))?;
        for (value, sign) in values.iter_mut().zip(&mut signs) {
            // The entry of largest magnitude becomes positive; σ too, by u's sign.
            *sign = if *sign < 0.0 { -1.0 } else { 1.0 };
            if !value.is_finite() {
                return Err(SvdError::NotFinite { what: "F v" });
            }
        }
        let flip: Vec<f64> = values
            .iter()
            .zip(&signs)
            .map(|(value, sign)| if *value < 0.0 { -sign } else { *sign })
            .collect();
        values.iter_mut().for_each(|value| *value = value.abs());
        let column = |x: &[f64]| f.f.upload(x.to_vec(), 1);
        let (sign_u, sign_v, scale) = (column(&flip), column(&signs), column(&values));
        let u = u * sign_u.clone();
        let v = v * sign_v.clone();
        right.extend(norms(&(fv * sign_v - u.clone() * scale.clone()))?);
        left.extend(norms(&(fu * sign_u - v.clone() * scale))?);
        sigma.extend(values);
        us.push(u);
        vs.push(v);
    }
    let mut order: Vec<usize> = (0..k).collect();
    order.sort_by(|&a, &b| sigma[b].total_cmp(&sigma[a]));
    let (u, v) = (Tensor::cat(us, 0), Tensor::cat(vs, 0));
    let largest = sigma[order[0]];
    // F = 0: any vectors are exact.
    let over = |x: f64| if x == 0.0 { 0.0 } else { x / largest };
    let pick = |x: Tensor<2>| {
        let rows = order.iter().map(|&i| x.clone().narrow(0, i, 1)).collect();
        Tensor::cat(rows, 0)
    };
    Ok(Svd {
        u: pick(u),
        v: pick(v),
        residuals: order
            .iter()
            .map(|&i| TripletResidual {
                right: over(right[i]),
                left: over(left[i]),
            })
            .collect(),
        sigma: order.iter().map(|&i| sigma[i]).collect(),
        products: f.products,
        passes: f.passes,
    })
}
