//! Pictures of classes: a colour for each of a few, grey for all others, white for none.

use std::collections::BTreeMap;

use image::{Rgb, RgbImage};

use crate::{Raster, Window, colour::Ramp};

/// Colours for classes. Any two, and each of them and grey or white, are at least as far apart as the
/// nearest two of Okabe and Ito's palette, whose colours the first eight are (with a dark violet for its
/// black): also for readers without red or without green cones.
const PALETTE: [[u8; 3]; 24] = [
    [0xd5, 0x5e, 0x00],
    [0x00, 0x72, 0xb2],
    [0x00, 0x9e, 0x73],
    [0xcc, 0x79, 0xa7],
    [0xf0, 0xe4, 0x42],
    [0x56, 0xb4, 0xe9],
    [0xe6, 0x9f, 0x00],
    [0x44, 0x22, 0x66],
    [0x77, 0x33, 0x00],
    [0x00, 0x00, 0xff],
    [0x44, 0x11, 0x11],
    [0x55, 0x88, 0xff],
    [0x77, 0x55, 0x66],
    [0x00, 0x00, 0xaa],
    [0xdd, 0xdd, 0xbb],
    [0xdd, 0xcc, 0xff],
    [0x55, 0x44, 0x88],
    [0xaa, 0x44, 0x22],
    [0x55, 0x33, 0x44],
    [0xee, 0xbb, 0x77],
    [0x33, 0x44, 0xbb],
    [0x33, 0x66, 0xee],
    [0x33, 0x11, 0x44],
    [0xff, 0x44, 0x77],
];

/// The most classes a picture should have colours for: more cannot be kept apart by eye.
pub const MOST_CLASSES: usize = 8;

