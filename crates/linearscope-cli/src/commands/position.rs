//! `--at` and `--target`: places in a tensor.

use linearscope_analysis::{argmax, ranking};
use linearscope_picture::{Array, Mark};

use crate::{
    boxes::Boxes,
    error::{Failure, Result},
    kind::Kind,
    segments::LabelMap,
};

/// A place a user asked for, or that was chosen for them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct At {
    /// As it is said: "7", "0,3,4", "all,3,4".
    pub text: String,
    /// The flat positions it means.
    pub positions: Vec<usize>,
}

/// How places are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Look {
    /// Of a picture all channels, of anything else the largest values.
    Plain,
    /// At a place the class that wins.
    Classes,
    /// The best box.
    Boxes(Boxes),
}

/// How many places `auto` chooses.
const AUTO: usize = 6;

/// The axes that a place is counted along: a leading batch axis of size 1 goes unsaid, and of a vector
/// with axes of size 1 around it (`[1, C, 1, 1]`) there is one.
pub(crate) fn axes(shape: &[usize]) -> Vec<usize> {
    let long: Vec<usize> = shape.iter().copied().filter(|&size| size > 1).collect();
    match (long.as_slice(), shape) {
        ([one], _) => vec![*one],
        (_, [1, rest @ ..]) if !rest.is_empty() => rest.to_vec(),
        _ => shape.to_vec(),
    }
}

/// The places that `--at` or `--target` names in a tensor of this shape and these values; `auto` chooses six: of a
/// picture places from its strongest edge to its flattest part, of boxes the best one's numbers, of anything else the
/// largest values. `top1` is the first that `auto` chooses. Of boxes one number is a class: the score of its best box.
pub(crate) fn places(
    flag: &str,
    texts: &[String],
    values: &[f64],
    shape: &[usize],
    look: Look,
) -> Result<Vec<At>> {
    let mut places = Vec::new();
    for text in texts {
        if text == "auto" {
            places.extend(chosen(values, shape, look));
        } else if let ("top1", [_], Some(best)) = (text.as_str(), &axes(shape)[..], argmax(values))
        {
            let positions = vec![best];
            let text = self::text(best, shape);
            places.push(At { text, positions });
        } else if text == "top1" {
            places.extend(chosen(values, shape, look).into_iter().take(1));
        } else if let (Look::Boxes(boxes), [_, _]) = (look, &axes(shape)[..]) {
            places.extend(of_boxes(flag, text, values, shape, boxes)?);
        } else {
            let positions = parse(flag, text, shape)?;
            let text = text.clone();
            places.push(At { text, positions });
        }
    }
    Ok(places)
}

/// Of a detector: one number is a class, which means its best box, two are a place.
fn of_boxes(
    flag: &str,
    text: &str,
    values: &[f64],
    shape: &[usize],
    boxes: Boxes,
) -> Result<Vec<At>> {
    let wrong = |why: &str| Failure::input(format!("{flag} {text}: {why}")).hint(boxes.forms());
    if text.contains(',') {
        let positions = parse(flag, text, shape).map_err(|failure| failure.hint(boxes.forms()))?;
        let text = text.into();
        return Ok(vec![At { text, positions }]);
    }
    let Ok(class) = text.trim().parse() else {
        return Err(wrong("for a detector, give a class or one number of a box"));
    };
    match boxes.of_class(values, class) {
        none if none.is_empty() => Err(wrong(&format!(
            "there are {} classes, counted from 0",
            boxes.classes
        ))),
        found => Ok(found),
    }
}

/// A flat position as `--at` and `--target` take it.
pub(crate) fn text(position: usize, shape: &[usize]) -> String {
    let mut rest = position;
    let mut parts: Vec<String> = axes(shape)
        .iter()
        .rev()
        .map(|&size| {
            let index = rest % size;
            rest /= size;
            index.to_string()
        })
        .collect();
    parts.reverse();
    parts.join(",")
}

