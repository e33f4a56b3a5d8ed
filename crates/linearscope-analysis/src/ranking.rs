//! The order of scores.

use std::cmp::Ordering;

/// Larger first; NaN behind every number; −0 is 0.
fn descending(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (false, false) => b.partial_cmp(&a).expect("neither is NaN"),
        (a, b) => a.cmp(&b),
    }
}

/// Indices of scores, the largest first. Ties go by index, as everywhere in this crate. NaN comes
/// last.
///
/// ```
/// use linearscope_analysis::ranking;
/// assert_eq!(ranking(&[1.0, 3.0, f64::NAN, 3.0]), [1, 3, 0, 2]);
/// ```
pub fn ranking(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    // A stable sort keeps ties in order.
    order.sort_by(|&a, &b| descending(scores[a], scores[b]));
    order
}

/// The index of the largest score; ties go to the first. `None` without scores. NaN is never larger
/// than a number.
///
/// ```
/// use linearscope_analysis::argmax;
/// assert_eq!(argmax(&[f64::NAN, 2.0, 2.0]), Some(1));
/// assert_eq!(argmax(&[]), None);
/// ```
pub fn argmax(scores: &[f64]) -> Option<usize> {
    // `min_by` gives the first of equals.
    (0..scores.len()).min_by(|&a, &b| descending(scores[a], scores[b]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_first_and_nan_to_the_end() {
        let scores = [0.0, 2.0, -0.0, f64::NAN, 2.0, f64::NEG_INFINITY, 0.0];
        assert_eq!(ranking(&scores), [1, 4, 0, 2, 6, 5, 3]);
        assert_eq!(argmax(&scores), Some(1));
        assert_eq!(argmax(&[-0.0, 0.0]), Some(0));
        assert_eq!(argmax(&[f64::NAN, f64::NAN]), Some(0));
        for len in 1..scores.len() {
            assert_eq!(argmax(&scores[..len]), Some(ranking(&scores[..len])[0]));
        }
    }
}
