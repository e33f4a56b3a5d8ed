//! Questions as the page asks them.

use crate::explore::{asked::Asked, params::Params, refusal::Refusal};

/// A path below `/api/` with its parameters.
#[derive(Clone, Debug)]
pub(super) struct Query {
    path: &'static str,
    pairs: Vec<(&'static str, String)>,
}

impl Query {
    pub(super) fn new<const N: usize>(
        path: &'static str,
        pairs: [(&'static str, String); N],
    ) -> Self {
        Self {
            path,
            pairs: pairs.into(),
        }
    }

    pub(super) fn is_session(&self) -> bool {
        self.path == "session"
    }

    /// Its name in the export: parameters in the order of their names, as page/source-export.js has it.
    pub(super) fn name(&self) -> String {
        let mut pairs = self.pairs.clone();
        pairs.sort();
        let pairs: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        match pairs.is_empty() {
            true => self.path.into(),
            false => format!("{}?{}", self.path, pairs.join("&")),
        }
    }

    /// What it asks, by the same reading as the server's.
    pub(super) fn asked(&self) -> Result<Asked, Refusal> {
        let mut params = Params::given(&self.pairs);
        let asked = Asked::of(self.path, &mut params)?;
        params.done()?;
        Ok(asked)
    }
}
