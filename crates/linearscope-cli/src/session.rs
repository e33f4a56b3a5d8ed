//! A network frozen at one picture, and the folder of results that is being made about it.

use std::{ops::Deref, path::Path, time::Instant};

use linearscope_analysis::{
    LinearOperator,
    certificate::{AtRisk, Certificate, certificate},
    decisions::{Differing, differing_in_f64},
};
use linearscope_picture::{Band, BarChart, CurveChart, Drawing, Sheet};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    args::Precision,
    command::{OnPicture, Told},
    console,
    ends::Shaped,
    error::{CERTIFICATE, Failure, Result},
    opened::{Opened, heading, name_of, run_facts},
    picture::{Painter, View},
    results::{MANIFEST, Results, pretty},
    subject::Subject,
};

/// Everything a command needs, ready: what it is asked about, and where its results go.
pub(crate) struct Session {
    pub subject: Subject,
    pub results: Results,
    pub(crate) check_decisions: bool,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) manifest: Map<String, Value>,
    /// What was typed, or would have been.
    pub(crate) typed: String,
    pub(crate) started: jiff::Timestamp,
    pub(crate) since: Instant,
}

impl Deref for Session {
    type Target = Subject;

    fn deref(&self) -> &Subject {
        &self.subject
    }
}

/// A command carried out about one picture.
pub(crate) struct Done {
    pub told: Told,
    pub certificate: Option<Certificate>,
    /// What all of it is about.
    pub heading: String,
    /// Where the results are.
    pub path: std::path::PathBuf,
    /// The manifest, with the run's facts.
    pub manifest: Value,
}

/// One command about one picture: compute, write, tell.
pub(crate) fn one<T: OnPicture>(command: &T) -> Result<()> {
    let common = command.common();
    let about = <T as OnPicture>::ABOUT;
    let target = common.out.join(name_of(&common.input)).join(about.name);
    let opened = Opened::new(about, common, json!(command))?;
    let session = opened.at(&common.input, &target)?;
    session.replaces(&target);
    let done = session.carry_out(command)?;
    console::clear();
    if common.json {
        print!("{}", pretty(&done.manifest));
    } else {
        println!("{}", done.heading);
        for line in &done.told.summary {
            println!("{line}");
        }
        if let Some(certificate) = &done.certificate {
            println!("{}", certificate_line(certificate, common.freezing.dtype));
        }
        println!("results in {}", done.path.display());
    }
    if let Some(failure) = done.told.failure {
        return Err(failure);
    }
    done.certificate.as_ref().map_or(Ok(()), judge)
}

impl Session {
    /// Say so where these results take the place of some about another model or picture.
    fn replaces(&self, target: &Path) {
        let read = || -> Option<Value> {
            let text = std::fs::read_to_string(target.join(MANIFEST)).ok()?;
            serde_json::from_str(&text).ok()
        };
        let Some(old) = read() else { return };
        let same = |part: &str| old[part]["sha256"] == self.manifest[part]["sha256"];
        if !(same("model") && same("input")) {
            console::notice(&format!(
                "replacing the results in {} for {} at {}",
                target.display(),
                old["model"]["file"].as_str().unwrap_or("another model"),
                old["input"]["file"].as_str().unwrap_or("another picture"),
            ));
        }
    }

    /// Let a command compute and write, measure the certificate, and put the results in their place. What a
    /// command had written when it failed is kept alongside it.
    pub(crate) fn carry_out<T: OnPicture>(mut self, command: &T) -> Result<Done> {
        let told = command.picture(&mut self).and_then(|told| {
            let stopped = told.failure.as_ref().is_some_and(Failure::is_interruption);
            if !stopped {
                self.certify()?;
            }
            Ok(told)
        });
        match told {
            Ok(told) => {
                let stopped = told.failure.as_ref().is_some_and(Failure::is_interruption);
                self.note("found", &told.found);
                let failure = told.failure.as_ref().map(|failure| &failure.message);
                let failure = json!(failure);
                self.note("failure", failure);
                let certificate = self.certificate.clone();
                let heading = self.heading();
                let (path, manifest) = self.finish(!stopped)?;
                Ok(Done {
                    told,
                    certificate,
                    heading,
                    path,
                    manifest,
                })
            }
            Err(failure) if self.results.any() => {
                self.note("failure", &failure.message);
                let (path, _) = self.finish(false)?;
                let kept = format!("finished results are in {}", path.display());
                let hint = match &failure.hint {
                    Some(hint) => format!("{hint}; {kept}"),
                    None => kept,
                };
                Err(failure.hint(hint))
            }
            Err(failure) if failure.is_interruption() => Err(Failure {
                message: format!("{}; nothing was finished", failure.message),
                ..failure
            }),
            Err(failure) => Err(failure),
        }
    }

