//! Grad-CAM and occlusion: what layers and forward passes say.

use std::ops::ControlFlow;

use burn::tensor::TensorData;

use super::{
    map::{Attribution, Surroundings, tangent_at},
    method::{ForwardMethod, Method},
};
use crate::{
    error::{Error, Result, tell},
    frozen::FrozenNetwork,
    operator::{LinearOperator, indicators},
    progress::Progress,
    vectors::{numbers, read},
};

pub(super) fn maps(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    scores: &[f64],
    (method, forward): (&Method, &ForwardMethod),
    around: &Surroundings,
    observer: &mut impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Vec<Attribution>> {
    let &[1, channels, h, w] = f.input_shape() else {
        return Err(Error::Setting {
            what: "an attribution by places",
            got: format!("of an input of shape {:?}", f.input_shape()),
            allowed: "it is of pictures, [1, c, h, w]".into(),
        });
    };
    let (found, note) = match forward {
        ForwardMethod::GradCam { node } => {
            let (found, node) = grad_cam(f, targets, node.as_deref(), [h, w])?;
            (found, format!("of the layer {node}"))
        }
        ForwardMethod::Occlusion { patch, stride } => {
            let patch = patch.unwrap_or((h.min(w) / 8).max(1));
            let stride = stride.unwrap_or((patch / 2).max(1));
            if patch > h.min(w) || stride > patch {
                return Err(Error::Setting {
                    what: "occlusion",
                    got: format!("a patch of {patch}, a stride of {stride}"),
                    allowed: format!(
                        "a patch fits into {h}×{w}, and a stride is at most a patch, so that every place is covered"
                    ),
                });
            }
            let found = occlusion(f, targets, scores, [patch, stride], around, observer)?;
            (found, format!("patches of {patch}×{patch} every {stride}"))
        }
    };
    let each = found.into_iter().zip(targets).zip(scores);
    Ok(each
        .map(|((places, target), &score)| {
            let share = |v: &f64| v / channels as f64;
            let map = (0..channels)
                .flat_map(|_| places.iter().map(share))
                .collect();
            Attribution::new(method, target, score, map, None).noted(note.clone())
        })
        .collect())
}

/// A map `[h, w]` a target, and the node.
fn grad_cam(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    node: Option<&str>,
    size: [usize; 2],
) -> Result<(Vec<Vec<f64>>, String)> {
    let tangent = tangent_at(f, read(f.x0())?)?;
    let node = match node {
        Some(node) => node.to_string(),
        None => last_with_places(&tangent)?,
    };
    let before = tangent.between(None, Some(&node))?;
    let &[1, channels, h, w] = before.output_shape() else {
        return Err(Error::Setting {
            what: "the layer of Grad-CAM",
            got: format!("{node}, of shape {:?}", before.output_shape()),
            allowed: "it has places, [1, c, h, w]".into(),
        });
    };
    let values = read(before.affine(tangent.x0())?)?;
    let behind = tangent.between(Some(&node), None)?;
    let len = behind.output_len();
    let seeds = behind.upload(indicators(targets, len), len);
    let gradients = read(behind.apply_adjoint(seeds)?)?;
    let maps = gradients.chunks(channels * h * w).map(|gradient| {
        let mut map = vec![0.0; h * w];
        for (values, gradient) in values.chunks(h * w).zip(gradient.chunks(h * w)) {
            let weight = gradient.iter().sum::<f64>() / (h * w) as f64;
            map.iter_mut()
                .zip(values)
                .for_each(|(m, v)| *m += weight * v);
        }
        map.iter_mut().for_each(|m| *m = m.max(0.0));
        enlarged(&map, [h, w], size)
    });
    Ok((maps.collect(), node))
}

/// The last node before the output whose output has places.
fn last_with_places(f: &FrozenNetwork) -> Result<String> {
    let recorded = f.recorded_for("Grad-CAM")?;
    let program = recorded.program();
    let ids: Vec<_> = program.ids().collect();
    let output = program.outputs()[0];
    let mut last = None;
    for name in program.place_names() {
        let Some(at) = program.place(name).filter(|at| *at != output) else {
            continue;
        };
        let with_places =
            matches!(program.shape(at)?.to_vec()[..], [1, c, h, w] if c > 1 && h * w > 1);
        let number = ids.iter().position(|id| *id == at);
        if with_places && number > last.as_ref().map(|(number, _)| *number).unwrap_or(None) {
            last = Some((number, name.to_string()));
        }
    }
    last.map(|(_, name)| name).ok_or(Error::Setting {
        what: "the layer of Grad-CAM",
        got: "none".into(),
        allowed: "the network has no layer with channels and places".into(),
    })
}

/// Bilinear, pixels as areas, as PyTorch's `interpolate` with `align_corners=False`.
fn enlarged(map: &[f64], [h, w]: [usize; 2], [to_h, to_w]: [usize; 2]) -> Vec<f64> {
    let places = |from: usize, to: usize| -> Vec<(usize, usize, f64)> {
        let place = |i: usize| {
            let at = ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0);
            let low = (at as usize).min(from - 1);
            (low, (low + 1).min(from - 1), at - low as f64)
        };
        (0..to).map(place).collect()
    };
    let (rows, columns) = (places(h, to_h), places(w, to_w));
    let mut found = Vec::with_capacity(to_h * to_w);
    for &(top, bottom, down) in &rows {
        for &(left, right, across) in &columns {
            let line =
                |row: usize| map[row * w + left] * (1.0 - across) + map[row * w + right] * across;
            found.push(line(top) * (1.0 - down) + line(bottom) * down);
        }
    }
    found
}

