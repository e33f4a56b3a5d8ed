//! Numbers that a picture carries along.

use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, write::DeflateEncoder};

/// Numbers as text: base64 of raw deflate, of all numbers first the first bytes, then the second. shared/unpack.js of
/// `linearscope-bundle` reads them.
pub(super) struct Packed {
    pub text: String,
    /// Bytes of each: 4 where f32 holds them all.
    pub width: usize,
}

/// The bytes of numbers, `width` each: of all numbers first the first bytes, then the second. They deflate better so, since
/// exponents are alike where digits are not.
pub fn planes(bytes: &[u8], width: usize) -> Vec<u8> {
    (0..width)
        .flat_map(|plane| bytes.iter().skip(plane).step_by(width))
        .copied()
        .collect()
}

pub(super) fn packed(values: &[f64]) -> Packed {
    let is_short = |value: &f64| f64::from(*value as f32).to_bits() == value.to_bits();
    let (width, bytes): (usize, Vec<u8>) = match values.iter().all(is_short) {
        true => (
            4,
            values
                .iter()
                .flat_map(|v| (*v as f32).to_le_bytes())
                .collect(),
        ),
        false => (8, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
    };
    let planes = planes(&bytes, width);
    let mut deflated = DeflateEncoder::new(Vec::new(), Compression::default());
    // Memory takes whatever there is.
    let deflated = match deflated.write_all(&planes) {
        Ok(()) => deflated.finish().unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    Packed {
        text: STANDARD.encode(deflated),
        width,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::DeflateDecoder;

    use super::*;

    #[test]
    fn no_bit_is_lost() {
        for (values, width) in [
            (&[0.5, -0.0, f64::from(1e-30f32)][..], 4),
            (&[0.1, 1e300, -2.5], 8),
            (&[], 4),
        ] {
            let found = packed(values);

            assert_eq!(found.width, width);
            let mut planes = Vec::new();
            DeflateDecoder::new(&STANDARD.decode(&found.text).expect("base64")[..])
                .read_to_end(&mut planes)
                .expect("deflate");
            assert_eq!(planes.len(), values.len() * found.width);
            let byte = |i: usize, plane: usize| planes[plane * values.len() + i];
            for (i, value) in values.iter().enumerate() {
                let bytes: Vec<u8> = (0..found.width).map(|plane| byte(i, plane)).collect();
                let expected = match found.width {
                    4 => (*value as f32).to_le_bytes().to_vec(),
                    _ => value.to_le_bytes().to_vec(),
                };
                assert_eq!(bytes, expected, "{value}");
            }
        }
    }
}
