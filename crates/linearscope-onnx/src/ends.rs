//! Where a network begins and ends: which values are its inputs and outputs, and along which axis their
//! channels lie.
//!
//! A file fixes its ends for those who run it: pictures as bytes, channels last as its trainer had them, a class
//! instead of scores, boxes after a selection that has no derivative. An interpreter asks for other ends of the
//! same graph. Every function here gives a model of the same weights whose graph begins or ends elsewhere, and
//! nothing in between is changed.

use std::collections::{HashMap, HashSet};

use burn_backend::{DType, TensorData};

use crate::{
    error::{Error, Result},
    graph::{Attribute, Graph, Node},
    initialiser::shared,
    model::Model,
    signature::Signature,
    types::type_of,
};

/// Ops that move or choose entries, of whatever type.
const MOVES: &[&str] = &[
    "Identity",
    "Transpose",
    "Reshape",
    "Flatten",
    "Squeeze",
    "Unsqueeze",
    "Slice",
    "Pad",
];

/// Ops that keep the place of every entry of their operands.
const KEEPS: &[&str] = &[
    "Identity",
    "Cast",
    "Relu",
    "LeakyRelu",
    "PRelu",
    "Clip",
    "Sigmoid",
    "HardSigmoid",
    "Tanh",
    "Softplus",
    "Elu",
    "Gelu",
    "Erf",
    "Exp",
    "Log",
    "Sqrt",
    "Neg",
    "Abs",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Softmax",
    "LogSoftmax",
    "QuantizeLinear",
    "DequantizeLinear",
];

/// Ops whose result has the axes of their operands, at other sizes or with other entries.
const KEEPS_AXES: &[&str] = &[
    "Pad",
    "Resize",
    "Slice",
    "Gather",
    "Concat",
    "Split",
    "Where",
    "ReverseSequence",
    "Min",
    "Max",
    "Mean",
    "Sum",
    "Pow",
];

/// Ops that the standard defines with channels on axis 1.
const CHANNELS_FIRST: &[&str] = &[
    "Conv",
    "ConvTranspose",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "BatchNormalization",
    "InstanceNormalization",
    "GroupNormalization",
    "LRN",
    "DepthToSpace",
    "SpaceToDepth",
];

/// What a picture has behind its batch: grey, colour, colour and opacity.
const CHANNELS: [usize; 3] = [1, 3, 4];

/// From channels last to channels first, for tensors of `rank` axes.
fn to_first(rank: usize) -> Vec<i64> {
    let rank = rank as i64;
    [0, rank - 1].into_iter().chain(1..rank - 1).collect()
}

/// And back.
fn to_last(rank: usize) -> Vec<i64> {
    let rank = rank as i64;
    std::iter::once(0).chain(2..rank).chain([1]).collect()
}

impl Model {
    /// The same model with other outputs, each by the file's name of an output or of any value within, or by the
    /// name of a node, which means its first output. Nodes and inputs that these outputs do not need are gone,
    /// so that a detector ends before its non-maximum suppression.
    ///
    /// # Errors
    /// [`Error::Output`] for a name that the graph does not have, with names that are like it.
    ///
    /// ```
    /// let model = linearscope_onnx::Model::load("../../assets/tiny_sr/tiny_sr.onnx")?;
    /// let first = model.nodes().next().expect("a convolution");
    /// let part = model.with_outputs(&[&first.name])?;
    /// assert_eq!(part.nodes().count(), 1);
    /// assert!(model.with_outputs(&["nowhere"]).is_err());
    /// # Ok::<(), linearscope_onnx::Error>(())
    /// ```
    pub fn with_outputs(&self, names: &[&str]) -> Result<Self> {
        let outputs = names
            .iter()
            .map(|name| self.value(name))
            .collect::<Result<Vec<_>>>()?;
        self.ending_at(outputs)
    }

