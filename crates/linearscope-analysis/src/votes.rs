//! Pixel votes: for each pixel, the class that it supports most.
//!
//! The pixel discussion of every class is computed ([`discussion`](crate::discussion)) and summed over channels. The
//! class whose discussion is largest gets the pixel's vote. Classes are processed in chunks, those with the largest
//! scores first. Only the best class so far is kept, so that memory does not grow with the number of classes, and a
//! sweep that is stopped has heard the classes that matter. [`VoteConfig::classes`] restricts the vote to some of them.
//!
//! A pixel *abstains* if its discussions are exactly the same for all classes (in a part of the
//! picture that nothing reads, all are 0). An arg-max would give it to class 0. If some but not all
//! classes tie for the largest, the first of them gets the vote.
//!
//! Every other pixel votes, and quiet pixels count as much as loud ones. The *margin* of the largest
//! discussion over the second says how loud a vote is, and [`Votes::loudest`] lets only the loud ones vote.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::{
    discussion::{Discussions, Propagation, Terms, discussions_of},
    error::{Error, Result, tell, unless_stopped},
    frozen::FrozenNetwork,
    operator::LinearOperator,
    progress::Progress,
    ranking::ranking,
    vectors::{numbers, read},
};

/// The vote of a pixel that abstains.
pub const ABSTAINS: i32 = -1;

/// How votes are counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VoteConfig {
    /// How sources are carried back to pixels.
    pub propagation: Propagation,
    /// Which terms of the discussions are taken.
    pub terms: Terms,
    /// Every channel of a pixel has its own vote.
    pub by_channel: bool,
    /// Classes discussed side by side; results do not depend on it.
    pub chunk: usize,
    /// Vote among these classes only: at least two, without repetition, in any order. `None`: all.
    #[serde(default)]
    pub classes: Option<Vec<usize>>,
}

impl Default for VoteConfig {
    /// The conserving propagation, all terms, channels summed, 16 classes at a time, among all.
    fn default() -> Self {
        Self {
            propagation: Propagation::default(),
            terms: Terms::default(),
            by_channel: false,
            chunk: 16,
            classes: None,
        }
    }
}

setters!(
    VoteConfig: with_propagation propagation: Propagation, with_terms terms: Terms,
    with_by_channel by_channel: bool, with_chunk chunk: usize,
    with_classes classes: Option<Vec<usize>>
);

/// Which pixel voted for which class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Votes {
    /// The class of each pixel, or [`ABSTAINS`]; in C order of `shape`.
    pub of: Vec<i32>,
    /// By how much the largest discussion of each pixel exceeds the second: how loud the vote is.
    pub margin: Vec<f64>,
    /// `[h, w]` (whatever axes follow the channels); `[c, h, w]` when channels vote.
    pub shape: Vec<usize>,
    /// Votes of each class.
    pub counts: Vec<usize>,
    /// Pixels that abstain.
    pub abstained: usize,
    /// f(x₀), class by class.
    pub scores: Vec<f64>,
    /// How far each discussion's sum is off its score, relative to |score|; see [`Discussions`].
    /// NaN for classes that were not heard.
    pub gaps: Vec<f64>,
    /// The paper's λ of each class; 1 in other propagations. NaN for classes that were not heard.
    pub factors: Vec<f64>,
    /// The classes that were heard, largest score first, if these are not all of the network's classes, because the
    /// sweep was stopped earlier or restricted to some classes. The votes are among them. `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Vec<usize>>,
    /// How many classes were to be heard, if only some were. `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub among: Option<usize>,
}

/// A class and its votes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Number of the class.
    pub class: usize,
    /// Pixels that vote for it.
    pub votes: usize,
    /// Votes as a share of all pixels, including those that abstain.
    pub share: f64,
    /// f(x₀) of the class.
    pub score: f64,
    /// Rank by score: 1 for the class with the largest score.
    pub rank: usize,
}

