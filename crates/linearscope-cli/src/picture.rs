//! A session's arrays as pictures: what is a network picture goes back through the recipe, what is
//! signed becomes panels of a sheet, in colour or a panel a channel. Signals become lines, volumes slices and
//! projections.

use std::ops::Range;

use linearscope_picture::{Array, Mark, Panel, Raster, Sheet, Side, Volume, Window};
use linearscope_preprocess::{Channels, Preprocess};

use crate::{kind::Kind, recipe::Recipe};

/// How a session draws.
#[derive(Clone, Debug)]
pub(crate) struct Painter {
    pub recipe: Option<Recipe>,
    /// A panel for each channel, even where three make a colour picture.
    pub each_channel: bool,
}

/// How much of a signed array is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum View {
    Whole,
    /// The window outside which, on each side, lies at most this part of the energy.
    Energy(f64),
}

impl View {
    /// Rows and columns: all that is not negligible.
    pub(crate) const FIELD: View = View::Energy(1e-5);
    /// Eigen-images have tails: 99 % of the energy.
    pub(crate) const BULK: View = View::Energy(2.5e-3);

    pub(crate) fn window(self, array: &Array) -> Window {
        match self {
            View::Whole => array.whole(),
            View::Energy(part) => array.window(part),
        }
    }

    /// The same part of a signal's entries.
    fn entries(self, values: &[f64], shape: [usize; 2]) -> Range<usize> {
        match Array::new(values, &[shape[0], 1, shape[1]]) {
            Some(array) => {
                let window = self.window(&array);
                window.x..window.x + window.w
            }
            None => 0..shape[1],
        }
    }

    /// Where a volume is cut: in the middle, or where there is most if the array is small in it.
    fn cut(self, volume: &Volume<'_>) -> [usize; 3] {
        match self {
            View::Whole => volume.middle(),
            View::Energy(_) => volume.largest(),
        }
    }
}

/// Channels drawn of an array that is no colour picture; the array file has them all.
const CHANNELS: usize = 12;
/// The same of a volume, which takes six panels a channel.
const VOLUME_CHANNELS: usize = 4;

impl Painter {
    fn preprocess(&self) -> Option<&Preprocess> {
        self.recipe.as_ref().map(|recipe| &recipe.preprocess)
    }

