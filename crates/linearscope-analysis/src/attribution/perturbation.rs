//! What forward passes say when parts of the input are taken away: occlusion, feature ablation, RISE.

use std::{collections::BTreeMap, ops::ControlFlow};

use burn::tensor::TensorData;
use linearscope::SplitMix64;

use super::map::Surroundings;
use crate::{
    error::{Error, Result, tell},
    frozen::FrozenNetwork,
    operator::LinearOperator,
    progress::Progress,
    vectors::{numbers, read},
};

/// Scores of inputs that are x₀ in part.
struct Passes<'a, O> {
    f: &'a FrozenNetwork,
    targets: &'a [Vec<usize>],
    observer: &'a mut O,
    doing: &'static str,
    of: usize,
    done: usize,
}

impl<O: FnMut(&Progress) -> ControlFlow<()>> Passes<'_, O> {
    /// The score of each target at x.
    fn scores(&mut self, x: Vec<f64>) -> Result<Vec<f64>> {
        let progress = Progress::new(self.doing, self.done, self.of);
        tell(self.observer, progress)?;
        self.done += 1;
        let data = TensorData::new(x, self.f.input_shape().to_vec());
        let y = numbers(FrozenNetwork::forward(self.f.frozen().loaded(), data)?)?;
        let score = |target: &Vec<usize>| target.iter().map(|&at| y[at]).sum();
        Ok(self.targets.iter().map(score).collect())
    }
}

/// `[c, h, w]` of an input that is one picture.
pub(super) fn picture(f: &FrozenNetwork) -> Result<[usize; 3]> {
    match *f.input_shape() {
        [1, channels, h, w] => Ok([channels, h, w]),
        _ => Err(Error::Setting {
            what: "an attribution by places",
            got: format!("of an input of shape {:?}", f.input_shape()),
            allowed: "it needs a picture, [1, c, h, w]".into(),
        }),
    }
}

