//! The program beside what a checkout does not hold: real networks and pictures, a browser, SciPy. What is
//! not there is ignored with its reason.

mod cases;
mod classifiers;
mod decisions;
mod explore;
mod page;
mod scipy;

use std::{path::PathBuf, process::ExitCode};

use cases::{every_case_is_computed_or_refused, every_picture_is_read_or_refused};
use classifiers::residual_shares_are_the_same_everywhere;
use decisions::a_decision_that_is_data_flips;
use linearscope_test_support::{machine, needing, needs, networks::model};
use page::{
    overlays_fade_and_tables_sort, the_report_fits_narrow_and_wide_screens,
    the_report_tells_the_numbers_of_the_arrays,
};
use scipy::scipy_reads_the_matrix_that_project_applies;

const PROGRAM: &str = env!("CARGO_BIN_EXE_linearscope");

/// A classifier and its pictures.
fn curated() -> Result<PathBuf, String> {
    model("squeezenet1.1")?;
    machine::shared("images/imagenet_curated")?;
    machine::shared_data()
}

fn main() -> ExitCode {
    let mut trials = needing!(curated => residual_shares_are_the_same_everywhere);
    trials.extend(needing!(|| machine::shared("cases/cat-of-decision") =>
        a_decision_that_is_data_flips));
    trials.extend(needing!(|| machine::shared("cases") => every_case_is_computed_or_refused));
    trials.extend(needing!(|| machine::shared("cases/pictures") =>
        every_picture_is_read_or_refused));
    trials.extend(needing!(machine::browser => the_report_fits_narrow_and_wide_screens));
    trials.extend(needing!(machine::driven_browser =>
        the_report_tells_the_numbers_of_the_arrays, overlays_fade_and_tables_sort));
    trials.extend(needing!(machine::python_with_scipy =>
        scipy_reads_the_matrix_that_project_applies));
    trials.extend(explore::trials());
    needs::run(trials)
}
