//! What the values of layers say, as maps of places: Grad-CAM, a layer's own shares, FullGrad.

use std::sync::Arc;

use burn_dispatch::Dispatch;
use linearscope::{
    host,
    program::{Operation, SourceKind},
};

use super::map::tangent_at;
use crate::{
    error::{Error, Result},
    frozen::FrozenNetwork,
    operator::{LinearOperator, indicators},
    sub_network::SubNetwork,
    vectors::{batched, read},
};

/// How what a layer's channels say becomes one map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weighing {
    /// Each channel by its mean gradient, then what is above 0.
    GradCam,
    /// Row ⊙ value, summed over channels, signs kept.
    Shares,
}

/// A layer's values as places and channels, whatever the order of its axes.
struct Layout {
    /// `[c, h, w]`.
    size: [usize; 3],
    /// Steps along each.
    steps: [usize; 3],
}

impl Layout {
    /// By which axis of the layer runs along which of the picture; where that is unknown, as `[1, c, h, w]`.
    fn of(f: &FrozenNetwork, node: &str, shape: &[usize]) -> Result<Option<Self>> {
        let &[1, a, b, c] = shape else {
            return Ok(None);
        };
        let recorded = f.recorded_for("a layer's places")?;
        let program = recorded.program();
        let places = program.places(program.inputs()[0], recorded.node(node)?)?;
        let axis = |at: usize| Some(places.get(at)?.as_ref().ok()?.axis);
        let axes = match (axis(2), axis(3)) {
            (Some(h), Some(w)) if h != w && (1..4).contains(&h) && (1..4).contains(&w) => {
                [6 - h - w, h, w]
            }
            _ => [1, 2, 3],
        };
        let (sizes, steps) = ([1, a, b, c], [a * b * c, b * c, c, 1]);
        Ok(Some(Self {
            size: axes.map(|axis| sizes[axis]),
            steps: axes.map(|axis| steps[axis]),
        }))
    }

    fn places(&self) -> impl Iterator<Item = usize> {
        let ([_, h, w], [_, down, right]) = (self.size, self.steps);
        (0..h).flat_map(move |y| (0..w).map(move |x| y * down + x * right))
    }

    /// One map `[h, w]` of a layer's values and what a score makes of each.
    fn weighed(&self, weighing: Weighing, values: &[f64], row: &[f64]) -> Vec<f64> {
        let count = self.size[1] * self.size[2];
        let mut map = vec![0.0; count];
        for channel in 0..self.size[0] {
            let at = |place| channel * self.steps[0] + place;
            let mean = match weighing {
                Weighing::GradCam => {
                    Some(self.places().map(|p| row[at(p)]).sum::<f64>() / count as f64)
                }
                Weighing::Shares => None,
            };
            for (sum, place) in map.iter_mut().zip(self.places()) {
                *sum += mean.unwrap_or(row[at(place)]) * values[at(place)];
            }
        }
        if weighing == Weighing::GradCam {
            map.iter_mut().for_each(|m| *m = m.max(0.0));
        }
        map
    }
}

/// A map `[h, w]` a target, enlarged to the input's size; the sum of each before; and the node.
pub(super) fn of_layer(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    weighing: Weighing,
    node: Option<&str>,
    size: [usize; 2],
) -> Result<(Vec<Vec<f64>>, Vec<f64>, String)> {
    let tangent = match weighing {
        Weighing::GradCam => Some(tangent_at(f, read(f.x0())?)?),
        Weighing::Shares => None,
    };
    let f = tangent.as_ref().unwrap_or(f);
    let node = match node {
        Some(node) => node.to_string(),
        None => last_with_places(f)?,
    };
    let before = f.between(None, Some(&node))?;
    let Some(layout) = Layout::of(f, &node, before.output_shape())? else {
        return Err(Error::Setting {
            what: "the layer",
            got: format!("{node}, of shape {:?}", before.output_shape()),
            allowed: "it must be spatial, [1, c, h, w]".into(),
        });
    };
    let values = read(before.affine(f.x0())?)?;
    let behind = f.between(Some(&node), None)?;
    let gradients = rows_of(&behind, targets)?;
    let [_, h, w] = layout.size;
    let maps = gradients
        .chunks(values.len())
        .map(|row| layout.weighed(weighing, &values, row));
    let maps: Vec<Vec<f64>> = maps.collect();
    let sums = maps.iter().map(|map| map.iter().sum()).collect();
    let maps = maps
        .iter()
        .map(|map| enlarged(map, [h, w], size, Corners::Areas));
    Ok((maps.collect(), sums, node))
}

