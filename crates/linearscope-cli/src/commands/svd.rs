//! `svd`: the largest singular triplets, as arrays, a table and a sheet.

use clap::{Args, ValueEnum};
use linearscope_analysis::{
    LinearOperator, SubNetwork, ranking,
    svd::{self, Momentum, Solver, SvdConfig, SvdError},
    vectors::numbers,
};
use linearscope_picture::{Band, Panel, Sheet, significant};
use serde::Serialize;
use serde_json::json;

use super::bases;
use crate::{
    args::{Between, Common},
    command::{About, Alone, FileAbout, Group, OnPicture, Pictures, TableAbout, Told},
    console,
    error::{CERTIFICATE, Failure, INTERRUPTED, Result},
    kind::Kind,
    opened::memory,
    picture::View,
    session::Session,
};

impl From<SvdError> for Failure {
    fn from(error: SvdError) -> Self {
        match error {
            SvdError::Failed(error) => error.into(),
            error @ (SvdError::Unconverged { .. } | SvdError::Unconfirmed { .. }) => Failure {
                message: error.to_string(),
                hint: None,
                code: CERTIFICATE,
                cause: None,
            },
        }
    }
}

/// Triplets a sheet shows side by side.
const ACROSS: usize = 6;

/// How many triplets nobody asked for.
const TRIPLETS: usize = 8;

/// `svd`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct Svd {
    /// Number of singular triplets [default: 8, or all if there are fewer]
    #[arg(short, value_name = "K")]
    pub k: Option<usize>,
    /// Solver
    #[arg(long, default_value = "lanczos")]
    pub solver: SolverName,
    /// Block size: number of vectors multiplied at once (lanczos)
    #[arg(long, default_value_t = 1, value_name = "B")]
    pub block: usize,
    /// Number of vectors kept on either side before a restart (lanczos) [default: the larger of 4 K and K + 24]
    #[arg(long, value_name = "N")]
    pub basis: Option<usize>,
    /// Largest allowed residual: ‖F v − σ u‖ and ‖Fᵀ u − σ v‖ over σ₁
    #[arg(long, default_value_t = 1e-5, value_name = "TOL")]
    pub tol: f64,
    /// Give up after N products with F and Fᵀ
    #[arg(long, default_value_t = 20_000, value_name = "N")]
    pub max_products: usize,
    /// Seed for the starting vectors
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub between: Between,
    #[command(flatten)]
    #[serde(skip)]
    pub common: Common,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SolverName {
    /// Thick-restart block Lanczos
    Lanczos,
    /// Subspace iteration on K + 8 vectors at once
    Subspace,
    /// The paper's Algorithm 1: power iteration with momentum, deflation
    Power,
    /// The paper's Algorithm 1 as printed: without momentum
    PowerPlain,
}

impl Svd {
    /// For an F of `rank` singular values at most.
    pub(crate) fn config(&self, rank: usize) -> Result<SvdConfig> {
        Ok(SvdConfig::new(self.k.unwrap_or_else(|| TRIPLETS.min(rank)))
            .with_tolerance(self.tol)
            .with_max_products(self.max_products)
            .with_max_memory(self.memory_for_bases()?)
            .with_seed(self.seed)
            .with_solver(match self.solver {
                SolverName::Lanczos => Solver::Lanczos {
                    block: self.block,
                    basis: self.basis,
                },
                SolverName::Subspace => Solver::Subspace { extra: 8 },
                SolverName::Power => Solver::Power {
                    momentum: Momentum::Adaptive,
                },
                SolverName::PowerPlain => Solver::Power {
                    momentum: Momentum::Off,
                },
            }))
    }

    /// Half of what was allowed; the other half is for decisions and probes. Without a flag there is no limit, so that
    /// the same command takes the same steps whatever the machine has left.
    fn memory_for_bases(&self) -> Result<Option<usize>> {
        let flag = self.common.freezing.max_memory;
        Ok(match flag {
            None => None,
            Some(_) => Some(memory(flag)? / 2),
        })
    }
}

/// What `svd` says of itself.
pub(crate) const ABOUT: &About = &About {
    name: "svd",
    group: Group::Operator,
    summary: "Compute the largest singular triplets of F: eigen-inputs, eigen-outputs and σ",
    details: "F v = σ u: the frozen network turns the eigen-input v into σ times the eigen-output u. The first \
        triplets are the patterns that it amplifies most. Residuals are measured by products with F and Fᵀ.",
    example: "svd net.onnx --input cat.jpg -k 8",
    pictures: Pictures::Folders,
    files: &[
        FileAbout("sigma.npy", "the singular values, largest first"),
        FileAbout("v.npy", "eigen-inputs of norm 1: [K, input's shape]"),
        FileAbout("u.npy", "eigen-outputs of norm 1: [K, output's shape]"),
        FileAbout("svd.png", "both sides drawn"),
        FileAbout("svd.svg", "the same for print"),
    ],
    tables: &[
        TableAbout {
            name: "triplets",
            rows: "one line for each singular triplet",
            columns: &[
                ("k", "its number, from 1"),
                ("sigma", "the singular value"),
                ("right_over_sigma1", "‖F v − σ u‖ / σ₁"),
                ("left_over_sigma1", "‖Fᵀ u − σ v‖ / σ₁"),
                ("right_over_sigma", "‖F v − σ u‖ / σ"),
                ("left_over_sigma", "‖Fᵀ u − σ v‖ / σ"),
                ("converged", "whether both are within --tol"),
            ],
        },
        super::bases::TABLE,
    ],
    includes: &[],
};