/// Mean loss of the score over the patches that cover a place, `[h, w]` a target.
pub(super) fn occlusion(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    scores: &[f64],
    (patch, stride): (Option<usize>, Option<usize>),
    around: &Surroundings,
    observer: &mut impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<(Vec<Vec<f64>>, String)> {
    let [channels, h, w] = picture(f)?;
    let patch = patch.unwrap_or((h.min(w) / 8).max(1));
    let stride = stride.unwrap_or((patch / 2).max(1));
    if patch > h.min(w) || stride > patch {
        return Err(Error::Setting {
            what: "occlusion",
            got: format!("a patch of {patch}, a stride of {stride}"),
            allowed: format!(
                "a patch must fit into {h}×{w}, and a stride must not exceed the patch, so that every place is covered"
            ),
        });
    }
    let (x0, baseline) = (read(f.x0())?, around.baseline_of(f)?);
    let (tops, lefts) = (starts(h, patch, stride), starts(w, patch, stride));
    let mut sums = vec![vec![0.0; h * w]; targets.len()];
    let mut covered = vec![0.0f64; h * w];
    let mut passes = Passes {
        f,
        targets,
        observer,
        doing: "occluding",
        of: tops.len() * lefts.len(),
        done: 0,
    };
    let places = (tops.iter()).flat_map(|&top| lefts.iter().map(move |&left| [top, left]));
    for [top, left] in places {
        let inside =
            || (top..top + patch).flat_map(|y| (left..left + patch).map(move |x| y * w + x));
        let mut x = x0.clone();
        for channel in 0..channels {
            for place in inside() {
                let at = channel * h * w + place;
                x[at] = baseline[at];
            }
        }
        let without = passes.scores(x)?;
        for ((sums, without), score) in sums.iter_mut().zip(without).zip(scores) {
            inside().for_each(|place| sums[place] += score - without);
        }
        inside().for_each(|place| covered[place] += 1.0);
    }
    for sums in &mut sums {
        let each = sums.iter_mut().zip(&covered);
        each.for_each(|(sum, times)| *sum /= times);
    }
    Ok((sums, format!("patches of {patch}×{patch} every {stride}")))
}

/// Where patches begin along a side; the last ends at the border.
fn starts(side: usize, patch: usize, stride: usize) -> Vec<usize> {
    let mut starts: Vec<usize> = (0..=side - patch).step_by(stride).collect();
    if starts.last().is_some_and(|last| last + patch < side) {
        starts.push(side - patch);
    }
    starts
}

/// What the score loses without each group, shared out evenly among its entries; a number an input entry and target.
pub(super) fn ablation(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    scores: &[f64],
    patch: Option<usize>,
    around: &Surroundings,
    observer: &mut impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<(Vec<Vec<f64>>, String)> {
    let (x0, baseline) = (read(f.x0())?, around.baseline_of(f)?);
    let (groups, note) = groups(f, patch, around)?;
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, group) in groups.iter().enumerate() {
        members.entry(*group).or_default().push(at);
    }
    let mut maps = vec![vec![0.0; x0.len()]; targets.len()];
    let mut passes = Passes {
        f,
        targets,
        observer,
        doing: "ablating",
        of: members.len(),
        done: 0,
    };
    for members in members.values() {
        let mut x = x0.clone();
        members.iter().for_each(|&at| x[at] = baseline[at]);
        let without = passes.scores(x)?;
        for ((map, without), score) in maps.iter_mut().zip(without).zip(scores) {
            let share = (score - without) / members.len() as f64;
            members.iter().for_each(|&at| map[at] = share);
        }
    }
    Ok((maps, note))
}

/// The group of each input entry.
fn groups(
    f: &FrozenNetwork,
    patch: Option<usize>,
    around: &Surroundings,
) -> Result<(Vec<usize>, String)> {
    let n = f.input_len();
    if let Some(groups) = &around.groups {
        if groups.len() != n {
            return Err(Error::Length {
                what: "the groups",
                got: [1, groups.len()],
                expected: n,
            });
        }
        return Ok((groups.clone(), "by the groups given".into()));
    }
    let [channels, h, w] = match (picture(f), patch) {
        (Ok(picture), _) => picture,
        (Err(_), None) => return Ok(((0..n).collect(), "entry by entry".into())),
        (Err(refused), Some(_)) => return Err(refused),
    };
    let patch = patch.unwrap_or((h.min(w) / 8).max(1));
    if patch > h.min(w) {
        return Err(Error::Setting {
            what: "feature ablation",
            got: format!("patches of {patch}"),
            allowed: format!("a patch must fit into {h}×{w}"),
        });
    }
    let across = w.div_ceil(patch);
    let group = |at: usize| {
        let place = at % (h * w);
        (place / w / patch) * across + place % w / patch
    };
    let groups = (0..channels * h * w).map(group).collect();
    Ok((groups, format!("patches of {patch}×{patch} side by side")))
}

/// Cells of a mask along each side (Petsiuk et al., 2018).
const CELLS: usize = 7;

/// RISE (Petsiuk et al., *RISE: randomized input sampling for explanation of black-box models*, 2018): the mean score over
/// random soft masks that show a place, less the mean over all. `[h, w]` a target.
pub(super) fn rise(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    (masks, seed): (usize, u64),
    around: &Surroundings,
    observer: &mut impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<(Vec<Vec<f64>>, String)> {
    let [_, h, w] = picture(f)?;
    if masks < 2 {
        return Err(Error::Setting {
            what: "RISE",
            got: format!("{masks} masks"),
            allowed: "it needs at least two masks".into(),
        });
    }
    let (x0, baseline) = (read(f.x0())?, around.baseline_of(f)?);
    let mut random = SplitMix64::new(seed);
    let mut shown = vec![0.0; h * w];
    let mut sums = vec![vec![0.0; h * w]; targets.len()];
    let mut means = vec![0.0; targets.len()];
    let mut passes = Passes {
        f,
        targets,
        observer,
        doing: "masking",
        of: masks,
        done: 0,
    };
    for _ in 0..masks {
        let mask = mask(&mut random, [h, w]);
        let x = (x0.iter().zip(&baseline).enumerate())
            .map(|(at, (x, from))| from + mask[at % (h * w)] * (x - from));
        let scores = passes.scores(x.collect())?;
        shown.iter_mut().zip(&mask).for_each(|(sum, m)| *sum += m);
        for ((sums, mean), score) in sums.iter_mut().zip(&mut means).zip(scores) {
            *mean += score / masks as f64;
            sums.iter_mut()
                .zip(&mask)
                .for_each(|(sum, m)| *sum += m * score);
        }
    }
    for (sums, mean) in sums.iter_mut().zip(means) {
        for (sum, shown) in sums.iter_mut().zip(&shown) {
            *sum = if *shown > 0.0 {
                *sum / shown - mean
            } else {
                0.0
            };
        }
    }
    Ok((sums, format!("{masks} masks of {CELLS}×{CELLS} cells")))
}

/// Cells on or off by chance, bilinearly enlarged, moved by less than a cell; `[h, w]`.
fn mask(random: &mut SplitMix64, [h, w]: [usize; 2]) -> Vec<f64> {
    let side = CELLS + 1;
    let cells: Vec<f64> = (0..side * side)
        .map(|_| {
            if random.next_uniform() < 0.0 {
                1.0
            } else {
                0.0
            }
        })
        .collect();
    let moved = [(); 2].map(|()| 0.5 * (random.next_uniform() + 1.0));
    let along = |i: usize, size: usize, moved: f64| {
        let at = (i as f64 + 0.5) / size as f64 * (CELLS as f64 - 1.0) + moved;
        let low = (at as usize).min(side - 2);
        (low, at - low as f64)
    };
    let mut mask = Vec::with_capacity(h * w);
    for y in 0..h {
        let (top, down) = along(y, h, moved[0]);
        for x in 0..w {
            let (left, across) = along(x, w, moved[1]);
            let line = |row: usize| {
                let at = row * side + left;
                cells[at] * (1.0 - across) + cells[at + 1] * across
            };
            mask.push(line(top) * (1.0 - down) + line(top + 1) * down);
        }
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_cover_every_side() {
        assert_eq!(starts(8, 4, 2), [0, 2, 4]);
        assert_eq!(starts(9, 4, 3), [0, 3, 5]);
        assert_eq!(starts(4, 4, 1), [0]);
    }

    /// Half of everything is shown, everywhere alike.
    #[test]
    fn masks_show_half() {
        let mut random = SplitMix64::new(5);
        let mut sums = vec![0.0; 12 * 10];
        for _ in 0..4000 {
            let mask = mask(&mut random, [12, 10]);
            assert!(mask.iter().all(|m| (0.0..=1.0).contains(m)));
            sums.iter_mut()
                .zip(mask)
                .for_each(|(sum, m)| *sum += m / 4000.0);
        }
        // Four standard errors of cells that are on or off.
        assert!(
            sums.iter().all(|mean| (mean - 0.5).abs() < 0.032),
            "{sums:?}"
        );
    }
}
