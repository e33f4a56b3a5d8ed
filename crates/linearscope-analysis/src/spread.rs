//! Mean and standard deviation.

use serde::Serialize;

/// Mean and standard deviation of some numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// Σ x / n.
    pub mean: f64,
    /// √(Σ (x − mean)² / (n − 1)); 0 for one number.
    pub std: f64,
}

impl Spread {
    /// Of these numbers; NaN of none.
    pub fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        Self {
            mean,
            std: (squares / (n - 1.0).max(1.0)).sqrt(),
        }
    }

    /// Of shares, for people: "88.2 ± 10.0 %".
    pub fn percent(self) -> String {
        format!("{:.1} ± {:.1} %", 100.0 * self.mean, 100.0 * self.std)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_few_numbers() {
        let found = Spread::of(&[1.0, 2.0, 4.0, 5.0]);
        assert_eq!(found.mean, 3.0);
        assert!((found.std - (10.0f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!(
            Spread::of(&[7.0]),
            Spread {
                mean: 7.0,
                std: 0.0
            }
        );
        assert!(Spread::of(&[]).mean.is_nan());
        let shares = Spread {
            mean: 0.88215,
            std: 0.1,
        };
        assert_eq!(shares.percent(), "88.2 ± 10.0 %");
    }
}
