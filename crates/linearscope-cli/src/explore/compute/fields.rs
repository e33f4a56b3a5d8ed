//! Rows and columns of F.

use linearscope_analysis::{LinearOperator, operator::Field};

use super::{Answer, Question, Refusal};
use crate::commands::fields;

impl Question<'_> {
    /// The row or column of one place, cropped to what is not 0.
    pub(super) fn field(mut self, field: Field, at: &str) -> Result<Answer, Refusal> {
        let frozen = &self.subject.frozen;
        let (input, output) = (frozen.input_shape(), frozen.output_shape());
        let (values, from, to) = match field {
            Field::Column => (&self.point.x0, input, output),
            Field::Row => (&self.point.y0, output, input),
        };
        let places = fields::places(self.subject, field, "at", &[at.into()], (values, from))?;
        let positions: Vec<Vec<usize>> = places.into_iter().map(|at| at.positions).collect();
        let [_] = positions[..] else {
            return Err(Refusal::bad(format!("at={at}: it names several places"))
                .hint("ask about one at a time"));
        };
        let found = frozen.fields(field, &positions, &mut self.observer)?;
        let found = self.subject.numbers(found)?;
        Answer::cropped(&found, to, self.subject.precision)
    }
}
