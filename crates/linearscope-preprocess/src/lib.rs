//! From pictures to network inputs.
//!
//! A trained network expects pictures that are resized, cropped and normalised as they were during training. This crate
//! follows torchvision's classic pipeline, `PIL.Image → Resize → CenterCrop → ToTensor → Normalize`. 8-bit pixels equal
//! torchvision's to the bit (tested against arrays that torchvision made). Everything after that is computed in f64 and
//! rounded once to the network's dtype.
//!
//! | step | rule |
//! | --- | --- |
//! | [`Size::Side`] of a resize | the shorter side becomes `size`, the longer `⌊size · long / short⌋` |
//! | [`Size::Exact`] of a resize | exactly `h × w` |
//! | [`Interpolation`] | Pillow's, always antialiased: two passes, each rounded to 8 bits |
//! | crop | from the middle: `top = round((H − h) / 2)`, halves to even; a crop larger than the picture is an error |
//! | numbers | pixel p of 0..255 becomes (p/255 · range − mean)/std, channel by channel |
//!
//! 16-bit pictures keep their depth: they are resized in f32, as Pillow resizes its mode `F`, and white is
//! 65535.
//!
//! [`Picture::open`] recognises a picture file by its content. It turns the picture upright, refuses incomplete files,
//! applies [`Limits`], and returns [`Notice`]s of what other programs might read differently. [`Array::open`] reads
//! what `numpy.save` writes, and [`Layout::of`] says whether such an array has its channels last. [`pictures_in`] lists
//! a folder. Each error names the file, the numbers and the next step ([`Error::hint`]).
//!
//! A [`Recipe`] is a description with gaps allowed, as in a TOML file next to a model. [`Recipe::for_channels`] checks
//! it against a network and fills the gaps. The resulting [`Preprocess`] is always valid: only a picture can fail to
//! fit.
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
