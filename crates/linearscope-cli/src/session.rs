//! From the command line to a frozen network, and from results to files.

use std::path::{Path, PathBuf};

use burn::tensor::{FloatDType, Tensor, TensorData};
use linearscope::{Network, device, program::machine_budget};
use linearscope_analysis::{
    FrozenNetwork, LinearOperator,
    certificate::{AtRisk, Certificate, certificate},
    decisions::{Differing, differing_in_f64},
    vectors::read,
};
use linearscope_onnx::{Model, Signature};
use linearscope_picture::{Band, BarChart, CurveChart, Drawing, Sheet};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{
    args::{Common, Precision},
    error::{CERTIFICATE, Failure, Result},
    folder,
    npy::{self, is_npy},
    output,
    picture::{Painter, View},
    recipe::Recipe,
    rules,
};

/// Version of the manifest's and `--json`'s form.
pub(crate) const SCHEMA: u32 = 1;

/// Everything a command needs, ready.
pub(crate) struct Session {
    pub frozen: FrozenNetwork,
    pub painter: Painter,
    /// The model's file name, for titles.
    pub model: String,
    /// The model and the flags that made this session.
    pub line: String,
    pub labels: Option<Vec<String>>,
    pub out: PathBuf,
    precision: Precision,
    check_decisions: bool,
    json: bool,
    quiet: bool,
    manifest: Map<String, Value>,
    files: Vec<Value>,
}

/// `[1, c, h, w]` for data of `[c, h, w]` where the network takes rank 4.
fn with_batch_axis(shape: Vec<usize>, signature: &Signature) -> Vec<usize> {
    if shape.len() + 1 == signature.dims.len() || (signature.dims.is_empty() && shape.len() == 3) {
        [vec![1], shape].concat()
    } else {
        shape
    }
}

fn sha256(path: &Path) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    std::io::copy(&mut std::fs::File::open(path)?, &mut hasher)?;
    let digest = hasher.finalize();
    Ok(digest.iter().map(|b| format!("{b:02x}")).collect())
}

/// A model of one input and one output, and its file's SHA-256. The file passes by twice, side by
/// side, so that only its weights stay in memory.
pub(crate) fn read_model(path: &Path) -> Result<(Model, String)> {
    let (model, hash) = std::thread::scope(|scope| {
        let hash = scope.spawn(|| sha256(path));
        (Model::load(path), hash.join())
    });
    let model = model?;
    let hash = hash
        .expect("hashing does not panic")
        .map_err(|error| Failure::file(path, error))?;
    if model.inputs().len() != 1 || model.outputs().len() != 1 {
        return Err(Failure::input(format!(
            "the network has {} inputs and {} outputs; this program takes one of each",
            model.inputs().len(),
            model.outputs().len()
        ))
        .hint("the library's Recorded handles several"));
    }
    Ok((model, hash))
}

/// Read a picture or an array for an input of the given signature.
pub(crate) fn read_input(
    path: &Path,
    recipe: Option<&Recipe>,
    signature: &Signature,
) -> Result<(Vec<f64>, Vec<usize>)> {
    if is_npy(path) {
        let (values, shape) = npy::read(path)?;
        return Ok((values, with_batch_axis(shape, signature)));
    }
    let Some(recipe) = recipe else {
        return Err(Failure::input(format!(
            "input \"{}\" of shape {signature} is no picture",
            signature.name
        ))
        .hint("give it as an .npy"));
    };
    let picture = linearscope_preprocess::open(path)?;
    let input = recipe.preprocess.apply(&picture);
    let input = input.map_err(|error| Failure::from(error).at(path))?;
    Ok((
        input.values,
        with_batch_axis(input.shape.to_vec(), signature),
    ))
}

/// A classifier's network up to its scores, said aloud; and the nodes left out.
pub(crate) fn scores(network: Network) -> (Network, Vec<String>) {
    let (network, left_out) = network.without_final_softmax();
    for node in &left_out {
        output::notice(&format!(
            "the softmax \"{node}\" at the end is left out: outputs are the scores before it"
        ));
    }
    (network, left_out)
}

