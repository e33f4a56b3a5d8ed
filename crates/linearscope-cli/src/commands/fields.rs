//! `column` and `row`: projective and receptive fields.

use burn::tensor::Tensor;
use linearscope_analysis::LinearOperator;

use super::position;
use crate::{args::At, error::Result, output, session::Session};

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// F δ, a tensor of the output's shape.
    Column,
    /// Fᵀ δ, a tensor of the input's shape.
    Row,
}

/// How many fields are computed side by side.
const BATCH: usize = 8;

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
    let len: usize = from.iter().product();
    let mut fields = Vec::new();
    for (done, chunk) in places.chunks(BATCH).enumerate() {
        output::progress(&format!("{name} {} of {}", done * BATCH + 1, places.len()));
        let mut values = vec![0f64; chunk.len() * len];
        for (row, positions) in chunk.iter().enumerate() {
            for position in positions {
                values[row * len + position] = 1.0;
            }
        }
        let delta: Tensor<2> = frozen.upload(values, len);
        let found = match field {
            Field::Column => frozen.apply(delta)?,
            Field::Row => frozen.apply_adjoint(delta)?,
        };
        fields.extend(session.numbers(found)?);
    }
    session.note("at", &args.at);
    let mut summary = Vec::new();
    for (at, values) in args
        .at
        .iter()
        .zip(fields.chunks(fields.len() / args.at.len()))
    {
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
        let each = fields.len() / args.at.len();
        for (i, values) in fields.chunks(each).enumerate() {
            session.save_picture(&format!("{name}_{i}"), values, &to)?;
        }
    }
    session.close(&summary)
}
