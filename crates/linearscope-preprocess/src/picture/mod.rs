//! Picture files.

mod jpeg;
mod notice;
mod orientation;
mod profile;
mod structure;
pub(crate) mod transparency;

use std::{io::Cursor, path::Path};

use image::{
    DynamicImage, ImageDecoder, ImageError,
    codecs::{
        bmp::BmpDecoder, gif::GifDecoder, png::PngDecoder, tiff::TiffDecoder, webp::WebPDecoder,
    },
};
use serde::Serialize;

use crate::{
    Error, Format, Limits, Result,
    content::{self, Foreign},
    format::extension,
};

pub use notice::Notice;
pub use orientation::Orientation;
pub use profile::Profiles;
pub use transparency::Background;

/// How picture files are read.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ReadOptions {
    /// How much a file may ask for.
    pub limits: Limits,
    /// The background of transparent pixels.
    pub background: Background,
    /// Keep opacity as a channel, without a background.
    pub keep_transparency: bool,
    /// How to treat a colour profile that is not sRGB.
    pub profiles: Profiles,
}

impl ReadOptions {
    /// The same with these [`ReadOptions::limits`].
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The same with this [`ReadOptions::background`].
    pub fn with_background(self, background: Background) -> Self {
        Self { background, ..self }
    }

    /// The same with [`ReadOptions::keep_transparency`].
    pub fn with_transparency_kept(self, keep_transparency: bool) -> Self {
        Self {
            keep_transparency,
            ..self
        }
    }

    /// The same with these [`ReadOptions::profiles`].
    pub fn with_profiles(self, profiles: Profiles) -> Self {
        Self { profiles, ..self }
    }
}

/// A picture, upright, and information about its file. Serialised without its pixels, for manifests.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Picture {
    /// The pixels: grey or RGB, with opacity only if requested, and with the file's depth.
    #[serde(skip)]
    pub image: DynamicImage,
    /// The file's true format, whatever its name.
    pub format: Format,
    /// Bits per channel in the file. 1, 2 and 4 are expanded to 8.
    pub bit_depth: u8,
    /// How the stored pixels were turned, according to the file's EXIF or XMP tag.
    pub orientation: Orientation,
    /// Notices to report, because other programs might read the file differently.
    pub notices: Vec<Notice>,
}