/// What decisions and probes may take: the flag's GB, else half of what the machine has left.
pub(crate) fn memory(flag: Option<f64>) -> Result<usize> {
    match flag {
        None => Ok(machine_budget()),
        Some(gigabytes) if gigabytes > 0.0 && gigabytes < 1e9 => Ok((gigabytes * 1e9) as usize),
        Some(gigabytes) => Err(Failure::input(format!(
            "--max-memory {gigabytes} is no amount of memory; give it in GB, for instance 2.5"
        ))),
    }
}

impl Session {
    /// Load the model, read x₀, freeze, and measure the certificate.
    pub(crate) fn open(command: &str, common: &Common) -> Result<Self> {
        let dtype = match common.dtype {
            Precision::F32 => FloatDType::F32,
            Precision::F64 => FloatDType::F64,
        };
        if folder::is_one(common) {
            return Err(Failure::input(format!(
                "--input {} is a folder; {command} takes one picture",
                common.input.display()
            ))
            .hint("svd, votes, contributions, attack, maps and analyse take folders"));
        }
        let device = device::select(&common.device)?;
        device::check_dtype(&common.device, &device, dtype)?;
        let out = output::prepare(&common.out)?;
        output::progress(&format!("reading {}", common.model.display()));
        let (model, hash) = read_model(&common.model)?;
        let signature = model.inputs()[0].clone();
        let recipe = Recipe::of_input(&common.model, &common.recipe, &common.input, &signature)?;
        let labels = match &recipe {
            Some(recipe) => recipe.labels()?,
            None => None,
        };
        let (values, shape) = read_input(&common.input, recipe.as_ref(), &signature)?;
        check_finite(&common.input, &values)?;
        let network = model.network(std::slice::from_ref(&shape))?;
        let (network, left_out) = scores(network);

        let rules = rules::read(&common.rules)?;
        let parameters = network.parameters();
        let norms = network.recognised_norms();
        let functions = network.recognised_functions();
        output::progress(&format!(
            "freezing {parameters} parameters at x₀ of shape {shape:?}"
        ));
        let loaded = FrozenNetwork::load(network, &device, dtype)?;
        let budget = memory(common.max_memory)?;
        let x0 = TensorData::new(values, shape);
        let frozen = FrozenNetwork::within(loaded, x0, rules, budget)?;
        if let Some(recipe) = recipe.as_ref().filter(|_| !is_npy(&common.input)) {
            output::notice(&recipe.line());
        }
        for rule in frozen.frozen().unused_rules() {
            output::notice(&format!("the rule {rule} fits no op of this network"));
        }
        let recorded = frozen.recorded().is_some();
        if !recorded {
            eprintln!(
                "note: what the network decided at x₀ takes more than the {:.1} MB there are for \
                 it; every product runs the network again, reference beside probe (paired mode)",
                budget as f64 / 1e6
            );
        }
        let account = frozen
            .recorded()
            .map(|f| f.program().account())
            .unwrap_or_default();
        let manifest = json!({
            "schema": SCHEMA,
            "program": format!("linearscope {}", env!("CARGO_PKG_VERSION")),
            "command": command,
            "model": { "file": common.model, "sha256": hash, "parameters": parameters },
            "input": { "file": common.input, "shape": frozen.input_shape() },
            "output": { "shape": frozen.output_shape() },
            "recipe": if is_npy(&common.input) { Value::Null } else { json!(recipe) },
            "backend": frozen.backend_name(),
            "device": common.device,
            "dtype": common.dtype.name(),
            "arithmetic": common.dtype.name(),
            "rules": frozen.frozen().rules().to_string(),
            "norms_recognised": norms,
            "functions_recognised": functions,
            "final_softmax_left_out": left_out,
            "mode": if recorded { "recorded" } else { "paired" },
            "program_nodes": account.nodes,
            "decision_bytes": account.decision_bytes,
        });
        let Value::Object(manifest) = manifest else {
            unreachable!("a literal object")
        };
        Ok(Self {
            frozen,
            painter: Painter {
                recipe,
                each_channel: common.each_channel,
            },
            model: name_of(&common.model),
            line: common.line(),
            labels,
            out,
            precision: common.dtype,
            check_decisions: common.check_decisions,
            json: common.json,
            quiet: common.quiet,
            manifest,
            files: Vec::new(),
        })
    }

