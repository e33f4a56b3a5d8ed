//! `svd`: the largest singular triplets, as arrays, a table and a sheet.

use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use linearscope_analysis::{
    LinearOperator, Progress, ranking,
    svd::{self, Momentum, Solver, SvdConfig, SvdError},
    vectors::numbers,
};
use linearscope_picture::{Band, Panel, Sheet};
use serde_json::json;

use super::{bases, position};
use crate::{
    args::{Between, SolverName, Svd},
    error::{CERTIFICATE, Failure, Result},
    folder::{self, One},
    output,
    picture::View,
    session::Session,
};

/// Set by Ctrl-C: finish with what has converged.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Whether a solver runs that can be interrupted.
static ITERATING: AtomicBool = AtomicBool::new(false);

impl From<SvdError> for Failure {
    fn from(error: SvdError) -> Self {
        match error {
            SvdError::Failed(error) => error.into(),
            error @ (SvdError::Unconverged { .. } | SvdError::Unconfirmed { .. }) => Failure {
                message: error.to_string(),
                hint: None,
                code: CERTIFICATE,
            },
        }
    }
}

/// Triplets a sheet shows side by side.
const ACROSS: usize = 6;

pub(crate) fn run(args: &Svd) -> Result<()> {
    if !folder::is_one(&args.common) {
        return one(args).map(drop);
    }
    folder::each("svd", args, |args| &mut args.common, one)?.close((), &[])
}

fn one(args: &Svd) -> Result<One<()>> {
    let mut session = Session::open("svd", &args.common)?;
    let config = SvdConfig::new(args.k)
        .with_tolerance(args.tol)
        .with_max_products(args.max_products)
        .with_seed(args.seed)
        .with_solver(match args.solver {
            SolverName::Lanczos => Solver::Lanczos {
                block: args.block,
                basis: args.basis,
            },
            SolverName::Subspace => Solver::Subspace { extra: 8 },
            SolverName::Power => Solver::Power {
                momentum: Momentum::Adaptive,
            },
            SolverName::PowerPlain => Solver::Power {
                momentum: Momentum::Off,
            },
        });
    let found = find(&mut session, &config, &args.between)?;
    session.close(&found.summary)?;
    match found.failure {
        Some(failure) => Err(failure),
        None => Ok(One {
            line: found.line,
            numbers: found.numbers,
            found: (),
        }),
    }
}

/// What `svd` found.
pub(crate) struct Triplets {
    /// Its sheet, if either side is a picture.
    pub sheet: Option<Sheet>,
    pub summary: Vec<String>,
    /// σ and products, in a line and as numbers.
    line: String,
    numbers: serde_json::Value,
    /// Why it is not all that was asked for.
    pub failure: Option<Failure>,
}

