//! Where along a direction a decision flips.
//!
//! In a paired run whose probe is a direction d, an entry that is z₀ at x₀ is z₀ + t ż at x₀ + t d, ż its
//! probe, for as long as nothing before it has flipped. A unit flips where one of its comparisons turns
//! out otherwise. The least t over all units of a network is exact, since up to there nothing has
//! flipped.

use burn_backend::{Backend, DType, TensorMetadata};

use super::kinks::{Decides, Side, Test};
use crate::{error::Result, report::Flips};

impl<B: Backend> Decides<'_, B> {
    /// Where along the run's probes units flip.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data).
    pub(super) fn flips(&self) -> Result<Flips> {
        let reads = self.reads();
        let k = reads
            .iter()
            .find_map(|(read, _)| read.probes())
            .unwrap_or(0);
        // Values and, for each probe, how fast they change.
        let (mut value, mut rates) = (Vec::new(), vec![Vec::new(); k]);
        for (read, shape) in reads {
            let entries = read.values(shape)?;
            match read.rates(shape)? {
                Some(moving) => {
                    let each = moving.chunks(entries.len().max(1));
                    rates
                        .iter_mut()
                        .zip(each)
                        .for_each(|(all, one)| all.extend(one));
                }
                None => rates
                    .iter_mut()
                    .for_each(|all| all.resize(all.len() + entries.len(), 0.0)),
            }
            value.extend(entries);
        }
        let rounding = match self.first().value.dtype() {
            DType::F64 => f64::EPSILON,
            _ => f64::from(f32::EPSILON),
        };
        let (mut first, mut unit) = (vec![f64::INFINITY; k], vec![0; k]);
        let mut at_kink = 0;
        let mut tied = None;
        self.comparisons(&value, |at, left, test, right| {
            let of = |values: &[f64], side: Side, number: bool| match side {
                Side::Entry(i) => values[i],
                Side::Number(c) if number => c,
                Side::Number(_) => 0.0,
            };
            let (l, r) = (of(&value, left, true), of(&value, right, true));
            // Two infinities of one sign stay equal.
            let ahead = if l == r { 0.0 } else { l - r };
            if ahead == 0.0 && tied != Some(at) {
                (tied, at_kink) = (Some(at), at_kink + 1);
            }
            for (j, rates) in rates.iter().enumerate() {
                let (l, r) = (of(rates, left, false), of(rates, right, false));
                let t = turns(ahead, l, r, test, rounding);
                if t < first[j] {
                    (first[j], unit[j]) = (t, at);
                }
            }
        })?;
        Ok(Flips {
            at_kink,
            first,
            unit,
        })
    }
}

/// The t ≥ 0 from which on `ahead + t (l − r)` compares with 0 in another way; infinite where it never
/// does.
fn turns(ahead: f64, l: f64, r: f64, test: Test, rounding: f64) -> f64 {
    let rate = l - r;
    if ahead.is_nan() || rate.is_nan() {
        // Of what is no number nothing is known.
        return 0.0;
    }
    if ahead != 0.0 {
        let t = -ahead / rate;
        return if t > 0.0 { t } else { f64::INFINITY };
    }
    // Exactly at the kink. What moves together but for rounding stays together.
    if rate.abs() <= 8.0 * rounding * (l.abs() + r.abs()) {
        return f64::INFINITY;
    }
    let leaves = match test {
        Test::Greater => rate > 0.0,
        Test::GreaterEqual => rate < 0.0,
        Test::Equal => true,
    };
    if leaves { 0.0 } else { f64::INFINITY }
}
