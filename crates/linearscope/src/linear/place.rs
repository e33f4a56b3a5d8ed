//! Where a map's outputs lie among its inputs, axis by axis.
//!
//! A box that holds a field ([`Locality::field`](super::Locality::field)) is cut at the tensor's ends, and says
//! nothing of a pixel's own position once a map reads everything. A [`AxisPlace`] is the rule that the box follows
//! before it is cut.

use std::fmt;

/// A fraction in lowest terms, its denominator above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ratio {
    over: i64,
    under: i64,
}

/// The greatest common divisor; that of 0 and a number is the number.
pub(super) fn common_divisor(a: u128, b: u128) -> u128 {
    match b {
        0 => a,
        b => common_divisor(b, a % b),
    }
}

impl Ratio {
    /// 0.
    pub const ZERO: Self = Self { over: 0, under: 1 };
    /// 1.
    pub const ONE: Self = Self { over: 1, under: 1 };

    /// over / under; `None` for a denominator of 0, and for terms beyond 2⁶³.
    pub fn new(over: i128, under: i128) -> Option<Self> {
        if under == 0 {
            return None;
        }
        let common = common_divisor(over.unsigned_abs(), under.unsigned_abs()).max(1) as i128;
        let sign = under.signum();
        Some(Self {
            over: i64::try_from(sign * over / common).ok()?,
            under: i64::try_from(sign * under / common).ok()?,
        })
    }

    /// Of two sizes.
    pub fn of(over: usize, under: usize) -> Option<Self> {
        Self::new(over as i128, under as i128)
    }

    /// The product.
    pub fn times(self, other: Self) -> Option<Self> {
        let of = |a: i64, b: i64| i128::from(a) * i128::from(b);
        Self::new(of(self.over, other.over), of(self.under, other.under))
    }

    /// 1 over it; `None` for 0.
    pub fn inverse(self) -> Option<Self> {
        Self::new(self.under.into(), self.over.into())
    }

    /// As a number.
    pub fn value(self) -> f64 {
        self.over as f64 / self.under as f64
    }

    /// The numerator, which bears the sign.
    pub fn over(self) -> i64 {
        self.over
    }

    /// The denominator.
    pub fn under(self) -> i64 {
        self.under
    }

    /// Whether it is 0.
    pub fn is_zero(self) -> bool {
        self.over == 0
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.under {
            1 => write!(f, "{}", self.over),
            under => write!(f, "{}/{under}", self.over),
        }
    }
}

/// What one axis of a map's output says of where an entry comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AxisPlace {
    /// Entry o reads, along an axis of the input, what lies between step·o + first and step·o + last, both ends
    /// included; where that leaves the input there is a border.
    Window {
        /// Axis of the input.
        axis: usize,
        /// Input entries for one of the output.
        step: Ratio,
        /// Where the window of entry 0 begins.
        first: f64,
        /// Where it ends.
        last: f64,
    },
    /// The index says nothing: each entry reads the same inputs.
    Any,
}

impl AxisPlace {
    /// Entry o is entry o of the input's axis.
    pub fn same(axis: usize) -> Self {
        Self::moved(axis, 0.0)
    }

    /// Entry o is entry o + by of the input's axis.
    pub fn moved(axis: usize, by: f64) -> Self {
        Self::Window {
            axis,
            step: Ratio::ONE,
            first: by,
            last: by,
        }
    }

    /// The places of a map whose output i depends on input i alone.
    pub(crate) fn entrywise(rank: usize) -> Vec<Self> {
        (0..rank).map(Self::same).collect()
    }

    /// The places of the transpose, whose output has `rank` axes: what reads an entry, instead of what it reads.
    pub(crate) fn transposed(places: &[Self], rank: usize) -> Option<Vec<Self>> {
        let mut turned = vec![Self::Any; rank];
        for (to, place) in places.iter().enumerate() {
            if let Self::Window {
                axis,
                step,
                first,
                last,
            } = *place
            {
                let ends = [-first / step.value(), -last / step.value()];
                turned[axis] = Self::Window {
                    axis: to,
                    step: step.inverse()?,
                    first: ends[0].min(ends[1]),
                    last: ends[0].max(ends[1]),
                };
            }
        }
        Some(turned)
    }

