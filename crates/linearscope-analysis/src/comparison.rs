//! Before and after: how an attack, or any other change, altered a classifier's result for one picture, and
//! over a set of pictures (the paper's Fig. 8).

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::{
    contribution::{
        ContributionStatistics, ContributionTotals, Contributions, contributions, top1,
    },
    difference::{Difference, DifferenceConfig, Flipped, difference},
    error::{Error, Result},
    estimate::{MeanStd, MeanStdTotals},
    frozen::FrozenNetwork,
    operator::LinearOperator,
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
    /// Votes before and after; none for a single score, since pixels then have no choice.
    pub votes: Option<[Votes; 2]>,
    /// Decisions, F, r.
    pub difference: Difference,
}

impl Comparison {
    /// Whether the best class changed.
    pub fn changed(&self) -> bool {
        self.class != self.class_after
    }

    /// The share of pixels that vote differently, if pixels vote.
    pub fn moved(&self) -> Option<f64> {
        let [before, after] = self.votes.as_ref()?;
        Some(before.moved(after))
    }

    /// The share of pixels that vote for `class`, before and after, if pixels vote.
    pub fn share(&self) -> Option<[f64; 2]> {
        let share = |votes: &Votes| votes.counts[self.class] as f64 / votes.of.len().max(1) as f64;
        let [before, after] = self.votes.as_ref()?;
        Some([share(before), share(after)])
    }

    /// What statistics over many pictures need, without any data of a picture's size.
    pub fn summary(&self) -> ComparisonSummary {
        ComparisonSummary {
            class: self.class,
            class_after: self.class_after,
            before: self.before.clone(),
            after: self.after.clone(),
            flips: self.difference.flips.clone(),
            flipped_share: self.difference.flipped_share,
            f_change: self.difference.f_change(),
            row: self.difference.row,
            row_cosine: self.difference.row_cosine,
            residual_change: self.difference.residual_change,
            moved: self.moved(),
            share: self.share(),
        }
    }
}

/// One picture before and after in a few numbers, made by [`Comparison::summary`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonSummary {
    /// The class of the largest score before.
    pub class: usize,
    /// The class of the largest score after.
    pub class_after: usize,
    /// Contributions to `class` before.
    pub before: Contributions,
    /// Contributions to `class` after.
    pub after: Contributions,
    /// Every layer of units that chose.
    pub flips: Vec<Flipped>,
    /// All flipped units over all units.
    pub flipped_share: f64,
    /// ‖F′ − F‖ / ‖F‖.
    pub f_change: f64,
    /// ‖row′ − row‖ / ‖row‖ of `class`.
    pub row: f64,
    /// The cosine between the two rows.
    pub row_cosine: f64,
    /// ‖r′ − r‖ / ‖r‖.
    pub residual_change: f64,
    /// The share of pixels that vote otherwise; none of one score.
    pub moved: Option<f64>,
    /// The share of pixels that vote for `class`, before and after; none of one score.
    pub share: Option<[f64; 2]>,
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

