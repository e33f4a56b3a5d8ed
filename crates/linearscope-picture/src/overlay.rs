//! A signed map over the photograph it is about.

use std::sync::Arc;

use image::{Rgb, RgbImage};

use crate::{
    Array, Panel, Raster,
    array::peak,
    colour::{Ramp, over},
    sheet::number,
};

/// Which values of a map are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sign {
    /// All, by sign: vermilion above 0 and blue below.
    #[default]
    Both,
    /// Those above 0.
    Positive,
    /// Those below 0.
    Negative,
    /// Magnitudes, whatever their sign: vermilion.
    Absolute,
}

/// How a map is laid over a photograph: the photograph in grey, and over it a colour, the more opaque
/// the larger the value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlay {
    /// What is shown.
    pub sign: Sign,
    /// The percentile of the magnitudes shown (zeros left out) from which on colour is full, 0 to 100.
    /// Below 100 a few extreme values do not make all others invisible.
    pub percentile: f64,
}

impl Default for Overlay {
    /// Both signs, and full colour from the 99th percentile on.
    fn default() -> Self {
        Self {
            sign: Sign::Both,
            percentile: 99.0,
        }
    }
}

impl Overlay {
    fn shown(&self, value: f64) -> f64 {
        match self.sign {
            _ if !value.is_finite() => 0.0,
            Sign::Both => value,
            Sign::Positive => value.max(0.0),
            Sign::Negative => value.min(0.0),
            Sign::Absolute => value.abs(),
        }
    }

    /// The map over the photograph. The channels of a map are added; where the photograph is reduced, a
    /// dot has the value of largest magnitude of its block. `None` where their height and width differ,
    /// or where `photograph` is itself a signed raster.
    pub fn over(&self, photograph: &Raster, map: &Array) -> Option<Raster> {
        self.laid(photograph, map, None)
    }

    /// The same with full colour from the magnitude `scale` on, whatever the percentile: so that several are told by one
    /// measure.
    pub fn at_scale(&self, photograph: &Raster, map: &Array, scale: f64) -> Option<Raster> {
        self.laid(photograph, map, Some(scale))
    }

    /// The magnitude that full colour stands for where a map is laid over a photograph, by the percentile; 0 where nothing
    /// is shown.
    pub fn full_colour(&self, map: &Array) -> f64 {
        self.scale(&self.summed(map))
    }

    /// What is shown at each place: a map's channels added, as far as their sign is requested.
    fn summed(&self, map: &Array) -> Vec<f64> {
        let [channels, h, w] = map.shape();
        let mut values = vec![0.0; h * w];
        for channel in 0..channels {
            for (sum, value) in values.iter_mut().zip(map.channel(channel).values()) {
                *sum += value;
            }
        }
        for value in &mut values {
            *value = self.shown(*value);
        }
        values
    }

    fn laid(&self, photograph: &Raster, map: &Array, scale: Option<f64>) -> Option<Raster> {
        let [_, h, w] = map.shape();
        if photograph.of != [h, w] || photograph.scale.is_some() {
            return None;
        }
        let part = photograph.window;
        let values = self.summed(map);
        let plane = Array::new(&values, &[h, w])?;
        let scale = scale.unwrap_or_else(|| self.scale(&values));
        let unit = if scale > 0.0 { scale } else { 1.0 };
        let size = photograph.size().map(|size| size as u32);
        let dots = (0..size[0]).flat_map(|y| (0..size[1]).map(move |x| (y as usize, x as usize)));
        let shown: Arc<[f64]> = dots
            .map(|place| plane.block_value(0, part, photograph.block, place, peak))
            .collect();
        let picture = RgbImage::from_fn(size[1], size[0], |x, y| {
            let value = shown[(y * size[1] + x) as usize];
            let [r, g, b] = photograph.picture.get_pixel(x, y).0.map(f64::from);
            // Neither black nor white: both colours show on it.
            let grey = 75.0 + 0.6 * (0.299 * r + 0.587 * g + 0.114 * b);
            Rgb(over(grey.round() as u8, value / unit))
        });
        Some(Raster {
            picture,
            scale: Some(scale),
            ramp: Ramp::Over,
            extremes: plane.extremes(part),
            values: Some(shown),
            beneath: Some(Arc::new(photograph.picture.clone())),
            ..photograph.clone()
        })
    }

    /// [`over`](Self::over) as a panel that says how it is read.
    pub fn panel(
        &self,
        title: impl Into<String>,
        photograph: &Raster,
        map: &Array,
    ) -> Option<Panel> {
        let raster = self.over(photograph, map)?;
        let [least, largest] = raster.extremes;
        let most = largest.max(-least);
        let shown = match self.sign {
            Sign::Both => "vermilion above 0, blue below",
            Sign::Positive => "values above 0",
            Sign::Negative => "values below 0",
            Sign::Absolute => "magnitudes",
        };
        let clipped = raster.scale.is_some_and(|scale| scale < most);
        let panel = Panel::new(title, raster).caption(shown);
        Some(match clipped {
            true => panel.caption(format!(
                "colours saturate at the {} percentile; the largest magnitude is {}",
                ordinal(self.percentile),
                number(most)
            )),
            false => panel,
        })
    }