    fn array<'a>(&self, values: &'a [f64], shape: &[usize]) -> Option<Array<'a>> {
        let order = match self.preprocess().map(Preprocess::channels) {
            Some(Channels::Bgr) => linearscope_picture::Channels::Bgr,
            _ => linearscope_picture::Channels::Rgb,
        };
        // A signal of c lines is no picture c high, and a volume's planes are no channels.
        if matches!(Kind::of(shape), Kind::Signal | Kind::Volume) {
            return None;
        }
        let array = Array::new(values, shape)?.ordered(order);
        let [_, h, w] = array.shape();
        // A line of pixels is one to look at, too; a vector of scores is none.
        (h.max(w) >= 4 && h.min(w) >= 2).then_some(array)
    }

    /// A network output in the recipe's range, one dot an entry.
    pub(crate) fn output(&self, values: &[f64], shape: &[usize]) -> Option<Raster> {
        self.output_of(values, shape, usize::MAX)
    }

    /// Black and white of an output that is a picture, in the network's units, where they are the same in every channel.
    #[cfg(feature = "explore")]
    pub(crate) fn output_bounds(&self, shape: &[usize]) -> Option<[f64; 2]> {
        let recipe = self.recipe.as_ref()?;
        let preprocess = &recipe.preprocess;
        let white = preprocess.range();
        if let Some(range) = recipe.output_range {
            return Some(range);
        }
        let channels = preprocess.mean().len();
        if shape.iter().rev().nth(2) != Some(&channels) {
            return Some([0.0, white]);
        }
        let of = |level: f64| (0..channels).map(move |c| preprocess.normalised(c, level));
        let same = |level| of(level).all(|one| Some(one) == of(level).next());
        let first = |level| of(level).next();
        match same(0.0) && same(white) {
            true => Some([first(0.0)?, first(white)?]),
            false => None,
        }
    }

    fn output_of(&self, values: &[f64], shape: &[usize], most: usize) -> Option<Raster> {
        let recipe = self.recipe.as_ref()?;
        let array = self.array(values, shape).filter(Array::is_picture)?;
        if let Some([black, white]) = recipe.output_range {
            return Some(array.picture(black, white, most));
        }
        let (preprocess, white) = (&recipe.preprocess, recipe.preprocess.range());
        // An output of as many channels is on the input's scale, as in CycleGAN.
        if array.shape()[0] == preprocess.mean().len() {
            let seen = preprocess.undone(values);
            return Some(self.array(&seen, shape)?.picture(0.0, white, most));
        }
        Some(array.picture(0.0, white, most))
    }

    /// An input of the network as a picture, one dot an entry.
    #[cfg(feature = "explore")]
    pub(crate) fn input(&self, values: &[f64], shape: &[usize]) -> Option<Raster> {
        self.input_of(values, shape, usize::MAX)
    }

    /// x₀ as it was before mean and std; without a recipe from its least to its largest value.
    fn input_of(&self, values: &[f64], shape: &[usize], most: usize) -> Option<Raster> {
        let Some(preprocess) = self.preprocess() else {
            let array = self.array(values, shape).filter(Array::is_picture)?;
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            return Some(array.picture(least, largest.max(least + f64::MIN_POSITIVE), most));
        };
        let seen = preprocess.undone(values);
        let array = self.array(&seen, shape).filter(Array::is_picture)?;
        Some(array.picture(0.0, preprocess.range(), most))
    }

    /// An input of the network as a picture, white where the mask of its pixels does not hold.
    pub(crate) fn input_where(
        &self,
        values: &[f64],
        shape: &[usize],
        mask: impl Fn(usize) -> bool,
    ) -> Option<Raster> {
        let [_, h, w] = self.array(values, shape)?.shape();
        let white = match self.preprocess() {
            Some(preprocess) => {
                let of = |c: usize| preprocess.normalised(c, preprocess.range());
                (0..preprocess.mean().len()).map(of).collect()
            }
            None => vec![values.iter().copied().fold(f64::NEG_INFINITY, f64::max)],
        };
        let plane = h * w;
        let shown: Vec<f64> = values
            .iter()
            .enumerate()
            .map(|(i, v)| match mask(i % plane) {
                true => *v,
                false => white[(i / plane).min(white.len() - 1)],
            })
            .collect();
        self.input_of(&shown, shape, Sheet::MOST)
    }

    /// Panels of x₀ and f(x₀), as far as they are pictures, with marks.
    pub(crate) fn reference(
        &self,
        (x0, input): (&[f64], &[usize]),
        (y0, output): (&[f64], &[usize]),
        (in_input, in_output): (Vec<Mark>, Vec<Mark>),
    ) -> Vec<Panel> {
        let mut panels = Vec::new();
        match self.input_of(x0, input, Sheet::MOST) {
            Some(raster) => panels.push(Panel::new("x₀", raster).marks(in_input)),
            None => panels.extend(values_of("x₀", x0, input, &in_input)),
        }
        match self.output_of(y0, output, Sheet::MOST) {
            Some(raster) => panels.push(Panel::new("f(x₀)", raster).marks(in_output)),
            None => panels.extend(values_of("f(x₀)", y0, output, &in_output)),
        }
        panels
    }

    /// Panels of an output of the network that is no picture: a signal's lines, a volume's slices.
    pub(crate) fn lines_or_slices(title: &str, values: &[f64], shape: &[usize]) -> Vec<Panel> {
        values_of(title, values, shape, &[])
    }

    /// Panels of a signed array: one, or one a channel; of a volume its planes. None of scores.
    pub(crate) fn signed(
        &self,
        title: &str,
        values: &[f64],
        shape: &[usize],
        view: View,
    ) -> Vec<Panel> {
        match (Kind::of(shape), shape) {
            (Kind::Signal, &[_, c, l]) => return signed_lines(title, values, [c, l], view),
            (Kind::Volume, &[_, c, d, h, w]) => {
                return signed_planes(title, values, c, [d, h, w], view);
            }
            _ => {}
        }
        let Some(array) = self.array(values, shape) else {
            return Vec::new();
        };
        let [c, _, _] = array.shape();
        let window = view.window(&array);
        if c == 1 || (c == 3 && !self.each_channel) {
            return vec![Panel::new(title, array.signed(window, None, Sheet::MOST))];
        }
        let names: [&str; 3] = match self.preprocess().map(Preprocess::channels) {
            Some(Channels::Rgb) => ["red", "green", "blue"],
            Some(Channels::Bgr) => ["blue", "green", "red"],
            _ => ["channel 0", "channel 1", "channel 2"],
        };
        let rgba = self.preprocess().map(Preprocess::channels) == Some(Channels::Rgba);
        // One scale for all channels, so that they compare.
        let scale = Some(array.largest());
        (0..c.min(CHANNELS))
            .map(|channel| {
                let raster = array.channel(channel).signed(window, scale, Sheet::MOST);
                let name = match c {
                    3 => names[channel].to_string(),
                    4 if rgba => ["red", "green", "blue", "opacity"][channel].to_string(),
                    c => format!("channel {channel} of {c}"),
                };
                Panel::new(format!("{title} · {name}"), raster)
            })
            .collect()
    }
}

/// A title, with the channel where there are several.
fn of_channel(title: &str, channel: usize, c: usize) -> String {
    match c {
        1 => title.to_string(),
        c => format!("{title} · channel {channel} of {c}"),
    }
}

