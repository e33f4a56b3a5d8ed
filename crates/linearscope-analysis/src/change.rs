//! What changed between two pictures: decisions, F, r, the row of a class.

use linearscope::Error;
use serde::Serialize;

use crate::{
    FrozenNetwork, LinearOperator,
    frozen::host,
    operator::Result,
    projection::{indicators, rows},
    random::Stream,
};

/// What a refusal calls it.
pub(crate) const COMPARISON: &str = "a comparison of decisions";

/// Flipped decisions of one non-linear unit layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// How many decided otherwise.
    pub flipped: usize,
    /// flipped / units.
    pub share: f64,
}

/// An estimated Frobenius norm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Norm {
    /// ‖A‖.
    pub value: f64,
    /// Its standard error; 0 where every row was taken.
    pub error: f64,
}

/// How far the affine map of one picture is from that of another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Every layer of units that chose, in the network's order.
    pub flips: Vec<Flipped>,
    /// All flipped units over all units.
    pub flipped_share: f64,
    /// ‖F‖ before.
    pub f: Norm,
    /// ‖F′‖ after.
    pub f_after: Norm,
    /// ‖F′ − F‖.
    pub f_difference: Norm,
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

impl Change {
    /// ‖F′ − F‖ / ‖F‖; 0 where nothing changed.
    pub fn f_change(&self) -> f64 {
        match self.f_difference.value {
            0.0 => 0.0,
            value => value / self.f.value,
        }
    }
}

/// Which decisions differ between two pictures of one network.
///
/// Cost: a pass over the stored decisions.
///
/// # Errors
/// [`Error::Memory`] where nothing was recorded; as [`linearscope::program::Program::flips`].
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

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn minus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// ‖A‖ from ‖Aᵀz‖² for random signs z, whose mean is ‖A‖² (Hutchinson); or from all rows.
fn estimated(squares: &[f64], all: bool) -> Norm {
    let m = squares.len() as f64;
    let sum: f64 = squares.iter().sum();
    if all {
        return Norm {
            value: sum.sqrt(),
            error: 0.0,
        };
    }
    let mean = sum / m;
    let variance = squares.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (m - 1.0).max(1.0);
    let value = mean.sqrt();
    Norm {
        value,
        // d√s = ds / 2√s.
        error: match value > 0.0 {
            true => (variance / m).sqrt() / (2.0 * value),
            false => 0.0,
        },
    }
}

/// Compare the affine map of `after` with that of `before`, two pictures of one network by the same
/// rules, and the row and residual of one class.
///
/// Frobenius norms are estimated with `probes` vectors of random signs, the same for all three; with
/// no fewer probes than outputs every row is taken and they are exact. Deterministic for a seed.
///
/// Cost: `probes` + 1 adjoint products and one replay each.
///
/// # Errors
/// [`Error::OutOfRange`]; as [`flips`]; [`Error::Question`] without probes.
pub fn change(
    before: &FrozenNetwork,
    after: &FrozenNetwork,
    class: usize,
    probes: usize,
    seed: u64,
) -> Result<Change> {
    const BATCH: usize = 8;
    if probes == 0 {
        return Err(Error::Question(
            "norms are estimated with at least one probe".into(),
        ));
    }
    let flips = flips(before, after)?;
    let (flipped, units) = flips.iter().fold((0, 0), |(flipped, units), flip| {
        (flipped + flip.flipped, units + flip.units)
    });
    let outputs = before.output_len();
    let all = probes >= outputs;
    let probes = probes.min(outputs);
    let mut stream = Stream::new(seed);
    let places: Vec<usize> = (0..probes).collect();
    let mut squares = [Vec::new(), Vec::new(), Vec::new()];
    for chunk in places.chunks(BATCH) {
        let z = if all {
            let places: Vec<Vec<usize>> = chunk.iter().map(|&place| vec![place]).collect();
            indicators(before, &places, outputs)
        } else {
            let signs = (0..chunk.len() * outputs).map(|_| stream.next().signum());
            before.upload(signs.collect(), outputs)
        };
        let was = host(before.apply_adjoint(z.clone())?)?;
        let is = host(after.apply_adjoint(z)?)?;
        let n = before.input_len();
        for (was, is) in was.chunks(n).zip(is.chunks(n)) {
            squares[0].push(dot(was, was));
            squares[1].push(dot(is, is));
            let gap = minus(is, was);
            squares[2].push(dot(&gap, &gap));
        }
    }
    let [f, f_after, f_difference] = squares.map(|squares| estimated(&squares, all));
    let (row, other) = (
        host(rows(before, &[class])?)?,
        host(rows(after, &[class])?)?,
    );
    let (r, r_after) = (host(before.residual()?)?, host(after.residual()?)?);
    // Nothing over nothing: no change.
    let over = |part: f64, whole: f64| if part == 0.0 { 0.0 } else { part / whole };
    Ok(Change {
        flips,
        flipped_share: flipped as f64 / units.max(1) as f64,
        f,
        f_after,
        f_difference,
        probes,
        class,
        row: over(norm(&minus(&other, &row)), norm(&row)),
        row_cosine: over(dot(&other, &row), norm(&other) * norm(&row)),
        residual: [r[class], r_after[class]],
        residual_change: over(norm(&minus(&r_after, &r)), norm(&r)),
    })
}
