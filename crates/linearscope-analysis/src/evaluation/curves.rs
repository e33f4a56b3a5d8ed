//! Deletion and insertion: how a score falls where the places that a map calls important go, and rises where they come.

use serde::{Deserialize, Serialize};

use super::asked::Asked;
use crate::{
    error::{Result, tell},
    progress::{Observer, Progress},
    ranking,
};

/// A score against the share of places that were moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Shares of the places, from 0 to 1.
    pub at: Vec<f64>,
    /// The score there: see [`evaluate`](super::evaluate()).
    pub value: Vec<f64>,
    /// Below the curve, by trapezia.
    pub area: f64,
}

impl Curve {
    fn new(at: Vec<f64>, value: Vec<f64>) -> Self {
        let parts = at.windows(2).zip(value.windows(2));
        let area = parts.map(|(at, value)| (at[1] - at[0]) * (value[0] + value[1]) / 2.0);
        let area = area.sum();
        Self { at, value, area }
    }
}

/// How many places are moved at each point of a curve.
fn counts(places: usize, steps: usize) -> Vec<usize> {
    let steps = steps.min(places);
    (0..=steps)
        .map(|step| (step as u128 * places as u128 / steps as u128) as usize)
        .collect()
}

/// Deletion and insertion in the order of a map, `[n]` with a number a place.
pub(super) fn curves(
    asked: &Asked<'_>,
    map: &[f64],
    observer: &mut Observer<'_>,
) -> Result<[Curve; 2]> {
    let order = ranking(map);
    let counts = counts(order.len(), asked.config.steps);
    let all = 2 * counts.len().saturating_sub(2);
    let mut done = 0;
    let mut curve = |from: &[f64], to: &[f64], ends: [f64; 2]| -> Result<Curve> {
        let mut value = vec![ends[0]];
        let mut x = from.to_vec();
        for part in counts.windows(2) {
            asked.places.put(&mut x, to, &order[part[0]..part[1]]);
            if part[1] == order.len() {
                value.push(ends[1]);
                continue;
            }
            tell(observer, Progress::new("deleting and inserting", done, all))?;
            done += 1;
            value.push(asked.value(&asked.output(x.clone())?)?);
        }
        let share = |&count: &usize| count as f64 / order.len() as f64;
        Ok(Curve::new(counts.iter().map(share).collect(), value))
    };
    let (whole, none) = (asked.value(&asked.at_x0)?, asked.value(&asked.at_baseline)?);
    Ok([
        curve(&asked.x0, &asked.baseline, [whole, none])?,
        curve(&asked.baseline, &asked.x0, [none, whole])?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_spread_evenly() {
        assert_eq!(counts(10, 4), [0, 2, 5, 7, 10]);
        assert_eq!(counts(3, 20), [0, 1, 2, 3]);
        assert_eq!(counts(5, 1), [0, 5]);
        let curve = Curve::new(vec![0.0, 0.5, 1.0], vec![1.0, 0.25, 0.0]);
        assert_eq!(curve.area, 0.375);
    }
}
