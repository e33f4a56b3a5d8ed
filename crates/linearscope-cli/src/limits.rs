//! Amounts of memory, and how much a picture or an array may take when it is read: `--max-input`.

use linearscope_preprocess::{self as pre, Limits};

use crate::error::{Failure, Result};

/// The flag's GB, however many pixels that is; else the reader's own limits of bytes and of pixels.
pub(crate) fn of(flag: Option<f64>) -> Result<Limits> {
    match flag {
        None => Ok(Limits::default()),
        Some(gigabytes) => {
            let bytes = bytes("--max-input", gigabytes, 4.5)?;
            Ok(Limits::NONE.with_bytes(bytes))
        }
    }
}

/// The bytes of a flag's GB.
pub(crate) fn bytes(flag: &str, gigabytes: f64, example: f64) -> Result<u64> {
    match gigabytes > 0.0 && gigabytes < 1e9 {
        true => Ok((gigabytes * 1e9) as u64),
        false => Err(Failure::input(format!(
            "{flag} {gigabytes} is not a valid amount of memory; give it in GB, for instance {example}"
        ))),
    }
}

/// Bytes a pixel takes where the error does not say: colour and opacity, 8 bits each.
const PIXEL: u64 = 4;

/// What could not be read; where a limit is why, with the flag that raises it and by how much.
pub(crate) fn refused(error: pre::Error) -> Failure {
    let bytes = match &error {
        pre::Error::TooManyPixels { h, w, .. } => {
            (u64::from(*h) * u64::from(*w)).saturating_mul(PIXEL)
        }
        pre::Error::TooManyBytes { bytes, .. } => *bytes,
        _ => return error.into(),
    };
    let enough = (bytes as f64 / 1e8).floor() / 10.0 + 0.1;
    Failure::from(error).hint(format!(
        "make it smaller first, or, if two to four times as much memory is free, pass --max-input {enough:.1}"
    ))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use linearscope_preprocess::{Error, Limits};

    use super::{of, refused};

    #[test]
    fn the_flag_is_gigabytes() {
        assert_eq!(of(None).expect("the reader's own"), Limits::default());
        let raised = of(Some(4.5)).expect("an amount");
        assert_eq!((raised.bytes, raised.pixels), (4_500_000_000, u64::MAX));
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let failure = of(Some(wrong)).expect_err("no amount");
            assert!(failure.message.starts_with("--max-input"), "{failure:?}");
        }
    }

    /// What the hint says is enough is.
    #[test]
    fn a_hint_names_enough() {
        let file = PathBuf::from("large.png");
        let (h, w) = (20_000, 20_000);
        let pixels = Error::TooManyPixels {
            file: file.clone(),
            h,
            w,
            limit: 200_000_000,
        };
        let bytes = |bytes| Error::TooManyBytes {
            file: file.clone(),
            bytes,
            limit: 2_000_000_000,
        };
        for (error, needed, flag) in [
            (pixels, 1_600_000_000, "--max-input 1.7"),
            (bytes(2_000_000_001), 2_000_000_001, "--max-input 2.1"),
            (bytes(2_450_000_000), 2_450_000_000, "--max-input 2.5"),
        ] {
            let hint = refused(error).hint.expect("a hint");
            assert!(hint.ends_with(flag), "{hint}");
            let number = flag.rsplit(' ').next().expect("a number");
            let raised = of(number.parse().ok()).expect("an amount");
            assert!(raised.bytes >= needed);
        }
        let other = refused(Error::NoPixels { h: 0, w: 3 });
        assert_eq!(other.hint, None);
    }
}
