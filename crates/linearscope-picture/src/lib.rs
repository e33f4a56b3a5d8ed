//! Draws arrays as pictures, with one honest colour mapping that is used everywhere.
//!
//! *Pictures* (inputs and outputs of a network) are drawn in their own range, clipped at black and
//! white. Everything *signed* (residuals, rows, columns, eigen-images) uses a diverging map: zero
//! is the middle, full colour is the largest magnitude shown, and that number is written next to
//! the picture. One channel runs from blue through white to red; three channels are colours around
//! grey, or one picture each. A [`Window`] can show only the part where an array is not negligible,
//! and says which part it is.
//!
//! A signal, which is an array with one axis, is drawn as a line ([`Panel::line`]). A [`Volume`] is drawn as
//! slices, and as the largest value behind each place.
//!
//! [`Overlay`] lays a signed map over a photograph. An [`Animation`] shows drawings in sequence.
//!
//! [`Sheet`] sets many such pictures side by side, [`BarChart`] draws contributions, and
//! [`CurveChart`] draws what changes over steps. Each makes a [`Drawing`], which can be written as
//! SVG or, with the bundled font, as PNG. [`page`] has the same as HTML, and the other parts of a
//! page.

mod animation;
mod array;
mod chart;
mod classes;
mod colour;
mod curve;
mod drawing;
mod line;
mod number;
mod overlay;
pub mod page;
mod pdf;
mod sheet;
mod volume;
#[cfg(test)]
mod written;

pub use animation::Animation;
pub use array::{Array, Channels, Raster, Window};
pub use chart::{Bar, BarChart};
pub use classes::{MOST_CLASSES, OTHER_CLASSES, class_colours};
pub use colour::{NEGATIVE, NEUTRAL, POSITIVE, diverging};
pub use curve::{Curve, CurveChart, CurvePanel};
pub use drawing::{Drawing, Error};
pub use number::{significant, with_error};
pub use overlay::{Overlay, Sign};
pub use sheet::{Arrow, Band, Mark, Panel, Sheet};
pub use volume::{Side, Volume};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