    /// The rule that lines of windows follow, `[first, last]` each, over an axis of `size` entries, where they
    /// follow one: windows at a constant step, the narrowest that hold them.
    pub(crate) fn of_windows(axis: usize, windows: &[[usize; 2]], size: usize) -> Self {
        let count = windows.len();
        if size == 0 || count == 0 {
            return Self::Any;
        }
        let mut steps = vec![Ratio::of(size, count), Ratio::of(size - 1, count - 1)];
        steps.retain(|step| step.is_some_and(|step| !step.is_zero()));
        let held = |step: Ratio| {
            let mut ends = [f64::INFINITY, f64::NEG_INFINITY];
            for (o, [first, last]) in windows.iter().enumerate() {
                let at = step.value() * o as f64;
                ends = [
                    ends[0].min(*first as f64 - at),
                    ends[1].max(*last as f64 - at),
                ];
            }
            ends
        };
        let narrowest = steps
            .into_iter()
            .flatten()
            .map(|step| (step, held(step)))
            .min_by(|(_, a), (_, b)| (a[1] - a[0]).total_cmp(&(b[1] - b[0])));
        match narrowest {
            Some((step, [first, last])) => Self::Window {
                axis,
                step,
                first,
                last,
            },
            None => Self::Any,
        }
    }

    /// The rule that indices into an axis follow, if they repeat at a constant step.
    pub(crate) fn of_indices(axis: usize, indices: &[i64]) -> Self {
        let count = indices.len();
        if count == 0 {
            return Self::Any;
        }
        if let [only] = indices {
            return Self::moved(axis, *only as f64);
        }
        let repeats = |every: usize| {
            let by = indices[every] - indices[0];
            let pairs = indices.iter().zip(&indices[every..]);
            (by != 0 && pairs.clone().all(|(a, b)| b - a == by)).then_some(by)
        };
        // Twice at least, but for two entries alone.
        let found = (1..=(count / 2).max(1)).find_map(|every| Some((every, repeats(every)?)));
        let step = found.and_then(|(every, by)| Ratio::new(by.into(), every as i128));
        let Some(step) = step else { return Self::Any };
        let apart = indices
            .iter()
            .enumerate()
            .map(|(o, &i)| i as f64 - step.value() * o as f64);
        Self::Window {
            axis,
            step,
            first: apart.clone().fold(f64::INFINITY, f64::min),
            last: apart.fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_in_lowest_terms() {
        let of = |a, b| Ratio::new(a, b).expect("small");
        assert_eq!(of(6, -4), of(-3, 2));
        assert_eq!(of(0, 7), Ratio::ZERO);
        assert_eq!(of(2, 3).times(of(9, 4)), Some(of(3, 2)));
        assert_eq!(
            (of(-3, 2).inverse(), Ratio::ZERO.inverse()),
            (Some(of(-2, 3)), None)
        );
        assert_eq!(Ratio::new(1, 0), None);
        assert_eq!(Ratio::new(i128::MAX, 1), None);
        assert_eq!(
            (of(3, 2).to_string(), of(4, 2).to_string()),
            ("3/2".into(), "2".into())
        );
    }

    #[test]
    fn indices_that_repeat_are_a_window() {
        let window = |over, under, first, last| AxisPlace::Window {
            axis: 2,
            step: Ratio::new(over, under).expect("small"),
            first,
            last,
        };
        assert_eq!(
            AxisPlace::of_indices(2, &[3, 4, 5, 6]),
            window(1, 1, 3.0, 3.0)
        );
        assert_eq!(
            AxisPlace::of_indices(2, &[6, 4, 2]),
            window(-2, 1, 6.0, 6.0)
        );
        assert_eq!(
            AxisPlace::of_indices(2, &[0, 0, 1, 1, 2, 2]),
            window(1, 2, -0.5, 0.0)
        );
        assert_eq!(AxisPlace::of_indices(2, &[4, 0, 3, 1]), AxisPlace::Any);
        assert_eq!(AxisPlace::of_indices(2, &[1, 1, 1]), AxisPlace::Any);
    }
}
