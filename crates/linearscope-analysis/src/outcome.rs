//! What an attack did to one picture, and over a set of them (the paper's Fig. 8).

use serde::Serialize;

use crate::{
    FrozenNetwork, Result, Spread,
    change::{Change, change},
    contribution::{self, Contributions, Over, contributions},
    votes::{VoteConfig, Votes, votes},
};
use linearscope::Error;

/// One picture before and after.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The class of the largest score before.
    pub class: usize,
    /// The class of the largest score after.
    pub class_after: usize,
    /// Contributions to `class` before.
    pub before: Contributions,
    /// Contributions to `class` after.
    pub after: Contributions,
    /// Votes before and after.
    pub votes: [Votes; 2],
    /// Decisions, F, r.
    pub change: Change,
}

impl Outcome {
    /// Whether the best class is another one.
    pub fn changed(&self) -> bool {
        self.class != self.class_after
    }

    /// The share of pixels that vote otherwise.
    pub fn moved(&self) -> f64 {
        self.votes[0].moved(&self.votes[1])
    }

    /// The share of pixels that vote for `class`, before and after.
    pub fn share(&self) -> [f64; 2] {
        [0, 1].map(|i| {
            let votes = &self.votes[i];
            votes.counts[self.class] as f64 / votes.of.len().max(1) as f64
        })
    }
}

/// Compare two pictures of one classifier. `probes` and `seed` as in [`change`]; `on_step` is told what
/// is being done.
///
/// Cost: the votes of both, [`change`], two adjoint sweeps.
///
/// # Errors
/// As [`votes`] and [`change`].
pub fn outcome(
    before: &FrozenNetwork,
    after: &FrozenNetwork,
    config: &VoteConfig,
    (probes, seed): (usize, u64),
    mut on_step: impl FnMut(&str),
) -> Result<Outcome> {
    let class = contribution::top1(before)?;
    let mut count = |f: &FrozenNetwork, when: &str| {
        votes(f, config, |done, of| {
            on_step(&format!("votes {when}, class {done} of {of}"));
        })
    };
    let votes = [count(before, "before")?, count(after, "after")?];
    on_step("comparing decisions and F");
    Ok(Outcome {
        class,
        class_after: contribution::top1(after)?,
        before: contributions(before, class)?,
        after: contributions(after, class)?,
        votes,
        change: change(before, after, class, probes, seed)?,
    })
}

/// Flipped decisions of one layer of units over a set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FlipSpread {
    /// The network node.
    pub name: String,
    /// Number of its layer.
    pub layer: usize,
    /// What decides.
    pub kind: String,
    /// How many units there are in one picture.
    pub units: usize,
    /// Of flipped / units.
    pub share: Spread,
}

/// What an attack did over a set of pictures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcomes {
    /// How many pictures.
    pub pictures: usize,
    /// How many have another best class.
    pub changed: usize,
    /// Contributions to the best class before, on the pictures as they were.
    pub before: Over,
    /// Contributions to the same classes after.
    pub after: Over,
    /// Each layer of units that chose.
    pub flips: Vec<FlipSpread>,
    /// Of all flipped units over all units.
    pub flipped_share: Spread,
    /// Of ‖F′ − F‖ / ‖F‖.
    pub f_change: Spread,
    /// Of ‖row′ − row‖ / ‖row‖ of the best class before.
    pub row: Spread,
    /// Of the cosine between the two rows.
    pub row_cosine: Spread,
    /// Of ‖r′ − r‖ / ‖r‖.
    pub residual_change: Spread,
    /// Of the share of pixels that vote otherwise.
    pub moved: Spread,
    /// Of the share of pixels that vote for the best class before, on the pictures as they were.
    pub share_before: Spread,
    /// The same after.
    pub share_after: Spread,
}

/// Mean and standard deviation over pictures of one network.
///
/// # Errors
/// [`Error::Question`] for no pictures, or pictures of different networks.
pub fn over(set: &[Outcome]) -> Result<Outcomes> {
    let (before, after) = (
        contribution::over(set.iter().map(|one| &one.before))?,
        contribution::over(set.iter().map(|one| &one.after))?,
    );
    let nodes = |one: &Outcome| one.change.flips.len();
    if set.iter().any(|one| nodes(one) != nodes(&set[0])) {
        return Err(Error::Question(
            "outcomes of different networks: their units differ in number".into(),
        ));
    }
    let of =
        |number: &dyn Fn(&Outcome) -> f64| Spread::of(&set.iter().map(number).collect::<Vec<_>>());
    let flips = set[0]
        .change
        .flips
        .iter()
        .enumerate()
        .map(|(i, flip)| FlipSpread {
            name: flip.name.clone(),
            layer: flip.layer,
            kind: flip.kind.clone(),
            units: flip.units,
            share: of(&|one| one.change.flips[i].share),
        });
    Ok(Outcomes {
        pictures: set.len(),
        changed: set.iter().filter(|one| one.changed()).count(),
        before,
        after,
        flips: flips.collect(),
        flipped_share: of(&|one| one.change.flipped_share),
        f_change: of(&|one| one.change.f_change()),
        row: of(&|one| one.change.row),
        row_cosine: of(&|one| one.change.row_cosine),
        residual_change: of(&|one| one.change.residual_change),
        moved: of(&Outcome::moved),
        share_before: of(&|one| one.share()[0]),
        share_after: of(&|one| one.share()[1]),
    })
}
