//! The colours, all told apart under the common colour-vision deficiencies and in grey print.

/// Bars that add to a score (Okabe–Ito vermilion).
pub const POSITIVE: &str = "#d55e00";
/// Bars that take from it (Okabe–Ito blue).
pub const NEGATIVE: &str = "#0072b2";
/// What is neither.
pub const NEUTRAL: &str = "#7f7f7f";

/// Diverging blue–white–red for t in [−1, 1] (ColorBrewer RdBu); beyond, the ends.
pub fn diverging(t: f64) -> [u8; 3] {
    const STOPS: [[f64; 3]; 5] = [
        [5.0, 48.0, 97.0],
        [67.0, 147.0, 195.0],
        [255.0, 255.0, 255.0],
        [214.0, 96.0, 77.0],
        [103.0, 0.0, 31.0],
    ];
    let position = (t.clamp(-1.0, 1.0) + 1.0) * 2.0;
    let below = (position.floor() as usize).min(3);
    let part = position - below as f64;
    std::array::from_fn(|i| {
        (STOPS[below][i] + part * (STOPS[below + 1][i] - STOPS[below][i])).round() as u8
    })
}

/// 0..255 for t in [−1, 1], grey in the middle: one channel of a signed colour picture.
pub(crate) fn around_grey(t: f64) -> u8 {
    (127.5 + 127.5 * t).round().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_the_middle_and_signs_mirror() {
        assert_eq!(diverging(0.0), [255; 3]);
        assert_eq!(diverging(2.0), diverging(1.0));
        // Brightness says the magnitude, hue the sign: a mirrored value is about as dark.
        let luma =
            |[r, g, b]: [u8; 3]| 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b);
        for i in 1..=10 {
            let t = f64::from(i) / 10.0;
            assert!(
                (luma(diverging(t)) - luma(diverging(-t))).abs() < 25.0,
                "{t}"
            );
            assert!(luma(diverging(t)) < luma(diverging(t - 0.1)));
        }
        assert_eq!((around_grey(-1.0), around_grey(1.0)), (0, 255));
    }
}
