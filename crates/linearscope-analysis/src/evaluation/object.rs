//! Whether a map lies on the object.

use serde::{Deserialize, Serialize};

use crate::ranking::argmax;

/// Where a map lies, of a picture whose object is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnObject {
    /// The object's part of the places: the energy of a map that knows nothing.
    pub share: f64,
    /// Whether the highest place, the first of ties, lies on it (the pointing game; Zhang et al., 2018).
    pub pointing: bool,
    /// Its part of what is above 0 in the map, 0 where nothing is (Wang et al., *Score-CAM*, 2020).
    pub energy: f64,
}

/// Of a map with a number a place.
pub(super) fn on_object(map: &[f64], object: &[bool]) -> OnObject {
    // Parts of the largest, whose sum is finite.
    let largest = map.iter().copied().fold(0.0, f64::max);
    let (mut inside, mut all) = (0.0, 0.0);
    for (value, &object) in map.iter().zip(object) {
        let part = match *value > 0.0 {
            true => value / largest,
            false => 0.0,
        };
        all += part;
        inside += if object { part } else { 0.0 };
    }
    let covered = object.iter().filter(|&&object| object).count();
    OnObject {
        share: covered as f64 / object.len().max(1) as f64,
        pointing: argmax(map).is_some_and(|at| object[at]),
        energy: if all > 0.0 { inside / all } else { 0.0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let object = [false, true, true, false];
        let found = on_object(&[1.0, 3.0, -5.0, 2.0], &object);
        let twin = OnObject {
            share: 0.5,
            pointing: true,
            energy: 0.5,
        };
        assert_eq!(found, twin);
        // The first of ties.
        assert!(!on_object(&[3.0, 3.0, 0.0, 0.0], &object).pointing);
        assert!(on_object(&[0.0, 3.0, 0.0, 3.0], &object).pointing);
        let below = on_object(&[-1.0, -0.5, -2.0, -1.0], &object);
        assert!(below.pointing && below.energy == 0.0);
        assert!((on_object(&[1e308; 4], &object).energy - 0.5).abs() < 1e-15);
    }
}