/// A line for each channel of a signed signal, all on one scale.
fn signed_lines(title: &str, values: &[f64], [c, l]: [usize; 2], view: View) -> Vec<Panel> {
    let part = view.entries(values, [c, l]);
    let scale = values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let channels = values.chunks(l.max(1)).take(CHANNELS).enumerate();
    channels
        .map(|(channel, line)| {
            let title = of_channel(title, channel, c);
            Panel::line(title, line, part.clone(), Some(scale))
        })
        .collect()
}

/// Slices and projections of each channel of a signed volume, all on one scale.
fn signed_planes(
    title: &str,
    values: &[f64],
    c: usize,
    shape: [usize; 3],
    view: View,
) -> Vec<Panel> {
    let scale = values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let each = shape.iter().product::<usize>().max(1);
    let mut panels = Vec::new();
    for (channel, values) in values.chunks(each).take(VOLUME_CHANNELS).enumerate() {
        let Some(volume) = Volume::new(values, shape) else {
            continue;
        };
        let title = of_channel(title, channel, c);
        let slices = volume.slices(view.cut(&volume));
        let sides = slices.into_iter().chain(volume.projections());
        panels.extend(sides.filter_map(
            |Side {
                 title: side,
                 values,
                 size,
             }| {
                let array = Array::new(&values, &size)?;
                let raster = array.signed(array.whole(), Some(scale), Sheet::MOST);
                Some(Panel::new(format!("{title} · {side}"), raster))
            },
        ));
    }
    panels
}

/// Values of the network that are a signal or a volume, in their own range.
fn values_of(title: &str, values: &[f64], shape: &[usize], marks: &[Mark]) -> Vec<Panel> {
    match (Kind::of(shape), shape) {
        (Kind::Signal, &[_, c, l]) => {
            let channels = values.chunks(l.max(1)).take(CHANNELS).enumerate();
            channels
                .map(|(channel, line)| {
                    let title = of_channel(title, channel, c);
                    Panel::line(title, line, 0..l, None).marks(marks.to_vec())
                })
                .collect()
        }
        (Kind::Volume, &[_, c, d, h, w]) => {
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let most = most.max(least + f64::MIN_POSITIVE);
            let mut panels = Vec::new();
            let channels = values.chunks((d * h * w).max(1)).enumerate();
            for (channel, values) in channels.take(VOLUME_CHANNELS) {
                let Some(volume) = Volume::new(values, [d, h, w]) else {
                    continue;
                };
                let title = of_channel(title, channel, c);
                let slices = volume.slices(volume.middle()).into_iter();
                panels.extend(slices.filter_map(
                    |Side {
                         title: side,
                         values,
                         size,
                     }| {
                        let raster = Array::new(&values, &size)?.picture(least, most, Sheet::MOST);
                        Some(Panel::new(format!("{title} · {side}"), raster))
                    },
                ));
            }
            panels
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn painter() -> Painter {
        Painter {
            recipe: None,
            each_channel: false,
        }
    }

    fn titles(panels: &[Panel]) -> Vec<&str> {
        panels.iter().map(|panel| panel.title.as_str()).collect()
    }

    /// Neither c lines as a picture c high, nor planes as channels.
    #[test]
    fn signals_are_lines_and_volumes_planes() {
        let values: Vec<f64> = (0..960).map(|i| f64::from(i % 7) - 3.0).collect();
        let signed = |shape: &[usize], view| painter().signed("row", &values, shape, view);
        let lines = signed(&[1, 4, 240], View::Whole);
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[3].title, "row · channel 3 of 4");
        assert!(lines.iter().all(|panel| panel.raster.window.h == 1));
        let planes = signed(&[1, 1, 8, 10, 12], View::Whole);
        assert_eq!(
            titles(&planes),
            [
                "row · z = 4",
                "row · y = 5",
                "row · x = 6",
                "row · max along z",
                "row · max along y",
                "row · max along x"
            ]
        );
        let sizes: Vec<_> = planes[..3].iter().map(|panel| panel.raster.of).collect();
        assert_eq!(sizes, [[10, 12], [8, 12], [8, 10]]);
        let reference = painter().reference(
            (&values, &[1, 1, 960]),
            (&values, &[1, 2, 4, 10, 12]),
            (Vec::new(), Vec::new()),
        );
        assert_eq!(reference.len(), 1 + 2 * 3);
        assert!(signed(&[1, 960], View::Whole).is_empty());
        assert!(painter().output(&values, &[1, 1, 8, 10, 12]).is_none());
    }

    /// A small field is seen: a signal's part, a volume's slices through it.
    #[test]
    fn fields_are_shown_where_they_are() {
        let mut values = vec![0.0; 960];
        values[700] = -1.0;
        let line = &painter().signed("row", &values, &[1, 1, 960], View::FIELD)[0];
        assert_eq!((line.raster.window.x, line.raster.window.w), (699, 3));
        let planes = painter().signed("row", &values, &[1, 1, 8, 10, 12], View::FIELD);
        assert_eq!(
            titles(&planes)[..3],
            ["row · z = 5", "row · y = 8", "row · x = 4"]
        );
        assert!(planes.iter().all(|panel| !panel.raster.is_zero()));
    }
}
