//! Pictures one after the other in one file, without loss: an animated PNG, which browsers play and other programs show the
//! first picture of.

use image::RgbImage;

use crate::{Drawing, Error};

/// Frames as they come, each stored as the part that differs from the one before.
#[derive(Debug)]
pub struct Animation {
    per_second: u16,
    frames: Vec<Frame>,
    last: Option<RgbImage>,
    size: [u32; 2],
}

/// A part of a picture, where it lies, and for how many ticks it stays.
#[derive(Debug)]
struct Frame {
    at: [u32; 2],
    dots: RgbImage,
    ticks: u16,
}

/// The smallest box outside which two pictures of one size are the same, `[x, y, width, height]`.
fn changed(before: &RgbImage, after: &RgbImage) -> Option<[u32; 4]> {
    let mut found: Option<[u32; 4]> = None;
    for (x, y, dot) in after.enumerate_pixels() {
        if before.get_pixel(x, y) != dot {
            let [left, top, right, bottom] = found.unwrap_or([x, y, x, y]);
            found = Some([left.min(x), top.min(y), right.max(x), bottom.max(y)]);
        }
    }
    found.map(|[left, top, right, bottom]| [left, top, right - left + 1, bottom - top + 1])
}

impl Animation {
    /// Of so many frames a second, at least one.
    pub fn new(per_second: u16) -> Self {
        Self {
            per_second: per_second.max(1),
            frames: Vec::new(),
            last: None,
            size: [0, 0],
        }
    }

    /// One frame more. All are as large as the first: what lies beyond it is cut off, what is missing is white. Memory: one
    /// whole picture, and of each frame what differs from the one before.
    ///
    /// # Errors
    /// As [`Drawing::to_png`].
    pub fn push(&mut self, drawing: &Drawing) -> Result<(), Error> {
        let drawn = drawing.to_dots()?;
        let Some(last) = &self.last else {
            self.size = [drawn.width(), drawn.height()];
            self.frames.push(Frame {
                at: [0, 0],
                dots: drawn.clone(),
                ticks: 1,
            });
            self.last = Some(drawn);
            return Ok(());
        };
        let [w, h] = self.size;
        let mut whole = RgbImage::from_pixel(w, h, image::Rgb([255; 3]));
        image::imageops::replace(&mut whole, &drawn, 0, 0);
        match (changed(last, &whole), self.frames.last_mut()) {
            // The same once more: the one before stays longer.
            (None, Some(frame)) if frame.ticks < u16::MAX => frame.ticks += 1,
            (part, _) => {
                let [x, y, w, h] = part.unwrap_or([0, 0, 1, 1]);
                let dots = image::imageops::crop_imm(&whole, x, y, w, h).to_image();
                self.frames.push(Frame {
                    at: [x, y],
                    dots,
                    ticks: 1,
                });
            }
        }
        self.last = Some(whole);
        Ok(())
    }

    /// The file, which plays for ever.
    ///
    /// # Errors
    /// [`Error::Png`] where there is no frame, or the encoder refuses.
    pub fn to_png(&self) -> Result<Vec<u8>, Error> {
        let said = |error: png::EncodingError| Error::Png(error.to_string());
        let frames = u32::try_from(self.frames.len()).unwrap_or(u32::MAX);
        if frames == 0 {
            return Err(Error::Png("an animation without frames".into()));
        }
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.size[0], self.size[1]);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_animated(frames, 0).map_err(said)?;
        let mut writer = encoder.write_header().map_err(said)?;
        for frame in &self.frames {
            // Each is checked beside what is set of the other: a single dot fits anywhere.
            writer.set_frame_dimension(1, 1).map_err(said)?;
            writer
                .set_frame_position(frame.at[0], frame.at[1])
                .map_err(said)?;
            writer
                .set_frame_dimension(frame.dots.width(), frame.dots.height())
                .map_err(said)?;
            writer
                .set_frame_delay(frame.ticks, self.per_second)
                .map_err(said)?;
            writer.write_image_data(frame.dots.as_raw()).map_err(said)?;
        }
        writer.finish().map_err(said)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::{Array, Band, Panel, Sheet};

    fn drawing(bright: usize) -> Drawing {
        let values: Vec<f64> = (0..64).map(|i| f64::from(u8::from(i == bright))).collect();
        let array = Array::new(&values, &[8, 8]).expect("a picture");
        let sheet = Sheet {
            bands: vec![Band {
                heading: String::new(),
                panels: vec![Panel::new("a", array.picture(0.0, 1.0, 64))],
            }],
            ..Sheet::default()
        };
        sheet.draw().expect("draws")
    }

    /// Every frame comes out of the file as it went in.
    #[test]
    fn frames_come_back_as_they_were() {
        let drawn = [9, 9, 40, 12].map(drawing);
        let mut animation = Animation::new(10);
        for one in &drawn {
            animation.push(one).expect("draws");
        }
        let bytes = animation.to_png().expect("encodes");
        let mut reader = png::Decoder::new(Cursor::new(&bytes))
            .read_info()
            .expect("reads");
        let control = reader.info().animation_control().copied();
        // Two are the same: one frame that stays twice as long.
        assert_eq!(
            control.map(|control| (control.num_frames, control.num_plays)),
            Some((3, 0))
        );
        let first = drawn[0].to_dots().expect("draws");
        let mut canvas = RgbImage::new(first.width(), first.height());
        let mut shown = Vec::new();
        for _ in 0..3 {
            let mut part = vec![0; reader.output_buffer_size().expect("of some size")];
            let frame = reader.next_frame(&mut part).expect("a frame");
            let control = *reader.info().frame_control().expect("of an animation");
            part.truncate(frame.buffer_size());
            let part = RgbImage::from_raw(frame.width, frame.height, part).expect("whole");
            let (x, y) = (control.x_offset, control.y_offset);
            image::imageops::replace(&mut canvas, &part, i64::from(x), i64::from(y));
            shown.push((canvas.clone(), control.delay_num));
        }
        for ((found, ticks), (expected, stays)) in shown.iter().zip([(0, 2), (2, 1), (3, 1)]) {
            assert_eq!(*ticks, stays);
            assert!(
                *found == drawn[expected].to_dots().expect("draws"),
                "frame {expected}"
            );
        }
        assert!(Animation::new(3).to_png().is_err());
    }
}
