//! `row`.

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

/// `row`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct Row {
    /// Which output: `c,y,x` of a picture (c may be `all`), or a class index `k`; repeat for several. `auto` chooses
    /// six, from the strongest edge to the flattest part, or the six best scores
    #[arg(
        long,
        alias = "at",
        default_value = "auto",
        value_name = "C,Y,X|K|auto"
    )]
    pub target: Vec<String>,
    #[command(flatten)]
    #[serde(skip)]
    pub common: Common,
}

impl OnPicture for Row {
    const ABOUT: &'static About = &About {
        name: "row",
        group: Group::Explain,
        summary: "Show which input pixels an output uses (a row of F: its receptive field)",
        details: "A row Fᵀδ is the gradient of one output with respect to the picture while decisions stay \
        frozen: the weight that each input pixel has in that output.",
        example: "row net.onnx --input cat.jpg --target 281",
        pictures: Pictures::One,
        files: &[
            FileAbout(
                "row.npy",
                "the rows, in the input's shape; several have a leading axis",
            ),
            FileAbout("row.png", "the rows drawn, with where they are"),
            FileAbout("row.svg", "the same for print"),
        ],
        tables: &[TableAbout {
            name: "rows",
            rows: "one line for each row",
            columns: fields::COLUMNS,
        }],
        includes: &[],
    };

    type Fold = Alone;

    fn common(&self) -> &Common {
        &self.common
    }

    fn picture(&self, session: &mut Session) -> Result<Told> {
        let (_, summary) = fields::find(session, Field::Row, "--target", &self.target)?;
        Ok(Told {
            line: summary.first().cloned().unwrap_or_default(),
            found: json!({}),
            summary,
            failure: None,
        })
    }
}