/// How many classes a network scores.
///
/// # Errors
/// [`Error::NotAClassifier`] if the output is not a vector of at least two scores for one picture.
pub fn classes(f: &(impl LinearOperator + ?Sized)) -> Result<usize> {
    let shape = f.output_shape();
    let long: Vec<usize> = shape.iter().copied().filter(|&size| size > 1).collect();
    match long.as_slice() {
        &[classes] if shape.len() == 1 || shape[0] == 1 => Ok(classes),
        _ => Err(Error::NotAClassifier {
            shape: shape.to_vec(),
        }),
    }
}

/// Channels and the axes of the pixels: of `[1, c, h, w]` they are c and `[h, w]`; of anything with
/// fewer than three axes every entry is a pixel.
fn pixels_of(shape: &[usize]) -> Result<(usize, Vec<usize>)> {
    match shape {
        [1, c, pixels @ ..] if !pixels.is_empty() => Ok((*c, pixels.to_vec())),
        [1, n] => Ok((1, vec![*n])),
        [n] => Ok((1, vec![*n])),
        _ => Err(Error::Batch {
            shape: shape.to_vec(),
        }),
    }
}

/// Sum over channels: `c` planes of `plane` numbers to one.
pub fn summed(discussion: &[f64], c: usize) -> Vec<f64> {
    let plane = discussion.len() / c.max(1);
    let mut sum = vec![0.0; plane];
    for channel in discussion.chunks(plane.max(1)) {
        sum.iter_mut().zip(channel).for_each(|(sum, v)| *sum += v);
    }
    sum
}

/// The best class so far for each pixel, and whether all classes agreed so far. Classes may come in any order:
/// what is left at the end is the same.
struct Running {
    best: Vec<f64>,
    second: Vec<f64>,
    of: Vec<i32>,
    /// Whether every class has said exactly the same.
    tied: Vec<bool>,
    seen: usize,
}

impl Running {
    fn new(pixels: usize) -> Self {
        Self {
            best: vec![f64::NEG_INFINITY; pixels],
            second: vec![f64::NEG_INFINITY; pixels],
            of: vec![ABSTAINS; pixels],
            tied: vec![true; pixels],
            seen: 0,
        }
    }

    /// The discussion of one more class.
    fn hear(&mut self, class: usize, discussion: &[f64]) {
        let class = class as i32;
        for (i, &said) in discussion.iter().enumerate() {
            if self.seen == 0 {
                (self.best[i], self.of[i]) = (said, class);
                continue;
            }
            // While all are tied the best is what each said.
            self.tied[i] &= said == self.best[i];
            // Of equals the lower number wins, whichever came first.
            if said > self.best[i] || (said == self.best[i] && class < self.of[i]) {
                self.second[i] = self.best[i];
                (self.best[i], self.of[i]) = (said, class);
            } else {
                self.second[i] = self.second[i].max(said);
            }
        }
        self.seen += 1;
    }

    /// The votes, and their margins.
    fn close(self) -> (Vec<i32>, Vec<f64>) {
        let votes = self.of.into_iter().zip(self.tied);
        let of = votes.map(|(of, tied)| if tied { ABSTAINS } else { of });
        let margin = self.best.iter().zip(&self.second);
        (
            of.collect(),
            margin.map(|(best, second)| best - second).collect(),
        )
    }
}

/// The classes to hear, the largest score first.
///
/// # Errors
/// [`Error::OutOfRange`]; [`Error::Setting`] for fewer than two and for one that is named twice.
fn to_hear(among: Option<&[usize]>, scores: &[f64]) -> Result<Vec<usize>> {
    let mut order = ranking(scores);
    let Some(among) = among else {
        return Ok(order);
    };
    let refused = |got, allowed| Error::Setting {
        what: "the list of classes to vote among",
        got,
        allowed,
    };
    let mut asked = vec![false; scores.len()];
    for &class in among {
        match asked.get_mut(class) {
            None => {
                return Err(Error::OutOfRange {
                    what: "the class to vote among",
                    index: vec![class],
                    shape: vec![scores.len()],
                });
            }
            Some(true) => {
                return Err(refused(
                    format!("{} classes long", among.len()),
                    format!("class {class} occurs twice; give each class once"),
                ));
            }
            Some(asked) => *asked = true,
        }
    }
    if among.len() < 2 {
        return Err(refused(
            format!("{among:?}"),
            "a vote needs at least two classes".into(),
        ));
    }
    order.retain(|&class| asked[class]);
    Ok(order)
}

