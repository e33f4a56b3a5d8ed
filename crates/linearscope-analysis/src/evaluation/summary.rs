//! Evaluations of several pictures, put together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Evaluation;
use crate::estimate::MeanStd;

/// A method's evaluations over several pictures. A number that some pictures have not is of those that have it, `None`
/// where none has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The method, by its name.
    pub method: String,
    /// How many pictures it was evaluated on.
    pub pictures: usize,
    /// Areas below [`Evaluation::deletion`].
    pub deletion: MeanStd,
    /// Areas below [`Evaluation::insertion`].
    pub insertion: MeanStd,
    /// Of [`Evaluation::infidelity`].
    pub infidelity: Option<MeanStd>,
    /// Of [`Evaluation::sensitivity`].
    pub sensitivity: Option<MeanStd>,
    /// Of [`Evaluation::randomised`], fewest layers first.
    pub randomised: Vec<StageSummary>,
    /// Of [`Evaluation::object`].
    pub object: Option<ObjectSummary>,
    /// Of [`Evaluation::stability`].
    pub stability: Option<MeanStd>,
}

/// A [`Stage`](super::Stage) over several pictures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageSummary {
    /// How many layers were re-drawn.
    pub layers: usize,
    /// Of its similarity.
    pub similarity: Option<MeanStd>,
}

/// [`OnObject`](super::OnObject) over the pictures whose object is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectSummary {
    /// How many they are.
    pub pictures: usize,
    /// The object's part of the places.
    pub share: MeanStd,
    /// How often the highest place lies on it: mean and standard deviation of 1 and 0.
    pub pointing: MeanStd,
    /// The object's part of what is above 0.
    pub energy: MeanStd,
}

/// Mean and standard deviation of each number, a method each, in the order in which they first come.
///
/// ```
/// use linearscope_analysis::evaluation::summarised;
/// assert!(summarised(&[]).is_empty());
/// ```
pub fn summarised<'a>(evaluations: impl IntoIterator<Item = &'a Evaluation>) -> Vec<Summary> {
    let mut groups: Vec<(&str, Vec<&Evaluation>)> = Vec::new();
    for one in evaluations {
        match groups.iter_mut().find(|(method, _)| *method == one.method) {
            Some((_, all)) => all.push(one),
            None => groups.push((&one.method, vec![one])),
        }
    }
    let groups = groups.into_iter();
    groups.map(|(method, all)| summary(method, &all)).collect()
}

fn summary(method: &str, all: &[&Evaluation]) -> Summary {
    let mut stages: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for stage in all.iter().flat_map(|one| &one.randomised) {
        stages
            .entry(stage.layers)
            .or_default()
            .extend(stage.similarity);
    }
    let stages = stages.into_iter().map(|(layers, found)| StageSummary {
        layers,
        similarity: of(found),
    });
    let objects: Vec<_> = all.iter().filter_map(|one| one.object).collect();
    let each = |number: fn(&super::OnObject) -> f64| of(objects.iter().map(number));
    let object = each(|one| one.share)
        .zip(each(|one| f64::from(u8::from(one.pointing))))
        .zip(each(|one| one.energy))
        .map(|((share, pointing), energy)| ObjectSummary {
            pictures: objects.len(),
            share,
            pointing,
            energy,
        });
    let known =
        |number: fn(&Evaluation) -> Option<f64>| of(all.iter().filter_map(|one| number(one)));
    let areas = |number: fn(&Evaluation) -> f64| {
        let areas: Vec<f64> = all.iter().map(|one| number(one)).collect();
        MeanStd::of(&areas)
    };
    Summary {
        method: method.into(),
        pictures: all.len(),
        deletion: areas(|one| one.deletion.area),
        insertion: areas(|one| one.insertion.area),
        infidelity: known(|one| one.infidelity),
        sensitivity: known(|one| one.sensitivity),
        randomised: stages.collect(),
        object,
        stability: known(|one| one.stability),
    }
}

/// `None` of none.
fn of(values: impl IntoIterator<Item = f64>) -> Option<MeanStd> {
    let values: Vec<f64> = values.into_iter().collect();
    (!values.is_empty()).then(|| MeanStd::of(&values))
}
