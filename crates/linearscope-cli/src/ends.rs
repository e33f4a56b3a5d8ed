//! Where a network begins and ends for this program: one input that is varied, one output that is read, channels
//! behind the batch. What the file has otherwise is chosen, turned or left out here, and said aloud.

use std::{borrow::Cow, path::Path};

use burn::tensor::TensorData;
use clap::{Args, ValueEnum};
use linearscope_onnx::{Model as Onnx, Signature};
use linearscope_preprocess::{Array, Limits};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    boxes::{BoxLayout, COORDINATES},
    console,
    error::{Failure, Result},
    limits::refused,
    model::{Model, Zoo},
    results::sha256_of,
};

/// Heading of what ends a network has.
pub(crate) const ENDS: &str = "Ends of the network";

/// Which of several ends, and how they are laid out.
#[derive(Clone, Debug, Default, Args, Serialize)]
#[command(next_help_heading = ENDS)]
pub(crate) struct EndFlags {
    /// The output to read: its name, the name of any node (for example to end a detector before its selection of
    /// boxes), or `all` to flatten all outputs into one [default: the first]
    #[arg(long = "output", id = "read_output", value_name = "NAME")]
    pub output: Option<String>,
    /// Fix another input to an .npy array or to a single number; repeat for several
    #[arg(long = "set", value_name = "NAME=NPY|NUMBER")]
    pub set: Vec<String>,
    /// Position of the channel axis in the network's pictures [default: inferred from the graph]
    #[arg(long, value_name = "LAYOUT")]
    pub layout: Option<Layout>,
    /// For detectors: what each box holds besides 4 coordinates and one score per class [default: inferred from shapes
    /// and labels]
    #[arg(long, value_name = "WHAT")]
    pub boxes: Option<BoxLayout>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Layout {
    /// `[n, c, h, w]`
    ChannelsFirst,
    /// `[n, h, w, c]`, as in Keras and TensorFlow
    ChannelsLast,
}

/// A model of one input and one output, channels first, and what its file has instead.
pub(crate) struct Ends {
    pub model: Model,
    pub layouts: Layouts,
    /// Coordinates and scores of boxes were two outputs, and are one.
    pub boxes_joined: bool,
    /// What was chosen, for manifests.
    pub facts: Value,
}

/// Which arrays have their channels last outside of this program.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Layouts {
    pub input: bool,
    pub output: bool,
}

/// What an array's shape is that of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shaped {
    Input,
    Output,
    /// A value within the network.
    Within,
}

impl Layouts {
    /// An array of a shape behind `lead` axes, channels where the file has them.
    pub(crate) fn in_file<'a>(
        self,
        shaped: Shaped,
        values: &'a [f64],
        shape: &'a [usize],
        lead: usize,
    ) -> (Cow<'a, [f64]>, Cow<'a, [usize]>) {
        match self.last(shaped) {
            true => {
                let (values, shape) = to_last(values, shape, lead + 1);
                (values.into(), shape.into())
            }
            false => (values.into(), shape.into()),
        }
    }

    pub(crate) fn last(self, shaped: Shaped) -> bool {
        match shaped {
            Shaped::Input => self.input,
            Shaped::Output => self.output,
            Shaped::Within => false,
        }
    }
}

impl EndFlags {
    /// As a user would type them.
    pub(crate) fn words(&self) -> Vec<(&'static str, String)> {
        let layout = self.layout.and_then(|layout| layout.to_possible_value());
        let output = self.output.iter().map(|name| ("output", name.clone()));
        let set = self.set.iter().map(|set| ("set", set.clone()));
        let layout = layout
            .iter()
            .map(|value| ("layout", value.get_name().to_string()));
        let boxes = self.boxes.map(|boxes| ("boxes", boxes.name()));
        output.chain(set).chain(layout).chain(boxes).collect()
    }

    /// The hashes of the arrays that inputs are fixed to.
    pub(crate) fn hashes(&self) -> Result<Vec<String>> {
        let files = self.set.iter().filter_map(|set| {
            let (_, value) = set.rsplit_once('=')?;
            value.parse::<f64>().is_err().then(|| Path::new(value))
        });
        files
            .map(|path| sha256_of(path).map_err(|error| Failure::file(path, error)))
            .collect()
    }

    /// The model from the input that varies to the output that is read; what is not as the file has it is said.
    pub(crate) fn of(&self, model: Model) -> Result<Ends> {
        self.of_within(model, &Limits::default())
    }

