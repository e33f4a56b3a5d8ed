//! JPEG, by the decoder below `image`: asked to be strict, since a lenient one fills what is missing with grey.

use image::{DynamicImage, GrayImage, RgbImage, metadata};
use zune_jpeg::{
    JpegDecoder,
    errors::DecodeErrors,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::{Decoded, File, Orientation};
use crate::Result;

impl File<'_> {
    /// A JPEG that is whole. Inks are inverted, as Adobe writes them and everybody reads them, and become RGB by
    /// (255 − ink)(255 − black)/255, as in Pillow.
    pub(super) fn jpeg(&self, bytes: &[u8]) -> Result<Decoded> {
        let fail = |error: DecodeErrors| match error {
            DecodeErrors::Unsupported(what) => self.unsupported(format!("{what:?}")),
            error => self.damaged(error.to_string().trim().into()),
        };
        let options = DecoderOptions::default()
            .set_strict_mode(true)
            .set_max_width(usize::MAX)
            .set_max_height(usize::MAX);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
        decoder.decode_headers().map_err(fail)?;
        let (w, h) = decoder.dimensions().unwrap_or_default();
        let (w, h) = (w as u32, h as u32);
        let space = decoder.input_colorspace().unwrap_or(ColorSpace::Unknown);
        let to = match space {
            ColorSpace::Luma => ColorSpace::Luma,
            ColorSpace::RGB | ColorSpace::YCbCr | ColorSpace::CMYK | ColorSpace::YCCK => {
                ColorSpace::RGB
            }
            other => return Err(self.unsupported(format!("its channels are {other:?}"))),
        };
        self.within_limits((w, h), space.num_components() as u64)?;
        decoder.set_options(options.jpeg_set_out_colorspace(to));
        let tag = decoder
            .exif()
            .and_then(|exif| metadata::Orientation::from_exif_chunk(exif));
        let tag = tag.map(Orientation::of_image);
        let xmp = || Orientation::of_xmp(decoder.xmp()?);
        let orientation = tag.or_else(xmp).unwrap_or_default();
        let profile = decoder.icc_profile();
        let values = decoder.decode().map_err(fail)?;
        let image = match to {
            ColorSpace::Luma => GrayImage::from_raw(w, h, values).map(DynamicImage::from),
            _ => RgbImage::from_raw(w, h, values).map(DynamicImage::from),
        };
        Ok(Decoded {
            image: image.ok_or_else(|| self.damaged("it ends before its pixels do".into()))?,
            bits: 8,
            orientation,
            profile,
            cmyk: matches!(space, ColorSpace::CMYK | ColorSpace::YCCK),
        })
    }
}
