//! Votes: which class each pixel speaks for.

use linearscope_analysis::votes::{VoteConfig, votes};
use serde_json::{Value, json};

use super::{
    Answer, Question, Refusal,
    jobs::{Kept, Result as Job},
};
use crate::{
    error::Failure,
    explore::asked::{Asked, Of},
};

impl Question<'_> {
    /// The votes among all classes, by the settings of `linearscope votes`.
    pub(super) fn votes(self, asked: &Asked, kept: &Kept) -> Result<Answer, Refusal> {
        let subject = self.subject;
        let found = votes(&subject.frozen, &VoteConfig::default(), self.observer)?;
        if found.is_partial() {
            return Err(Failure::interrupted("the votes were stopped").into());
        }
        let table = found.table().into_iter();
        let classes: Vec<Value> = table
            .filter(|tally| tally.votes > 0)
            .map(|tally| {
                json!({
                    "class": tally.class,
                    "label": subject.label(tally.class),
                    "votes": tally.votes,
                    "share": tally.share,
                    "score": tally.score,
                    "rank": tally.rank,
                })
            })
            .collect();
        let said = json!({
            "classes": classes,
            "abstained": found.abstained,
            "shape": found.shape,
        });
        kept.put(asked, Job::Votes(found.into()));
        Ok(Answer::json(&said))
    }

    /// The class of each pixel.
    pub(super) fn vote_map(&self, of: &Of, kept: &Kept) -> Result<Answer, Refusal> {
        let found = kept.votes(of)?;
        Answer::whole(&found.of, &found.shape)
    }
}
