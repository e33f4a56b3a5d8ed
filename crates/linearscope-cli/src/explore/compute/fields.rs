//! Rows and columns of F.

use linearscope_analysis::{LinearOperator, operator::Field};

use super::{Answer, Question, Refusal};
use crate::commands::fields;

fn several(at: &str) -> Refusal {
    Refusal::bad(format!("at={at}: selects several places")).hint("ask about one at a time")
}

impl Question<'_> {
    /// The row or column of one place, cropped to what is not 0.
    pub(super) fn field(self, field: Field, at: &str) -> Result<Answer, Refusal> {
        let mut found = self.fields_at(field, &[at.into()])?;
        found.pop().ok_or_else(|| several(at))
    }

    /// Those of several places, each by a text of its own.
    pub(super) fn fields_at(mut self, field: Field, at: &[String]) -> Result<Vec<Answer>, Refusal> {
        let frozen = &self.subject.frozen;
        let (input, output) = (frozen.input_shape(), frozen.output_shape());
        let (values, from, to) = match field {
            Field::Column => (&self.point.x0, input, output),
            Field::Row => (&self.point.y0, output, input),
        };
        let places = fields::places(self.subject, field, "at", at, (values, from))?;
        if places.len() != at.len() {
            return Err(several(&at.join(" ")));
        }
        let positions: Vec<Vec<usize>> = places.into_iter().map(|at| at.positions).collect();
        let found = frozen.fields(field, &positions, &mut self.observer)?;
        let found = self.subject.numbers(found)?;
        let each: usize = to.iter().product();
        let crop = |one| Answer::cropped(one, to, self.subject.precision);
        found.chunks(each.max(1)).map(crop).collect()
    }
}
