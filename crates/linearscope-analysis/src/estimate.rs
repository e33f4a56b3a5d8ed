//! Numbers with their uncertainty: mean and standard deviation of a set, estimates from random samples.

use serde::{Deserialize, Serialize};

use crate::vectors::over;

/// Mean and standard deviation of some numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MeanStd {
    /// Σ x / n.
    pub mean: f64,
    /// √(Σ (x − mean)² / (n − 1)); 0 for one number.
    pub std: f64,
}

impl MeanStd {
    /// Mean and standard deviation of these numbers; the mean of none is NaN.
    pub fn of(values: &[f64]) -> Self {
        let mut totals = MeanStdTotals::default();
        values.iter().for_each(|value| totals.add(*value));
        totals.finish()
    }

    /// Format shares for people: "88.2 ± 10.0 %".
    pub fn percent(self) -> String {
        format!("{:.1} ± {:.1} %", 100.0 * self.mean, 100.0 * self.std)
    }
}

/// Accumulates [`MeanStd`] number by number, by Welford's recurrence: no number is kept, and no sum of squares
/// loses digits. The last digits depend on the order, and on nothing else.
///
/// ```
/// use linearscope_analysis::{MeanStd, MeanStdTotals};
///
/// let mut totals = MeanStdTotals::default();
/// [1.0, 2.0, 6.0].into_iter().for_each(|value| totals.add(value));
/// assert_eq!(totals.finish(), MeanStd::of(&[1.0, 2.0, 6.0]));
/// assert_eq!(totals.finish().mean, 3.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MeanStdTotals {
    count: usize,
    mean: f64,
    /// Σ (x − mean)².
    squares: f64,
}

impl MeanStdTotals {
    /// Add one more number.
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        let off = value - self.mean;
        self.mean += off / self.count as f64;
        self.squares += off * (value - self.mean);
    }

    /// How many numbers were added.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Mean and standard deviation of the numbers so far; the mean of none is NaN.
    pub fn finish(&self) -> MeanStd {
        let mean = match self.count {
            0 => f64::NAN,
            _ => self.mean,
        };
        let spread = self.squares / (self.count as f64 - 1.0).max(1.0);
        MeanStd {
            mean,
            std: spread.sqrt(),
        }
    }
}

/// The meaning of the ± of an [`Estimate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Bar {
    /// Nothing was estimated: ± 0.
    Exact,
    /// Half the width of a 95 % interval: value ± error covers the truth for about 95 of 100 seeds.
    Interval95,
}

/// A number and its uncertainty.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// The ±.
    pub error: f64,
    /// The meaning of the ±.
    pub bar: Bar,
}

impl Estimate {
    /// A number that is known exactly.
    pub fn exact(value: f64) -> Self {
        Self {
            value,
            error: 0.0,
            bar: Bar::Exact,
        }
    }

    /// Whether value ± error covers a number.
    pub fn covers(&self, truth: f64) -> bool {
        (self.value - truth).abs() <= self.error
    }

    /// The same in other units.
    pub(crate) fn scaled(self, by: f64) -> Self {
        Self {
            value: self.value * by,
            error: self.error * by.abs(),
            bar: self.bar,
        }
    }

    /// The mean of independent samples that are no less than 0: quadratic forms of random signs.
    ///
    /// Sums of them are distributed about as Gamma, skewed where F has few directions, and Student's
    /// interval would lie below the truth too often. The bar is the upper side of Gamma's interval, with
    /// shape mean²/variance of the mean and Wilson and Hilferty's quantile; of many directions it is
    /// Student's.
    pub(crate) fn mean(samples: &[f64]) -> Self {
        let count = samples.len() as f64;
        let value = samples.iter().sum::<f64>() / count;
        let variance = variance(samples, value) / count;
        let error = if variance == 0.0 {
            0.0
        } else {
            let shape = value * value / variance;
            let root = 1.0 - 1.0 / (9.0 * shape) - student(samples.len()) / (3.0 * shape.sqrt());
            // A single sample that holds all says little: at most 26 times the value.
            value * (root.max(1.0 / 3.0).powi(-3) - 1.0)
        };
        Self {
            value,
            error,
            bar: Bar::Interval95,
        }
    }