    /// The same with limits of arrays.
    pub(crate) fn of_within(&self, model: Model, limits: &Limits) -> Result<Ends> {
        match model {
            Model::Onnx(model) => self.of_file(model, limits),
            Model::Zoo(zoo) => self.of_zoo(zoo),
        }
    }

    /// A network of the zoo has one input and one output, channels first: there is nothing to choose.
    fn of_zoo(&self, zoo: Box<Zoo>) -> Result<Ends> {
        let name = zoo.known.name;
        let model = Model::Zoo(zoo);
        let (input, output) = (&model.inputs()[0].name, &model.outputs()[0].name);
        if let Some(set) = self.set.first() {
            return Err(Failure::input(format!(
                "--set {set}: zoo:{name} has no input but \"{input}\", which varies"
            )));
        }
        if let Some(asked) = &self.output
            && asked != output
            && asked != "all"
        {
            return Err(Failure::input(format!(
                "--output {asked}: zoo:{name} has one output, \"{output}\""
            ))
            .hint("svd, spectrum and project take a part of the network with --from and --to"));
        }
        if self.layout == Some(Layout::ChannelsLast) {
            return Err(Failure::input(format!(
                "--layout channels-last: the pictures of zoo:{name} have their channels first"
            )));
        }
        let facts = json!({
            "output": output,
            "outputs": [output],
            "set": self.set,
            "argmax_left_out": [],
            "outputs_without_floats": [],
            "input_takes_integers": false,
            "channels_last": { "input": false, "output": false },
        });
        Ok(Ends {
            model,
            layouts: Layouts::default(),
            boxes_joined: false,
            facts,
        })
    }

    fn of_file(&self, mut model: Onnx, limits: &Limits) -> Result<Ends> {
        if model.outputs().is_empty() {
            return Err(Failure::input("the file declares no output")
                .hint("export the model again, with an output listed in the graph"));
        }
        for set in &self.set {
            model = fixed(&model, set, limits)?;
        }
        let mut left_out = Vec::new();
        let mut without_floats = Vec::new();
        let all: Vec<String> = model.outputs().iter().map(|one| one.name.clone()).collect();
        let boxes = match self.output.as_deref() {
            None | Some("all") if model.inputs().iter().any(|input| input.dims.len() == 4) => {
                boxes_and_scores(model.outputs())
            }
            _ => None,
        };
        match self.output.as_deref() {
            _ if boxes.is_some() => {}
            Some("all") if all.len() > 1 => {
                let (scores, argmax) = model.without_final_argmax()?;
                left_out = argmax;
                let read = Readable::of(&scores);
                model = match &read.names[..] {
                    // The first is refused where it is run, with what to do.
                    [] => scores,
                    [one] => scores.with_outputs(&[one])?,
                    all => {
                        let all: Vec<&str> = all.iter().map(|name| &name[..]).collect();
                        scores.with_outputs(&all)?.with_outputs_joined()?
                    }
                };
                read.tell();
                without_floats = read.without;
            }
            Some("all") | None => {}
            Some(name) => model = model.with_outputs(&[name])?,
        }
        if let Some([boxes, scores]) = &boxes {
            console::notice(&format!(
                "the outputs {boxes} and {scores} are combined into one: for each box, its coordinates \
                 followed by its scores (use --output NAME to read only one)"
            ));
            model = model
                .with_outputs(&[boxes, scores])?
                .with_outputs_side_by_side()?;
        }
        if self.output.is_none() && boxes.is_none() {
            let chosen = first_of_floats(&model)?;
            if all.len() > 1 {
                console::notice(&format!(
                    "the network has {} outputs, {}; using {chosen} (choose another with --output NAME, or all)",
                    all.len(),
                    all.join(", "),
                ));
            }
            model = model.with_outputs(&[&chosen])?;
        }
        let (scores, mut argmax) = model.without_final_argmax()?;
        model = match boxes {
            // These two are read as they are, whatever the layout of the picture.
            Some(_) => scores,
            // Inputs that this output does not need are none.
            None => {
                let name = scores.outputs()[0].name.clone();
                scores.with_outputs(&[&name])?
            }
        };
        argmax.append(&mut left_out);
        if !argmax.is_empty() {
            console::notice(&format!(
                "the final index of the best class, \"{}\", is left out: outputs are the scores that it compares",
                argmax.join("\", \"")
            ));
        }
        model = model.from_floats();
        if let Some(layout) = self.layout {
            model = model.with_channels_last(layout == Layout::ChannelsLast);
        }
        model = rows_as_they_are(model);
        let [input] = model.inputs() else {
            return Err(several(&model));
        };
        let input = input.clone();
        let layouts = Layouts {
            input: input.channels_last,
            output: model.outputs()[0].channels_last,
        };
        if input.integers {
            console::notice(&format!(
                "the input \"{}\" takes whole numbers and converts them to floats: x₀ is the converted input, not rounded",
                input.name
            ));
        }
        if layouts.input || layouts.output {
            let which = match (layouts.input, layouts.output) {
                (true, true) => "input and output have",
                (true, false) => "the input has",
                _ => "the output has",
            };
            console::notice(&format!(
                "{which} channels last; positions are still given as c,y,x, and arrays are written in the layout of the file"
            ));
        }
        let facts = json!({
            "output": model.outputs()[0].name,
            "outputs": all,
            "set": self.set,
            "argmax_left_out": argmax,
            "outputs_without_floats": without_floats,
            "input_takes_integers": input.integers,
            "channels_last": { "input": layouts.input, "output": layouts.output },
        });
        Ok(Ends {
            model: Model::Onnx(model.channels_first()?),
            layouts,
            boxes_joined: boxes.is_some(),
            facts,
        })
    }
}

