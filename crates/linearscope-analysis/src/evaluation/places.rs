//! What is removed and put back: places of a picture in all channels at once, or entries.

use linearscope::SplitMix64;

/// The places of an input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    /// Entries a place has.
    channels: usize,
    /// How many there are.
    pub count: usize,
    /// `[h, w]` of a picture.
    size: Option<[usize; 2]>,
}

impl Places {
    /// Of an input of this shape.
    pub fn of(shape: &[usize]) -> Self {
        match *shape {
            [1, channels, h, w] => Self {
                channels,
                count: h * w,
                size: Some([h, w]),
            },
            _ => Self {
                channels: 1,
                count: shape.iter().product(),
                size: None,
            },
        }
    }

    /// A map summed over channels.
    pub fn sums(self, map: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.count];
        for channel in map.chunks(self.count) {
            sums.iter_mut().zip(channel).for_each(|(sum, v)| *sum += v);
        }
        sums
    }

    /// Put places of x to what they are in another.
    pub fn put(self, x: &mut [f64], from: &[f64], places: &[usize]) {
        for channel in 0..self.channels {
            for place in places {
                let at = channel * self.count + place;
                x[at] = from[at];
            }
        }
    }

    /// A random square with a side of ⅛ to ½ of the shorter one; of what is not a picture a random set of ⅛ to ½ of the
    /// entries.
    pub fn some(self, random: &mut SplitMix64) -> Vec<usize> {
        let part = |all: usize, random: &mut SplitMix64| {
            let (least, most) = ((all / 8).max(1), (all / 2).max(1));
            least + below(random, most - least + 1)
        };
        match self.size {
            Some([h, w]) => {
                let side = part(h.min(w), random);
                let (top, left) = (below(random, h - side + 1), below(random, w - side + 1));
                let rows = top..top + side;
                rows.flat_map(|y| (left..left + side).map(move |x| y * w + x))
                    .collect()
            }
            None => {
                let many = part(self.count, random);
                let mut order: Vec<usize> = (0..self.count).collect();
                for i in 0..many {
                    order.swap(i, i + below(random, self.count - i));
                }
                order.truncate(many);
                order
            }
        }
    }
}

/// A number below another, above 0, each as likely.
fn below(random: &mut SplitMix64, most: usize) -> usize {
    let share = (random.next_uniform() + 1.0) / 2.0;
    ((share * most as f64) as usize).min(most.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_and_sets_have_their_sizes() {
        let mut random = SplitMix64::new(4);
        let picture = Places::of(&[1, 3, 16, 24]);
        let mut sides = std::collections::BTreeSet::new();
        for _ in 0..500 {
            let square = picture.some(&mut random);
            let side = square.len().isqrt();
            sides.insert(side);
            let (top, left) = (square[0] / 24, square[0] % 24);
            let twin: Vec<usize> = (0..side * side)
                .map(|i| (top + i / side) * 24 + left + i % side)
                .collect();
            assert!(square == twin && top + side <= 16 && left + side <= 24);
        }
        assert!(sides.into_iter().eq(2..=8));
        let entries = Places::of(&[2, 20]);
        for _ in 0..500 {
            let mut set = entries.some(&mut random);
            let many = set.len();
            set.sort_unstable();
            set.dedup();
            assert!(set.len() == many && (5..=20).contains(&many));
            assert!(set.iter().all(|&at| at < 40));
        }
        assert_eq!(Places::of(&[1, 1]).some(&mut random), [0]);
        assert_eq!(Places::of(&[1, 2, 1, 1]).some(&mut random), [0]);
    }

    #[test]
    fn places_are_in_all_channels() {
        let picture = Places::of(&[1, 2, 1, 3]);
        assert_eq!(
            picture.sums(&[1.0, 2.0, 3.0, 10.0, 20.0, -3.0]),
            [11.0, 22.0, 0.0]
        );
        let mut x = vec![0.0; 6];
        picture.put(&mut x, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 0]);
        assert_eq!(x, [1.0, 0.0, 3.0, 4.0, 0.0, 6.0]);
        assert_eq!(Places::of(&[2, 2, 1, 3]).count, 12);
    }
}