/// Compute the votes of every pixel among all classes, or among those of [`VoteConfig::classes`]. Progress
/// counts classes.
///
/// If it is stopped, by the observer or in the middle of a product, after at least two classes have been heard,
/// the result is the votes among these, and [`Votes::heard`] lists them. Before that, a stop is an error
/// ([`Error::is_stopped`]).
///
/// # Example
/// ```
/// # use burn::{nn::LinearConfig, tensor::{Device, FloatDType, TensorData, activation::relu}};
/// # use linearscope::{Network, RuleSet};
/// # use linearscope_analysis::FrozenNetwork;
/// # let device = Device::flex();
/// # let layers = vec![LinearConfig::new(4, 8).init(&device), LinearConfig::new(8, 3).init(&device)];
/// # let network = Network::capture(&layers, |layers, ports| {
/// #     let x = ports.input("x", [1, 4]);
/// #     ports.output("y", layers[1].forward(relu(layers[0].forward(x))));
/// # })?;
/// # let loaded = FrozenNetwork::load(network, &device, FloatDType::F64)?;
/// # let x0 = TensorData::from([[0.3, -0.2, 0.9, 0.5]]);
/// # let frozen = FrozenNetwork::new(loaded, x0, RuleSet::default())?;
/// use linearscope_analysis::{progress::unobserved, votes::{VoteConfig, votes}};
///
/// let found = votes(&frozen, &VoteConfig::default(), unobserved)?;
/// assert_eq!(found.counts.iter().sum::<usize>() + found.abstained, 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Cost: that of [`discussions_of`] for every class; memory: one chunk's discussions.
///
/// # Errors
/// [`Error::NotAClassifier`]; [`Error::Batch`]; [`Error::Stopped`]; for [`VoteConfig::classes`], [`Error::OutOfRange`],
/// and [`Error::Setting`] for fewer than two classes or a repeated one; as [`discussions_of`].
pub fn votes(
    f: &FrozenNetwork,
    config: &VoteConfig,
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Votes> {
    let classes = classes(f)?;
    let (c, mut shape) = pixels_of(f.input_shape())?;
    let n = f.input_len();
    let pixels = match config.by_channel {
        true => n,
        false => n / c,
    };
    if config.by_channel {
        shape.insert(0, c);
    }
    let scores = read(f.reference())?;
    let order = to_hear(config.classes.as_deref(), &scores)?;
    let mut running = Running::new(pixels);
    let (mut gaps, mut factors) = (vec![f64::NAN; classes], vec![f64::NAN; classes]);
    for chunk in order.chunks(config.chunk.max(1)) {
        let progress = Progress::new("counting votes", running.seen, order.len());
        let found = tell(&mut observer, progress)
            .and_then(|()| discussions_of(f, chunk, config.propagation, config.terms));
        // Of one class alone every pixel would abstain.
        let Some(found) = unless_stopped(found, running.seen >= 2)? else {
            break;
        };
        let discussions = numbers(found.pixels)?;
        for (&class, discussion) in chunk.iter().zip(discussions.chunks(n)) {
            match config.by_channel {
                true => running.hear(class, discussion),
                false => running.hear(class, &summed(discussion, c)),
            }
        }
        for (i, &class) in chunk.iter().enumerate() {
            (gaps[class], factors[class]) = (found.gaps[i], found.factors[i]);
        }
    }
    let heard = (running.seen < classes).then(|| order[..running.seen].to_vec());
    let (of, margin) = running.close();
    let mut counts = vec![0; classes];
    let mut abstained = 0;
    for &vote in &of {
        match usize::try_from(vote) {
            Ok(class) => counts[class] += 1,
            Err(_) => abstained += 1,
        }
    }
    Ok(Votes {
        of,
        margin,
        shape,
        counts,
        abstained,
        scores,
        gaps,
        factors,
        heard,
        among: (order.len() < classes).then_some(order.len()),
    })
}

/// Compute the discussions of some classes with channels summed, `[classes, ..pixels]`, together
/// with the [`Discussions`] that they come from.
///
/// Cost: as [`discussions_of`].
///
/// # Errors
/// As [`votes`].
pub fn discussed(
    f: &FrozenNetwork,
    classes: &[usize],
    config: &VoteConfig,
) -> Result<(Vec<Vec<f64>>, Discussions)> {
    let (c, _) = pixels_of(f.input_shape())?;
    let found = discussions_of(f, classes, config.propagation, config.terms)?;
    let each = numbers(found.pixels.clone())?;
    let each = each.chunks(f.input_len()).map(|d| summed(d, c)).collect();
    Ok((each, found))
}

impl Votes {
    /// How many classes were to be heard.
    pub fn asked(&self) -> usize {
        self.among.unwrap_or(self.scores.len())
    }

    /// Whether the sweep was stopped before all requested classes were heard, see [`heard`](Self::heard).
    pub fn is_partial(&self) -> bool {
        (self.heard.as_ref()).is_some_and(|heard| heard.len() < self.asked())
    }

    /// Whether pixels could vote for a class.
    pub fn was_heard(&self, class: usize) -> bool {
        (self.heard.as_ref()).is_none_or(|heard| heard.contains(&class))
    }

    /// Every class's votes and score, most votes first; among equals, the larger score first.
    pub fn table(&self) -> Vec<Tally> {
        let mut table: Vec<Tally> = ranking(&self.scores)
            .iter()
            .enumerate()
            .map(|(place, &class)| Tally {
                class,
                votes: self.counts[class],
                share: self.counts[class] as f64 / self.of.len().max(1) as f64,
                score: self.scores[class],
                rank: place + 1,
            })
            .collect();
        table.sort_by_key(|tally| std::cmp::Reverse(tally.votes));
        table
    }

    /// The pixels that vote for a class.
    pub fn mask(&self, class: usize) -> Vec<bool> {
        self.of
            .iter()
            .map(|&vote| usize::try_from(vote) == Ok(class))
            .collect()
    }

    /// The votes that are at least as loud as the `count` loudest; all others abstain.
    pub fn loudest(&self, count: usize) -> Vec<i32> {
        let mut margins = self.margin.clone();
        margins.sort_by(|a, b| b.total_cmp(a));
        let least = margins.get(count.max(1) - 1).copied().unwrap_or(0.0);
        let loud = |(vote, margin): (&i32, &f64)| if *margin >= least { *vote } else { ABSTAINS };
        self.of.iter().zip(&self.margin).map(loud).collect()
    }

    /// The share of pixels whose votes differ, for pictures of the same size.
    pub fn moved(&self, other: &Self) -> f64 {
        let pairs = self.of.iter().zip(&other.of);
        pairs.filter(|(a, b)| a != b).count() as f64 / self.of.len().max(1) as f64
    }
}

/// Intersection over union of two masks; 0 if both are empty.
pub fn intersection_over_union(a: &[bool], b: &[bool]) -> f64 {
    let both = a.iter().zip(b).filter(|(a, b)| **a && **b).count();
    let either = a.iter().zip(b).filter(|(a, b)| **a || **b).count();
    both as f64 / either.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn votes_in(order: &[usize], discussions: &[&[f64]]) -> (Vec<i32>, Vec<f64>) {
        let mut running = Running::new(discussions[0].len());
        for &class in order {
            running.hear(class, discussions[class]);
        }
        running.close()
    }

    fn votes_of(discussions: &[&[f64]]) -> (Vec<i32>, Vec<f64>) {
        let order: Vec<usize> = (0..discussions.len()).collect();
        votes_in(&order, discussions)
    }

    #[test]
    fn the_order_of_classes_does_not_matter() {
        let said: [&[f64]; 4] = [
            &[0.0, 2.0, 1.0, -3.0, 0.0, 5.0, 1.0, 7.0],
            &[0.0, 2.0, 3.0, -1.0, 0.0, 5.0, 2.0, 7.0],
            &[0.0, 2.0, 3.0, -1.0, 1.0, 4.0, 1.0, 6.0],
            &[0.0, 2.0, 3.0, -2.0, 1.0, 5.0, 2.0, 7.0],
        ];
        let expected = votes_of(&said);
        assert_eq!(expected.0, [-1, -1, 1, 1, 2, 0, 1, 0]);
        let bits = |(of, margin): (Vec<i32>, Vec<f64>)| {
            let margin: Vec<u64> = margin.into_iter().map(f64::to_bits).collect();
            (of, margin)
        };
        for a in 0..4 {
            for b in (0..4).filter(|b| *b != a) {
                for c in (0..4).filter(|c| ![a, b].contains(c)) {
                    let order = [a, b, c, 6 - a - b - c];
                    let found = votes_in(&order, &said);
                    assert_eq!(bits(found), bits(expected.clone()), "{order:?}");
                }
            }
        }
    }

    #[test]
    fn the_largest_wins_and_full_ties_abstain() {
        // Pixels: 0 tie of all at 0, 1 tie of all at 2, 2 tie of two for the largest, 3 all below 0,
        // 4 the last wins, 5 tied until the last says less, 6 −0 is 0.
        let (found, margin) = votes_of(&[
            &[0.0, 2.0, 1.0, -3.0, 0.0, 5.0, 0.0],
            &[0.0, 2.0, 3.0, -1.0, 0.0, 5.0, -0.0],
            &[0.0, 2.0, 3.0, -2.0, 1.0, 4.0, 0.0],
        ]);
        assert_eq!(found, [-1, -1, 1, 1, 2, 0, -1]);
        assert_eq!(margin, [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn some_classes_are_heard_best_first() {
        let scores = [0.5, 3.0, -1.0, 2.0];
        assert_eq!(to_hear(None, &scores).unwrap(), [1, 3, 0, 2]);
        assert_eq!(to_hear(Some(&[2, 3]), &scores).unwrap(), [3, 2]);
        assert_eq!(to_hear(Some(&[0, 1, 2, 3]), &scores).unwrap(), [1, 3, 0, 2]);
        for (among, why) in [
            (&[1usize][..], "is [1], but a vote needs at least two"),
            (&[], "is [], but a vote needs at least two"),
            (&[1, 2, 1], "class 1 occurs twice"),
            (&[1, 4], "the class to vote among [4] is outside [4]"),
        ] {
            let told = to_hear(Some(among), &scores).unwrap_err().to_string();
            assert!(told.contains(why), "{told}");
        }
    }

    #[test]
    fn overlap() {
        let (a, b) = ([true, true, false, false], [false, true, true, false]);
        assert_eq!(intersection_over_union(&a, &b), 1.0 / 3.0);
        assert_eq!(intersection_over_union(&a, &a), 1.0);
        assert_eq!(intersection_over_union(&[false], &[false]), 0.0);
        let votes = Votes {
            of: vec![0, 1, 1, 0],
            margin: vec![0.1, 3.0, 0.5, 2.0],
            shape: vec![2, 2],
            counts: vec![2, 2],
            abstained: 0,
            scores: vec![1.0, 2.0],
            gaps: vec![0.0; 2],
            factors: vec![1.0; 2],
            heard: None,
            among: None,
        };
        assert_eq!(votes.loudest(2), [-1, 1, -1, 0]);
        assert_eq!(votes.loudest(9), votes.of);
        assert_eq!(summed(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3), [9.0, 12.0]);
    }
}