/// Compute and write the triplets, converged or not.
pub(crate) fn find(
    session: &mut Session,
    config: &SvdConfig,
    between: &Between,
) -> Result<Triplets> {
    let _ = ctrlc::try_set_handler(|| {
        // A second one, and one while nothing iterates, ends the program as ever.
        if !ITERATING.load(Ordering::SeqCst) || INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    });
    let part = session
        .frozen
        .between(between.from.as_deref(), between.to.as_deref())?;
    let (input, output_shape) = (part.input_shape().to_vec(), part.output_shape().to_vec());
    let started = Instant::now();
    ITERATING.store(true, Ordering::SeqCst);
    let result = svd::svd(&part, config, watch());
    ITERATING.store(false, Ordering::SeqCst);
    let interrupted = INTERRUPTED.swap(false, Ordering::SeqCst);
    let (found, failure) = match result {
        Ok(found) => (found, None),
        Err(SvdError::Unconverged {
            partial,
            converged,
            wanted,
            tolerance,
            worst,
        }) => {
            let message = format!(
                "{converged} of {wanted} triplets reached residual {tolerance:.0e} within {} \
                 products (the worst is at {worst:.1e})",
                partial.products
            );
            let failure = unfinished(message, &partial, interrupted);
            (*partial, Some(failure))
        }
        Err(error @ SvdError::Unconfirmed { .. }) => {
            let message = error.to_string();
            let SvdError::Unconfirmed { partial } = error else {
                unreachable!("just matched")
            };
            let failure = unfinished(message, &partial, interrupted);
            (*partial, Some(failure))
        }
        Err(error) => return Err(error.into()),
    };
    let seconds = started.elapsed().as_secs_f64();
    let (u, v) = (numbers(found.u.clone())?, numbers(found.v.clone())?);
    let mut summary = table(&found, config.tolerance);
    summary.push(format!(
        "{} products in {} batches, {seconds:.1} s",
        found.products, found.passes
    ));
    summary.extend(bases::describe(session, (&v, &input), (&u, &output_shape)));
    let k = found.sigma.len();
    session.save_array("sigma", &found.sigma, &[k])?;
    session.save_array("u", &u, &[vec![k], output_shape.clone()].concat())?;
    session.save_array("v", &v, &[vec![k], input.clone()].concat())?;
    session.note("svd_config", config);
    session.note("from", &between.from);
    session.note("to", &between.to);
    session.note("svd", report(&found, config.tolerance));
    let sheet = sheet(session, &found, (&u, &output_shape), (&v, &input));
    let drawn = sheet
        .bands
        .iter()
        .flat_map(|band| &band.panels)
        .any(|panel| panel.raster.scale.is_some());
    if drawn {
        session.save_sheet("svd", &sheet)?;
    }
    let sigma: Vec<String> = found.sigma.iter().map(|s| format!("{s:.4}")).collect();
    Ok(Triplets {
        sheet: drawn.then_some(sheet),
        summary,
        line: format!("σ {} · {} products", sigma.join(" "), found.products),
        numbers: json!({
            "sigma": found.sigma,
            "products": found.products,
            "seconds": seconds,
        }),
        failure,
    })
}

fn unfinished(message: String, partial: &svd::Svd, interrupted: bool) -> Failure {
    let (why, what) = match interrupted {
        true => ("interrupted: ", "run it again for the rest"),
        false => ("", "raise --max-products or --basis, or loosen --tol"),
    };
    Failure {
        message: format!("{why}{message}"),
        hint: Some(format!(
            "the {} there are were written with their residuals; {what}",
            partial.sigma.len()
        )),
        code: CERTIFICATE,
    }
}

/// For the manifest: residuals of both sides, over σ₁ and over σ.
fn report(found: &svd::Svd, tolerance: f64) -> serde_json::Value {
    let largest = found.sigma[0];
    let triplets: Vec<serde_json::Value> = found
        .sigma
        .iter()
        .zip(&found.residuals)
        .map(|(&sigma, residual)| {
            let over = |x: f64| if x == 0.0 { 0.0 } else { x * largest / sigma };
            json!({
                "sigma": sigma,
                "right_over_sigma1": residual.right,
                "left_over_sigma1": residual.left,
                "right_over_sigma": over(residual.right),
                "left_over_sigma": over(residual.left),
                "converged": residual.worst() <= tolerance,
            })
        })
        .collect();
    json!({ "triplets": triplets, "products": found.products, "passes": found.passes })
}

fn table(found: &svd::Svd, tolerance: f64) -> Vec<String> {
    let mut lines = vec![format!(
        "{:>4} {:>13} {:>13} {:>13}   (residuals over σ₁)",
        "k", "σ", "‖Fv−σu‖", "‖Fᵀu−σv‖"
    )];
    for (i, (sigma, residual)) in found.sigma.iter().zip(&found.residuals).enumerate() {
        let note = match residual.worst() <= tolerance {
            true => "",
            false => "   not converged",
        };
        lines.push(format!(
            "{:4} {sigma:13.6e} {:13.1e} {:13.1e}{note}",
            i + 1,
            residual.right,
            residual.left,
        ));
    }
    lines
}

