//! From arrays to pictures: one honest mapping, used everywhere.
//!
//! *Pictures* (inputs and outputs of a network) show as their range says, clipped at black and
//! white. Everything *signed* (residuals, rows, columns, eigen-images) is diverging: zero is the
//! middle, full colour is the largest magnitude shown, and that number is written beside. One
//! channel runs from blue over white to red; three are colours around grey, or one picture each.
//! A [`Window`] may show the part where an array is not negligible, and says which part.
//!
//! A signal, an array with one axis, is a line ([`Panel::line`]); a [`Volume`] is slices of it and what is largest
//! behind each place.
//!
//! [`Overlay`] lays a signed map over a photograph. An [`Animation`] shows drawings one after the other.
//!
//! [`Sheet`] sets many such pictures side by side, [`BarChart`] draws contributions,
//! [`CurveChart`] what changes over steps. All become a
//! [`Drawing`], and that becomes SVG or, with the font that comes along, PNG. [`page`] has the same
//! as HTML, and what else a page is made of.

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