    /// Write x₀, as it was read: the first file of every result.
    pub(crate) fn with_x0(mut self, x0: &[f64]) -> Result<Self> {
        let shape = self.subject.frozen.input_shape().to_vec();
        self.save_shaped("x0", x0, &shape, 0, Shaped::Input)?;
        Ok(self)
    }

    fn heading(&self) -> String {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let of = |path: &str| text(self.manifest.get(path).unwrap_or(&Value::Null));
        let input = text(&self.manifest["input"]["file"]);
        let rules = format!("rules {}", of("rules"));
        heading(
            Path::new(&self.model),
            &name_of(Path::new(&input)),
            [self.frozen.input_shape(), self.frozen.output_shape()],
            &[&of("device"), self.precision.name(), &rules],
        )
    }

    /// Write an array alone.
    pub(crate) fn save_array(&mut self, name: &str, values: &[f64], shape: &[usize]) -> Result<()> {
        self.results.save_array(name, values, shape)
    }

    /// Write an array of the input's or the output's shape behind `lead` axes, channels where the file has them.
    pub(crate) fn save_shaped(
        &mut self,
        name: &str,
        values: &[f64],
        shape: &[usize],
        lead: usize,
        shaped: Shaped,
    ) -> Result<()> {
        let (values, shape) = self.layouts.in_file(shaped, values, shape, lead);
        self.save_array(name, &values, &shape)
    }

    /// Write an array of whole numbers.
    pub(crate) fn save_whole(&mut self, name: &str, values: &[i32], shape: &[usize]) -> Result<()> {
        self.results.save_whole(name, values, shape)
    }

    /// Write a tidy table.
    pub(crate) fn save_table(&mut self, name: &str, records: &[impl Serialize]) -> Result<()> {
        self.results.save_table(name, records)
    }

    /// Write a JSON file of results.
    pub(crate) fn save_json(&mut self, name: &str, value: &impl Serialize) -> Result<()> {
        self.results.save_json(name, value)
    }

    /// Write an output of the network, and its picture as the recipe says where it is one; of a signal its lines, of a
    /// volume its slices.
    pub(crate) fn save_output(
        &mut self,
        name: &str,
        values: &[f64],
        shape: &[usize],
        shaped: Shaped,
    ) -> Result<()> {
        self.save_shaped(name, values, shape, 0, shaped)?;
        let Some(raster) = self.painter.output(values, shape) else {
            let panels = Painter::lines_or_slices(name, values, shape);
            if panels.is_empty() {
                return Ok(());
            }
            let heading = String::new();
            let sheet = Sheet {
                bands: vec![Band { heading, panels }],
                ..Sheet::default()
            };
            let more = json!({ "mapping": "lines or slices, scaled to the range of the values" });
            return self
                .results
                .save(&format!("{name}.png"), &sheet.draw()?.to_png()?, more);
        };
        let more = json!({ "mapping": "according to the recipe, clipped" });
        self.results
            .save(&format!("{name}.png"), &raster.to_png()?, more)
    }

    /// Write a signed array, and its picture where it is one.
    pub(crate) fn save_signed(
        &mut self,
        name: &str,
        title: &str,
        values: &[f64],
        (shape, shaped): (&[usize], Shaped),
        view: View,
    ) -> Result<()> {
        self.save_shaped(name, values, shape, 0, shaped)?;
        let panels = self.painter.signed(title, values, shape, view);
        if panels.is_empty() {
            return Ok(());
        }
        self.save_sheet(
            name,
            &Sheet {
                bands: vec![Band {
                    heading: String::new(),
                    panels,
                }],
                ..Sheet::default()
            },
        )
    }

    /// Write a sheet as PNG and SVG.
    pub(crate) fn save_sheet(&mut self, name: &str, sheet: &Sheet) -> Result<()> {
        let panels: Vec<Value> = sheet
            .bands
            .iter()
            .flat_map(|band| &band.panels)
            .map(|panel| {
                let part = panel.raster.window;
                json!({
                    "title": panel.title,
                    "scale": panel.raster.scale,
                    "window": { "y": part.y, "x": part.x, "h": part.h, "w": part.w },
                    "block": panel.raster.block,
                })
            })
            .collect();
        let drawing = sheet.draw()?;
        self.save_drawing(name, &drawing, json!(panels))
    }

    /// Write a chart as PNG and SVG.
    pub(crate) fn save_chart(&mut self, name: &str, chart: &BarChart) -> Result<()> {
        self.save_drawing(name, &chart.draw(), Value::Null)
    }

