//! `demo`: the tour on the bundled network, ending in a report to open.

use std::{fmt::Write, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use linearscope_analysis::{LinearOperator, contribution, projection};

use crate::{
    args::{Cli, Command, Demo},
    error::{Failure, Result},
    output,
    picture::View,
    session::{Session, certificate_line, judge},
};

const MODEL: &[u8] = include_bytes!("../../../../assets/tiny_sr/tiny_sr.onnx");
const PICTURE: &[u8] = include_bytes!("../../../../assets/tiny_sr/input.png");

/// One picture of the report with the sentence under it.
struct Panel {
    title: &'static str,
    file: &'static str,
    text: &'static str,
    command: String,
}

pub(crate) fn run(args: &Demo) -> Result<()> {
    let out = output::prepare(&args.out)?;
    let (model, input) = (out.join("tiny_sr.onnx"), out.join("input.png"));
    output::write_whole(&model, MODEL)?;
    output::write_whole(&input, PICTURE)?;
    let shown = |path: &Path| path.display().to_string();
    let on = format!("{} --input {}", shown(&model), shown(&input));

    // The same session as `linearscope run`, so that the report shows what the commands do.
    let line = [
        "linearscope".as_ref(),
        "run".as_ref(),
        model.as_os_str(),
        "--input".as_ref(),
        input.as_os_str(),
        "--out".as_ref(),
        out.as_os_str(),
    ];
    let cli = <Cli as clap::Parser>::try_parse_from(line)
        .map_err(|error| Failure::input(error.to_string()))?;
    let Command::Run(common) = cli.command else {
        unreachable!("`run` was parsed")
    };
    let mut session = Session::open("demo", &common)?;
    let (from, to) = (
        session.frozen.input_shape().to_vec(),
        session.frozen.output_shape().to_vec(),
    );
    let (h, w) = (from[2], from[3]);

    let output_values = session.numbers(session.frozen.reference())?;
    let residual = session.numbers(session.frozen.residual()?)?;
    session.save_output("output", &output_values, &to)?;
    session.save_signed("residual", "residual r", &residual, &to, View::Whole)?;

    // Where the output changes most along x, and where it is flattest: an edge and a plain.
    let (edge, plain) = edge_and_plain(&output_values, to[2], to[3]);
    let at = |position: usize| format!("0,{},{}", position / to[3], position % to[3]);
    let pixel = (h / 2) * w + w / 2;
    let rows = session.numbers(projection::rows(&session.frozen, &[edge, plain])?)?;
    let column = session.numbers(projection::columns(&session.frozen, &[pixel])?)?;
    let title = format!("row {}", at(edge));
    session.save_signed("row_edge", &title, &rows[..h * w], &from, View::FIELD)?;
    let title = format!("row {}", at(plain));
    session.save_signed("row_plain", &title, &rows[h * w..], &from, View::FIELD)?;
    session.save_signed("column", "column", &column, &to, View::FIELD)?;
    let shares = contribution::contributions(&session.frozen, edge)?;
    session.save_json("contributions", &shares.layers)?;
    session.note("contributions", &shares);

    let panels = [
        Panel {
            title: "x₀, the input",
            file: "input.png",
            text: "A procedural picture. The network's decisions for it are frozen.",
            command: String::new(),
        },
        Panel {
            title: "f(x₀), the output",
            file: "output.png",
            text: "Twice as large, untouched by the interpreter: bit-equal to a plain run.",
            command: format!("linearscope run {on}"),
        },
        Panel {
            title: "r, the residual",
            file: "residual.png",
            text: "What the frozen network gives for a black picture: the biases, projected \
                   forward. Red is positive, blue negative, white zero.",
            command: format!("linearscope run {on}"),
        },
        Panel {
            title: "A row of F at an edge",
            file: "row_edge.png",
            text: "Which input pixels one output pixel uses. At an edge it leans: compare its left \
                   and right sides, and with the plain.",
            command: format!("linearscope row {on} --at {}", at(edge)),
        },
        Panel {
            title: "A row of F on a plain",
            file: "row_plain.png",
            text: "The same where nothing happens. A linear upscaler would use one filter \
                   everywhere; compare with the row at the edge.",
            command: format!("linearscope row {on} --at {}", at(plain)),
        },
        Panel {
            title: "A column of F",
            file: "column.png",
            text: "Where one input pixel goes in the output: its projective field.",
            command: format!("linearscope column {on} --at 0,{},{}", h / 2, w / 2),
        },
    ];
    let (certificate, _) = session.finish()?;
    let report = out.join("report.html");
    let contributions_command = format!("linearscope contributions {on} --target {}", at(edge));
    let html = page(
        &out,
        &panels,
        &shares,
        &contributions_command,
        &certificate_line(&certificate, common.dtype),
    )?;
    output::write_whole(&report, html.as_bytes())?;
    println!("{}", certificate_line(&certificate, common.dtype));
    println!("the report is {}", report.display());
    judge(&certificate)
}

/// The output positions, away from the border, with the largest and smallest step to the next.
fn edge_and_plain(values: &[f64], h: usize, w: usize) -> (usize, usize) {
    let border = 12.min(h / 4).min(w / 4);
    let mut places: Vec<(f64, usize)> = (border..h - border)
        .flat_map(|y| (border..w - border).map(move |x| y * w + x))
        .map(|p| {
            let (dx, dy) = (values[p + 1] - values[p - 1], values[p + w] - values[p - w]);
            (dx.hypot(dy), p)
        })
        .collect();
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    (places[places.len() - 1].1, places[0].1)
}

fn embedded(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|error| Failure::file(path, error))?;
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(bytes)))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

/// One self-contained page: no scripts, no network, light and dark, printable.
fn page(
    out: &Path,
    panels: &[Panel],
    shares: &contribution::Contributions,
    contributions_command: &str,
    certificate: &str,
) -> Result<String> {
    let mut figures = String::new();
    for panel in panels {
        let code = if panel.command.is_empty() {
            String::new()
        } else {
            format!("<code>{}</code>", escaped(&panel.command))
        };
        let _ = writeln!(
            figures,
            "<figure><h2>{}</h2><img alt=\"{}\" src=\"{}\"><figcaption>{}{code}</figcaption></figure>",
            panel.title,
            panel.title,
            embedded(&out.join(panel.file))?,
            panel.text,
        );
    }
    let widest = shares
        .layers
        .iter()
        .fold(f64::MIN_POSITIVE, |m, l| m.max(l.value.abs()));
    let mut bars = String::new();
    for layer in &shares.layers {
        let _ = writeln!(
            bars,
            "<tr><th>{}</th><td>{:.4}</td><td>{:.1} %</td>\
             <td class=bar><i class=\"{}\" style=\"width:{:.1}%\"></i></td></tr>",
            escaped(&layer.name),
            layer.value,
            100.0 * layer.share,
            if layer.value < 0.0 {
                "negative"
            } else {
                "positive"
            },
            100.0 * layer.value.abs() / widest,
        );
    }
    Ok(format!(
        include_str!("../report.html"),
        figures = figures,
        bars = bars,
        score = format!("{:.4}", shares.score),
        residual_share = format!("{:.1}", 100.0 * shares.residual_share),
        contributions_command = escaped(contributions_command),
        certificate = escaped(certificate),
        version = env!("CARGO_PKG_VERSION"),
    ))
}
