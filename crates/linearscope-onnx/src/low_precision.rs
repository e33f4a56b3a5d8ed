//! Low-precision types, of 2, 4 and 8 bits, that Burn has no dtype for. Their numbers travel in the next
//! type that holds them all: floats as f32, signed integers as i8, unsigned ones as u8.

use burn_backend::{DType, TensorData};

/// A type of 2, 4 or 8 bits that Burn has no dtype for; its number is ONNX's data type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LowPrecision {
    /// 4 bits of exponent, 3 of mantissa, no infinities.
    E4M3Fn = 17,
    /// The same, no negative zero.
    E4M3Fnuz = 18,
    /// 5 bits of exponent, 2 of mantissa, as IEEE's halves.
    E5M2 = 19,
    /// The same, neither infinities nor negative zero.
    E5M2Fnuz = 20,
    /// 2 bits of exponent, 1 of mantissa: finite numbers only.
    E2M1 = 23,
    /// Powers of two: a scale.
    E8M0 = 24,
    Int4 = 22,
    UInt4 = 21,
    Int2 = 26,
    UInt2 = 25,
}

/// How numbers are rounded to powers of two: Cast's attribute `round_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoundMode {
    Up,
    Down,
    Nearest,
}

impl LowPrecision {
    /// The type an ONNX data type names, if it is one of these.
    pub(crate) fn of(data_type: i32) -> Option<Self> {
        let all = [
            Self::E4M3Fn,
            Self::E4M3Fnuz,
            Self::E5M2,
            Self::E5M2Fnuz,
            Self::UInt4,
            Self::Int4,
            Self::E2M1,
            Self::E8M0,
            Self::UInt2,
            Self::Int2,
        ];
        all.into_iter().find(|kind| kind.data_type() == data_type)
    }

    /// Its number among the data types of ONNX.
    pub(crate) fn data_type(self) -> i32 {
        self as i32
    }

    /// Bits of one number.
    pub(crate) fn bits(self) -> usize {
        match self {
            Self::Int2 | Self::UInt2 => 2,
            Self::Int4 | Self::UInt4 | Self::E2M1 => 4,
            _ => 8,
        }
    }

    /// The dtype its numbers travel in.
    pub(crate) fn carrier(self) -> DType {
        match self {
            Self::Int4 | Self::Int2 => DType::I8,
            Self::UInt4 | Self::UInt2 => DType::U8,
            _ => DType::F32,
        }
    }

    /// Least and greatest, for integers.
    pub(crate) fn range(self) -> Option<(f64, f64)> {
        Some(match self {
            Self::Int4 => (-8.0, 7.0),
            Self::UInt4 => (0.0, 15.0),
            Self::Int2 => (-2.0, 1.0),
            Self::UInt2 => (0.0, 3.0),
            _ => return None,
        })
    }

    /// The number a code stands for.
    fn decode(self, code: u8) -> f32 {
        // Exponent and mantissa bits, and what is added to the exponent.
        let (mantissa_bits, bias) = match self {
            Self::Int4 => return f32::from((code << 4) as i8 >> 4),
            Self::Int2 => return f32::from((code << 6) as i8 >> 6),
            Self::UInt4 | Self::UInt2 => return f32::from(code),
            Self::E8M0 if code == 0xff => return f32::NAN,
            Self::E8M0 => return (f64::from(code) - 127.0).exp2() as f32,
            Self::E4M3Fnuz | Self::E5M2Fnuz if code == 0x80 => return f32::NAN,
            Self::E4M3Fn if code & 0x7f == 0x7f => return f32::NAN,
            Self::E5M2 if code & 0x7f > 0x7c => return f32::NAN,
            Self::E5M2 if code & 0x7f == 0x7c => {
                return if code > 0x80 {
                    f32::NEG_INFINITY
                } else {
                    f32::INFINITY
                };
            }
            Self::E4M3Fn => (3, 7),
            Self::E4M3Fnuz => (3, 8),
            Self::E5M2 => (2, 15),
            Self::E5M2Fnuz => (2, 16),
            Self::E2M1 => (1, 1),
        };
        let sign_bit = 1u8 << (self.bits() - 1);
        let magnitude = code & (sign_bit - 1);
        let exponent = i32::from(magnitude >> mantissa_bits);
        let mantissa =
            f32::from(magnitude & ((1 << mantissa_bits) - 1)) / (1 << mantissa_bits) as f32;
        let value = match exponent {
            0 => mantissa * 2f32.powi(1 - bias),
            _ => (1.0 + mantissa) * 2f32.powi(exponent - bias),
        };
        if code & sign_bit == 0 { value } else { -value }
    }

