//! Radii of rows and columns, over a grid each, and what is copied from elsewhere.

use linearscope_analysis::{
    Progress,
    maps::{Grid, column_maps, field::SHARES, row_maps},
};
use serde_json::{Value, json};

use super::{Answer, Question, Refusal};
use crate::{
    commands::maps::{self, ARROWS},
    error::Failure,
};

/// A number, or nothing where there is none.
fn number(value: f64) -> Value {
    match value.is_finite() {
        true => json!(value),
        false => Value::Null,
    }
}

impl Question<'_> {
    /// What `linearscope maps` measures of rows, at places `step` output pixels apart, and the radii of columns on its
    /// grid of the input.
    pub(super) fn fields(self, step: Option<usize>) -> Result<Answer, Refusal> {
        let (subject, frozen) = (self.subject, &self.subject.frozen);
        let pictures = maps::pictures_of(subject)?;
        let ([_, h, w], [_, rows, columns]) = (pictures.input, pictures.output);
        let [stride, there] = maps::strides(frozen, &pictures, step)?;
        let grid = Grid::every(stride, [rows, columns]);
        let inputs = Grid::every(there, [h, w]);
        let radius = maps::surroundings(&pictures);
        let stopped = || Refusal::from(Failure::interrupted("computing the fields was stopped"));
        // One bar for both walks.
        let of = grid.len() + inputs.len();
        let mut observer = |at: &Progress, before: usize| {
            let mut at = *at;
            (at.done, at.of) = (before + at.done, of);
            (self.observer)(&at)
        };
        let found = row_maps(frozen, &grid, radius, |at| observer(at, 0))?;
        if found.is_partial() {
            return Err(stopped());
        }
        // Radii alone: no column is a template.
        let before = grid.len();
        let spread = column_maps(frozen, &inputs, f64::INFINITY, 0, |at| observer(at, before))?;
        if spread.is_partial() {
            return Err(stopped());
        }
        let all = |values: &[f64]| values.iter().copied().map(number).collect::<Vec<_>>();
        let arrows = &found.feeds.arrows;
        Ok(Answer::json(&json!({
            "step": stride,
            "y": grid.y,
            "x": grid.x,
            "shares": SHARES,
            "row_radii": found.radii.each_ref().map(|radii| all(radii)),
            "columns": {
                "step": there,
                "y": inputs.y,
                "x": inputs.x,
                "radii": spread.radii.each_ref().map(|radii| all(radii)),
            },
            "radius": radius,
            "off_diagonal": all(&found.off_diagonal),
            "origins": found.origins,
            "arrows": arrows[..arrows.len().min(ARROWS)],
            "share": number(found.feeds.share),
        })))
    }
}
