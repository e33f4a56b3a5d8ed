//! The device that `--device` names.

use burn::tensor::Device;
use linearscope::device::{self, AUTO, Chosen};

use crate::{args::Precision, console, error::Result};

/// Open a device that computes in this precision, and its name; the one that `auto` chose is said aloud.
///
/// # Errors
/// A device that is not there or does not open; a precision that it lacks.
pub(crate) fn opened(name: &str, precision: Precision) -> Result<(String, Device)> {
    if name == AUTO {
        let chosen = device::auto(precision.dtype())?;
        console::notice(&said(&chosen, precision));
        return Ok((chosen.name, chosen.device));
    }
    let found = device::select(name)?;
    device::check_dtype(name, &found, precision.dtype())?;
    Ok((name.into(), found))
}

/// What was chosen, and what was not and why.
fn said(chosen: &Chosen, precision: Precision) -> String {
    let mut text = format!("--device auto: {} for {}", chosen.name, precision.name());
    if let Some(adapter) = &chosen.description.adapter {
        text += &format!(" ({adapter})");
    }
    for (name, because) in &chosen.passed_over {
        text += &format!("; {name} {because}");
    }
    text
}