    /// Precision of everything.
    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }

    /// The SHA-256 of the model's file.
    pub(crate) fn model_hash(&self) -> &Value {
        &self.manifest["model"]["sha256"]
    }

    /// The SHA-256 of x₀'s numbers.
    pub(crate) fn input_hash(&self) -> Result<String> {
        let mut hasher = Sha256::new();
        for value in self.numbers(self.frozen.x0())? {
            hasher.update(value.to_le_bytes());
        }
        let digest = hasher.finalize();
        Ok(digest.iter().map(|b| format!("{b:02x}")).collect())
    }

    /// Read a probe the way x₀ was read.
    pub(crate) fn read_probe(&self, path: &Path, shape: &[usize]) -> Result<Tensor<2>> {
        let signature = Signature {
            name: "the probe".into(),
            dims: shape.iter().map(|&d| Ok(d)).collect(),
        };
        let (values, got) = read_input(path, self.painter.recipe.as_ref(), &signature)?;
        self.checked(path, values, got, shape)
    }

    /// Read an array of exactly `shape`.
    pub(crate) fn read_array(&self, path: &Path, shape: &[usize]) -> Result<Tensor<2>> {
        let (values, got) = npy::read(path)?;
        self.checked(path, values, got, shape)
    }

    fn checked(
        &self,
        path: &Path,
        values: Vec<f64>,
        got: Vec<usize>,
        shape: &[usize],
    ) -> Result<Tensor<2>> {
        // A batch axis of size 1 may be left out.
        if got != shape && [vec![1], got.clone()].concat() != shape {
            return Err(Failure::input(format!(
                "{} has shape {got:?}, but {shape:?} is needed",
                path.display()
            )));
        }
        check_finite(path, &values)?;
        let len = values.len();
        Ok(self.frozen.upload(values, len))
    }

    /// Numbers of a one-row tensor on the host.
    pub(crate) fn numbers(&self, x: Tensor<2>) -> Result<Vec<f64>> {
        Ok(read(x)?)
    }

    /// x₀ and f(x₀), as far as they are pictures.
    pub(crate) fn reference_band(&self) -> Result<Band> {
        let (x0, y0) = (
            self.numbers(self.frozen.x0())?,
            self.numbers(self.frozen.reference())?,
        );
        let panels = self.painter.reference(
            (&x0, self.frozen.input_shape()),
            (&y0, self.frozen.output_shape()),
            (Vec::new(), Vec::new()),
        );
        Ok(Band {
            heading: "Frozen at".into(),
            panels,
        })
    }

    /// Write an array alone.
    pub(crate) fn save_array(&mut self, name: &str, values: &[f64], shape: &[usize]) -> Result<()> {
        let file = format!("{name}.npy");
        npy::write(&self.out.join(&file), values, shape, self.precision)?;
        self.files.push(json!({ "file": file, "shape": shape }));
        Ok(())
    }

    /// Write an array of whole numbers.
    pub(crate) fn save_whole(&mut self, name: &str, values: &[i32], shape: &[usize]) -> Result<()> {
        let file = format!("{name}.npy");
        npy::write_whole_numbers(&self.out.join(&file), values, shape)?;
        self.files
            .push(json!({ "file": file, "shape": shape, "dtype": "i32" }));
        Ok(())
    }

    /// Write an output of the network, and its picture as the recipe says where it is one.
    pub(crate) fn save_output(
        &mut self,
        name: &str,
        values: &[f64],
        shape: &[usize],
    ) -> Result<()> {
        self.save_array(name, values, shape)?;
        let Some(raster) = self.painter.output(values, shape) else {
            return Ok(());
        };
        let file = format!("{name}.png");
        output::write_whole(&self.out.join(&file), &raster.to_png()?)?;
        self.files
            .push(json!({ "file": file, "mapping": "as the recipe says, clipped" }));
        Ok(())
    }

    /// Write a signed array, and its picture where it is one.
    pub(crate) fn save_signed(
        &mut self,
        name: &str,
        title: &str,
        values: &[f64],
        shape: &[usize],
        view: View,
    ) -> Result<()> {
        self.save_array(name, values, shape)?;
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
        output::write_whole(&self.out.join(&svg), drawing.to_svg().as_bytes())?;
        self.files.push(json!({ "file": svg, "panels": panels }));
        match drawing.to_png() {
            Ok(bytes) => {
                output::write_whole(&self.out.join(&png), &bytes)?;
                self.files.push(json!({ "file": png }));
                Ok(())
            }
            // Thousands of layers make a chart no PNG holds; the SVG does.
            Err(error @ linearscope_picture::Error::TooLarge { .. }) => {
                output::progress(&format!("{png} is left out: {error}"));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Write a JSON file of results.
    pub(crate) fn save_json(&mut self, name: &str, value: &impl Serialize) -> Result<()> {
        let file = format!("{name}.json");
        let text = serde_json::to_string_pretty(value).expect("plain data serialises");
        output::write_whole(&self.out.join(&file), text.as_bytes())?;
        self.files.push(json!({ "file": file }));
        Ok(())
    }

    /// Add a result to the manifest.
    pub(crate) fn note(&mut self, key: &str, value: impl Serialize) {
        self.manifest.insert(key.into(), json!(value));
    }

    /// The class name of output `k`, if there are labels.
    pub(crate) fn label(&self, k: usize) -> Option<&str> {
        self.labels.as_ref()?.get(k).map(String::as_str)
    }

    /// Measure the certificate and write the manifest; gives the manifest's text.
    pub(crate) fn finish(&mut self) -> Result<(Certificate, String)> {
        output::progress("measuring the certificate");
        let certificate = certificate(&self.frozen)?;
        self.note("certificate", &certificate);
        if self.check_decisions {
            output::progress("freezing again in f64");
            let differing = differing_in_f64(&self.frozen)?;
            output::notice(&differing_line(&differing));
            self.note("decisions_differing_in_f64", differing);
        }
        let files = std::mem::take(&mut self.files);
        self.note("files", files);
        let text = serde_json::to_string_pretty(&self.manifest).expect("plain data serialises");
        output::write_whole(&self.out.join("manifest.json"), text.as_bytes())?;
        Ok((certificate, text))
    }

    /// Finish, print the certificate, and say where the results are.
    pub(crate) fn close(mut self, summary: &[String]) -> Result<()> {
        let (certificate, text) = self.finish()?;
        if self.quiet {
            return judge(&certificate);
        }
        if self.json {
            println!("{text}");
        } else {
            for line in summary {
                println!("{line}");
            }
            println!("{}", certificate_line(&certificate, self.precision));
            println!("results in {}", self.out.display());
        }
        judge(&certificate)
    }
}

/// The certificate: its errors in one line, the decisions at risk in another. Both are about arithmetic.
pub(crate) fn certificate_line(certificate: &Certificate, precision: Precision) -> String {
    format!(
        "certificate ({}) of the arithmetic, not of how far the reading holds: exactness {:.1e}, \
         adjoint {:.1e} (limit {:.0e}) · ‖r‖/‖f(x₀)‖ = {:.3}\n{}",
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
        "decisions at risk: {} of {} within rounding of their kink",
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
            "; {} exact ties, where the first of equals is taken",
            risk.ties
        );
    }
    if risk.unknown > 0 {
        text += &format!("; {} of which nothing is known", risk.unknown);
    }
    if risk.within > 0 && precision == Precision::F32 {
        text += "; --dtype f64 decides them by finer arithmetic";
    }
    text
}

/// Which decisions differ in f64.
fn differing_line(differing: &[Differing]) -> String {
    if differing.is_empty() {
        return "no decision differs in f64".into();
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
        hint: Some("the results are written but not to be trusted; try --dtype f64".into()),
        code: CERTIFICATE,
    })
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

pub(crate) fn check_finite(path: &Path, values: &[f64]) -> Result<()> {
    let mut bad = values.iter().enumerate().filter(|(_, v)| !v.is_finite());
    match bad.next() {
        None => Ok(()),
        Some((first, value)) => Err(Failure::input(format!(
            "{} holds {} values that are not finite (the first, {value}, at flat index {first})",
            path.display(),
            1 + bad.count()
        ))
        .hint("an interpreter of NaN or infinity means nothing")),
    }
}
