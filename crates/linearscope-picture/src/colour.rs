//! The colours, all told apart under the common colour-vision deficiencies and in grey print.

/// Bars that add to a score (Okabe–Ito vermilion).
pub const POSITIVE: &str = "#d55e00";
/// Bars that take from it (Okabe–Ito blue).
pub const NEGATIVE: &str = "#0072b2";
/// What is neither.
pub const NEUTRAL: &str = "#7f7f7f";

/// [`diverging`] at −1, −½, 0, ½ and 1; straight lines between.
pub(crate) const STOPS: [[f64; 3]; 5] = [
    [5.0, 48.0, 97.0],
    [67.0, 147.0, 195.0],
    [255.0, 255.0, 255.0],
    [214.0, 96.0, 77.0],
    [103.0, 0.0, 31.0],
];

/// Diverging blue–white–red for t in [−1, 1] (ColorBrewer RdBu); beyond, the ends.
pub fn diverging(t: f64) -> [u8; 3] {
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

/// `t` in [−1, 1] laid over a grey: [`POSITIVE`] above 0 and [`NEGATIVE`] below, nothing at 0.
pub(crate) fn over(grey: u8, t: f64) -> [u8; 3] {
    let full = match t < 0.0 {
        true => [0x00, 0x72, 0xb2],
        false => [0xd5, 0x5e, 0x00],
    };
    // At full strength the photograph still shows.
    let part = 0.9 * t.abs().min(1.0);
    full.map(|full: u8| {
        (f64::from(grey) + part * (f64::from(full) - f64::from(grey))).round() as u8
    })
}

/// How the colours of a signed raster follow from its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ramp {
    /// One channel, by [`diverging`].
    Diverging,
    /// Three channels, each [`around_grey`].
    AroundGrey,
    /// One channel, laid [`over`] a photograph.
    Over,
}

impl Ramp {
    pub(crate) const ALL: [Ramp; 3] = [Ramp::Diverging, Ramp::AroundGrey, Ramp::Over];

    /// Its name in style sheets and scripts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Ramp::Diverging => "diverging",
            Ramp::AroundGrey => "around-grey",
            Ramp::Over => "over",
        }
    }

    /// The colour of `t` in [−1, 1]; where three channels have one each, that of three equal ones.
    pub(crate) fn at(self, t: f64) -> [u8; 3] {
        match self {
            Ramp::Diverging => diverging(t),
            Ramp::AroundGrey => [around_grey(t); 3],
            Ramp::Over => over(170, t),
        }
    }
}

/// `#rrggbb`.
pub(crate) fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlays_take_the_colours_of_signs() {
        let near = |a: [u8; 3], b: &str| {
            let b = [1, 3, 5].map(|at| u8::from_str_radix(&b[at..at + 2], 16).unwrap());
            a.iter().zip(b).all(|(a, b)| a.abs_diff(b) < 20)
        };
        assert!(near(over(170, 1.0), POSITIVE) && near(over(170, -1.0), NEGATIVE));
        assert_eq!(over(170, 0.0), [170; 3]);
        assert_eq!(over(170, 9.0), over(170, 1.0));
    }

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