fn chosen(values: &[f64], shape: &[usize], look: Look) -> Vec<At> {
    if let Look::Boxes(boxes) = look {
        return boxes.chosen(values);
    }
    let picture = match axes(shape).as_slice() {
        [c, h, w] if *h > 2 && *w > 2 => Array::new(values, &[*c, *h, *w]),
        _ => None,
    };
    let Some(array) = picture else {
        let at = |position: usize| At {
            text: text(position, shape),
            positions: vec![position],
        };
        return ranking(values).into_iter().take(AUTO).map(at).collect();
    };
    let [c, h, w] = array.shape();
    // Of a segmenter the class that wins, of a picture all channels.
    let labels = match look {
        Look::Classes => LabelMap::new(values, shape),
        _ => None,
    };
    let mean: Vec<f64> = (0..h * w)
        .map(|i| {
            let mut here = (0..c).map(|ch| values[ch * h * w + i]);
            match labels {
                Some(_) => here.fold(f64::NEG_INFINITY, f64::max),
                None => here.by_ref().sum::<f64>() / c as f64,
            }
        })
        .collect();
    // Away from the border, where padding has its say.
    let (top, left) = (
        (h / 8).max(1).min((h - 1) / 2),
        (w / 8).max(1).min((w - 1) / 2),
    );
    let steepness = |p: usize| (mean[p + 1] - mean[p - 1]).hypot(mean[p + w] - mean[p - w]);
    let mut order: Vec<(f64, usize)> = (top..h - top)
        .flat_map(|y| (left..w - left).map(move |x| y * w + x))
        .map(|p| (steepness(p), p))
        .collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let apart = (h.min(w) / 8).max(2);
    let mut found: Vec<(usize, usize)> = Vec::new();
    for share in [0.0, 0.02, 0.08, 0.25, 0.6, 1.0] {
        let start = (share * (order.len().saturating_sub(1)) as f64) as usize;
        let far = |&(_, p): &&(f64, usize)| {
            let (y, x) = (p / w, p % w);
            found
                .iter()
                .all(|&(v, u)| y.abs_diff(v).max(x.abs_diff(u)) >= apart)
        };
        // The nearest in rank that is apart from the others: from there to flatter, then steeper.
        let next = order[start..].iter().find(far);
        if let Some(&(_, p)) = next.or_else(|| order[..start].iter().rev().find(far)) {
            found.push((p / w, p % w));
        }
    }
    let channel = if c == 1 { "0" } else { "all" };
    found
        .iter()
        .map(|&(y, x)| match &labels {
            Some(labels) => {
                let class = labels.at(y, x);
                At {
                    text: format!("{class},{y},{x}"),
                    positions: vec![(class * h + y) * w + x],
                }
            }
            None => At {
                text: format!("{channel},{y},{x}"),
                positions: (0..c).map(|ch| (ch * h + y) * w + x).collect(),
            },
        })
        .collect()
}

/// Numbered marks at places of a tensor that is a picture.
pub(crate) fn marks(places: &[At], shape: &[usize]) -> Vec<Mark> {
    let [h, w] = match (Kind::of(shape), shape) {
        (Kind::Picture, &[.., h, w]) if axes(shape).len() > 1 => [h, w],
        // All lines of a signal have the same entries across.
        (Kind::Signal, &[.., l]) => [1, l],
        _ => return Vec::new(),
    };
    let mark = |(number, at): (usize, &At)| Mark {
        y: at.positions[0] % (h * w) / w,
        x: at.positions[0] % w,
        label: (number + 1).to_string(),
    };
    places.iter().enumerate().map(mark).collect()
}

