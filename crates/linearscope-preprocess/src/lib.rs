//! From pictures to network inputs.
//!
//! A trained network expects its pictures resized, cropped and normalised as they were during training. This crate does
//! it as torchvision's classic pipeline does, `PIL.Image → Resize → CenterCrop → ToTensor → Normalize`: 8-bit pixels
//! equal torchvision's to the bit (tested against arrays that torchvision made), and what follows is computed in f64, to
//! be rounded once to the network's dtype.
//!
//! | step | rule |
//! | --- | --- |
//! | [`Size::Side`] of a resize | the shorter side becomes `size`, the longer `⌊size · long / short⌋` |
//! | [`Size::Exact`] of a resize | exactly `h × w` |
//! | [`Interpolation`] | Pillow's, always antialiased: two passes, each rounded to 8 bits |
//! | crop | from the middle: `top = round((H − h) / 2)`, halves to even; a crop larger than the picture is an error |
//! | numbers | pixel p of 0..255 becomes (p/255 · range − mean)/std, channel by channel |
//!
//! Pictures of 16 bits keep them: they are resized in f32, as Pillow resizes its mode `F`, and white is 65535.
//!
//! [`Picture::open`] reads a picture file by its content: upright, whole, within [`Limits`], with [`Notice`]s of what others
//! might read differently. [`Array::open`] reads what `numpy.save` writes, and [`Layout::of`] says whether such an array has
//! its channels last. [`pictures_in`] lists a folder. Each refusal names the file, the numbers and the next step
//! ([`Error::hint`]).
//!
//! A [`Recipe`] is the description, gaps allowed, as a TOML file alongside a model has it; [`Recipe::for_channels`] checks
//! it against a network and fills the gaps. The [`Preprocess`] that results cannot be wrong in itself: only a picture can
//! fail to fit.
//!
//! ```
//! use image::{DynamicImage, RgbImage};
//! use linearscope_preprocess::Recipe;
//!
//! let recipe = Recipe::from_toml("resize = 256\ncrop = 224\nmean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]")?;
//! assert_eq!(recipe, Recipe::imagenet());
//! let preprocess = recipe.for_channels(3)?;
//!
//! let picture = DynamicImage::ImageRgb8(RgbImage::new(640, 480));
//! let input = preprocess.apply(&picture)?;
//! assert_eq!(input.shape, [3, 224, 224]);
//! assert_eq!(input.values[0], (0.0 - 0.485) / 0.229);
//! # Ok::<(), linearscope_preprocess::Error>(())
//! ```

mod array;
mod channels;
mod content;
mod error;
mod folder;
mod format;
mod layout;
mod limits;
mod picture;
mod preprocess;
mod recipe;
mod resample;
mod size;

pub use array::{Array, is_array};
pub use channels::Channels;
pub use error::{Error, Result};
pub use folder::{Listing, SkipReason, Skipped, pictures_in};
pub use format::Format;
pub use layout::Layout;
pub use limits::Limits;
pub use picture::{Background, Notice, Orientation, Picture, Profiles, ReadOptions, open};
pub use preprocess::{Input, Preprocess};
pub use recipe::{Recipe, read_labels};
pub use resample::Interpolation;
pub use size::{ParseSizeError, Size};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