fn rows_of(behind: &SubNetwork<'_>, targets: &[Vec<usize>]) -> Result<Vec<f64>> {
    let len = behind.output_len();
    let seeds = behind.upload(indicators(targets, len), len);
    read(behind.apply_adjoint(seeds)?)
}

/// The last node before the output whose output has places.
fn last_with_places(f: &FrozenNetwork) -> Result<String> {
    let recorded = f.recorded_for("the layers of a network")?;
    let program = recorded.program();
    let ids: Vec<_> = program.ids().collect();
    let output = program.outputs()[0];
    let mut last = None;
    for name in program.place_names() {
        let Some(at) = program.place(name).filter(|at| *at != output) else {
            continue;
        };
        let number = ids.iter().position(|id| *id == at);
        if number <= last.as_ref().map(|(number, _)| *number).unwrap_or(None) {
            continue;
        }
        let shape = program.shape(at)?.to_vec();
        if let Some(layout) = Layout::of(f, name, &shape)? {
            let [channels, h, w] = layout.size;
            if channels > 1 && h * w > 1 {
                last = Some((number, name.to_string()));
            }
        }
    }
    last.map(|(_, name)| name).ok_or(Error::Setting {
        what: "the layer",
        got: "none".into(),
        allowed: "the network has no layer with channels and spatial axes".into(),
    })
}

/// FullGrad (Srinivas and Fleuret, *Full-gradient representation for neural network visualization*, 2019): magnitudes of
/// gradient ⊙ x₀ and, of every source with places, of gradient ⊙ what it adds, each brought to 0..1 over all its channels,
/// enlarged to the input's size, channels and sources added up. `[h, w]` a target.
pub(super) fn full_grad(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    size: [usize; 2],
) -> Result<(Vec<Vec<f64>>, String)> {
    let tangent = tangent_at(f, read(f.x0())?)?;
    let f = &tangent;
    let recorded = f.recorded_for("FullGrad")?;
    let program = recorded.program();
    let len = f.output_len();
    let seeds = f.upload(indicators(targets, len), len);
    let seed = (program.outputs()[0], batched(seeds, f.output_shape()));
    let mut maps = vec![vec![0.0; size[0] * size[1]]; targets.len()];
    // ψ: magnitudes of all channels from 0 to 1, each enlarged, added up.
    let add = |map: &mut [f64], said: &[f64], from: [usize; 2]| {
        let said: Vec<f64> = said.iter().map(|v| v.abs()).collect();
        let least = said.iter().copied().fold(f64::INFINITY, f64::min);
        let most = said.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let scale = 1.0 / (most - least + RANGE);
        for channel in said.chunks(from[0] * from[1]) {
            let channel: Vec<f64> = channel.iter().map(|v| (v - least) * scale).collect();
            let channel = enlarged(&channel, from, size, Corners::Points);
            map.iter_mut().zip(channel).for_each(|(sum, v)| *sum += v);
        }
    };
    // What one node adds in several steps, as a norm its −μ and its β, is one bias.
    let mut sources: Vec<Added> = Vec::new();
    let found = program.contributions(&[seed], program.inputs(), |node, b, q| {
        // What freezing left over is no bias of the network's; one without places has none to be drawn at.
        let (&[1, channels, h, w], Operation::Source { kind, .. }) =
            (&node.shape.to_vec()[..], &node.operation)
        else {
            return Ok(());
        };
        if h * w < 2 || *kind != SourceKind::Bias {
            return Ok(());
        }
        let b = host::<Dispatch>(expanded(b, &node.shape))?;
        let q = host::<Dispatch>(q.clone())?;
        let said = q.chunks(b.len()).flat_map(|q| q.iter().zip(&b));
        let said = said.map(|(q, b)| product(*q, *b));
        let size = [channels, h, w];
        match sources.last_mut() {
            Some(last) if last.node == node.name && last.size == size => {
                (last.said.iter_mut().zip(said)).for_each(|(sum, v)| *sum += v);
            }
            _ => sources.push(Added {
                node: node.name.clone(),
                size,
                said: said.collect(),
            }),
        }
        Ok(())
    })?;
    for source in &sources {
        let [channels, h, w] = source.size;
        for (map, said) in maps.iter_mut().zip(source.said.chunks(channels * h * w)) {
            add(map, said, [h, w]);
        }
    }
    let x0 = read(f.x0())?;
    let rows = match found.into_iter().next().flatten() {
        Some(row) => host::<Dispatch>(row)?,
        None => vec![0.0; x0.len() * targets.len()],
    };
    for (map, row) in maps.iter_mut().zip(rows.chunks(x0.len())) {
        let said: Vec<f64> = row.iter().zip(&x0).map(|(q, x)| q * x).collect();
        add(map, &said, size);
    }
    let note = format!("of the input and the biases of {} nodes", sources.len());
    Ok((maps, note))
}

