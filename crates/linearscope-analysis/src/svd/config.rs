//! What to compute, and how.

use burn::tensor::FloatDType;
use serde::{Deserialize, Serialize};

use crate::{error::Error, operator::LinearOperator};

/// How triplets are computed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Solver {
    /// Block Lanczos with thick restart (Baglama and Reichel, *Augmented implicitly restarted Lanczos
    /// bidiagonalization methods*, 2005). The shorter side of F is reorthogonalised in full, the longer side only if
    /// the tolerance requires it.
    Lanczos {
        /// Vectors multiplied at once: more of them take more products, but gain batch speed.
        block: usize,
        /// Vectors kept on either side before a restart; `None`: the larger of 4 K and K + 24, or as many as
        /// fit in [`SvdConfig::max_memory`].
        basis: Option<usize>,
    },
    /// Subspace iteration with Rayleigh–Ritz on K + `extra` vectors, all multiplied at once. It needs
    /// many products where the σ cluster. It is simple, and useful as a second opinion.
    Subspace {
        /// Vectors beyond K: with more of them it converges faster.
        extra: usize,
    },
    /// The paper's Algorithm 1: power iteration on FᵀF with momentum, one triplet after the other,
    /// with deflation of those already found. Slow where the σ cluster.
    Power {
        /// The weight of the step before last.
        momentum: Momentum,
    },
}

/// The momentum m of Algorithm 1: x ← FᵀF x − m x₋₁.
///
/// As printed, the algorithm sets both m and the σ² from which it would be computed to zero, which
/// is plain power iteration. What is meant is m ≈ σ₂⁴/4, the best value for the gap to the next
/// singular value (De Sa et al., *Accelerated stochastic power iteration*, 2018).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Momentum {
    /// Plain power iteration.
    Off,
    /// σ₂⁴/4, with σ₂ estimated from how fast the residual shrinks.
    Adaptive,
}

/// What to compute, and how well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SvdConfig {
    /// How many triplets, K ≥ 1.
    pub k: usize,
    /// Allowed ‖F v − σ u‖ and ‖Fᵀ u − σ v‖, relative to σ₁. Default 1e-5.
    pub tolerance: f64,
    /// Give up after the step that reaches this number of products with F and Fᵀ. The 2 K products
    /// that measure the residuals are extra. Default 20 000.
    pub max_products: usize,
    /// Bytes that the bases of the Lanczos solver may take. If fewer vectors fit than it would keep, it restarts
    /// sooner and takes more products. `None`: no limit.
    #[serde(default)]
    pub max_memory: Option<usize>,
    /// Seed of the starting vectors. The same seed on the same machine gives the same bits.
    pub seed: u64,
    /// The solver. Default: Lanczos, one vector at a time.
    pub solver: Solver,
}

impl SvdConfig {
    /// Compute the K largest triplets with the default solver.
    pub fn new(k: usize) -> Self {
        Self {
            k,
            tolerance: 1e-5,
            max_products: 20_000,
            max_memory: None,
            seed: 0,
            solver: Solver::Lanczos {
                block: 1,
                basis: None,
            },
        }
    }
}

setters!(
    SvdConfig: with_k k: usize, with_tolerance tolerance: f64, with_max_products max_products: usize,
    with_max_memory max_memory: Option<usize>,
    with_seed seed: u64, with_solver solver: Solver
);

/// Whether these settings mean something for F.
pub(super) fn check(f: &(impl LinearOperator + ?Sized), config: &SvdConfig) -> Result<(), Error> {
    let rank = f.input_len().min(f.output_len());
    let wrong = |what, got: String, allowed: String| Err(Error::Setting { what, got, allowed });
    if config.k == 0 || config.k > rank {
        let of = format!(
            "F is {} × {}, so it must be from 1 to {rank}",
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
        let range = format!("it must be from {floor:.0e} to 1 in {:?}", f.dtype());
        return wrong("the tolerance", config.tolerance.to_string(), range);
    }
    if let Solver::Lanczos { block, basis } = config.solver {
        if block == 0 {
            return wrong("the block size", "0".into(), "it must be at least 1".into());
        }
        let least = (config.k + 2 * block).min(rank);
        if basis.is_some_and(|basis| basis < least) {
            let of = format!("it must be at least {least}: K plus two blocks");
            return wrong("the basis size", basis.unwrap_or(0).to_string(), of);
        }
        let vectors = basis.unwrap_or(least);
        let bytes = alive(vectors, block).saturating_mul(bytes_a_vector(f));
        if let Some(given) = config.max_memory.filter(|&given| given < bytes) {
            let of = format!(
                "a basis of {vectors} vectors on either side, with what is needed to confirm it, takes {bytes} \
                 bytes: allow that much, or ask for fewer triplets"
            );
            return wrong("the memory for bases", format!("{given} bytes"), of);
        }
    }
    Ok(())
}

/// Vectors on either side that the search for what a result may have missed keeps before a restart.
pub(super) const SECOND: usize = 12;

/// Vectors on either side that are there at once: a basis with its next block, the triplets that a second search stays apart
/// from, and that search.
fn alive(basis: usize, block: usize) -> usize {
    2 * basis + block + SECOND + 1
}

/// Of one vector on either side.
fn bytes_a_vector(f: &(impl LinearOperator + ?Sized)) -> usize {
    let size = match f.dtype() {
        FloatDType::F64 => 8,
        FloatDType::F32 | FloatDType::Flex32 => 4,
        FloatDType::F16 | FloatDType::BF16 => 2,
    };
    size * (f.input_len() + f.output_len())
}

/// Vectors that Lanczos keeps on either side before a restart.
pub(super) fn basis_size(
    f: &(impl LinearOperator + ?Sized),
    config: &SvdConfig,
    block: usize,
    basis: Option<usize>,
) -> usize {
    let k = config.k;
    let rank = f.input_len().min(f.output_len());
    let within = |bytes: usize| (bytes / bytes_a_vector(f)).saturating_sub(alive(0, block)) / 2;
    let fitting = config.max_memory.map_or(usize::MAX, within);
    let wanted = (4 * k).max(k + 24).max(k + 4 * block);
    basis.unwrap_or(wanted.min(fitting)).min(rank)
}