/// Which outputs can be read as one.
struct Readable {
    /// Each once: two may be of the same scores.
    names: Vec<String>,
    /// Those that hold no floats, with their types.
    without: Vec<String>,
}

impl Readable {
    fn of(model: &Onnx) -> Self {
        let without = model.outputs_without_floats();
        let mut names: Vec<String> = Vec::new();
        for output in model.outputs() {
            let floats = without.iter().all(|(name, _)| *name != output.name);
            if floats && !names.contains(&output.name) {
                names.push(output.name.clone());
            }
        }
        let without = without.into_iter();
        Self {
            names,
            without: without
                .map(|(name, kind)| format!("{name} ({kind})"))
                .collect(),
        }
    }

    /// What is left out.
    fn tell(&self) {
        let (them, hold) = match &self.without[..] {
            _ if self.names.is_empty() => return,
            [] => return,
            [_] => ("the output", "is left out: it holds"),
            _ => ("the outputs", "are left out: they hold"),
        };
        console::notice(&format!(
            "{them} {} {hold} no floats, and only floats have a derivative (use --output NAME to read a value \
             it is computed from)",
            self.without.join(", ")
        ));
    }
}

/// The output that is read where none is named: the first of floats, or of scores before an index of the best; where
/// there is none, the floats that the first one is made of.
fn first_of_floats(model: &Onnx) -> Result<String> {
    let (scores, _) = model.without_final_argmax()?;
    let without = scores.outputs_without_floats();
    let floats = |output: &&Signature| without.iter().all(|(name, _)| *name != output.name);
    if let Some(at) = scores.outputs().iter().position(|output| floats(&output)) {
        return Ok(model.outputs()[at].name.clone());
    }
    let (name, kind) = &without[0];
    let Some(behind) = scores.floats_behind(name) else {
        // Refused where it is run, with what to do.
        return Ok(name.clone());
    };
    console::notice(&format!(
        "the output {name} holds {kind}, and only floats have a derivative: using {behind}, from which it is \
         computed (choose another with --output NAME)"
    ));
    Ok(behind)
}

/// The names of two outputs `[1, boxes, 4]` and `[1, boxes, classes]`, whichever comes first. Boxes may be
/// `[1, boxes, 1, 4]`.
fn boxes_and_scores(outputs: &[Signature]) -> Option<[String; 2]> {
    let [first, second] = outputs else {
        return None;
    };
    let is_pair = |boxes: &Signature, scores: &Signature| match (&boxes.dims[..], &scores.dims[..])
    {
        ([_, a, Ok(4)] | [_, a, Ok(1), Ok(4)], [_, b, Ok(classes)]) => {
            // As many of both, as far as it is known.
            *classes != COORDINATES && (a.is_err() || b.is_err() || a == b)
        }
        _ => false,
    };
    let (boxes, scores) = match (is_pair(first, second), is_pair(second, first)) {
        (true, false) => (first, second),
        (false, true) => (second, first),
        _ => return None,
    };
    Some([boxes.name.clone(), scores.name.clone()])
}

/// An output of three axes of a picture has rows of numbers, as `[1, boxes, numbers]`, and no channels: only the
/// picture is turned.
fn rows_as_they_are(model: Onnx) -> Onnx {
    let ([input], [output]) = (model.inputs(), model.outputs()) else {
        return model;
    };
    if input.dims.len() != 4 || !output.channels_last || output.dims.len() > 3 {
        return model;
    }
    let without = model.with_channels_last(false);
    // Turns an output of as many axes as the picture has and no other, whether they are declared or not.
    let with = without.with_channels_last(true);
    match (with.outputs()[0].channels_last, input.channels_last) {
        (true, _) => model,
        (false, true) => with,
        (false, false) => without,
    }
}