    fn ending_at(&self, outputs: Vec<Signature>) -> Result<Self> {
        let mut graph = Graph::clone(self.graph());
        graph.outputs = outputs;
        graph.prune();
        // An input may be what is read: a graph has at least one node.
        let inputs: HashSet<&String> = graph.inputs.iter().map(|input| &input.name).collect();
        let opset = self.graph().nodes.first().map_or(13, |node| node.opset);
        let mut copies = Vec::new();
        for output in graph
            .outputs
            .iter_mut()
            .filter(|output| inputs.contains(&output.name))
        {
            let name = format!("{}, as it is", output.name);
            copies.push(Node {
                name: name.clone(),
                file_name: name.clone(),
                op: "Identity".into(),
                opset,
                inputs: vec![std::mem::replace(&mut output.name, name.clone())],
                outputs: vec![name],
                ..Node::default()
            });
        }
        graph.nodes.extend(copies);
        graph.finish()?;
        // What lies within has a layout, too.
        Ok(Self::of(Self::with_layouts(graph)))
    }

    /// What the file declares of a value, by its name or that of the node that makes it.
    fn value(&self, name: &str) -> Result<Signature> {
        let graph = self.graph();
        let mut ends = graph.outputs.iter().chain(&graph.inputs);
        if let Some(end) = ends.find(|end| end.name == name) {
            return Ok(end.clone());
        }
        let made = |node: &&Node| node.outputs.iter().any(|output| output == name);
        let value = match graph.nodes.iter().find(made) {
            Some(_) => Some(name),
            None => {
                let called = |node: &&Node| node.name == name || node.file_name == name;
                let node = graph.nodes.iter().find(called);
                node.and_then(|node| node.outputs.first())
                    .map(|name| &name[..])
            }
        };
        match value {
            // The value may be an output that is known by its node.
            Some(value) if value != name => self.value(value),
            Some(value) => Ok(Signature::new(value, vec![])),
            None => Err(Error::Output {
                name: name.into(),
                outputs: graph
                    .outputs
                    .iter()
                    .map(|output| output.name.clone())
                    .collect(),
                near: self.near(name),
            }),
        }
    }

    /// Names of nodes that hold `name`, or that it holds.
    fn near(&self, name: &str) -> Vec<String> {
        let name = name.to_lowercase();
        let near = |node: &&Node| {
            let own = [&node.name, &node.file_name].map(|own| own.to_lowercase());
            own.iter()
                .any(|own| !own.is_empty() && (own.contains(&name) || name.contains(own)))
        };
        let nodes = self.graph().nodes.iter().filter(near);
        nodes.map(|node| node.name.clone()).take(5).collect()
    }

    /// A model whose outputs are scores where the file's are the index of the best: an `ArgMax` at the end, and
    /// what only moves or converts its result, is left out. The second part says which nodes those are.
    ///
    /// # Errors
    /// As [`with_outputs`](Self::with_outputs).
    pub fn without_final_argmax(&self) -> Result<(Self, Vec<String>)> {
        let graph = self.graph();
        let mut left_out = Vec::new();
        let mut outputs = graph.outputs.clone();
        for output in &mut outputs {
            let mut name = output.name.clone();
            let mut passed = Vec::new();
            while let Some(node) = graph.maker(&name) {
                let Some(operand) = node.inputs.first() else {
                    break;
                };
                passed.push(node.name.clone());
                name = operand.clone();
                if matches!(&node.op[..], "ArgMax" | "ArgMin") {
                    *output = self.value(&name)?;
                    left_out.append(&mut passed);
                    break;
                }
                if !MOVES.contains(&&node.op[..]) && node.op != "Cast" {
                    break;
                }
            }
        }
        match left_out.is_empty() {
            true => Ok((self.clone(), left_out)),
            false => Ok((self.ending_at(outputs)?, left_out)),
        }
    }

    /// The outputs that hold no floats, as far as the ops that make them say so, each with its type as ONNX calls
    /// it: indices, masks, counts. None of them can be frozen; [`network`](Self::network) refuses them.
    pub fn outputs_without_floats(&self) -> Vec<(String, String)> {
        let no_floats = self.graph().no_floats();
        let outputs = self.outputs().iter();
        outputs
            .filter_map(|output| Some((output.name.clone(), no_floats.get(&output.name)?.clone())))
            .collect()
    }

