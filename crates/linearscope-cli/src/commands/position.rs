//! `--at` and `--target`: a place in a tensor.

use crate::error::{Failure, Result};

/// Flat positions that one such flag names: one, or one per channel for `all,y,x`.
///
/// `k` indexes a vector, `c,y,x` a picture; a leading batch axis of size 1 goes unsaid.
pub(crate) fn parse(flag: &str, text: &str, shape: &[usize]) -> Result<Vec<usize>> {
    let axes = match shape {
        [1, rest @ ..] if shape.len() > 1 => rest,
        all => all,
    };
    let wrong = |why: String| {
        let form = match axes.len() {
            1 => "k".to_string(),
            3 => "c,y,x with c a channel or `all`".to_string(),
            n => format!("{n} indices separated by commas"),
        };
        Failure::input(format!("{flag} {text}: {why}"))
            .hint(format!("for a tensor of shape {shape:?} give {form}"))
    };
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    if parts.len() != axes.len() {
        return Err(wrong(format!(
            "{} indices for {} axes",
            parts.len(),
            axes.len()
        )));
    }
    let mut positions = vec![0];
    for (axis, (part, &size)) in parts.iter().zip(axes).enumerate() {
        let indices: Vec<usize> = if axis == 0 && *part == "all" {
            (0..size).collect()
        } else {
            let index: usize = part
                .parse()
                .map_err(|_| wrong(format!("`{part}` is no index")))?;
            if index >= size {
                return Err(wrong(format!(
                    "index {index} is outside axis {axis}, which has {size} entries"
                )));
            }
            vec![index]
        };
        positions = positions
            .iter()
            .flat_map(|p| indices.iter().map(move |i| p * size + i))
            .collect();
    }
    Ok(positions)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn names_single_entries_and_all_channels() {
        assert_eq!(parse("--at", "7", &[1, 10]).unwrap(), [7]);
        assert_eq!(
            parse("--at", "2,1,3", &[1, 3, 4, 5]).unwrap(),
            [2 * 20 + 5 + 3]
        );
        assert_eq!(parse("--at", "all,1,3", &[3, 4, 5]).unwrap(), [8, 28, 48]);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        for (text, shape) in [
            ("10", &[1, 10][..]),
            ("1,2", &[1, 3, 4, 5]),
            ("0,4,0", &[1, 3, 4, 5]),
            ("0,all,0", &[1, 3, 4, 5]),
            ("-1", &[10]),
            ("", &[10]),
        ] {
            let failure = parse("--at", text, shape).expect_err(text);
            assert_eq!(failure.code, 2);
            assert!(failure.message.contains(&format!("--at {text}")));
        }
    }
}
