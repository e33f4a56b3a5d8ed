//! Which class a name means.

use crate::error::{Failure, Result};

/// Which labels a text means.
pub(crate) enum Labelled {
    /// It is the whole label.
    Wholly(usize),
    /// These hold it, one or more.
    Partly(Vec<usize>),
}

/// The whole label, else those that hold it, whatever the case.
pub(crate) fn labelled(labels: &[String], text: &str) -> Option<Labelled> {
    let wanted = text.trim().to_lowercase();
    let lower: Vec<String> = labels.iter().map(|label| label.to_lowercase()).collect();
    if let Some(class) = lower.iter().position(|label| *label == wanted) {
        return Some(Labelled::Wholly(class));
    }
    let holding: Vec<usize> = (0..lower.len())
        .filter(|&at| lower[at].contains(&wanted))
        .collect();
    (!holding.is_empty()).then_some(Labelled::Partly(holding))
}

/// The class that `flag` names by a text: that of the whole label, else of the one label that holds it.
pub(crate) fn class_named(flag: &str, text: &str, labels: &[String]) -> Result<Option<usize>> {
    match labelled(labels, text) {
        None => Ok(None),
        Some(Labelled::Wholly(class)) => Ok(Some(class)),
        Some(Labelled::Partly(holding)) => match holding[..] {
            [class] => Ok(Some(class)),
            _ => {
                let some: Vec<&str> = holding.iter().take(5).map(|&at| &*labels[at]).collect();
                Err(Failure::input(format!(
                    "{flag} {text}: {} labels contain it: {}{}",
                    holding.len(),
                    some.join("; "),
                    if holding.len() > 5 { "; …" } else { "" }
                )))
            }
        },
    }
}