    /// The magnitude that full colour stands for; 0 where nothing is shown.
    fn scale(&self, values: &[f64]) -> f64 {
        let magnitudes = values.iter().map(|v| v.abs());
        let mut magnitudes: Vec<f64> = magnitudes.filter(|m| *m > 0.0).collect();
        magnitudes.sort_by(f64::total_cmp);
        let place = (self.percentile / 100.0 * magnitudes.len() as f64).ceil() as usize;
        let last = magnitudes.len().saturating_sub(1);
        let place = place.saturating_sub(1).min(last);
        magnitudes.get(place).copied().unwrap_or(0.0)
    }
}

/// "99th", "99.5th".
fn ordinal(percentile: f64) -> String {
    let whole = percentile as u64;
    let suffix = match (whole % 10, whole % 100) {
        _ if percentile.fract() != 0.0 => "th",
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{percentile}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photograph(values: &[f64]) -> Raster {
        let array = Array::new(values, &[2, 2]).unwrap();
        array.picture(0.0, 1.0, 99)
    }

    fn dots(overlay: Overlay, map: &[f64]) -> Vec<[u8; 3]> {
        let map = Array::new(map, &[2, 2]).unwrap();
        let raster = overlay.over(&photograph(&[0.5; 4]), &map).unwrap();
        raster.picture.pixels().map(|dot| dot.0).collect()
    }

    fn of(sign: Sign) -> Overlay {
        Overlay {
            sign,
            percentile: 100.0,
        }
    }

    #[test]
    fn signs_are_chosen() {
        let map = [2.0, -2.0, 0.0, 1.0];
        // Half grey, 128, as the ground.
        let ground = (75.0 + 0.6 * 128.0f64).round() as u8;
        let colour = |t| over(ground, t);
        for (sign, expected) in [
            (Sign::Both, [1.0, -1.0, 0.0, 0.5]),
            (Sign::Positive, [1.0, 0.0, 0.0, 0.5]),
            (Sign::Negative, [0.0, -1.0, 0.0, 0.0]),
            (Sign::Absolute, [1.0, 1.0, 0.0, 0.5]),
        ] {
            assert_eq!(dots(of(sign), &map), expected.map(colour), "{sign:?}");
        }
    }

    #[test]
    fn extremes_are_clipped_at_the_percentile() {
        // Zeros do not count: of 1 to 100, 99 % are at most 99.
        let mut values: Vec<f64> = (1..=100).map(f64::from).collect();
        values.extend([0.0; 300]);
        assert_eq!(Overlay::default().scale(&values), 99.0);
        assert_eq!(of(Sign::Both).scale(&values), 100.0);
        let none = Overlay {
            percentile: 0.0,
            ..Overlay::default()
        };
        assert_eq!(none.scale(&values), 1.0);
        assert_eq!(none.scale(&[0.0]), 0.0);
        let map = [1.0, -1.0, 9.0, 0.0];
        let half = Overlay {
            percentile: 50.0,
            ..Overlay::default()
        };
        let array = Array::new(&map, &[2, 2]).unwrap();
        let panel = half.panel("m", &photograph(&[0.0; 4]), &array).unwrap();
        assert_eq!(panel.raster.scale, Some(1.0));
        let clipped = "colours saturate at the 50th percentile; the largest magnitude is 9.00";
        assert_eq!(panel.caption[1], clipped);
    }

    #[test]
    fn channels_add_and_gaps_are_nothing() {
        let map = [1.0, 1.0, 1.0, f64::NAN, 1.0, -1.0, 0.0, 0.0];
        let array = Array::new(&map, &[2, 2, 2]).unwrap();
        let raster = of(Sign::Both).over(&photograph(&[0.0; 4]), &array).unwrap();
        assert_eq!((raster.scale, raster.extremes), (Some(2.0), [0.0, 2.0]));
        // Nothing above 0: all zero.
        let map = [-1.0; 4];
        let array = Array::new(&map, &[2, 2]).unwrap();
        let raster = of(Sign::Positive).over(&photograph(&[0.0; 4]), &array);
        assert!(raster.unwrap().is_zero());
    }

    #[test]
    fn shapes_that_differ_are_no_overlay() {
        let map = [1.0; 6];
        let array = Array::new(&map, &[2, 3]).unwrap();
        let photograph = photograph(&[0.0; 4]);
        assert!(Overlay::default().over(&photograph, &array).is_none());
        let map = [1.0; 4];
        let array = Array::new(&map, &[2, 2]).unwrap();
        let signed = array.signed(array.whole(), None, 9);
        assert!(Overlay::default().over(&signed, &array).is_none());
    }

    #[test]
    fn ordinals() {
        let of = [1.0, 2.0, 3.0, 11.0, 50.0, 92.0, 99.0, 99.5].map(ordinal);
        let expected = [
            "1st", "2nd", "3rd", "11th", "50th", "92nd", "99th", "99.5th",
        ];
        assert_eq!(of, expected);
    }
}
