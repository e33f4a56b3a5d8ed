//! The parameters of a request: each is known, given once, and short.

use std::str::FromStr;

use axum::{extract::Query, http::Uri};

use super::refusal::Refusal;

/// The longest value that means anything: a composite of LRP rules.
const LONGEST: usize = 512;

/// What was given and not yet taken.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn of(uri: &Uri) -> Result<Self, Refusal> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| Refusal::bad("cannot read the query (the part after ?)"))?;
        for (at, (name, value)) in pairs.iter().enumerate() {
            if name.len() > 32 || value.len() > LONGEST {
                return Err(Refusal::bad(format!(
                    "a parameter is longer than {LONGEST} bytes"
                )));
            }
            if pairs[..at].iter().any(|(other, _)| other == name) {
                return Err(Refusal::bad(format!("{name} is given twice")));
            }
        }
        Ok(Self(pairs))
    }

    /// Those that the program itself asks by.
    pub(crate) fn given(pairs: &[(&'static str, String)]) -> Self {
        let owned = pairs
            .iter()
            .map(|(name, value)| (name.to_string(), value.clone()));
        Self(owned.collect())
    }

    /// A parameter's text; empty is as good as absent.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        let (_, value) = self.0.swap_remove(at);
        (!value.is_empty()).then_some(value)
    }

    /// The same, of what cannot be asked without.
    pub(crate) fn needed(&mut self, name: &str, example: &str) -> Result<String, Refusal> {
        self.text(name).ok_or_else(|| {
            Refusal::bad(format!("{name}= is missing"))
                .hint(format!("for instance {name}={example}"))
        })
    }

    /// A number; NaN and infinity are none.
    pub(crate) fn number<T: FromStr + Into<f64> + Copy>(
        &mut self,
        name: &str,
    ) -> Result<Option<T>, Refusal> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let number = text.parse::<T>().ok();
        match number.filter(|number| (*number).into().is_finite()) {
            Some(number) => Ok(Some(number)),
            None => Err(Refusal::bad(format!("{name}={text}: not a number"))),
        }
    }

    /// 1 or 0.
    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, Refusal> {
        match self.text(name).as_deref() {
            None | Some("0") => Ok(false),
            Some("1") => Ok(true),
            Some(other) => Err(Refusal::bad(format!("{name}={other}: must be 0 or 1"))),
        }
    }

    /// Whether all was taken.
    pub(crate) fn done(self) -> Result<(), Refusal> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(Refusal::bad(format!("unknown parameter {name}="))),
        }
    }
}
