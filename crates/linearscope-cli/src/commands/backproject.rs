//! `backproject`: Fᵀ y₂, for the network or a part of it.

use std::path::PathBuf;

use clap::Args;
use linearscope::program::Clip;
use linearscope_analysis::LinearOperator;
use serde::Serialize;
use serde_json::json;

use crate::{
    args::{Between, Common},
    command::{About, Alone, FileAbout, Group, OnPicture, Pictures, Told},
    error::Result,
    picture::View,
    session::Session,
};

/// `backproject`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct Backproject {
    /// y₂: an .npy array of the output's shape
    #[arg(long, value_name = "NPY")]
    #[serde(serialize_with = "crate::content::of_path")]
    pub output: PathBuf,
    /// Use Zeiler and Fergus' deconvolution instead of Fᵀ: on the way back, units pass only positive values. It is not
    /// part of F and is meant for comparison
    #[arg(long)]
    pub deconvolution: bool,
    #[command(flatten)]
    pub between: Between,
    #[command(flatten)]
    #[serde(skip)]
    pub common: Common,
}

impl OnPicture for Backproject {
    const ABOUT: &'static About = &About {
        name: "backproject",
        group: Group::Operator,
        summary: "Project any output back to the pixels: Fᵀ y₂",
        details: "",
        example: "backproject net.onnx --input cat.jpg --output y.npy",
        pictures: Pictures::One,
        files: &[
            FileAbout("backprojected.npy", "Fᵀ y₂, in the input's shape"),
            FileAbout("backprojected.png", "Fᵀ y₂ drawn"),
            FileAbout("backprojected.svg", "the same for print"),
        ],
        tables: &[],
        includes: &[],
    };

    type Fold = Alone;

    fn common(&self) -> &Common {
        &self.common
    }

    fn picture(&self, session: &mut Session) -> Result<Told> {
        let part = session
            .frozen
            .between(self.between.from.as_deref(), self.between.to.as_deref())?;
        let shape = part.input_shape().to_vec();
        let [shaped, of_output] = self.between.shaped();
        let output = session.read_array(&self.output, part.output_shape(), of_output)?;
        let (back, title) = match self.deconvolution {
            true => (
                part.clipped(output, Clip::Deconvolution)?,
                "deconvolution of y₂",
            ),
            false => (part.apply_adjoint(output)?, "Fᵀ y₂"),
        };
        let backprojected = session.numbers(back)?;
        session.save_signed(
            "backprojected",
            title,
            &backprojected,
            (&shape, shaped),
            View::Whole,
        )?;
        let line = format!("{title} has shape {shape:?}");
        Ok(Told {
            summary: vec![line.clone()],
            line,
            found: json!({}),
            failure: None,
        })
    }
}
