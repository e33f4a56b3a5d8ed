//! Radii of rows over a grid, and what is copied from elsewhere.

use linearscope_analysis::maps::{Grid, field::SHARES, row_maps};
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
    /// What `linearscope maps` measures of rows, at places `step` output pixels apart.
    pub(super) fn fields(self, step: Option<usize>) -> Result<Answer, Refusal> {
        let (subject, frozen) = (self.subject, &self.subject.frozen);
        let pictures = maps::pictures_of(subject)?;
        let [_, rows, columns] = pictures.output;
        let [stride, _] = maps::strides(frozen, &pictures, step)?;
        let grid = Grid::every(stride, [rows, columns]);
        let radius = maps::surroundings(&pictures);
        let found = row_maps(frozen, &grid, radius, self.observer)?;
        if found.is_partial() {
            return Err(Failure::interrupted("computing the fields was stopped").into());
        }
        let all = |values: &[f64]| values.iter().copied().map(number).collect::<Vec<_>>();
        let arrows = &found.feeds.arrows;
        Ok(Answer::json(&json!({
            "step": stride,
            "y": grid.y,
            "x": grid.x,
            "shares": SHARES,
            "row_radii": found.radii.each_ref().map(|radii| all(radii)),
            "radius": radius,
            "off_diagonal": all(&found.off_diagonal),
            "origins": found.origins,
            "arrows": arrows[..arrows.len().min(ARROWS)],
            "share": number(found.feeds.share),
        })))
    }
}
