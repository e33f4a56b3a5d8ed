//! `column`.

use clap::Args;
use linearscope_analysis::operator::Field;
use serde::Serialize;
use serde_json::json;

use super::fields;
use crate::{
    args::Common,
    command::{About, Alone, FileAbout, Group, OnPicture, Pictures, TableAbout, Told},
    error::Result,
    session::Session,
};

/// `column`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct Column {
    /// Which input pixel: `c,y,x` (c may be `all`); repeat for several. `auto` chooses six, from the strongest edge to
    /// the flattest part
    #[arg(long, default_value = "auto", value_name = "C,Y,X|auto")]
    pub at: Vec<String>,
    #[command(flatten)]
    #[serde(skip)]
    pub common: Common,
}

impl OnPicture for Column {
    const ABOUT: &'static About = &About {
        name: "column",
        group: Group::Operator,
        summary: "Show where an input pixel goes (a column of F: its projective field)",
        details: "A column F δ is what one input pixel adds to the output, and with what weight, while decisions stay frozen.",
        example: "column net.onnx --input cat.jpg --at all,40,40",
        pictures: Pictures::One,
        files: &[
            FileAbout(
                "column.npy",
                "the columns, in the output's shape; several have a leading axis",
            ),
            FileAbout("column.png", "the columns drawn, with where they are"),
            FileAbout("column.svg", "the same for print"),
        ],
        tables: &[TableAbout {
            name: "columns",
            rows: "one line for each column",
            columns: fields::COLUMNS,
        }],
        includes: &[],
    };

    type Fold = Alone;

    fn common(&self) -> &Common {
        &self.common
    }

    fn picture(&self, session: &mut Session) -> Result<Told> {
        let (_, summary) = fields::find(session, Field::Column, "--at", &self.at)?;
        Ok(Told {
            line: summary.first().cloned().unwrap_or_default(),
            found: json!({}),
            summary,
            failure: None,
        })
    }
}