    /// Packed codes, the first number in the lowest bits, as numbers.
    pub(crate) fn unpack(self, packed: &[u8], shape: Vec<usize>) -> TensorData {
        let bits = self.bits();
        let mask = 0xff >> (8 - bits);
        let count = shape.iter().product();
        let codes = packed
            .iter()
            .flat_map(|byte| (0..8 / bits).map(move |at| (byte >> (at * bits)) & mask));
        let numbers: Vec<f32> = codes.take(count).map(|code| self.decode(code)).collect();
        TensorData::new(numbers, shape).convert_dtype(self.carrier())
    }

    /// Numbers rounded to this type, in its carrier. Integers drop what is behind the point and wrap
    /// around; floats round to the nearest, ties to even, and beyond the largest finite number
    /// saturate or become what the type has for it: infinity or NaN.
    pub(crate) fn rounded(self, data: &TensorData, saturate: bool, mode: RoundMode) -> TensorData {
        let shape = data.shape().clone();
        if self.range().is_some() {
            let wrap = |x: f64| {
                let code = (x as i64) as u8 & (0xff >> (8 - self.bits()));
                self.decode(code)
            };
            let numbers: Vec<f32> = data.iter::<f64>().map(wrap).collect();
            return TensorData::new(numbers, shape).convert_dtype(self.carrier());
        }
        let table = self.finite();
        let round = |x: f64| match self {
            Self::E8M0 => power_of_two(x, saturate, mode),
            _ => self.nearest(x, &table, saturate),
        };
        TensorData::new(data.iter::<f64>().map(round).collect::<Vec<f32>>(), shape)
    }

    /// The finite numbers that are not negative, ascending: place i is code i.
    fn finite(self) -> Vec<f64> {
        let codes = 0..=(0xffu8 >> (9 - self.bits().min(8)));
        let values = codes.map(|code| f64::from(self.decode(code)));
        values.take_while(|value| value.is_finite()).collect()
    }

    fn nearest(self, x: f64, table: &[f64], saturate: bool) -> f32 {
        let top = table.len() - 1;
        let signed = |value: f64| {
            let negative_zero = value == 0.0 && matches!(self, Self::E4M3Fnuz | Self::E5M2Fnuz);
            match x.is_sign_negative() && !negative_zero {
                true => -value as f32,
                false => value as f32,
            }
        };
        if self == Self::E2M1 && x.is_nan() {
            return 0.0;
        }
        if x.is_nan() {
            return f32::NAN;
        }
        let size = x.abs();
        let above = table.partition_point(|&value| value < size);
        // One step beyond the largest, where rounding would go.
        let value = |at: usize| match at <= top {
            true => table[at],
            false => 2.0 * table[top] - table[top - 1],
        };
        if above == 0 {
            return signed(0.0);
        }
        let code = match (size - value(above - 1)).total_cmp(&(value(above) - size)) {
            std::cmp::Ordering::Less => above - 1,
            std::cmp::Ordering::Greater => above,
            std::cmp::Ordering::Equal => above - usize::from((above - 1) % 2 == 0),
        };
        if above <= top || code <= top && size.is_finite() {
            return signed(table[code.min(top)]);
        }
        match self {
            _ if saturate || self == Self::E2M1 => signed(table[top]),
            Self::E5M2 => signed(f64::INFINITY),
            _ => f32::NAN,
        }
    }
}