impl OnPicture for Svd {
    const ABOUT: &'static About = ABOUT;

    type Fold = Alone;

    fn common(&self) -> &Common {
        &self.common
    }

    fn picture(&self, session: &mut Session) -> Result<Told> {
        let between = &self.between;
        let part = session
            .frozen
            .between(between.from.as_deref(), between.to.as_deref())?;
        let rank = part.input_len().min(part.output_len());
        drop(part);
        let found = find(session, &self.config(rank)?, between)?;
        Ok(Told {
            summary: found.summary,
            line: found.line,
            found: found.numbers,
            failure: found.failure,
        })
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
    /// Why it is not all that was requested.
    pub failure: Option<Failure>,
}

/// Compute and write the triplets, converged or not.
pub(crate) fn find(
    session: &mut Session,
    config: &SvdConfig,
    between: &Between,
) -> Result<Triplets> {
    let part = session
        .frozen
        .between(between.from.as_deref(), between.to.as_deref())?;
    let (input, output_shape) = (part.input_shape().to_vec(), part.output_shape().to_vec());
    let (found, failure) = solve(&part, config)?;
    let (u, v) = (numbers(found.u.clone())?, numbers(found.v.clone())?);
    let mut summary = table(&found, config.tolerance);
    summary.push(format!(
        "{} products in {} batches",
        found.products, found.passes
    ));
    summary.extend(bases::describe(session, (&v, &input), (&u, &output_shape))?);
    let k = found.sigma.len();
    session.save_array("sigma", &found.sigma, &[k])?;
    let [of_v, of_u] = between.shaped();
    let all_u = [vec![k], output_shape.clone()].concat();
    session.save_shaped("u", &u, &all_u, 1, of_u)?;
    let all_v = [vec![k], input.clone()].concat();
    session.save_shaped("v", &v, &all_v, 1, of_v)?;
    session.note("svd_config", config);
    session.note("from", &between.from);
    session.note("to", &between.to);
    let records = records(&found, config.tolerance);
    session.save_table("triplets", &records)?;
    session.note(
        "svd",
        json!({ "triplets": records, "products": found.products, "passes": found.passes }),
    );
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
        }),
        failure,
    })
}

/// Compute triplets; those that did not converge with why.
pub(crate) fn solve(
    part: &SubNetwork<'_>,
    config: &SvdConfig,
) -> Result<(svd::Svd, Option<Failure>)> {
    let result = svd::svd(part, config, console::observer());
    let interrupted = console::stopped();
    match result {
        Ok(found) => Ok((found, None)),
        Err(SvdError::Unconverged {
            partial,
            converged,
            wanted,
            tolerance,
            worst,
        }) => {
            let message = format!(
                "{converged} of {wanted} triplets reached a residual of {tolerance:.0e} within {} products \
                 (the worst is {worst:.1e})",
                partial.products
            );
            let failure = unfinished(message, &partial, interrupted);
            Ok((*partial, Some(failure)))
        }
        Err(error @ SvdError::Unconfirmed { .. }) => {
            let message = error.to_string();
            let SvdError::Unconfirmed { partial } = error else {
                unreachable!("just matched")
            };
            let failure = unfinished(message, &partial, interrupted);
            Ok((*partial, Some(failure)))
        }
        Err(error) => Err(error.into()),
    }
}

fn unfinished(message: String, partial: &svd::Svd, interrupted: bool) -> Failure {
    let (why, what, code) = match interrupted {
        true => ("interrupted: ", "", INTERRUPTED),
        false => (
            "",
            "; raise --max-products or --basis, or loosen --tol",
            CERTIFICATE,
        ),
    };
    Failure {
        message: format!("{why}{message}"),
        hint: Some(format!(
            "the {} triplets found so far are written with their residuals{what}",
            partial.sigma.len()
        )),
        code,
        cause: None,
    }
}

/// One triplet: residuals of both sides, over σ₁ and over σ.
#[derive(Serialize)]
struct Triplet {
    k: usize,
    sigma: f64,
    right_over_sigma1: f64,
    left_over_sigma1: f64,
    right_over_sigma: f64,
    left_over_sigma: f64,
    converged: bool,
}

fn records(found: &svd::Svd, tolerance: f64) -> Vec<Triplet> {
    let largest = found.sigma.first().copied().unwrap_or(0.0);
    let all = found.sigma.iter().zip(&found.residuals).enumerate();
    all.map(|(i, (&sigma, residual))| {
        let over = |x: f64| if x == 0.0 { 0.0 } else { x * largest / sigma };
        Triplet {
            k: i + 1,
            sigma,
            right_over_sigma1: residual.right,
            left_over_sigma1: residual.left,
            right_over_sigma: over(residual.right),
            left_over_sigma: over(residual.left),
            converged: residual.worst() <= tolerance,
        }
    })
    .collect()
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
            "{:4} {:>13} {:13.1e} {:13.1e}{note}",
            i + 1,
            significant(*sigma, 7),
            residual.right,
            residual.left,
        ));
    }
    lines
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
            if side.letter == "v" && Kind::of(output) == Kind::Scores {
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
                (h == 1 || 2 * part.h <= h) && 2 * part.w <= w
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
                    heading: format!("{heading}; the window contains 99 % of the energy"),
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
             eigen-output u, of norm 1. {} products; residuals are at most {worst:.1e} of σ₁.",
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