    /// The value of floats that an output of another type is made of: what a mask compares, what an index is of.
    /// None for an output of floats, and where there are no such but the graph's inputs.
    pub fn floats_behind(&self, output: &str) -> Option<String> {
        let no_floats = self.graph().no_floats();
        let behind = self.graph().floats_behind(output, &no_floats)?;
        (behind != output).then(|| behind.into())
    }

    /// What to say of an output that turned out to hold no floats.
    pub(crate) fn no_floats(&self, output: &str, dtype: DType) -> Error {
        let mut no_floats = self.graph().no_floats();
        let holds = no_floats.entry(output.into());
        let holds = holds.or_insert_with(|| type_of(dtype)).clone();
        Error::NoFloats {
            output: output.into(),
            holds,
            behind: (self.graph().floats_behind(output, &no_floats)).map(String::from),
        }
    }

    /// A model that takes the numbers themselves where the file takes them as integers and converts them at once,
    /// as bytes of a picture. Other inputs stay as they are.
    pub fn from_floats(&self) -> Self {
        let mut graph = Graph::clone(self.graph());
        for input in &mut graph.inputs {
            let integer = graph.input_dtypes.get(&input.name).copied();
            let integer =
                integer.filter(|dtype| !dtype.is_float() && !matches!(dtype, DType::Bool(_)));
            if integer.is_some() && only_converted(&graph.nodes, &graph.outputs, &input.name) {
                graph.input_dtypes.remove(&input.name);
                input.integers = true;
            }
        }
        Self::of(graph)
    }

    /// Which inputs and outputs have their channels on the last axis, as Keras and TensorFlow keep them, by the
    /// graph: what it transposes on the way to its convolutions or from them, else what the declared sizes say.
    /// Noted in the signatures.
    ///
    /// A graph can convolve only with channels on axis 1, so that one of channels last transposes first.
    #[must_use]
    pub(crate) fn with_layouts(mut graph: Graph) -> Graph {
        let inputs: Vec<bool> = (graph.inputs.iter())
            .map(|input| {
                let rank = input.dims.len();
                let by_graph = graph.layout_after(&input.name, rank);
                by_graph.unwrap_or_else(|| last_by_sizes(input))
            })
            .collect();
        for (input, last) in graph.inputs.iter_mut().zip(&inputs) {
            input.channels_last = *last;
        }
        let any = inputs.contains(&true);
        let outputs: Vec<(bool, Option<usize>)> = (graph.outputs.iter())
            .map(|output| match graph.layout_before(&output.name) {
                Some((last, rank)) => (last, rank),
                // Where the graph is silent, an output of an input's kind is laid out as that is.
                None => (any && output.dims.len() == 4, None),
            })
            .collect();
        for (output, (last, rank)) in graph.outputs.iter_mut().zip(outputs) {
            (output.channels_last, output.rank) = (last, rank);
        }
        graph
    }

