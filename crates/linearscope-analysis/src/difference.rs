//! The difference of a network's affine maps at two pictures: decisions, F, r, the row of a class.

use std::ops::ControlFlow;

use linearscope::SplitMix64;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result, tell},
    estimate::Estimate,
    frozen::FrozenNetwork,
    operator::{BATCH, LinearOperator, indicators},
    progress::Progress,
    projection::rows,
    vectors::{cosine, distance, norm, over, read},
};

/// What a refusal calls it.
pub(crate) const COMPARISON: &str = "a comparison of decisions";

/// Flipped decisions of one non-linear unit layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flipped {
    /// The network node.
    pub name: String,
    /// Number of its layer.
    pub layer: usize,
    /// What decides: `slope_mask` (ReLU and its kind), `switches` (pools), `pick`, `select` (maxima,
    /// sorts), `mask` (the larger of two tensors).
    pub kind: String,
    /// How many units there are.
    pub units: usize,
    /// How many decided differently.
    pub flipped: usize,
    /// flipped / units.
    pub share: f64,
}

/// How far the affine map of one picture is from that of another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Every layer of units that chose, in the network's order.
    pub flips: Vec<Flipped>,
    /// All flipped units over all units.
    pub flipped_share: f64,
    /// ‖F‖ before.
    pub f: Estimate,
    /// ‖F′‖ after.
    pub f_after: Estimate,
    /// ‖F′ − F‖.
    pub f_difference: Estimate,
    /// How many products with each transpose the three norms took.
    pub probes: usize,
    /// The output whose row and residual are compared.
    pub class: usize,
    /// ‖row′ − row‖ / ‖row‖.
    pub row: f64,
    /// ⟨row′, row⟩ / (‖row′‖ ‖row‖).
    pub row_cosine: f64,
    /// r of the class, before and after.
    pub residual: [f64; 2],
    /// ‖r′ − r‖ / ‖r‖ over all outputs.
    pub residual_change: f64,
}

impl Difference {
    /// ‖F′ − F‖ / ‖F‖; 0 if nothing changed.
    pub fn f_change(&self) -> f64 {
        over(self.f_difference.value, self.f.value)
    }
}

/// Find the decisions that differ between two pictures of one network.
///
/// Cost: a pass over the stored decisions.
///
/// # Errors
/// [`linearscope::Error::Memory`] if nothing was recorded; as [`linearscope::program::Program::flips`].
pub fn flips(before: &FrozenNetwork, after: &FrozenNetwork) -> Result<Vec<Flipped>> {
    let recorded = |f| FrozenNetwork::recorded_for(f, COMPARISON);
    let (a, b) = (recorded(before)?, recorded(after)?);
    let found = a.program().flips(b.program())?;
    Ok(found
        .into_iter()
        .map(|flip| Flipped {
            name: flip.name.to_string(),
            layer: flip.layer,
            kind: flip.kind.into(),
            units: flip.units,
            flipped: flip.flipped,
            share: flip.flipped as f64 / flip.units.max(1) as f64,
        })
        .collect())
}

/// How Frobenius norms are estimated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DifferenceConfig {
    /// Number of random vectors, the same for all three norms: 2 or more. If it is at least the number of
    /// outputs, every row is taken instead, and the norms are exact. Default 16.
    pub probes: usize,
    /// Seed of the vectors. Default 0.
    pub seed: u64,
}

impl Default for DifferenceConfig {
    fn default() -> Self {
        Self {
            probes: 16,
            seed: 0,
        }
    }
}

setters!(DifferenceConfig: with_probes probes: usize, with_seed seed: u64);

impl DifferenceConfig {
    /// Whether every row of N outputs is taken, and how many vectors there are.
    ///
    /// # Errors
    /// [`Error::Setting`] for fewer than 2 vectors that are not all rows.
    fn probes_of(&self, outputs: usize) -> Result<(bool, usize)> {
        match self.probes {
            probes if probes >= outputs => Ok((true, outputs)),
            probes if probes >= 2 => Ok((false, probes)),
            probes => Err(Error::Setting {
                what: "the number of probes",
                got: probes.to_string(),
                allowed: format!(
                    "error bars need at least 2; {outputs} are all rows and give exact norms"
                ),
            }),
        }
    }
}

/// Compare the affine map of `after` with that of `before`, and the row and residual of one class.
/// Both are pictures of one network, frozen by the same rules.
///
/// Frobenius norms are estimated with vectors z of random signs, ‖A‖² = E ‖Aᵀ z‖² (Hutchinson), the same for
/// all three norms. Deterministic for a seed. Progress counts vectors. A stop gives no partial result, but an
/// error ([`Error::is_stopped`]).
///
/// Cost: [`DifferenceConfig::probes`] + 1 adjoint products and one replay each.
///
/// # Errors
/// [`Error::OutOfRange`]; as [`flips`]; [`Error::Setting`] for too few probes; [`Error::Stopped`].
pub fn difference(
    before: &FrozenNetwork,
    after: &FrozenNetwork,
    class: usize,
    config: &DifferenceConfig,
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Difference> {
    let outputs = before.output_len();
    let (all, probes) = config.probes_of(outputs)?;
    let flips = flips(before, after)?;
    let (flipped, units) = flips.iter().fold((0, 0), |(flipped, units), flip| {
        (flipped + flip.flipped, units + flip.units)
    });
    let mut random = SplitMix64::new(config.seed);
    let places: Vec<usize> = (0..probes).collect();
    let mut sizes = [Vec::new(), Vec::new(), Vec::new()];
    for chunk in places.chunks(BATCH) {
        let progress = Progress::new("comparing F", chunk[0], probes);
        tell(&mut observer, progress)?;
        before.check_interrupt()?;
        after.check_interrupt()?;
        let z = if all {
            let places: Vec<Vec<usize>> = chunk.iter().map(|&place| vec![place]).collect();
            indicators(&places, outputs)
        } else {
            random.signs(chunk.len() * outputs)
        };
        let z = before.upload(z, outputs);
        let was = read(before.apply_adjoint(z.clone())?)?;
        let is = read(after.apply_adjoint(z)?)?;
        let n = before.input_len();
        for (was, is) in was.chunks(n).zip(is.chunks(n)) {
            sizes[0].push(norm(was));
            sizes[1].push(norm(is));
            sizes[2].push(distance(is, was));
        }
    }
    let [f, f_after, f_difference] = sizes.map(|sizes| match all {
        true => Estimate::exact(norm(&sizes)),
        false => Estimate::root_mean_square(&sizes),
    });
    let (row, other) = (
        read(rows(before, &[class])?)?,
        read(rows(after, &[class])?)?,
    );
    let (r, r_after) = (read(before.residual()?)?, read(after.residual()?)?);
    Ok(Difference {
        flips,
        flipped_share: flipped as f64 / units.max(1) as f64,
        f,
        f_after,
        f_difference,
        probes,
        class,
        row: over(distance(&other, &row), norm(&row)),
        row_cosine: cosine(&other, &row),
        residual: [r[class], r_after[class]],
        residual_change: over(distance(&r_after, &r), norm(&r)),
    })
}