/// Tell how it goes every two seconds, and stop when asked to.
fn watch() -> impl FnMut(&Progress) -> ControlFlow<()> {
    let mut told = output::observer();
    move |progress| {
        let _ = told(progress);
        if INTERRUPTED.load(Ordering::SeqCst) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// One side of the triplets.
struct Side<'a> {
    letter: &'static str,
    name: &'static str,
    values: &'a [f64],
    shape: &'a [usize],
}

impl Side<'_> {
    fn vector(&self, i: usize, k: usize) -> &[f64] {
        let each = self.values.len() / k;
        &self.values[i * each..(i + 1) * each]
    }
}

fn sheet(
    session: &Session,
    found: &svd::Svd,
    (u, output): (&[f64], &[usize]),
    (v, input): (&[f64], &[usize]),
) -> Sheet {
    let k = found.sigma.len();
    let sides = [
        Side {
            letter: "v",
            name: "Eigen-inputs",
            values: v,
            shape: input,
        },
        Side {
            letter: "u",
            name: "Eigen-outputs",
            values: u,
            shape: output,
        },
    ];
    let panels = |side: &Side, i: usize, view: View| -> Vec<Panel> {
        let title = format!("{}{}", side.letter, subscript(i + 1));
        let vector = side.vector(i, k);
        let mut panels = session.painter.signed(&title, vector, side.shape, view);
        for panel in &mut panels {
            panel.caption.push(format!("σ = {:.4}", found.sigma[i]));
            // Scores have no picture: say which classes the triplet speaks to.
            if side.letter == "v" && position::axes(output).len() == 1 {
                panel
                    .caption
                    .extend(strongest(session, sides[1].vector(i, k)));
            }
        }
        panels
    };
    let mut bands = Vec::new();
    if let Ok(reference) = session.reference_band()
        && !reference.panels.is_empty()
    {
        bands.push(reference);
    }
    // Groups of like size: eight are four and four.
    let group = k.div_ceil(k.div_ceil(ACROSS));
    for start in (0..k).step_by(group) {
        let range = start..(start + group).min(k);
        for side in &sides {
            let whole: Vec<Panel> = range
                .clone()
                .flat_map(|i| panels(side, i, View::Whole))
                .collect();
            let parts: Vec<Panel> = range
                .clone()
                .flat_map(|i| panels(side, i, View::BULK))
                .collect();
            let closer = parts.iter().any(|panel| {
                let (part, [h, w]) = (panel.raster.window, panel.raster.of);
                2 * part.h <= h && 2 * part.w <= w
            });
            let heading = format!(
                "{} {}{} to {}{}",
                side.name,
                side.letter,
                subscript(start + 1),
                side.letter,
                subscript(range.end)
            );
            if !whole.is_empty() {
                bands.push(Band {
                    heading: heading.clone(),
                    panels: whole,
                });
            }
            if closer {
                bands.push(Band {
                    heading: format!("{heading}, the window with 99 % of the energy"),
                    panels: parts,
                });
            }
        }
    }
    let worst = found
        .residuals
        .iter()
        .map(|r| r.worst())
        .fold(0.0, f64::max);
    Sheet {
        title: format!("Singular triplets of F, {}", session.model),
        notes: vec![format!(
            "F v = σ u: the frozen network turns the eigen-input v, of norm 1, into σ times the \
             eigen-output u, of norm 1. {} products; residuals at most {worst:.1e} of σ₁.",
            found.products
        )],
        bands,
    }
}

/// The entries of largest magnitude, with their names.
fn strongest(session: &Session, u: &[f64]) -> Vec<String> {
    let magnitudes: Vec<f64> = u.iter().map(|x| x.abs()).collect();
    ranking(&magnitudes)
        .into_iter()
        .take(4)
        .map(|class| {
            let label = session.label(class).unwrap_or("");
            // Labels list synonyms; the first will do.
            let label = label.split(',').next().unwrap_or("");
            let sign = if u[class] < 0.0 { '−' } else { '+' };
            format!("{sign}{:.2} {class} {label}", u[class].abs())
        })
        .collect()
}

fn subscript(number: usize) -> String {
    let digit = |c: char| char::from_u32('₀' as u32 + c as u32 - '0' as u32).unwrap_or(c);
    number.to_string().chars().map(digit).collect()
}
