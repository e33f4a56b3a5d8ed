//! How far to trust a reading: how far it holds, and how much it hangs on the rule that smooth units are frozen by.

use linearscope::RuleSet;
use linearscope_analysis::validity::{RuleDifference, under_rules};
use linearscope_picture::significant;
use serde::Serialize;

use super::{Target, targets};
use crate::{
    baseline::{Towards, percent, trust},
    console,
    error::{Failure, Result},
    session::Session,
};

/// One thing that is known of it.
pub(crate) enum Trusted {
    /// How far it holds towards a picture.
    Holds(Towards),
    /// What other rules would make of a target's row.
    Ruled(Ruled),
}

impl Trusted {
    /// In a sentence.
    pub(crate) fn line(&self) -> String {
        match self {
            Self::Holds(towards) => towards.line(),
            Self::Ruled(ruled) => ruled.line(),
        }
    }

    /// Whether it says that some unit is smooth.
    fn is_smooth(&self) -> bool {
        match self {
            Self::Holds(towards) => towards.is_smooth(),
            Self::Ruled(_) => true,
        }
    }
}

/// What the lines of a reading's trust are about.
pub(super) fn heading(trusted: &[Trusted]) -> Option<String> {
    let first = trusted.first()?;
    Some(match first.is_smooth() {
        true => {
            "how far the reading F x + r holds (it is exact only at x₀, since smooth units change with every step):"
        }
        false => "how far the reading F x + r holds:",
    }
    .into())
}

/// A target's row under other rules.
#[derive(Serialize)]
pub(crate) struct Ruled {
    target: String,
    #[serde(skip)]
    title: String,
    /// Whether it is the first of several, and says what they are about.
    #[serde(skip)]
    begins: bool,
    others: Vec<Other>,
}

/// Its row under one of them.
#[derive(Clone, Serialize)]
struct Other {
    rules: &'static str,
    #[serde(flatten)]
    found: Option<RuleDifference>,
    /// Why there is none.
    refused: Option<String>,
}

/// The tangents of everything, under which F is the gradient.
const GRADIENT: &str = "taylor";

impl Ruled {
    fn line(&self) -> String {
        let said: Vec<String> = self.others.iter().filter_map(Other::words).collect();
        let said = match said.is_empty() {
            true => vec!["the same under all rules".into()],
            false => said,
        };
        let said = format!(
            "the weights that {} gives to pixels would be {}",
            self.title,
            said.join(", ")
        );
        let gradient = self.others.iter().find(|one| one.rules == GRADIENT);
        let is_gradient = gradient
            .and_then(|one| one.found)
            .is_some_and(|found| found.row.distance == 0.0);
        match (self.begins, is_gradient) {
            (false, _) => said,
            (true, true) => {
                format!("F is the gradient here, because of the chosen rules: {said}")
            }
            (true, false) => format!(
                "F is not the gradient here, since the rule that freezes smooth units is a choice: {said}"
            ),
        }
    }

    /// Whether any rule says otherwise, or refuses.
    fn is_told(&self) -> bool {
        self.others.iter().any(|other| other.words().is_some())
    }
}

impl Other {
    /// What changes under it; nothing where nothing does.
    fn words(&self) -> Option<String> {
        let rules = self.rules;
        let gradient = match rules {
            GRADIENT => "the gradient, ",
            _ => "",
        };
        match (&self.found, &self.refused) {
            (Some(found), _) if found.row.distance > 0.0 => Some(format!(
                "{} under --rules {rules} ({gradient}cosine {})",
                different(found.row.distance),
                significant(found.row.cosine, 3)
            )),
            (None, Some(why)) => Some(format!(
                "unknown under --rules {rules}, which do not apply ({why})"
            )),
            _ => None,
        }
    }
}

/// A relative distance in words: percents are read up to a few hundred.
fn different(distance: f64) -> String {
    match distance {
        none if none.is_infinite() => "nonzero".into(),
        many if many >= 10.0 => format!("different by {} times their size", significant(many, 2)),
        part => format!("{} different", percent(part)),
    }
}

/// How far to trust the reading of the best score.
pub(crate) fn trusted(session: &mut Session) -> Result<Vec<Trusted>> {
    let y0 = session.numbers(session.frozen.reference())?;
    let best = targets(session, &["top1".into()], &y0)?;
    trusted_of(session, &best)
}

/// How far to trust the reading of some scores; what cannot be measured takes nothing else down.
pub(super) fn trusted_of(session: &mut Session, targets: &[Target]) -> Result<Vec<Trusted>> {
    let holds = match trust(session) {
        Err(failure) if !failure.is_interruption() => {
            console::notice(&format!(
                "how far the reading holds is unknown: {}",
                failure.message
            ));
            Vec::new()
        }
        found => found?,
    };
    // Of a piecewise-linear network every rule says the same.
    let smooth = holds.first().is_none_or(Towards::is_smooth);
    let ruled = match smooth {
        true => ruled(session, targets)?,
        false => Vec::new(),
    };
    let holds = holds.into_iter().map(Trusted::Holds);
    Ok(holds.chain(ruled.into_iter().map(Trusted::Ruled)).collect())
}

/// What other rules make of each target's row; nothing where they all say the same. Cost: a freezing a rule set, and with
/// each two adjoints a target.
fn ruled(session: &mut Session, targets: &[Target]) -> Result<Vec<Ruled>> {
    console::step("measuring the effect of other rules");
    // `secant` is the default.
    let own = session.frozen.frozen().rules().entries().is_empty();
    let names = ["secant", GRADIENT, "mask"];
    let positions: Vec<Vec<usize>> = targets.iter().map(|one| one.positions.clone()).collect();
    let mut others: Vec<Vec<Other>> = vec![Vec::new(); targets.len()];
    for rules in names.into_iter().skip(usize::from(own)) {
        let set: RuleSet = rules.parse()?;
        let found = under_rules(&session.frozen, &positions, &set);
        let (found, refused) = match found {
            Ok(found) => (Some(found), None),
            Err(error) if error.is_stopped() => return Err(error.into()),
            Err(error) => (None, Some(Failure::from(error).message)),
        };
        for (i, others) in others.iter_mut().enumerate() {
            others.push(Other {
                rules,
                found: found.as_ref().map(|found| found[i]),
                refused: refused.clone(),
            });
        }
    }
    let found: Vec<Ruled> = (targets.iter().zip(others).enumerate())
        .map(|(i, (target, others))| Ruled {
            target: target.text.clone(),
            title: target.title(),
            begins: i == 0,
            others,
        })
        .collect();
    session.note("rules_compared", &found);
    match found.iter().any(Ruled::is_told) {
        true => Ok(found),
        false => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::different;

    #[test]
    fn distances_in_words() {
        assert_eq!(different(0.392), "39 % different");
        assert_eq!(different(169.95), "different by 170 times their size");
        assert_eq!(different(f64::INFINITY), "nonzero");
    }
}
