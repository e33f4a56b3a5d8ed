//! `run`: f(x₀), r, the certificate.

use linearscope_analysis::{LinearOperator, ranking};

use super::position;
use crate::{args::Common, error::Result, picture::View, session::Session};

pub(crate) fn run(common: &Common) -> Result<()> {
    let mut session = Session::open("run", common)?;
    let shape = session.frozen.output_shape().to_vec();
    let output = session.numbers(session.frozen.reference())?;
    let residual = session.numbers(session.frozen.residual()?)?;
    session.save_output("output", &output, &shape)?;
    session.save_signed("residual", "residual r", &residual, &shape, View::Whole)?;

    let mut summary = vec![format!(
        "f(x₀) has shape {shape:?}, from x₀ of shape {:?}",
        session.frozen.input_shape()
    )];
    if position::axes(&shape).len() == 1 && output.len() > 1 {
        let order = ranking(&output);
        let top: Vec<_> = order
            .iter()
            .take(5)
            .map(|&k| {
                serde_json::json!({ "class": k, "label": session.label(k), "score": output[k] })
            })
            .collect();
        for &k in order.iter().take(5) {
            summary.push(format!(
                "  class {k:4}  score {:9.4}  {}",
                output[k],
                session.label(k).unwrap_or("")
            ));
        }
        session.note("top", top);
    }
    session.close(&summary)
}