    /// The same function with channels on axis 1 of every input and output that has them last: one transposition
    /// at each such end.
    ///
    /// # Errors
    /// [`Error::Parse`] where the graph contradicts itself.
    pub fn channels_first(&self) -> Result<Self> {
        let old = self.graph();
        if !old
            .inputs
            .iter()
            .chain(&old.outputs)
            .any(|end| end.channels_last)
        {
            return Ok(self.clone());
        }
        let mut graph = Graph::clone(old);
        let opset = graph.nodes.first().map_or(13, |node| node.opset);
        let transpose = |name: String, from: &str, to: &str, order: Vec<i64>| Node {
            file_name: name.clone(),
            name,
            op: "Transpose".into(),
            opset,
            inputs: vec![from.into()],
            outputs: vec![to.into()],
            attributes: HashMap::from([("perm".into(), Attribute::Ints(order))]),
            ..Node::default()
        };
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for input in graph.inputs.iter_mut().filter(|input| input.channels_last) {
            let inner = format!("{}, channels last", input.name);
            // Four axes where the file does not say.
            let rank = match input.dims.len() {
                0 => 4,
                rank => rank,
            };
            rename_reads(&mut graph.nodes, &input.name, &inner);
            // An input may be an output, too.
            let name = format!("{} to channels last", input.name);
            before.push(transpose(name, &input.name, &inner, to_last(rank)));
            input.turn();
        }
        for output in graph
            .outputs
            .iter_mut()
            .filter(|output| output.channels_last)
        {
            let inner = format!("{}, channels last", output.name);
            let rank = match output.dims.len() {
                0 => output.rank.unwrap_or(4),
                rank => rank,
            };
            if !graph
                .nodes
                .iter()
                .chain(&before)
                .any(|node| node.outputs.contains(&output.name))
            {
                continue;
            }
            rename_reads(&mut graph.nodes, &output.name, &inner);
            for node in graph.nodes.iter_mut().chain(&mut before) {
                for made in node.outputs.iter_mut().filter(|made| **made == output.name) {
                    made.clone_from(&inner);
                }
            }
            let name = format!("{} to channels first", output.name);
            after.push(transpose(name, &inner, &output.name, to_first(rank)));
            output.turn();
        }
        graph.nodes = [before, std::mem::take(&mut graph.nodes), after].concat();
        graph.finish()?;
        Ok(Self::of(graph))
    }

    /// The same model, its pictures said to have their channels last, or not to, whatever was inferred: inputs of
    /// three axes and more or of undeclared shape, and outputs of as many.
    pub fn with_channels_last(&self, last: bool) -> Self {
        let mut graph = Graph::clone(self.graph());
        for input in &mut graph.inputs {
            input.channels_last = last && (input.dims.is_empty() || input.dims.len() >= 3);
        }
        let ranks: HashSet<usize> = (graph.inputs.iter())
            .filter(|input| input.channels_last)
            .map(|input| {
                if input.dims.is_empty() {
                    4
                } else {
                    input.dims.len()
                }
            })
            .collect();
        for output in &mut graph.outputs {
            let rank = output.dims.len().max(output.rank.unwrap_or(0));
            output.channels_last = last && (output.channels_last || ranks.contains(&rank));
        }
        Self::of(graph)
    }

    /// One output that holds all of them along their last axis, in their order: of boxes `[1, N, 4]` and scores
    /// `[1, N, K]` it is `[1, N, 4 + K]`. What declares more axes than another has its last ones taken as one, so
    /// that boxes may be `[1, N, 1, 4]`.
    ///
    /// # Errors
    /// [`Error::Parse`] where the graph contradicts itself. That other axes differ is found when it is run.
    pub fn with_outputs_side_by_side(&self) -> Result<Self> {
        let mut graph = Graph::clone(self.graph());
        let declared = graph.outputs.iter().map(|output| output.dims.len());
        let least = declared.filter(|rank| *rank > 0).min().unwrap_or(0);
        let mut rows = Vec::new();
        for output in &graph.outputs {
            if output.dims.len() <= least {
                rows.push((output.name.clone(), None));
            } else {
                rows.push((format!("{}, in rows", output.name), Some(&output.name)));
            }
        }
        let joined = graph.joined(rows.iter().map(|(name, _)| name.clone()).collect(), -1);
        let shape = format!("{least} axes");
        let reshapes: Vec<Node> = rows
            .into_iter()
            .filter_map(|(name, of)| Some(joined.reshape(of?, &shape, name)))
            .collect();
        // An axis of 0 is the operand's own.
        let mut sizes = vec![0i64; least];
        if let (Some(last), false) = (sizes.last_mut(), reshapes.is_empty()) {
            *last = -1;
            let numbers = shared(TensorData::new(sizes, [least]));
            graph.constants.insert(shape, numbers);
        }
        graph.nodes.extend(reshapes);
        graph.nodes.push(joined);
        graph.outputs = vec![Signature::new(JOINED, vec![])];
        graph.finish()?;
        Ok(Self::of(graph))
    }