/// The colours of classes that are shown together, in the order given.
///
/// A class has one colour wherever it is shown, that of its index. Where two of `classes` would have the
/// same, the smaller index keeps it, and the other takes the next in the palette that none of them has.
/// So the colours depend on which classes are shown, not on their order, and only a class that clashes
/// ever changes its own. Beyond 24 classes colours repeat.
///
/// ```
/// use linearscope_picture::class_colours;
///
/// // Pictures of the same classes have the same colours.
/// assert_eq!(class_colours(&[7, 281])[1], class_colours(&[281])[0]);
/// ```
pub fn class_colours(classes: &[usize]) -> Vec<[u8; 3]> {
    let mut order = classes.to_vec();
    order.sort_unstable();
    order.dedup();
    let mut owners: [Option<usize>; PALETTE.len()] = [None; PALETTE.len()];
    let (mut places, mut clashing) = (BTreeMap::new(), Vec::new());
    for class in order {
        let own = class % PALETTE.len();
        match owners[own] {
            None => {
                owners[own] = Some(class);
                places.insert(class, own);
            }
            Some(_) => clashing.push(class),
        }
    }
    for class in clashing {
        let own = class % PALETTE.len();
        let mut after = (1..PALETTE.len()).map(|step| (own + step) % PALETTE.len());
        let free = after.find(|place| owners[*place].is_none());
        let place = free.unwrap_or(own);
        owners[place] = Some(class);
        places.insert(class, place);
    }
    classes.iter().map(|class| PALETTE[places[class]]).collect()
}

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
            ramp: Ramp::AroundGrey,
            extremes: [f64::INFINITY, f64::NEG_INFINITY],
            block,
            values: None,
            beneath: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_their_colours() {
        let colour = |class: usize| PALETTE[class];
        let raster = Raster::of_classes(&[0, 1, -1, 1], [2, 2], colour, 9).unwrap();
        let dots: Vec<[u8; 3]> = raster.picture.pixels().map(|dot| dot.0).collect();
        assert_eq!(dots, [PALETTE[0], PALETTE[1], [255; 3], PALETTE[1]]);
        // The most frequent of a block.
        let raster = Raster::of_classes(&[0, 1, -1, 1], [2, 2], colour, 1).unwrap();
        assert_eq!(
            (raster.block, raster.picture.get_pixel(0, 0).0),
            (2, PALETTE[1])
        );
        assert!(Raster::of_classes(&[0, 1], [2, 2], colour, 1).is_none());
        assert!(Raster::of_classes(&[], [0, 2], colour, 1).is_none());
    }

    #[test]
    fn a_class_has_one_colour_wherever_it_is_shown() {
        for class in [0, 5, 8, 23, 281, 999] {
            let alone = class_colours(&[class])[0];
            assert_eq!(class_colours(&[class, class + 1, class + 2])[0], alone);
            assert_eq!(class_colours(&[class + 7, class])[1], alone);
        }
        assert_eq!(class_colours(&[2, 0]), [PALETTE[2], PALETTE[0]]);
        assert!(class_colours(&[]).is_empty());
    }

    #[test]
    fn clashes_are_resolved_alike_in_any_order() {
        // 1, 25 and 49 want the second colour; 2 keeps its own.
        let found = class_colours(&[49, 2, 25, 1]);
        assert_eq!(found, [PALETTE[4], PALETTE[2], PALETTE[3], PALETTE[1]]);
        let other = class_colours(&[1, 25, 49, 2]);
        assert_eq!(other, [PALETTE[1], PALETTE[3], PALETTE[4], PALETTE[2]]);
        // The same class twice is no clash; the last colour is followed by the first.
        assert_eq!(class_colours(&[23, 47, 23])[1..], [PALETTE[0], PALETTE[23]]);
        let all: Vec<usize> = (0..24).map(|i| 24 * i).collect();
        let mut colours = class_colours(&all);
        colours.sort_unstable();
        colours.dedup();
        assert_eq!(colours.len(), 24);
        assert_eq!(class_colours(&(0..100).collect::<Vec<_>>()).len(), 100);
    }

    /// Colours in Oklab, as seen with all cones, without red and without green ones (Machado,
    /// Oliveira and Fernandes 2009, severity 1).
    fn seen(colour: [u8; 3]) -> [[f64; 3]; 3] {
        let times = |m: [[f64; 3]; 3], v: [f64; 3]| {
            m.map(|row| row.iter().zip(v).map(|(a, b)| a * b).sum::<f64>())
        };
        let linear = colour.map(|level| match f64::from(level) / 255.0 {
            c if c <= 0.04045 => c / 12.92,
            c => ((c + 0.055) / 1.055).powf(2.4),
        });
        [
            [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
            [
                [0.152286, 1.052583, -0.204868],
                [0.114503, 0.786281, 0.099216],
                [-0.003882, -0.048116, 1.051998],
            ],
            [
                [0.367322, 0.860646, -0.227968],
                [0.280085, 0.672501, 0.047413],
                [-0.011820, 0.042940, 0.968881],
            ],
        ]
        .map(|cones| {
            let lms = times(
                [
                    [0.4122214708, 0.5363325363, 0.0514459929],
                    [0.2119034982, 0.6806995451, 0.1073969566],
                    [0.0883024619, 0.2817188376, 0.6299787005],
                ],
                times(cones, linear).map(|c| c.clamp(0.0, 1.0)),
            );
            times(
                [
                    [0.2104542553, 0.7936177850, -0.0040720468],
                    [1.9779984951, -2.4285922050, 0.4505937099],
                    [0.0259040371, 0.7827717662, -0.8086757660],
                ],
                lms.map(f64::cbrt),
            )
        })
    }

    /// 0.0759 is the distance of Okabe and Ito's green and purple without green cones.
    #[test]
    fn colours_are_told_apart() {
        let distance = |a, b| {
            let (a, b) = (seen(a), seen(b));
            let of = |(a, b): (&[f64; 3], &[f64; 3])| {
                let squares = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b));
                squares.sum::<f64>().sqrt()
            };
            a.iter().zip(&b).map(of).fold(f64::INFINITY, f64::min)
        };
        for (i, &one) in PALETTE.iter().enumerate() {
            let others = PALETTE[..i].iter().copied();
            for other in others.chain([OTHER_CLASSES, [255; 3]]) {
                let found = distance(one, other);
                assert!(found > 0.0755, "{one:?} and {other:?}: {found}");
            }
        }
    }
}