/// Mean loss of the score over the patches that cover a place, `[h, w]` a target.
fn occlusion(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    scores: &[f64],
    [patch, stride]: [usize; 2],
    around: &Surroundings,
    observer: &mut impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Vec<Vec<f64>>> {
    let shape = f.input_shape().to_vec();
    let (channels, h, w) = (shape[1], shape[2], shape[3]);
    let (x0, baseline) = (read(f.x0())?, around.baseline_of(f)?);
    // The last patch ends at the border.
    let starts = |side: usize| -> Vec<usize> {
        let mut starts: Vec<usize> = (0..=side - patch).step_by(stride).collect();
        if starts.last().is_some_and(|last| last + patch < side) {
            starts.push(side - patch);
        }
        starts
    };
    let (tops, lefts) = (starts(h), starts(w));
    let all = tops.len() * lefts.len();
    let mut sums = vec![vec![0.0; h * w]; targets.len()];
    let mut covered = vec![0.0f64; h * w];
    let places = tops
        .iter()
        .flat_map(|&top| lefts.iter().map(move |&left| [top, left]));
    for (done, [top, left]) in places.enumerate() {
        tell(observer, Progress::new("occluding", done, all))?;
        let inside =
            || (top..top + patch).flat_map(|y| (left..left + patch).map(move |x| y * w + x));
        let mut x = x0.clone();
        for channel in 0..channels {
            for place in inside() {
                let at = channel * h * w + place;
                x[at] = baseline[at];
            }
        }
        let data = TensorData::new(x, shape.clone());
        let y = numbers(FrozenNetwork::forward(f.frozen().loaded(), data)?)?;
        for ((sums, target), score) in sums.iter_mut().zip(targets).zip(scores) {
            let without: f64 = target.iter().map(|&at| y[at]).sum();
            inside().for_each(|place| sums[place] += score - without);
        }
        inside().for_each(|place| covered[place] += 1.0);
    }
    for sums in &mut sums {
        sums.iter_mut()
            .zip(&covered)
            .for_each(|(sum, times)| *sum /= times);
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::enlarged;

    #[test]
    fn maps_are_enlarged_as_areas() {
        let map = [0.0, 1.0, 2.0, 3.0];
        let found = enlarged(&map, [2, 2], [4, 4]);
        let line = [0.0, 0.25, 0.75, 1.0];
        for (y, down) in [0.0, 0.5, 1.5, 2.0].into_iter().enumerate() {
            for (x, across) in line.into_iter().enumerate() {
                assert!(
                    (found[4 * y + x] - down - across).abs() < 1e-15,
                    "{found:?}"
                );
            }
        }
        assert_eq!(enlarged(&map, [2, 2], [2, 2]), map);
        assert_eq!(enlarged(&[7.0], [1, 1], [2, 3]), [7.0; 6]);
    }
}