/// Too many inputs, or none.
fn several(model: &Onnx) -> Failure {
    let shown = |input: &Signature| format!("{} {input}", input.name);
    let inputs: Vec<String> = model.inputs().iter().map(shown).collect();
    match inputs.is_empty() {
        true => Failure::input("this output does not depend on any input"),
        false => Failure::input(format!(
            "the network has {} inputs: {}; one varies, and the others must be fixed",
            inputs.len(),
            inputs.join(", ")
        ))
        .hint(format!(
            "fix each of the others with --set {}=FILE.npy, or =0.5 for a constant",
            model.inputs()[1].name
        )),
    }
}

/// `NAME=FILE.npy` or `NAME=0.5`.
pub(crate) fn fixed(model: &Onnx, set: &str, limits: &Limits) -> Result<Onnx> {
    let wrong = |why: &str| Failure::input(format!("--set {set}: {why}"));
    // Names may hold an equals sign; files and numbers seldom do.
    let (name, value) = set
        .rsplit_once('=')
        .ok_or_else(|| wrong("expected NAME=FILE.npy or NAME=NUMBER"))?;
    let input = model.inputs().iter().find(|input| input.name == name);
    let numbers = match value.parse::<f64>() {
        Ok(number) => {
            let dims = input.map(|input| &input.dims[..]).unwrap_or_default();
            let shape: Vec<usize> = dims.iter().map(|dim| *dim.as_ref().unwrap_or(&1)).collect();
            let count = shape.iter().product();
            (vec![number; count], shape)
        }
        Err(_) => {
            let array = Array::open(Path::new(value), limits).map_err(refused)?;
            (array.values, array.shape)
        }
    };
    let whole = numbers.0.iter().all(|x| x.fract() == 0.0 && x.abs() < 9e15);
    let (values, shape) = numbers;
    let given = |data: TensorData| model.with_constant(name, data);
    let floats = given(TensorData::new(values.clone(), shape.clone()));
    // An input of whole numbers takes no floats.
    match floats {
        Err(linearscope_onnx::Error::Input { .. }) if whole && input.is_some() => {
            let values: Vec<i64> = values.iter().map(|x| *x as i64).collect();
            Ok(given(TensorData::new(values, shape))?)
        }
        other => Ok(other?),
    }
}

/// Channels moved from the last axis to the one behind `lead` others.
pub(crate) fn to_first(values: &[f64], shape: &[usize], lead: usize) -> (Vec<f64>, Vec<usize>) {
    let (last, rest) = shape.split_last().expect("a picture has axes");
    let within: usize = rest[lead..].iter().product();
    let shape = [&rest[..lead], &[*last], &rest[lead..]].concat();
    (turned(values, within, *last), shape)
}

/// Channels moved from behind `lead` axes to the end.
fn to_last(values: &[f64], shape: &[usize], lead: usize) -> (Vec<f64>, Vec<usize>) {
    let channels = shape[lead];
    let rest = &shape[lead + 1..];
    let within: usize = rest.iter().product();
    let shape = [&shape[..lead], rest, &[channels]].concat();
    (turned(values, channels, within), shape)
}

/// Every matrix of `rows` × `columns` transposed.
fn turned(values: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    let one = |matrix: &[f64]| -> Vec<f64> {
        let entries = (0..columns).flat_map(|c| (0..rows).map(move |r| r * columns + c));
        entries.map(|at| matrix[at]).collect()
    };
    match rows * columns {
        0 => Vec::new(),
        size => values.chunks_exact(size).flat_map(one).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_turn_both_ways() {
        let shape = [2, 3, 4, 5];
        let values: Vec<f64> = (0..120).map(f64::from).collect();
        let (last, turned) = to_last(&values, &shape, 1);
        assert_eq!(turned, [2, 4, 5, 3]);
        // (1, 2, 3, 4) of channels first is (1, 3, 4, 2) of channels last.
        assert_eq!(
            last[60 + (3 * 5 + 4) * 3 + 2],
            values[60 + (2 * 4 + 3) * 5 + 4]
        );
        assert_eq!(
            to_first(&last, &turned, 1),
            (values.clone(), shape.to_vec())
        );
        let (many, turned) = to_last(&values, &[1, 2, 3, 4, 5], 2);
        assert_eq!((turned, many), (vec![1, 2, 4, 5, 3], last));
    }
}
