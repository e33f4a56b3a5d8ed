//! Pictures that say nothing: what scores are measured from, and how far the reading holds towards them.

use std::path::PathBuf;

use burn::tensor::Tensor;
use clap::ValueEnum;
use linearscope_analysis::{LinearOperator, validity};
use linearscope_picture::significant;
use serde::Serialize;

use crate::{
    console,
    ends::Shaped,
    error::{Failure, Result},
    kind::Kind,
    session::Session,
    subject::Subject,
};

/// A picture that says nothing.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Baseline {
    /// One of those that need no file.
    Named(Named),
    /// A picture or an array, read as x₀ is.
    File(PathBuf),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Named {
    Black,
    White,
    /// Each channel at the mean of x₀
    Mean,
    /// x₀, blurred over a quarter of its shorter side
    Blur,
    /// 0 in the network's own units
    Zeros,
}

impl std::str::FromStr for Baseline {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        Ok(match Named::from_str(text, false) {
            Ok(named) => Self::Named(named),
            Err(_) => Self::File(text.into()),
        })
    }
}

impl Named {
    fn word(self) -> &'static str {
        match self {
            Self::Black => "black",
            Self::White => "white",
            Self::Mean => "mean",
            Self::Blur => "blur",
            Self::Zeros => "zeros",
        }
    }

    /// Those that need no file, the usual one first: black, where there is black.
    fn usual(session: &Subject) -> &'static [Self] {
        match bounds(session) {
            Some(_) => &[Self::Black, Self::White, Self::Mean, Self::Blur],
            None => &[Self::Zeros, Self::Mean, Self::Blur],
        }
    }

    /// The array, flat.
    fn values(self, session: &Subject) -> Result<Vec<f64>> {
        let x0 = session.numbers(session.frozen.x0())?;
        let shape = session.frozen.input_shape();
        let level = |white: bool| {
            let [low, high] = bounds(session).ok_or_else(|| {
                Failure::input(format!(
                    "--baseline {}: black and white are not defined for an array",
                    self.word()
                ))
                .hint("zeros, mean, blur, or a file")
            })?;
            let channels = if white { high } else { low };
            let each = x0.len() / channels.len();
            Ok::<_, Failure>(channels.iter().flat_map(|v| vec![*v; each]).collect())
        };
        Ok(match self {
            Self::Zeros => vec![0.0; x0.len()],
            Self::Black => level(false)?,
            Self::White => level(true)?,
            Self::Mean => {
                let each = plane(shape);
                let means = x0.chunks(each).flat_map(|channel| {
                    let mean = channel.iter().sum::<f64>() / each as f64;
                    vec![mean; each]
                });
                means.collect()
            }
            Self::Blur => {
                let [h, w] = lines(shape);
                blurred(&x0, h, w)
            }
        })
    }
}

/// Entries of one channel.
fn plane(shape: &[usize]) -> usize {
    let space = match (Kind::of(shape), shape) {
        (Kind::Picture, [.., _, _]) => &shape[shape.len() - 2..],
        (Kind::Signal | Kind::Volume, [_, _, space @ ..]) => space,
        _ => shape,
    };
    space.iter().product::<usize>().max(1)
}

/// How many lines of which length are blurred together: of a signal each channel is one, of a volume each slice has its
/// own.
fn lines(shape: &[usize]) -> [usize; 2] {
    match (Kind::of(shape), shape) {
        (Kind::Picture | Kind::Volume, &[.., h, w]) => [h, w],
        _ => [1, plane(shape)],
    }
}

/// Means over boxes of an eighth of the shorter side to each side, thrice: nearly a Gaussian. Boxes end at the border.
fn blurred(values: &[f64], h: usize, w: usize) -> Vec<f64> {
    let radius = match h.min(w) {
        1 => h.max(w),
        side => side,
    };
    let radius = (radius / 8).max(1);
    let mean = |line: &[f64]| -> Vec<f64> {
        let n = line.len();
        (0..n)
            .map(|i| {
                let part = &line[i.saturating_sub(radius)..(i + radius + 1).min(n)];
                part.iter().sum::<f64>() / part.len() as f64
            })
            .collect()
    };
    let mut found = values.to_vec();
    for _ in 0..3 {
        for channel in found.chunks_mut(h * w) {
            for y in 0..h {
                let line = mean(&channel[y * w..(y + 1) * w]);
                channel[y * w..(y + 1) * w].copy_from_slice(&line);
            }
            for x in 0..w {
                let column: Vec<f64> = (0..h).map(|y| channel[y * w + x]).collect();
                for (y, v) in mean(&column).into_iter().enumerate() {
                    channel[y * w + x] = v;
                }
            }
        }
    }
    found
}

impl Baseline {
    /// Those that are meant where none is named, the one that scores are measured from first.
    pub(crate) fn usual(session: &Subject) -> Vec<Self> {
        let usual = Named::usual(session).iter();
        usual.map(|named| Self::Named(*named)).collect()
    }