impl Picture {
    /// Read a picture file, recognised by its content: PNG, JPEG, BMP, WebP, GIF (its first frame) or TIFF (its
    /// first page).
    ///
    /// The picture is turned as its EXIF or XMP tag says, like `PIL.ImageOps.exif_transpose`. CMYK becomes RGB as
    /// in Pillow's `convert("RGB")`. A colour profile that is not sRGB is converted to sRGB, unless
    /// [`ReadOptions::profiles`] says otherwise. Transparent pixels are put on [`ReadOptions::background`].
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Folder`]; [`Error::Foreign`] for unsupported files, with a way to convert them;
    /// [`Error::TooManyPixels`] and [`Error::TooManyBytes`] by the header, before anything is decoded;
    /// [`Error::Damaged`] for a file that is cut off or broken; [`Error::Unsupported`] for a rare kind of a format.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self> {
        let bytes = content::bytes_of(path, &options.limits)?;
        Self::from_bytes(path, &bytes, options)
    }

    /// Read a picture from a file's bytes. The name is for messages, and for [`Notice::Misnamed`].
    ///
    /// # Errors
    /// As [`Picture::open`].
    pub fn from_bytes(name: &Path, bytes: &[u8], options: &ReadOptions) -> Result<Self> {
        let foreign = |Foreign { what, hint }: Foreign| Error::Foreign {
            file: name.into(),
            what: what.into(),
            hint: hint.into(),
        };
        let format = content::recognise(bytes).map_err(foreign)?;
        let file = File {
            name,
            format,
            limits: &options.limits,
        };
        let mut notices = Vec::new();
        if let Some(extension) = extension(name)
            && !format.extensions().contains(&extension.as_str())
        {
            notices.push(Notice::Misnamed { extension, format });
        }
        let Decoded {
            mut image,
            bits,
            orientation,
            profile,
            cmyk,
        } = match format {
            Format::Png => {
                let found = structure::png(bytes).map_err(|cut| file.cut(cut))?;
                if found.frames > 1 {
                    notices.push(Notice::FirstFrame {
                        frames: found.frames,
                    });
                }
                let mut limits = image::Limits::no_limits();
                limits.max_alloc = Some(options.limits.bytes);
                let decoder = PngDecoder::with_limits(Cursor::new(bytes), limits);
                let mut made = file.decoded(decoder, Some(found.bits))?;
                let tag = found
                    .exif
                    .and_then(image::metadata::Orientation::from_exif_chunk);
                made.orientation = tag.map_or(made.orientation, Orientation::of_image);
                made
            }
            Format::Jpeg => {
                let whole = structure::jpeg(bytes).map_err(|cut| file.cut(cut))?;
                file.jpeg(&whole)?
            }
            Format::WebP => {
                let frames = structure::webp(bytes).map_err(|cut| file.cut(cut))?;
                if frames > 1 {
                    notices.push(Notice::FirstFrame { frames });
                }
                file.decoded(WebPDecoder::new(Cursor::new(bytes)), None)?
            }
            Format::Gif => {
                let frames = structure::gif(bytes).map_err(|cut| file.cut(cut))?;
                if frames > 1 {
                    notices.push(Notice::FirstFrame { frames });
                }
                file.decoded(GifDecoder::new(Cursor::new(bytes)), None)?
            }
            Format::Tiff => {
                let found = structure::tiff(bytes).map_err(|cut| file.cut(cut))?;
                if found.raw {
                    return Err(foreign(content::RAW_TIFF));
                }
                if found.pages > 1 {
                    notices.push(Notice::FirstPage { pages: found.pages });
                }
                let mut made = file.decoded(TiffDecoder::new(Cursor::new(bytes)), None)?;
                if found.associated {
                    made.image = transparency::divided(made.image);
                }
                made.cmyk |= found.cmyk;
                made
            }
            Format::Bmp => file.decoded(BmpDecoder::new(Cursor::new(bytes)), None)?,
        };
        let depth = image.color().bytes_per_pixel() / image.color().channel_count();
        if depth == 4 {
            file.finite(&image)?;
            notices.push(Notice::Floats);
        }
        if depth == 2 {
            notices.extend(few_bits(&image));
        }
        if cmyk {
            notices.push(Notice::Cmyk);
        }
        if let Some(bytes) = profile.filter(|_| !cmyk) {
            notices.extend(profile::to_srgb(&mut image, &bytes, options.profiles));
        }
        orientation.apply(&mut image);
        if !options.keep_transparency && image.color().has_alpha() {
            let pixels = transparency::count(&image);
            if pixels > 0 {
                notices.push(Notice::Transparent {
                    pixels,
                    of: u64::from(image.width()) * u64::from(image.height()),
                    background: options.background,
                });
            }
            image = transparency::on(image, options.background);
        }
        Ok(Self {
            image,
            format,
            bit_depth: bits,
            orientation,
            notices,
        })
    }
}

/// Read a picture file with the default limits. Its transparency is kept, and its colour profile is ignored;
/// [`Preprocess::apply`](crate::Preprocess::apply) decides how a network uses transparency. See also [`Picture::open`],
/// which reports notices.
///
/// # Errors
/// As [`Picture::open`].
pub fn open(path: &Path) -> Result<DynamicImage> {
    let options = ReadOptions::default()
        .with_transparency_kept(true)
        .with_profiles(Profiles::Ignore);
    Ok(Picture::open(path, &options)?.image)
}

/// A 16-bit picture whose levels would fit into fewer bits.
fn few_bits(image: &DynamicImage) -> Option<Notice> {
    let largest = match image {
        DynamicImage::ImageLuma16(p) => p.iter().max(),
        DynamicImage::ImageRgb16(p) => p.iter().max(),
        _ => None,
    };
    let largest = *largest.filter(|&&v| v > 0)?;
    let bits = [8, 10, 12, 14]
        .into_iter()
        .find(|bits| largest >> bits == 0)?;
    Some(Notice::FewBits { bits })
}

struct Decoded {
    image: DynamicImage,
    bits: u8,
    orientation: Orientation,
    profile: Option<Vec<u8>>,
    cmyk: bool,
}

/// A file that is being read.
struct File<'a> {
    name: &'a Path,
    format: Format,
    limits: &'a Limits,
}

impl File<'_> {
    fn cut(&self, structure::Cut(place): structure::Cut) -> Error {
        self.damaged(format!("it ends {place}"))
    }

    fn damaged(&self, problem: String) -> Error {
        Error::Damaged {
            file: self.name.into(),
            format: self.format,
            problem,
        }
    }

    fn unsupported(&self, problem: String) -> Error {
        Error::Unsupported {
            file: self.name.into(),
            format: self.format,
            problem,
        }
    }

    fn fail(&self, error: ImageError) -> Error {
        match error {
            ImageError::Unsupported(error) => self.unsupported(error.to_string()),
            ImageError::Limits(_) => Error::TooManyBytes {
                file: self.name.into(),
                bytes: self.limits.bytes.saturating_add(1),
                limit: self.limits.bytes,
            },
            ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                self.damaged("it ends before its pixels do".into())
            }
            error => self.damaged(error.to_string()),
        }
    }

    /// What a header says, held to the limits.
    fn within_limits(&self, (w, h): (u32, u32), bytes_per_pixel: u64) -> Result<()> {
        if h == 0 || w == 0 {
            return Err(Error::NoPixels { h, w });
        }
        let pixels = u64::from(h) * u64::from(w);
        if pixels > self.limits.pixels {
            return Err(Error::TooManyPixels {
                file: self.name.into(),
                h,
                w,
                limit: self.limits.pixels,
            });
        }
        let bytes = pixels.saturating_mul(bytes_per_pixel);
        if bytes > self.limits.bytes {
            return Err(Error::TooManyBytes {
                file: self.name.into(),
                bytes,
                limit: self.limits.bytes,
            });
        }
        Ok(())
    }

    /// By one of `image`'s decoders.
    fn decoded<D: ImageDecoder>(
        &self,
        decoder: image::ImageResult<D>,
        bits: Option<u8>,
    ) -> Result<Decoded> {
        let mut decoder = decoder.map_err(|error| self.fail(error))?;
        let original = decoder.original_color_type();
        let color = decoder.color_type();
        self.within_limits(decoder.dimensions(), color.bytes_per_pixel().into())?;
        let mut limits = image::Limits::no_limits();
        limits.max_alloc = Some(self.limits.bytes);
        decoder
            .set_limits(limits)
            .map_err(|error| self.fail(error))?;
        // What cannot be read beside the pixels is no reason not to read them.
        let profile = decoder.icc_profile().ok().flatten();
        // EXIF that says 1 counts more than XMP.
        let exif = decoder.exif_metadata().ok().flatten();
        let tag = exif.and_then(|exif| image::metadata::Orientation::from_exif_chunk(&exif));
        let tag = tag.or_else(|| {
            let tag = decoder.orientation().ok();
            tag.filter(|tag| *tag != image::metadata::Orientation::NoTransforms)
        });
        let xmp = || Orientation::of_xmp(&decoder.xmp_metadata().ok()??);
        let orientation = tag
            .map(Orientation::of_image)
            .or_else(xmp)
            .unwrap_or_default();
        use image::ExtendedColorType as Color;
        Ok(Decoded {
            image: DynamicImage::from_decoder(decoder).map_err(|error| self.fail(error))?,
            bits: bits.unwrap_or(match original {
                Color::L1 => 1,
                _ => 8 * color.bytes_per_pixel() / color.channel_count(),
            }),
            orientation,
            profile,
            cmyk: matches!(original, Color::Cmyk8 | Color::Cmyk16),
        })
    }

    fn finite(&self, image: &DynamicImage) -> Result<()> {
        let finite = match image {
            DynamicImage::ImageRgb32F(p) => p.iter().all(|v| v.is_finite()),
            DynamicImage::ImageRgba32F(p) => p.iter().all(|v| v.is_finite()),
            _ => true,
        };
        match finite {
            true => Ok(()),
            false => Err(self.damaged("some of its values are not finite".into())),
        }
    }
}