    /// A function of means, from its values with each sample left out (the jackknife): its bias is
    /// taken off.
    pub(crate) fn jackknife(whole: f64, without: &[f64]) -> Self {
        let count = without.len() as f64;
        let pseudo = |less: &f64| count * whole - (count - 1.0) * less;
        let samples: Vec<f64> = without.iter().map(pseudo).collect();
        let value = samples.iter().sum::<f64>() / count;
        Self {
            value,
            error: student(samples.len()) * (variance(&samples, value) / count).sqrt(),
            bar: Bar::Interval95,
        }
    }

    /// √E s² from independent samples s ≥ 0, such as ‖A‖ from ‖A z‖ for random signs z (Hutchinson), by the
    /// jackknife; in units of the largest, so that no square leaves the range of f64. Needs two samples.
    pub(crate) fn root_mean_square(samples: &[f64]) -> Self {
        let largest = samples.iter().copied().fold(0.0, f64::max);
        let squares: Vec<f64> = samples.iter().map(|s| over(*s, largest).powi(2)).collect();
        let (sum, count) = (squares.iter().sum::<f64>(), squares.len() as f64);
        let without = squares
            .iter()
            .map(|square| ((sum - square).max(0.0) / (count - 1.0)).sqrt());
        Self::jackknife((sum / count).sqrt(), &without.collect::<Vec<_>>()).scaled(largest)
    }
}

/// Of one sample, about their mean.
fn variance(samples: &[f64], mean: f64) -> f64 {
    let squares: f64 = samples.iter().map(|x| (x - mean).powi(2)).sum();
    squares / (samples.len() as f64 - 1.0)
}

/// The 97.5 % point of Student's t for so many samples, 2 or more: of few from the table, of more by its
/// expansion (Abramowitz and Stegun, 26.7.5; within 0.3 % there).
fn student(samples: usize) -> f64 {
    match samples {
        2 => return 12.706_204_736,
        3 => return 4.302_652_730,
        4 => return 3.182_446_305,
        _ => {}
    }
    let (z, n) = (1.959_963_985_f64, samples as f64 - 1.0);
    let g1 = (z.powi(3) + z) / 4.0;
    let g2 = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    let g3 = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
    z + g1 / n + g2 / n.powi(2) + g3 / n.powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_few_numbers() {
        let found = MeanStd::of(&[1.0, 2.0, 4.0, 5.0]);
        assert_eq!(found.mean, 3.0);
        assert_eq!(found.percent(), "300.0 ± 182.6 %");
        assert!((found.std - (10.0f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!(
            MeanStd::of(&[7.0]),
            MeanStd {
                mean: 7.0,
                std: 0.0
            }
        );
        assert!(MeanStd::of(&[]).mean.is_nan());
    }

    #[test]
    fn students_quantiles() {
        // Abramowitz and Stegun, table 26.10.
        for (samples, quantile) in [
            (2, 12.706),
            (4, 3.182),
            (5, 2.776),
            (11, 2.228),
            (121, 1.980),
        ] {
            let off = student(samples) / quantile - 1.0;
            assert!(off.abs() < 3e-3, "{samples}: {off}");
        }
    }

    #[test]
    fn equal_samples_have_no_error() {
        for found in [
            Estimate::mean(&[4.0; 5]),
            Estimate::root_mean_square(&[4.0; 5]),
            Estimate::exact(4.0),
        ] {
            assert!((found.value - 4.0).abs() < 1e-15 && found.error < 1e-15);
        }
        let twice = Estimate::mean(&[1.0, 2.0, 4.0, 5.0]).scaled(2.0);
        assert!(twice.covers(6.0) && !twice.covers(60.0));
    }
}