/// Flat positions that one such flag names: one, one per channel for `all,y,x`, or all of a part, as `0,10..20,8..`.
///
/// `k` indexes a vector, `c,y,x` a picture; a leading batch axis of size 1 goes unsaid.
pub(crate) fn parse(flag: &str, text: &str, shape: &[usize]) -> Result<Vec<usize>> {
    let axes = axes(shape);
    let wrong = |why: String| {
        let form = match axes.len() {
            1 => "k".to_string(),
            2 if Kind::of(shape) == Kind::Signal => "c,x with c a channel or `all`".to_string(),
            3 => "c,y,x with c a channel or `all`".to_string(),
            4 if Kind::of(shape) == Kind::Volume => "c,z,y,x with c a channel or `all`".to_string(),
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
    for (axis, (part, &size)) in parts.iter().zip(&axes).enumerate() {
        let number = |text: &str| text.trim().parse::<usize>().ok();
        let range = part.split_once("..").and_then(|(from, to)| {
            Some(match to.trim() {
                "" => number(from)?..size,
                to => number(from)?..number(to)?,
            })
        });
        let indices: Vec<usize> = if axis == 0 && *part == "all" {
            (0..size).collect()
        } else if let Some(range) = range {
            if range.is_empty() || range.end > size {
                return Err(wrong(format!(
                    "`{part}` is not a range of axis {axis}, which has {size} entries"
                )));
            }
            range.collect()
        } else {
            let index: usize = part
                .parse()
                .map_err(|_| wrong(format!("`{part}` is not an index")))?;
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
    use super::{Look, marks, parse, places, text};
    use crate::boxes::Boxes;

    #[test]
    fn names_single_entries_and_all_channels() {
        assert_eq!(parse("--at", "7", &[1, 10]).unwrap(), [7]);
        assert_eq!(
            parse("--at", "2,1,3", &[1, 3, 4, 5]).unwrap(),
            [2 * 20 + 5 + 3]
        );
        assert_eq!(parse("--at", "all,1,3", &[3, 4, 5]).unwrap(), [8, 28, 48]);
        assert_eq!(
            parse("--at", "2,1..3,3..", &[3, 4, 5]).unwrap(),
            [48, 49, 53, 54]
        );
    }

    #[test]
    fn refuses_what_does_not_fit() {
        for (text, shape) in [
            ("10", &[1, 10][..]),
            ("1,2", &[1, 3, 4, 5]),
            ("0,4,0", &[1, 3, 4, 5]),
            ("0,all,0", &[1, 3, 4, 5]),
            ("0,2..2,0", &[1, 3, 4, 5]),
            ("0,1..5,0", &[1, 3, 4, 5]),
            ("-1", &[10]),
            ("", &[10]),
        ] {
            let failure = parse("--at", text, shape).expect_err(text);
            assert_eq!(failure.code, 2);
            assert!(failure.message.contains(&format!("--at {text}")));
        }
    }

    #[test]
    fn a_number_alone_is_a_class_of_a_detector() {
        let boxes = Boxes::of(&[1, 28, 7]).expect("boxes");
        let mut values = vec![0.1; 28 * 7];
        (values[3 * 7 + 4], values[3 * 7 + 6]) = (0.9, 0.8);
        let at = |text: &str| {
            let look = Look::Boxes(boxes);
            places("--target", &[text.into()], &values, &[1, 28, 7], look)
        };
        for (text, place) in [("1", "3,6"), ("3,6", "3,6"), ("top1", "3,6")] {
            let found = at(text).expect(text);
            assert_eq!(
                (&found[0].text[..], &found[0].positions[..]),
                (place, &[27][..])
            );
        }
        for text in ["cat", "2", "28,0", "0,7", "-1", "1..3"] {
            let failure = at(text).expect_err(text);
            assert!(failure.message.starts_with(&format!("--target {text}: ")));
            let hint = failure.hint.expect("what is possible");
            assert!(
                hint.contains("BOX,NUMBER") && hint.contains("a class"),
                "{hint}"
            );
        }
    }

    #[test]
    fn chooses_places_from_the_edge_to_the_plain() {
        // A vertical edge at x = 20 in an otherwise flat 40×40 picture of 3 channels.
        let values: Vec<f64> = (0..3 * 1600).map(|i| f64::from(i % 40 >= 20)).collect();
        let shape = [1, 3, 40, 40];
        let found = places("--at", &["auto".into()], &values, &shape, Look::Plain).unwrap();
        assert_eq!(found.len(), 6);
        let marks = marks(&found, &shape);
        assert!((19..=20).contains(&marks[0].x), "{:?}", marks[0]);
        assert!(!(18..=21).contains(&marks[5].x), "{:?}", marks[5]);
        for (i, a) in marks.iter().enumerate() {
            assert!((5..35).contains(&a.y) && (5..35).contains(&a.x));
            for b in &marks[..i] {
                assert!(a.y.abs_diff(b.y).max(a.x.abs_diff(b.x)) >= 5);
            }
        }
        assert_eq!(found[0].positions.len(), 3);
        let scores = places(
            "--target",
            &["auto".into(), "0".into()],
            &[0.1, 3.0, 2.0],
            &[1, 3],
            Look::Plain,
        )
        .unwrap();
        let order: Vec<&str> = scores.iter().map(|at| at.text.as_str()).collect();
        assert_eq!(order, ["1", "2", "0", "0"]);
        // Whatever the shape, what is chosen can be said again.
        for shape in [
            &[1, 1, 1, 1][..],
            &[1, 1, 2, 2],
            &[1, 1, 1, 9],
            &[1, 1, 3, 4],
            &[2, 1, 8, 8],
            &[2, 10],
            &[1, 6, 5],
            &[6, 5],
            &[1, 10, 1, 1],
            &[1, 3, 16, 5],
            &[7],
        ] {
            let values: Vec<f64> = (0..shape.iter().product::<usize>())
                .map(|i| (i * 7 % 5) as f64)
                .collect();
            let found = places("--at", &["auto".into()], &values, shape, Look::Plain).unwrap();
            assert!(!found.is_empty(), "{shape:?}");
            for at in found {
                assert_eq!(
                    parse("--at", &at.text, shape).unwrap(),
                    at.positions,
                    "{shape:?}"
                );
            }
        }
        assert_eq!(text(2 * 20 + 5 + 3, &[1, 3, 4, 5]), "2,1,3");
        assert_eq!(text(7, &[1, 10, 1, 1]), "7");
    }
}
