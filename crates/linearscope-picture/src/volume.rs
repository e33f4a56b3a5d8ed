//! Volumes: slices through them, and projections of what is max along an axis.

use crate::array::peak;

/// Numbers of shape `[d, h, w]`, C order.
#[derive(Clone, Copy, Debug)]
pub struct Volume<'a> {
    values: &'a [f64],
    shape: [usize; 3],
}

/// A plane of a volume: what it is, and its numbers as `[h, w]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// "z = 4", or "max along z".
    pub title: String,
    /// Row by row.
    pub values: Vec<f64>,
    /// Rows and columns.
    pub size: [usize; 2],
}

/// The axes, as they are called.
const AXES: [&str; 3] = ["z", "y", "x"];

impl<'a> Volume<'a> {
    /// `None` where that is not the shape, or has no elements.
    pub fn new(values: &'a [f64], shape: [usize; 3]) -> Option<Self> {
        let fits = shape.iter().product::<usize>() == values.len() && !values.is_empty();
        fits.then_some(Self { values, shape })
    }

    fn at(&self, [z, y, x]: [usize; 3]) -> f64 {
        let [_, h, w] = self.shape;
        self.values[(z * h + y) * w + x]
    }

    /// The middle entry.
    pub fn middle(&self) -> [usize; 3] {
        self.shape.map(|size| size / 2)
    }

    /// The entry of largest magnitude, the first of several.
    pub fn largest(&self) -> [usize; 3] {
        let [_, h, w] = self.shape;
        let mut best = 0;
        for (i, value) in self.values.iter().enumerate() {
            if value.abs() > self.values[best].abs() {
                best = i;
            }
        }
        [best / (h * w), best / w % h, best % w]
    }

    /// A plane across an axis, each of its entries made of the line behind it.
    fn side(&self, axis: usize, title: String, of: impl Fn(&dyn Fn(usize) -> f64) -> f64) -> Side {
        let across: Vec<usize> = (0..3).filter(|other| *other != axis).collect();
        let size = [self.shape[across[0]], self.shape[across[1]]];
        let mut values = Vec::with_capacity(size[0] * size[1]);
        for row in 0..size[0] {
            for column in 0..size[1] {
                values.push(of(&|along| {
                    let mut at = [along; 3];
                    (at[across[0]], at[across[1]]) = (row, column);
                    self.at(at)
                }));
            }
        }
        Side {
            title,
            values,
            size,
        }
    }

    /// The three planes through an entry, across z, y and x.
    pub fn slices(&self, through: [usize; 3]) -> [Side; 3] {
        [0, 1, 2].map(|axis| {
            let at = through[axis];
            self.side(axis, format!("{} = {at}", AXES[axis]), |line| line(at))
        })
    }

    /// What is largest in magnitude along z, y and x, with its sign.
    pub fn projections(&self) -> [Side; 3] {
        [0, 1, 2].map(|axis| {
            let title = format!("max along {}", AXES[axis]);
            let size = self.shape[axis];
            self.side(axis, title, |line| peak(&mut (0..size).map(line)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_and_projections_are_those_of_the_axes() {
        let values: Vec<f64> = (0..24).map(f64::from).collect();
        let volume = Volume::new(&values, [2, 3, 4]).expect("fits");
        assert_eq!((volume.middle(), volume.largest()), ([1, 1, 2], [1, 2, 3]));
        let [z, y, x] = volume.slices([1, 1, 2]);
        assert_eq!((z.title.as_str(), z.size), ("z = 1", [3, 4]));
        assert_eq!(z.values, values[12..]);
        assert_eq!((y.title.as_str(), y.size), ("y = 1", [2, 4]));
        assert_eq!(y.values, [4.0, 5.0, 6.0, 7.0, 16.0, 17.0, 18.0, 19.0]);
        assert_eq!((x.title.as_str(), x.size), ("x = 2", [2, 3]));
        assert_eq!(x.values, [2.0, 6.0, 10.0, 14.0, 18.0, 22.0]);
        let [z, y, x] = volume.projections();
        assert_eq!(z.values, values[12..]);
        assert_eq!(y.values, [8.0, 9.0, 10.0, 11.0, 20.0, 21.0, 22.0, 23.0]);
        assert_eq!(x.values, [3.0, 7.0, 11.0, 15.0, 19.0, 23.0]);
        assert!(Volume::new(&values, [2, 3, 5]).is_none());
    }

    #[test]
    fn the_largest_keeps_its_sign() {
        let volume = Volume::new(&[1.0, 0.5, -3.0, 0.25], [2, 1, 2]).expect("fits");
        assert_eq!(volume.projections()[0].values, [-3.0, 0.5]);
        assert_eq!(volume.largest(), [1, 0, 0]);
    }
}
