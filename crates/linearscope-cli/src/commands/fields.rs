//! `column` and `row`: projective and receptive fields.

use linearscope_analysis::{
    LinearOperator,
    projection::{self, Field},
};

use super::position;
use crate::{args::At, error::Result, output, session::Session};

pub(crate) fn run(args: &At, field: Field) -> Result<()> {
    let name = match field {
        Field::Column => "column",
        Field::Row => "row",
    };
    let mut session = Session::open(name, &args.common)?;
    let frozen = &session.frozen;
    let (from, to) = match field {
        Field::Column => (
            frozen.input_shape().to_vec(),
            frozen.output_shape().to_vec(),
        ),
        Field::Row => (
            frozen.output_shape().to_vec(),
            frozen.input_shape().to_vec(),
        ),
    };
    let places = args
        .at
        .iter()
        .map(|at| position::parse("--at", at, &from))
        .collect::<Result<Vec<_>>>()?;
    let found = projection::fields(frozen, field, &places, |done| {
        output::progress(&format!("{name} {} of {}", done + 1, places.len()));
    })?;
    let fields = session.numbers(found)?;
    let each = fields.len() / args.at.len();
    session.note("at", &args.at);
    let mut summary = Vec::new();
    for (at, values) in args.at.iter().zip(fields.chunks(each)) {
        let largest = values.iter().fold(0f64, |m, v| m.max(v.abs()));
        let used = values.iter().filter(|v| **v != 0.0).count();
        summary.push(format!(
            "{name} {at}: {used} of {} entries are not zero, the largest {largest:.3e}",
            values.len()
        ));
    }
    if let [_] = args.at.as_slice() {
        session.save(name, &fields, &to)?;
    } else {
        let shape = [vec![args.at.len()], to.clone()].concat();
        session.save_array(name, &fields, &shape)?;
        for (i, values) in fields.chunks(each).enumerate() {
            session.save_picture(&format!("{name}_{i}"), values, &to)?;
        }
    }
    session.close(&summary)
}