    /// Write curves as PNG and SVG.
    pub(crate) fn save_curves(&mut self, name: &str, chart: &CurveChart) -> Result<()> {
        self.save_drawing(name, &chart.draw(), Value::Null)
    }

    fn save_drawing(&mut self, name: &str, drawing: &Drawing, panels: Value) -> Result<()> {
        let (png, svg) = (format!("{name}.png"), format!("{name}.svg"));
        let more = json!({ "panels": panels });
        self.results.save(&svg, drawing.to_svg().as_bytes(), more)?;
        match drawing.to_png() {
            Ok(bytes) => self.results.save(&png, &bytes, Value::Null),
            // Thousands of layers make a chart no PNG holds; the SVG does.
            Err(error @ linearscope_picture::Error::TooLarge { .. }) => {
                console::notice(&format!("{png} is left out: {error}"));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Add a result to the manifest.
    pub(crate) fn note(&mut self, key: &str, value: impl Serialize) {
        self.manifest.insert(key.into(), json!(value));
    }

    /// Measure the certificate, once, and note it.
    pub(crate) fn certify(&mut self) -> Result<Certificate> {
        if let Some(found) = &self.certificate {
            return Ok(found.clone());
        }
        console::step("measuring the certificate");
        let found = certificate(&self.frozen)?;
        self.note("certificate", &found);
        if self.check_decisions {
            console::step("freezing again in f64");
            let differing = differing_in_f64(&self.frozen)?;
            console::notice(&differing_line(&differing));
            self.note("decisions_differing_in_f64", differing);
        }
        self.certificate = Some(found.clone());
        Ok(found)
    }

    /// Write the manifest and put the folder in its place.
    pub(crate) fn finish(self, complete: bool) -> Result<(std::path::PathBuf, Value)> {
        let run = run_facts(self.started, self.since, &self.typed);
        self.results.finish(self.manifest, &run, complete)
    }
}

/// The certificate: its errors in one line, the decisions at risk in another. Both are about arithmetic.
pub(crate) fn certificate_line(certificate: &Certificate, precision: Precision) -> String {
    format!(
        "certificate ({}) of the arithmetic, not of how far the reading holds: exactness {:.1e}, adjoint \
         {:.1e} (limit {:.0e}) · ‖r‖/‖f(x₀)‖ = {:.3}\n{}",
        precision.name(),
        certificate.exactness,
        certificate.adjoint,
        certificate.limit,
        certificate.residual_over_output,
        risk_line(certificate.decisions_at_risk.as_ref(), precision),
    )
}

/// How many decisions exact arithmetic might have made otherwise, where, and what to do.
fn risk_line(risk: Option<&AtRisk>, precision: Precision) -> String {
    let Some(risk) = risk else {
        return "decisions at risk: not counted in paired mode".into();
    };
    let mut text = format!(
        "decisions at risk: {} of {} within rounding error of their kink",
        risk.within, risk.decisions
    );
    if risk.within > 0 {
        let worst: Vec<String> = risk
            .worst
            .iter()
            .take(3)
            .map(|node| format!("{} ({} of {})", node.node, node.within, node.decisions))
            .collect();
        text += &format!(", most in {}", worst.join(", "));
    }
    if risk.ties > 0 {
        text += &format!(
            "; {} exact ties, resolved in favour of the first",
            risk.ties
        );
    }
    if risk.unknown > 0 {
        text += &format!("; {} unknown", risk.unknown);
    }
    if risk.within > 0 && precision == Precision::F32 {
        text += "; --dtype f64 decides them at higher precision";
    }
    text
}

/// Which decisions differ in f64.
fn differing_line(differing: &[Differing]) -> String {
    if differing.is_empty() {
        return "no decisions differ in f64".into();
    }
    let nodes: Vec<String> = differing
        .iter()
        .map(|unit| format!("{} ({} of {})", unit.node, unit.differing, unit.units))
        .collect();
    format!("decisions that differ in f64: {}", nodes.join(", "))
}

/// Beyond the limit: exit code 4, and words.
pub(crate) fn judge(certificate: &Certificate) -> Result<()> {
    if certificate.holds() {
        return Ok(());
    }
    Err(Failure {
        message: format!(
            "the certificate does not hold: exactness {:.1e}, adjoint {:.1e}, limit {:.0e}",
            certificate.exactness, certificate.adjoint, certificate.limit
        ),
        hint: Some("the results are written, but do not trust them; try --dtype f64".into()),
        code: CERTIFICATE,
        cause: None,
    })
}
