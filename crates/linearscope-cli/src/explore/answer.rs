//! What a question is answered with: bytes, what kind, and what is said alongside them.

use hyper::body::Bytes;
use serde_json::{Value, json};

use super::refusal::Refusal;
use crate::{args::Precision, error::Failure, npy};

/// A finished answer. Cheap to clone: the cache and a connection share its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub kind: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

/// The media types of what there is.
pub(crate) const JSON: &str = "application/json";
pub(crate) const NPY: &str = "application/octet-stream";
pub(crate) const PNG: &str = "image/png";

impl Answer {
    fn of(kind: &'static str, body: Vec<u8>) -> Self {
        Self {
            kind,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    pub(crate) fn json(value: &Value) -> Self {
        Self::of(JSON, value.to_string().into_bytes())
    }

    pub(crate) fn png(bytes: Vec<u8>) -> Self {
        Self::of(PNG, bytes)
    }

    /// A whole array, without its batch axis.
    pub(crate) fn array(
        values: &[f64],
        shape: &[usize],
        precision: Precision,
    ) -> Result<Self, Refusal> {
        Self::numbers(values, without_batch(shape), precision)
    }

    /// An array of exactly this shape.
    pub(crate) fn numbers(
        values: &[f64],
        shape: &[usize],
        precision: Precision,
    ) -> Result<Self, Refusal> {
        let bytes = npy::encode(values, shape, precision).map_err(unencoded)?;
        Ok(Self::of(NPY, bytes))
    }

    /// Whole numbers.
    pub(crate) fn whole(values: &[i32], shape: &[usize]) -> Result<Self, Refusal> {
        let bytes = npy::encode_whole_numbers(values, shape).map_err(unencoded)?;
        Ok(Self::of(NPY, bytes))
    }

    /// The part of an array of planes outside which every bit is 0; whole where it has no planes.
    pub(crate) fn cropped(
        values: &[f64],
        shape: &[usize],
        precision: Precision,
    ) -> Result<Self, Refusal> {
        let &[c, h, w] = without_batch(shape) else {
            return Self::array(values, shape, precision);
        };
        let [y, x, rows, columns] = window(values, [c, h, w]);
        let mut part = Vec::with_capacity(c * rows * columns);
        for line in (0..c).flat_map(|c| (y..y + rows).map(move |y| c * h + y)) {
            part.extend_from_slice(&values[line * w + x..][..columns]);
        }
        let mut answer = Self::numbers(&part, &[c, rows, columns], precision)?;
        answer.say("linearscope-window", format!("{y},{x},{rows},{columns}"));
        answer.say("linearscope-full", format!("{c},{h},{w}"));
        Ok(answer)
    }

    /// What is said alongside it, as JSON: numbers where they are some.
    pub(crate) fn said(&self) -> Self {
        // The target is a place, even where it looks like a number.
        let value = |name: &str, text: &str| match text.parse::<f64>() {
            Ok(number) if number.is_finite() && name != "target" => json!(number),
            _ => json!(text),
        };
        let named = self.headers.iter().map(|(name, text)| {
            let name = name.strip_prefix("linearscope-").unwrap_or(name);
            (name.to_string(), value(name, text))
        });
        Self::json(&named.collect::<serde_json::Map<_, _>>().into())
    }

    /// Add a header.
    pub(crate) fn say(&mut self, name: &'static str, value: impl ToString) {
        self.headers.push((name, value.to_string()));
    }

    /// The memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(_, value)| value.len() + 32);
        self.body.len() + headers.sum::<usize>()
    }
}

fn unencoded(error: std::io::Error) -> Refusal {
    Failure::input(format!("the array cannot be written: {error}")).into()
}

/// `[c, h, w]` of `[1, c, h, w]`; anything else as it is.
pub(crate) fn without_batch(shape: &[usize]) -> &[usize] {
    match shape {
        [1, rest @ ..] if !rest.is_empty() => rest,
        shape => shape,
    }
}

/// y, x, height and width of the smallest window that holds every entry that is not +0, in any channel. Where there is
/// none it is empty.
fn window(values: &[f64], [c, h, w]: [usize; 3]) -> [usize; 4] {
    let is_empty = |line: &[f64]| line.iter().all(|value| value.to_bits() == 0);
    let line = |c: usize, y: usize| &values[(c * h + y) * w..][..w];
    let used = |y: &usize| (0..c).any(|c| !is_empty(line(c, *y)));
    let Some(top) = (0..h).find(used) else {
        return [0; 4];
    };
    let bottom = (top..h).rev().find(used).unwrap_or(top);
    let (mut left, mut right) = (w, 0);
    for (c, y) in (0..c).flat_map(|c| (top..=bottom).map(move |y| (c, y))) {
        let line = line(c, y);
        let first = line.iter().take(left).position(|v| v.to_bits() != 0);
        left = first.unwrap_or(left);
        let last = line[right..].iter().rposition(|v| v.to_bits() != 0);
        right = last.map_or(right, |last| right + last + 1);
    }
    [top, left, bottom + 1 - top, right - left]
}

#[cfg(test)]
mod tests {
    use super::{Answer, window};
    use crate::args::Precision;

    #[test]
    fn a_window_holds_every_bit() {
        let mut values = vec![0.0; 2 * 5 * 7];
        assert_eq!(window(&values, [2, 5, 7]), [0, 0, 0, 0]);
        values[2 * 7 + 3] = 1.0;
        assert_eq!(window(&values, [2, 5, 7]), [2, 3, 1, 1]);
        // A negative zero is not the zero that is left out.
        values[35 + 7 + 5] = -0.0;
        assert_eq!(window(&values, [2, 5, 7]), [1, 3, 2, 3]);
        (values[0], values[69]) = (1.0, 1.0);
        assert_eq!(window(&values, [2, 5, 7]), [0, 0, 5, 7]);
    }

    #[test]
    fn a_crop_says_where_it_lies() {
        let mut values = vec![0.0; 3 * 4 * 5];
        values[20 + 2 * 5 + 1] = 2.5;
        let answer = Answer::cropped(&values, &[1, 3, 4, 5], Precision::F32).expect("an array");
        let said: Vec<_> = answer.headers.iter().map(|(_, value)| &value[..]).collect();
        assert_eq!(said, ["2,1,1,1", "3,4,5"]);
        let numbers: Vec<u8> = [0.0f32, 2.5, 0.0]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        assert!(answer.body.ends_with(&numbers));
        // One channel is an axis, too.
        let plane = Answer::cropped(&values[20..40], &[1, 1, 4, 5], Precision::F32);
        let plane = plane.expect("an array").body;
        let plane = npyz::NpyFile::new(&plane[..]).expect("an npy");
        assert_eq!(plane.shape(), [1, 1, 1]);
        // Scores have no window.
        let scores = Answer::cropped(&[1.0, 2.0], &[1, 2], Precision::F32).expect("an array");
        assert!(scores.headers.is_empty());
    }
}