/// 2 to a whole number from −127 to 127.
fn power_of_two(x: f64, saturate: bool, mode: RoundMode) -> f32 {
    if x.is_nan() || x < 0.0 {
        return f32::NAN;
    }
    let exponent = x.log2();
    let exponent = match mode {
        RoundMode::Up => exponent.ceil(),
        RoundMode::Down => exponent.floor(),
        // Half way between two powers of two is 1.5 times the lower.
        RoundMode::Nearest => exponent.floor() + f64::from(x / exponent.floor().exp2() >= 1.5),
    };
    if exponent > 127.0 && !saturate {
        return f32::NAN;
    }
    exponent.clamp(-127.0, 127.0).exp2() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOATS: [LowPrecision; 5] = [
        LowPrecision::E4M3Fn,
        LowPrecision::E4M3Fnuz,
        LowPrecision::E5M2,
        LowPrecision::E5M2Fnuz,
        LowPrecision::E2M1,
    ];

    /// The largest finite numbers, as the formats' papers name them.
    #[test]
    fn tables_end_where_the_formats_do() {
        let tops = FLOATS.map(|kind| *kind.finite().last().unwrap());
        assert_eq!(tops, [448.0, 240.0, 57344.0, 57344.0, 6.0]);
        for kind in FLOATS {
            assert!(kind.finite().is_sorted(), "{kind:?}");
        }
    }

    /// The nearest by search over the whole table; what is between two goes to the even code.
    #[test]
    fn rounding_goes_to_the_nearest() {
        for kind in FLOATS {
            let table = kind.finite();
            for pair in table.windows(2).enumerate() {
                let (code, &[low, high]) = (pair.0, pair.1) else {
                    unreachable!()
                };
                for (at, expected) in [
                    (low, low),
                    (0.75 * low + 0.25 * high, low),
                    (0.25 * low + 0.75 * high, high),
                    (0.5 * (low + high), if code % 2 == 0 { low } else { high }),
                ] {
                    let x = TensorData::new(vec![at, -at], [2]);
                    let y = kind.rounded(&x, false, RoundMode::Up);
                    let y: Vec<f64> = y.iter::<f64>().collect();
                    assert_eq!(y, [expected, -expected], "{kind:?} {at}");
                }
            }
        }
    }

    #[test]
    fn beyond_the_largest() {
        let x = TensorData::new(vec![464.0, 465.0, f64::INFINITY, -1e9], [4]);
        let go = |kind: LowPrecision, saturate| -> Vec<f64> {
            let y = kind.rounded(&x, saturate, RoundMode::Up);
            y.iter::<f64>().collect()
        };
        assert_eq!(
            go(LowPrecision::E4M3Fn, true),
            [448.0, 448.0, 448.0, -448.0]
        );
        let open = go(LowPrecision::E4M3Fn, false);
        assert!(
            open[0] == 448.0 && open[1..].iter().all(|v| v.is_nan()),
            "{open:?}"
        );
        assert_eq!(
            go(LowPrecision::E5M2, false)[2..],
            [f64::INFINITY, f64::NEG_INFINITY]
        );
        assert_eq!(go(LowPrecision::E2M1, false), [6.0, 6.0, 6.0, -6.0]);
    }

    #[test]
    fn packed_numbers_begin_in_the_lowest_bits() {
        let four: Vec<i64> = LowPrecision::Int4
            .unpack(&[0x81, 0x0f], vec![3])
            .iter()
            .collect();
        assert_eq!(four, [1, -8, -1]);
        let two: Vec<i64> = LowPrecision::UInt2
            .unpack(&[0b11_10_01_00], vec![4])
            .iter()
            .collect();
        assert_eq!(two, [0, 1, 2, 3]);
    }

    #[test]
    fn powers_of_two() {
        for (mode, expected) in [
            (RoundMode::Up, [1.0, 2.0, 2.0]),
            (RoundMode::Down, [1.0, 1.0, 1.0]),
            (RoundMode::Nearest, [1.0, 1.0, 2.0]),
        ] {
            let x = TensorData::new(vec![1.0, 1.25, 1.75], [3]);
            let y = LowPrecision::E8M0.rounded(&x, true, mode);
            assert_eq!(y.iter::<f64>().collect::<Vec<_>>(), expected);
        }
    }
}