    /// One output `[1, N]` that holds all of them, each flattened, in their order.
    ///
    /// # Errors
    /// [`Error::Parse`] where the graph contradicts itself.
    pub fn with_outputs_joined(&self) -> Result<Self> {
        let mut graph = Graph::clone(self.graph());
        let flat: Vec<String> = (graph.outputs.iter())
            .map(|output| format!("{}, flat", output.name))
            .collect();
        let row = "one row".to_string();
        let numbers = shared(TensorData::new(vec![1i64, -1], [2]));
        graph.constants.insert(row.clone(), numbers);
        let joined = graph.joined(flat.clone(), 1);
        for (output, name) in graph.outputs.iter().zip(flat) {
            (graph.nodes).push(joined.reshape(&output.name, &row, name));
        }
        graph.nodes.push(joined);
        graph.outputs = vec![Signature::new(JOINED, vec![])];
        graph.finish()?;
        Ok(Self::of(graph))
    }
}

impl Node {
    /// A node of the same opset that takes a value to a shape.
    fn reshape(&self, value: &str, shape: &str, name: String) -> Self {
        Self {
            op: "Reshape".into(),
            inputs: vec![value.into(), shape.into()],
            outputs: vec![name.clone()],
            file_name: name.clone(),
            name,
            attributes: HashMap::new(),
            ..self.clone()
        }
    }
}

/// What several outputs are called as one.
const JOINED: &str = "all outputs";

impl Graph {
    /// A node that puts values one behind the other along an axis.
    fn joined(&self, values: Vec<String>, axis: i64) -> Node {
        Node {
            op: "Concat".into(),
            opset: self.nodes.first().map_or(13, |node| node.opset),
            inputs: values,
            outputs: vec![JOINED.into()],
            file_name: JOINED.into(),
            name: JOINED.into(),
            attributes: HashMap::from([("axis".into(), Attribute::Int(axis))]),
            ..Node::default()
        }
    }

    /// The node that makes a value.
    pub(crate) fn maker(&self, name: &str) -> Option<&Node> {
        let makes = |node: &&Node| node.outputs.iter().any(|output| output == name);
        self.nodes.iter().find(makes)
    }

    /// Leave out nodes and inputs that no output needs.
    fn prune(&mut self) {
        let outputs = self.outputs.iter().map(|output| output.name.clone());
        let mut needed: HashSet<String> = outputs.collect();
        let mut kept = Vec::new();
        // Nodes are in order: each after those it reads.
        for node in std::mem::take(&mut self.nodes).into_iter().rev() {
            if node.outputs.iter().any(|output| needed.contains(output)) {
                node.reads(&mut needed);
                kept.push(node);
            }
        }
        kept.reverse();
        self.nodes = kept;
        self.inputs.retain(|input| needed.contains(&input.name));
    }

    /// Whether a value's channels are last, by the first op on its way that says so.
    fn layout_after(&self, name: &str, rank: usize) -> Option<bool> {
        let mut same: HashSet<&str> = HashSet::from([name]);
        for node in &self.nodes {
            let Some(operand) = node.inputs.first() else {
                continue;
            };
            let first = same.contains(&operand[..]);
            let any = node.inputs.iter().any(|input| same.contains(&input[..]));
            if !any {
                continue;
            }
            match &node.op[..] {
                op if CHANNELS_FIRST.contains(&op) && first => return Some(false),
                "Transpose" => {
                    let Some(Attribute::Ints(order)) = node.attributes.get("perm") else {
                        return None;
                    };
                    let fits = rank == 0 || rank == order.len();
                    let last = fits && order.len() >= 3 && *order == to_first(order.len());
                    // Of three axes it is no more than a transposition, as attention has it.
                    let sure = order.len() > 3
                        || node.outputs.first().is_some_and(|output| {
                            self.layout_after(output, order.len()) == Some(false)
                        });
                    return (last && sure).then_some(true);
                }
                op if KEEPS.contains(&op) || KEEPS_AXES.contains(&op) => {
                    same.extend(node.outputs.iter().map(|output| &output[..]));
                }
                _ => {}
            }
        }
        None
    }

