//! `project` and `backproject`: F x₁, F x₁ + r and Fᵀ y₂, for the network or a part of it.

use linearscope_analysis::LinearOperator;

use crate::{
    args::{Backproject, Project},
    error::Result,
    picture::View,
    session::Session,
};

pub(crate) fn project(args: &Project) -> Result<()> {
    let mut session = Session::open("project", &args.common)?;
    let part = session
        .frozen
        .between(args.between.from.as_deref(), args.between.to.as_deref())?;
    let shape = part.output_shape().to_vec();
    let probe = session.read_probe(&args.probe, part.input_shape())?;
    let projected = session.numbers(part.apply(probe.clone())?)?;
    let affine = session.numbers(part.affine(probe)?)?;
    session.note("probe", &args.probe);
    session.note("from", &args.between.from);
    session.note("to", &args.between.to);
    session.save_signed("projected", "F x₁", &projected, &shape, View::Whole)?;
    if args.between.to.is_none() {
        session.save_output("affine", &affine, &shape)?;
    } else {
        // Inside the network a value is no picture.
        session.save_signed("affine", "F x₁ + r", &affine, &shape, View::Whole)?;
    }
    session.close(&[format!("F x₁ and F x₁ + r have shape {shape:?}")])
}

pub(crate) fn backproject(args: &Backproject) -> Result<()> {
    let mut session = Session::open("backproject", &args.common)?;
    let part = session
        .frozen
        .between(args.between.from.as_deref(), args.between.to.as_deref())?;
    let shape = part.input_shape().to_vec();
    let output = session.read_array(&args.output, part.output_shape())?;
    let backprojected = session.numbers(part.apply_adjoint(output)?)?;
    session.note("output_file", &args.output);
    session.note("from", &args.between.from);
    session.note("to", &args.between.to);
    session.save_signed(
        "backprojected",
        "Fᵀ y₂",
        &backprojected,
        &shape,
        View::Whole,
    )?;
    session.close(&[format!("Fᵀ y₂ has shape {shape:?}")])
}
