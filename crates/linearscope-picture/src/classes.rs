//! Pictures of classes: a colour for each of a few, grey for all others, white for none.

use image::{Rgb, RgbImage};

use crate::{Raster, Window};

/// Colours for classes, told apart under the common colour-vision deficiencies and from grey and white
/// (Okabe–Ito, without black, and a dark violet).
pub const CLASS_COLOURS: [[u8; 3]; 8] = [
    [0xd5, 0x5e, 0x00],
    [0x00, 0x72, 0xb2],
    [0x00, 0x9e, 0x73],
    [0xcc, 0x79, 0xa7],
    [0xf0, 0xe4, 0x42],
    [0x56, 0xb4, 0xe9],
    [0xe6, 0x9f, 0x00],
    [0x44, 0x22, 0x66],
];

/// Classes without a colour of their own.
pub const OTHER_CLASSES: [u8; 3] = [0xb4, 0xb4, 0xb4];

impl Raster {
    /// The class of each place, `[h, w]`, as colours; negative is none and white. Where more than
    /// `most` a side are shown, a dot is the most frequent class of its block (the smallest number
    /// among equals). `None` where the shape is not that of the classes.
    pub fn of_classes(
        classes: &[i32],
        [h, w]: [usize; 2],
        colour: impl Fn(usize) -> [u8; 3],
        most: usize,
    ) -> Option<Self> {
        if classes.len() != h * w || classes.is_empty() {
            return None;
        }
        let block = h.max(w).div_ceil(most).max(1);
        let of = |y: usize, x: usize| {
            let rows = (y * block)..((y + 1) * block).min(h);
            let cells = rows.flat_map(|y| {
                let columns = (x * block)..((x + 1) * block).min(w);
                columns.map(move |x| classes[y * w + x])
            });
            let mut cells: Vec<i32> = cells.collect();
            cells.sort_unstable();
            let mut runs = cells.chunk_by(|a, b| a == b);
            let first = runs.next().expect("a block has cells");
            runs.fold(
                first,
                |best, run| if run.len() > best.len() { run } else { best },
            )[0]
        };
        let size = [h.div_ceil(block), w.div_ceil(block)];
        let picture = RgbImage::from_fn(size[1] as u32, size[0] as u32, |x, y| {
            let class = usize::try_from(of(y as usize, x as usize));
            Rgb(class.map_or([255; 3], &colour))
        });
        Some(Self {
            picture,
            window: Window { y: 0, x: 0, h, w },
            of: [h, w],
            scale: None,
            colour: true,
            block,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_their_colours() {
        let colour = |class: usize| CLASS_COLOURS[class];
        let raster = Raster::of_classes(&[0, 1, -1, 1], [2, 2], colour, 9).unwrap();
        let dots: Vec<[u8; 3]> = raster.picture.pixels().map(|dot| dot.0).collect();
        assert_eq!(
            dots,
            [
                CLASS_COLOURS[0],
                CLASS_COLOURS[1],
                [255; 3],
                CLASS_COLOURS[1]
            ]
        );
        // The most frequent of a block.
        let raster = Raster::of_classes(&[0, 1, -1, 1], [2, 2], colour, 1).unwrap();
        assert_eq!(
            (raster.block, raster.picture.get_pixel(0, 0).0),
            (2, CLASS_COLOURS[1])
        );
        assert!(Raster::of_classes(&[0, 1], [2, 2], colour, 1).is_none());
        assert!(Raster::of_classes(&[], [0, 2], colour, 1).is_none());
    }
}
