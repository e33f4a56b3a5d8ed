//! Before and after: what an attack, or any other change, did to what a classifier says of one picture, and
//! over a set of them (the paper's Fig. 8).

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::{
    contribution::{self, ContributionStatistics, Contributions, contributions, top1},
    difference::{Difference, DifferenceConfig, difference},
    error::{Error, Result},
    estimate::MeanStd,
    frozen::FrozenNetwork,
    progress::Progress,
    votes::{VoteConfig, Votes, votes},
};

/// One picture before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
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
    pub difference: Difference,
}

impl Comparison {
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

/// How two pictures are compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ComparisonConfig {
    /// How votes are counted.
    pub votes: VoteConfig,
    /// How norms are estimated.
    pub difference: DifferenceConfig,
}

setters!(
    ComparisonConfig: with_votes votes: VoteConfig, with_difference difference: DifferenceConfig
);

/// Compare two pictures of one classifier.
///
/// Cost: the votes of both, [`difference`], two adjoint sweeps.
///
/// # Errors
/// As [`votes`] and [`difference`].
pub fn compare(
    before: &FrozenNetwork,
    after: &FrozenNetwork,
    config: &ComparisonConfig,
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Comparison> {
    let class = top1(before)?;
    let mut count = |f, doing| {
        votes(f, &config.votes, |progress| {
            observer(&Progress { doing, ..*progress })
        })
    };
    let votes = [
        count(before, "counting votes before")?,
        count(after, "counting votes after")?,
    ];
    Ok(Comparison {
        class,
        class_after: top1(after)?,
        before: contributions(before, class)?,
        after: contributions(after, class)?,
        votes,
        difference: difference(before, after, class, &config.difference, &mut observer)?,
    })
}

/// Flipped decisions of one layer of units over a set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlipStatistics {
    /// The network node.
    pub name: String,
    /// Number of its layer.
    pub layer: usize,
    /// What decides.
    pub kind: String,
    /// How many units there are in one picture.
    pub units: usize,
    /// Of flipped / units.
    pub share: MeanStd,
}

/// What an attack did over a set of pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonStatistics {
    /// How many pictures.
    pub pictures: usize,
    /// How many have another best class.
    pub changed: usize,
    /// Contributions to the best class before, on the pictures as they were.
    pub before: ContributionStatistics,
    /// Contributions to the same classes after.
    pub after: ContributionStatistics,
    /// Each layer of units that chose.
    pub flips: Vec<FlipStatistics>,
    /// Of all flipped units over all units.
    pub flipped_share: MeanStd,
    /// Of ‖F′ − F‖ / ‖F‖.
    pub f_change: MeanStd,
    /// Of ‖row′ − row‖ / ‖row‖ of the best class before.
    pub row: MeanStd,
    /// Of the cosine between the two rows.
    pub row_cosine: MeanStd,
    /// Of ‖r′ − r‖ / ‖r‖.
    pub residual_change: MeanStd,
    /// Of the share of pixels that vote otherwise.
    pub moved: MeanStd,
    /// Of the share of pixels that vote for the best class before, on the pictures as they were.
    pub share_before: MeanStd,
    /// The same after.
    pub share_after: MeanStd,
}

/// Mean and standard deviation over pictures of one network.
///
/// # Errors
/// [`Error::Empty`] for no pictures; [`Error::Different`] for pictures of different networks.
pub fn aggregate(set: &[Comparison]) -> Result<ComparisonStatistics> {
    let (before, after) = (
        contribution::aggregate(set.iter().map(|one| &one.before))?,
        contribution::aggregate(set.iter().map(|one| &one.after))?,
    );
    let nodes = |one: &Comparison| one.difference.flips.len();
    if set.iter().any(|one| nodes(one) != nodes(&set[0])) {
        return Err(Error::Different {
            what: "comparisons",
            because: "their units differ in number".into(),
        });
    }
    let of = |number: &dyn Fn(&Comparison) -> f64| {
        MeanStd::of(&set.iter().map(number).collect::<Vec<_>>())
    };
    let flips = set[0]
        .difference
        .flips
        .iter()
        .enumerate()
        .map(|(i, flip)| FlipStatistics {
            name: flip.name.clone(),
            layer: flip.layer,
            kind: flip.kind.clone(),
            units: flip.units,
            share: of(&|one| one.difference.flips[i].share),
        });
    Ok(ComparisonStatistics {
        pictures: set.len(),
        changed: set.iter().filter(|one| one.changed()).count(),
        before,
        after,
        flips: flips.collect(),
        flipped_share: of(&|one| one.difference.flipped_share),
        f_change: of(&|one| one.difference.f_change()),
        row: of(&|one| one.difference.row),
        row_cosine: of(&|one| one.difference.row_cosine),
        residual_change: of(&|one| one.difference.residual_change),
        moved: of(&Comparison::moved),
        share_before: of(&|one| one.share()[0]),
        share_after: of(&|one| one.share()[1]),
    })
}