/// Compare two pictures of one classifier, or of a network with one score.
///
/// Cost: the votes of both, [`difference`], two adjoint sweeps.
///
/// A stop gives no partial result, but an error ([`Error::is_stopped`]).
///
/// # Errors
/// As [`votes`] and [`difference`]; [`Error::Stopped`].
pub fn compare(
    before: &FrozenNetwork,
    after: &FrozenNetwork,
    config: &ComparisonConfig,
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Comparison> {
    let class = top1(before)?;
    let mut count = |f, doing| {
        let found = votes(f, &config.votes, |progress| {
            observer(&Progress { doing, ..*progress })
        })?;
        // Of some classes on one side there is nothing to compare.
        match (found.is_partial(), &found.heard) {
            (true, Some(heard)) => {
                let progress = Progress::new(doing, heard.len(), found.asked());
                Err(Error::Stopped(progress))
            }
            _ => Ok(found),
        }
    };
    let votes = match before.output_len() {
        1 => None,
        _ => Some([
            count(before, "counting votes before")?,
            count(after, "counting votes after")?,
        ]),
    };
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
    /// How many changed their best class.
    pub changed: usize,
    /// Contributions to the best class before, on the unchanged pictures.
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
    /// Of the share of pixels that vote otherwise; none of one score.
    pub moved: Option<MeanStd>,
    /// Of the share of pixels that vote for the best class, before and after; none of one score.
    pub share: Option<[MeanStd; 2]>,
}

/// Accumulates [`ComparisonStatistics`] picture by picture, without keeping the pictures' results. It is plain
/// data, so that a long run can be saved and resumed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ComparisonTotals {
    changed: usize,
    before: ContributionTotals,
    after: ContributionTotals,
    flips: Vec<FlipTotals>,
    flipped_share: MeanStdTotals,
    f_change: MeanStdTotals,
    row: MeanStdTotals,
    row_cosine: MeanStdTotals,
    residual_change: MeanStdTotals,
    moved: MeanStdTotals,
    share: [MeanStdTotals; 2],
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct FlipTotals {
    name: String,
    layer: usize,
    kind: String,
    units: usize,
    share: MeanStdTotals,
}

impl ComparisonTotals {
    /// How many pictures were added.
    pub fn pictures(&self) -> usize {
        self.before.pictures()
    }

    /// Add one more picture of the same network. After an error the totals are unchanged.
    ///
    /// # Errors
    /// [`Error::Different`] for a picture of another network than earlier ones.
    pub fn add(&mut self, one: &ComparisonSummary) -> Result<()> {
        let first = self.pictures() == 0;
        if !first && one.flips.len() != self.flips.len() {
            return Err(Error::Different {
                what: "comparisons",
                because: "their units differ in number".into(),
            });
        }
        let (mut before, mut after) = (self.before.clone(), self.after.clone());
        before.add(&one.before)?;
        after.add(&one.after)?;
        (self.before, self.after) = (before, after);
        if first {
            let flips = one.flips.iter().map(|flip| FlipTotals {
                name: flip.name.clone(),
                layer: flip.layer,
                kind: flip.kind.clone(),
                units: flip.units,
                share: MeanStdTotals::default(),
            });
            self.flips = flips.collect();
        }
        for (totals, flip) in self.flips.iter_mut().zip(&one.flips) {
            totals.share.add(flip.share);
        }
        self.changed += usize::from(one.class != one.class_after);
        self.flipped_share.add(one.flipped_share);
        self.f_change.add(one.f_change);
        self.row.add(one.row);
        self.row_cosine.add(one.row_cosine);
        self.residual_change.add(one.residual_change);
        if let (Some(moved), Some(shares)) = (one.moved, one.share) {
            self.moved.add(moved);
            for (totals, share) in self.share.iter_mut().zip(shares) {
                totals.add(share);
            }
        }
        Ok(())
    }

    /// The statistics of the pictures added so far.
    ///
    /// # Errors
    /// [`Error::Empty`] for no pictures.
    pub fn finish(&self) -> Result<ComparisonStatistics> {
        let flips = self.flips.iter().map(|flip| FlipStatistics {
            name: flip.name.clone(),
            layer: flip.layer,
            kind: flip.kind.clone(),
            units: flip.units,
            share: flip.share.finish(),
        });
        Ok(ComparisonStatistics {
            pictures: self.pictures(),
            changed: self.changed,
            before: self.before.finish()?,
            after: self.after.finish()?,
            flips: flips.collect(),
            flipped_share: self.flipped_share.finish(),
            f_change: self.f_change.finish(),
            row: self.row.finish(),
            row_cosine: self.row_cosine.finish(),
            residual_change: self.residual_change.finish(),
            moved: (self.moved.count() > 0).then(|| self.moved.finish()),
            share: (self.moved.count() > 0).then(|| self.share.map(|share| share.finish())),
        })
    }
}

/// Compute the mean and standard deviation over pictures of one network; see [`ComparisonTotals`].
///
/// # Errors
/// [`Error::Empty`] for no pictures; [`Error::Different`] for pictures of different networks.
pub fn aggregate(set: &[Comparison]) -> Result<ComparisonStatistics> {
    let mut totals = ComparisonTotals::default();
    for one in set {
        totals.add(&one.summary())?;
    }
    totals.finish()
}
