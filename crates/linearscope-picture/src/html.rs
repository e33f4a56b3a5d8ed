//! Sheets and charts as HTML, for callers that build their pages of texts.

use crate::{BarChart, Error, Sheet, page};

impl Sheet {
    /// [`page::sheet`] as text.
    ///
    /// # Errors
    /// As there.
    pub fn to_html(&self) -> Result<String, Error> {
        Ok(page::sheet(self)?.into_string())
    }
}

impl BarChart {
    /// [`page::bars`] as text.
    pub fn to_html(&self) -> String {
        page::bars(self).into_string()
    }
}
