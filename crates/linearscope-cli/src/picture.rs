//! A session's arrays as pictures: what is a network picture goes back through the recipe, what is
//! signed becomes panels of a sheet, in colour or a panel a channel.

use linearscope_picture::{Array, Mark, Panel, Raster, Sheet, Window};
use linearscope_preprocess::{Channels, Preprocess};

use crate::recipe::Recipe;

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
}

/// Channels drawn of an array that is no colour picture; the array file has them all.
const CHANNELS: usize = 12;

impl Painter {
    fn preprocess(&self) -> Option<&Preprocess> {
        self.recipe.as_ref().map(|recipe| &recipe.preprocess)
    }

    fn array<'a>(&self, values: &'a [f64], shape: &[usize]) -> Option<Array<'a>> {
        let order = match self.preprocess().map(Preprocess::channels) {
            Some(Channels::Bgr) => linearscope_picture::Channels::Bgr,
            _ => linearscope_picture::Channels::Rgb,
        };
        let array = Array::new(values, shape)?.ordered(order);
        let [_, h, w] = array.shape();
        // A line of pixels is one to look at, too; a vector of scores is none.
        (h.max(w) >= 4 && h.min(w) >= 2).then_some(array)
    }

    /// A network output in the recipe's range, one dot an entry.
    pub(crate) fn output(&self, values: &[f64], shape: &[usize]) -> Option<Raster> {
        self.output_of(values, shape, usize::MAX)
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

    /// x₀ as it was before mean and std; without a recipe from its least to its largest value.
    fn input_of(&self, values: &[f64], shape: &[usize]) -> Option<Raster> {
        let Some(preprocess) = self.preprocess() else {
            let array = self.array(values, shape).filter(Array::is_picture)?;
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            return Some(array.picture(least, most.max(least + f64::MIN_POSITIVE), Sheet::MOST));
        };
        let seen = preprocess.undone(values);
        let array = self.array(&seen, shape).filter(Array::is_picture)?;
        Some(array.picture(0.0, preprocess.range(), Sheet::MOST))
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
        self.input_of(&shown, shape)
    }

    /// Panels of x₀ and f(x₀), as far as they are pictures, with marks.
    pub(crate) fn reference(
        &self,
        (x0, input): (&[f64], &[usize]),
        (y0, output): (&[f64], &[usize]),
        (in_input, in_output): (Vec<Mark>, Vec<Mark>),
    ) -> Vec<Panel> {
        let mut panels = Vec::new();
        if let Some(raster) = self.input_of(x0, input) {
            panels.push(Panel::new("x₀", raster).marks(in_input));
        }
        if let Some(raster) = self.output_of(y0, output, Sheet::MOST) {
            panels.push(Panel::new("f(x₀)", raster).marks(in_output));
        }
        panels
    }

    /// Panels of a signed array: one, or one a channel. None where it is no picture.
    pub(crate) fn signed(
        &self,
        title: &str,
        values: &[f64],
        shape: &[usize],
        view: View,
    ) -> Vec<Panel> {
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