    pub(crate) fn words(&self) -> String {
        match self {
            Self::Named(named) => named.word().into(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// The array, flat.
    pub(crate) fn values(&self, session: &Subject) -> Result<Vec<f64>> {
        match self {
            Self::Named(named) => named.values(session),
            Self::File(path) => {
                let shape = session.frozen.input_shape().to_vec();
                let read = session.read_probe(path, &shape, Shaped::Input);
                session.numbers(read.map_err(|failure| {
                    let hint = "or use one of black, white, mean, blur, zeros";
                    match failure.hint {
                        None => failure.hint(hint),
                        Some(_) => failure,
                    }
                })?)
            }
        }
    }
}

/// Black and white of each channel in the network's units, where x₀ is a picture.
pub(crate) fn bounds(session: &Subject) -> Option<[Vec<f64>; 2]> {
    let recipe = session.painter.recipe.as_ref();
    Some(recipe.filter(|_| !session.from_array)?.bounds())
}

/// A part of one in percent, two digits of it.
pub(crate) fn percent(part: f64) -> String {
    format!("{} %", significant(100.0 * part, 2))
}

/// How far the reading at x₀ holds towards a picture.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Towards {
    towards: String,
    /// The part of the way on which no decision changes; none for networks with smooth units.
    exact: Option<f64>,
    /// The first op to decide otherwise.
    first: Option<String>,
    /// ‖F x + r − f(x)‖ / ‖f(x)‖ at a tenth of the way.
    error_at_tenth: f64,
    /// And at its end.
    error_at_end: f64,
}

impl Towards {
    /// Whether no stretch of the way is exact, since some unit is smooth.
    pub(crate) fn is_smooth(&self) -> bool {
        self.exact.is_none()
    }

    /// In a sentence.
    pub(crate) fn line(&self) -> String {
        let off = format!(
            "{} off at 10 %, {} at the end",
            percent(self.error_at_tenth),
            percent(self.error_at_end)
        );
        match self.exact {
            Some(exact) if exact.is_infinite() || exact >= 1.0 => {
                format!("towards {}: exact over the whole way", self.towards)
            }
            Some(exact) => format!(
                "towards {}: exact for the first {} of the way, {off}",
                self.towards,
                percent(exact)
            ),
            None => format!("towards {}: {off}", self.towards),
        }
    }
}

/// How far the reading holds, towards black (of arrays, zeros), a blurred picture and its mean.
pub(crate) fn trust(session: &mut Session) -> Result<Vec<Towards>> {
    console::step("measuring how far the linear reading holds");
    let first = Named::usual(session)[0];
    let x0 = session.numbers(session.frozen.x0())?;
    let frozen = &session.frozen;
    let len = x0.len();
    let mut directions = Vec::new();
    for named in [first, Named::Blur, Named::Mean] {
        let values = named.values(session)?;
        let way: Vec<f64> = values.iter().zip(&x0).map(|(to, x)| to - x).collect();
        // x₀ may be all black.
        if way.iter().any(|v| *v != 0.0) {
            directions.push((named, way));
        }
    }
    if directions.is_empty() {
        return Ok(Vec::new());
    }
    let all = directions.iter().flat_map(|(_, way)| way.clone()).collect();
    let found = validity::radii(frozen, frozen.upload(all, len));
    let radii = match found {
        Ok(found) => Some(found),
        Err(linearscope_analysis::Error::Engine(linearscope::Error::NotPiecewise { .. })) => None,
        Err(error) => return Err(error.into()),
    };
    let mut towards = Vec::new();
    for (i, (named, way)) in directions.into_iter().enumerate() {
        let direction: Tensor<2> = frozen.upload(way, len);
        let error = validity::growth(frozen, direction, &[0.1, 1.0])?;
        towards.push(Towards {
            towards: match named {
                Named::Blur => "a blurred picture".into(),
                Named::Mean => "its mean".into(),
                named => named.word().into(),
            },
            exact: radii.as_ref().map(|found| found.radii[i]),
            first: radii.as_ref().map(|found| found.by[i].clone()),
            error_at_tenth: error[0],
            error_at_end: error[1],
        });
    }
    session.note("trust", &towards);
    Ok(towards)
}

#[cfg(test)]
mod tests {
    use super::{Baseline, Named, blurred, lines, plane};

    #[test]
    fn blurring_keeps_what_is_flat_and_levels_what_is_not() {
        assert!(
            blurred(&[3.0; 2 * 35], 5, 7)
                .iter()
                .all(|v| (v - 3.0).abs() < 1e-12)
        );
        // Three boxes of 8 to each side reach the border and no further.
        let mut spike = vec![0.0; 65 * 65];
        spike[32 * 65 + 32] = 1.0;
        let found = blurred(&spike, 65, 65);
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(found[32 * 65 + 32] < 0.02);
        assert!((found[32 * 65 + 20] - found[20 * 65 + 32]).abs() < 1e-15);
    }

    #[test]
    fn names_and_files() {
        assert_eq!("blur".parse(), Ok(Baseline::Named(Named::Blur)));
        assert_eq!(
            "a/blur.png".parse(),
            Ok(Baseline::File("a/blur.png".into()))
        );
        for (shape, of, together) in [
            (&[1, 3, 4, 5][..], 20, [4, 5]),
            (&[3, 4, 5], 20, [4, 5]),
            (&[1, 3, 7], 7, [1, 7]),
            (&[1, 2, 3, 4, 5], 60, [4, 5]),
            (&[1, 8], 8, [1, 8]),
        ] {
            assert_eq!((plane(shape), lines(shape)), (of, together), "{shape:?}");
        }
    }
}