/// What a node's biases say, `[targets, c, h, w]`.
struct Added {
    node: Arc<str>,
    /// `[c, h, w]`.
    size: [usize; 3],
    said: Vec<f64>,
}

/// What the reference implementation adds to the range that it divides by.
const RANGE: f64 = 1e-6;

fn product(q: f64, b: f64) -> f64 {
    // A source that no decision selects has q = 0, and may be infinite.
    if q == 0.0 { 0.0 } else { q * b }
}

fn expanded(
    b: &burn_backend::tensor::FloatTensor<Dispatch>,
    shape: &burn_backend::Shape,
) -> burn_backend::tensor::FloatTensor<Dispatch> {
    use burn_backend::ops::FloatTensorOps;
    Dispatch::float_expand(b.clone(), shape.clone())
}

/// What lies on what when a map is enlarged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Corners {
    /// Pixels are areas, as PyTorch's `interpolate` with `align_corners=False`.
    Areas,
    /// Pixels are points, and the corners lie on the corners: `align_corners=True`.
    Points,
}

/// Bilinear.
fn enlarged(
    map: &[f64],
    [h, w]: [usize; 2],
    [to_h, to_w]: [usize; 2],
    corners: Corners,
) -> Vec<f64> {
    let places = |from: usize, to: usize| -> Vec<(usize, usize, f64)> {
        let place = |i: usize| {
            let at = match corners {
                Corners::Areas => ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0),
                Corners::Points => i as f64 * (from - 1) as f64 / (to - 1).max(1) as f64,
            };
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

#[cfg(test)]
mod tests {
    use super::{Corners, Layout, Weighing, enlarged};

    #[test]
    fn maps_are_enlarged_as_areas_and_as_points() {
        let map = [0.0, 1.0, 2.0, 3.0];
        for (corners, line, downs) in [
            (Corners::Areas, [0.0, 0.25, 0.75, 1.0], [0.0, 0.5, 1.5, 2.0]),
            (
                Corners::Points,
                [0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0],
                [0.0, 2.0 / 3.0, 4.0 / 3.0, 2.0],
            ),
        ] {
            let found = enlarged(&map, [2, 2], [4, 4], corners);
            for (y, down) in downs.into_iter().enumerate() {
                for (x, across) in line.into_iter().enumerate() {
                    let off = found[4 * y + x] - down - across;
                    assert!(off.abs() < 1e-15, "{corners:?}: {found:?}");
                }
            }
            assert_eq!(enlarged(&map, [2, 2], [2, 2], corners), map);
            assert_eq!(enlarged(&[7.0], [1, 1], [2, 3], corners), [7.0; 6]);
        }
    }

    /// The same numbers channels first and channels last make the same map.
    #[test]
    fn channels_are_where_they_are() {
        let first = Layout {
            size: [2, 1, 3],
            steps: [3, 3, 1],
        };
        let last = Layout {
            size: [2, 1, 3],
            steps: [1, 6, 2],
        };
        let (values, row) = (
            [1.0, 2.0, 3.0, -4.0, 5.0, 6.0],
            [0.5, 1.0, 1.5, 1.0, 2.0, 0.0],
        );
        let turned = |x: [f64; 6]| [x[0], x[3], x[1], x[4], x[2], x[5]];
        for weighing in [Weighing::GradCam, Weighing::Shares] {
            let a = first.weighed(weighing, &values, &row);
            let b = last.weighed(weighing, &turned(values), &turned(row));
            assert_eq!(a, b);
        }
        // Mean gradients of 1 and 1.
        let found = first.weighed(Weighing::GradCam, &values, &row);
        assert_eq!(found, [0.0, 7.0, 9.0]);
        let found = first.weighed(Weighing::Shares, &values, &row);
        assert_eq!(found, [-3.5, 12.0, 4.5]);
    }
}