    /// Whether a value's channels are last, by the last op on its way that says so, and of how many axes.
    fn layout_before(&self, name: &str) -> Option<(bool, Option<usize>)> {
        let mut ahead = vec![name];
        let mut seen = HashSet::new();
        while let Some(name) = ahead.pop() {
            let Some(node) = self.maker(name).filter(|_| seen.insert(name)) else {
                continue;
            };
            match &node.op[..] {
                op if CHANNELS_FIRST.contains(&op) => return Some((false, None)),
                "Transpose" => {
                    let Some(Attribute::Ints(order)) = node.attributes.get("perm") else {
                        return None;
                    };
                    let last = order.len() >= 3 && *order == to_last(order.len());
                    let sure = order.len() > 3
                        || node.inputs.first().is_some_and(|input| {
                            self.layout_before(input).is_some_and(|(last, _)| !last)
                        });
                    return (last && sure).then_some((true, Some(order.len())));
                }
                // A product of matrices at every place: its last axis has the channels.
                "MatMul" => ahead.extend(node.inputs.first().map(|input| &input[..])),
                op if KEEPS.contains(&op) || KEEPS_AXES.contains(&op) => {
                    ahead.extend(node.inputs.iter().map(|input| &input[..]));
                }
                _ => {}
            }
        }
        None
    }
}

/// Whether the sizes alone say that channels are last: as many as a picture has, and not in front.
fn last_by_sizes(end: &Signature) -> bool {
    let is = |dim: &std::result::Result<usize, String>| {
        dim.as_ref().is_ok_and(|size| CHANNELS.contains(size))
    };
    match &end.dims[..] {
        [_, first, _, last] => is(last) && !is(first),
        _ => false,
    }
}

/// Whether every reader of an integer value moves it, or converts it to floats.
fn only_converted(nodes: &[Node], outputs: &[Signature], name: &str) -> bool {
    let mut same: HashSet<&str> = HashSet::from([name]);
    let mut converted = false;
    for node in nodes {
        let mut read = HashSet::new();
        node.reads(&mut read);
        if !same.iter().any(|name| read.contains(*name)) {
            continue;
        }
        let first = node
            .inputs
            .first()
            .is_some_and(|input| same.contains(&input[..]));
        let others = node
            .inputs
            .iter()
            .skip(1)
            .any(|input| same.contains(&input[..]));
        match (&node.op[..], node.attributes.get("to")) {
            // 1 float, 10 float16, 11 double, 16 bfloat16.
            ("Cast", Some(Attribute::Int(1 | 10 | 11 | 16))) => converted = true,
            (op, _) if MOVES.contains(&op) && first && !others => {
                same.extend(node.outputs.first().map(|output| &output[..]));
            }
            // Shapes do not depend on the type.
            ("Shape" | "Size", _) => {}
            _ => return false,
        }
    }
    converted && !outputs.iter().any(|output| same.contains(&output.name[..]))
}

/// Let nodes, and bodies within them, read a value under another name.
fn rename_reads(nodes: &mut [Node], from: &str, to: &str) {
    for node in nodes {
        for input in node.inputs.iter_mut().filter(|input| *input == from) {
            *input = to.into();
        }
        for attribute in node.attributes.values_mut() {
            let Attribute::Graph(body) = attribute else {
                continue;
            };
            let own = body.constants.contains_key(from)
                || body.inputs.iter().any(|input| input.name == from)
                || body
                    .nodes
                    .iter()
                    .any(|node| node.outputs.iter().any(|name| name == from));
            if !own {
                rename_reads(&mut body.nodes, from, to);
                for output in body.outputs.iter_mut().filter(|output| output.name == from) {
                    output.name = to.into();
                }
            }
        }
    }
}
