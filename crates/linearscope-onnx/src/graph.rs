//! The graph of a model as the executor walks it: nodes in the file's order, and every constant as
//! numbers.

use std::collections::{HashMap, HashSet};

use burn_backend::{DType, TensorData};
use onnx_ir::{
    AttributeProto, AttributeType, GraphProto, NodeProto, ValueInfoProto, normalize_domain,
};

use crate::{
    error::{Error, Result},
    initialiser::{Reader, dtype, readable_type, type_name},
    low_precision::LowPrecision,
    signature::Signature,
};

/// An attribute of a node.
#[derive(Clone, Debug)]
pub(crate) enum Attribute {
    Int(i64),
    Float(f32),
    Text(String),
    Ints(Vec<i64>),
    Floats(Vec<f32>),
    /// With its type, if Burn has no dtype for it.
    Tensor(TensorData, Option<LowPrecision>),
    Graph(Box<Graph>),
    /// In a function: a reference to the call's attribute of this name.
    Reference(String),
    /// A kind that no op here reads.
    Other(String),
}

/// One node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    /// What it is called: see [`names`](crate::names).
    pub name: String,
    /// Its name in the file, or that of its first output.
    pub file_name: String,
    /// The file gives it none.
    pub unnamed: bool,
    /// The modules it came from, as torch writes them alongside a node.
    pub scopes: Option<String>,
    pub op: String,
    pub domain: String,
    /// Which of several functions of one name it calls.
    pub overload: String,
    /// Version of the standard's operator set.
    pub opset: i64,
    /// Operands; an empty name is one that is left out.
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub attributes: HashMap<String, Attribute>,
    /// Types of the operands that are of one Burn has no dtype for.
    pub low_precision: Vec<Option<LowPrecision>>,
    /// Values nobody reads after it.
    pub last_read: Vec<String>,
}

/// A graph or the body of an `If` or `Loop`.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    pub nodes: Vec<Node>,
    pub constants: HashMap<String, TensorData>,
    /// Inputs that are no constants, in order.
    pub inputs: Vec<Signature>,
    /// Declared dtypes of the inputs, where Burn has them.
    pub input_dtypes: HashMap<String, DType>,
    pub outputs: Vec<Signature>,
    /// Values of types that Burn has no dtype for.
    low_precision: HashMap<String, LowPrecision>,
}

impl Graph {
    /// A graph from its protobuf, whose tensors are emptied on the way. Its calls of functions are
    /// not yet resolved, nor is it known what is read last where: see [`finish`](Self::finish).
    pub(crate) fn read(
        proto: &mut GraphProto,
        reader: &mut Reader<'_>,
        opset: i64,
    ) -> Result<Self> {
        if let Some(sparse) = proto.sparse_initializer.first() {
            return Err(Error::Initialiser {
                tensor: sparse.values.name.clone(),
                because: "is sparse".into(),
            });
        }
        let mut constants = HashMap::new();
        let declared = proto.input.iter().chain(&proto.value_info);
        let mut low_precision: HashMap<String, LowPrecision> = declared
            .filter_map(|value| Some((value.name.clone(), LowPrecision::of(element_type(value)?)?)))
            .collect();
        for tensor in &mut proto.initializer {
            let data = reader.read(tensor)?;
            low_precision
                .extend(LowPrecision::of(tensor.data_type).map(|kind| (tensor.name.clone(), kind)));
            constants.insert(tensor.name.clone(), data);
        }
        let nodes = std::mem::take(&mut proto.node)
            .into_iter()
            .map(|node| Node::read(node, reader, opset))
            .collect::<Result<Vec<_>>>()?;
        // Old files list the weights among the inputs.
        let mut free: Vec<&ValueInfoProto> = proto
            .input
            .iter()
            .filter(|input| !constants.contains_key(&input.name))
            .collect();
        // Where all have values, one has a default instead: the first that may be a picture.
        if free.is_empty() {
            let axes = |input: &&ValueInfoProto| Signature::read(input).dims.len() >= 3;
            let inputs = &proto.input;
            let varied = inputs.iter().find(axes).or_else(|| inputs.first());
            if let Some(input) = varied {
                constants.remove(&input.name);
                free.push(input);
            }
        }
        let inputs: Vec<Signature> = free.iter().map(|input| Signature::read(input)).collect();
        let input_dtypes = free
            .iter()
            .filter_map(|input| declared_dtype(input))
            .collect();
        let outputs: Vec<Signature> = proto.output.iter().map(Signature::read).collect();
        Ok(Self {
            nodes,
            constants,
            inputs,
            input_dtypes,
            outputs,
            low_precision,
        })
    }

    /// Nodes after those whose values they read, otherwise in the file's order. The standard asks for
    /// that order, and not every program that edits files keeps it.
    ///
    /// # Errors
    /// [`Error::Parse`] for nodes that wait for each other.
    fn sort(&mut self) -> Result<()> {
        let mut makers: HashMap<&str, usize> = HashMap::new();
        for (at, node) in self.nodes.iter().enumerate() {
            for output in node.outputs.iter().filter(|output| !output.is_empty()) {
                makers.entry(output).or_insert(at);
            }
        }
        let waits: Vec<Vec<usize>> = self
            .nodes
            .iter()
            .map(|node| {
                let mut names = HashSet::new();
                node.waits_for(&mut names);
                let mut waits: Vec<usize> = names
                    .iter()
                    .filter_map(|name| makers.get(&name[..]).copied())
                    .collect();
                waits.sort_unstable();
                waits.dedup();
                waits
            })
            .collect();
        if waits
            .iter()
            .enumerate()
            .all(|(at, waits)| waits.last().is_none_or(|&last| last < at))
        {
            return Ok(());
        }
        let mut order = Vec::with_capacity(waits.len());
        // Where a node was met: on the way from the first that waits, or placed.
        let (mut open, mut placed) = (vec![false; waits.len()], vec![false; waits.len()]);
        for first in 0..waits.len() {
            let mut path: Vec<(usize, usize)> = vec![(first, 0)];
            while let Some((at, next)) = path.last_mut() {
                let at = *at;
                if placed[at] {
                    path.pop();
                    continue;
                }
                open[at] = true;
                match waits[at].get(*next) {
                    Some(&before) => {
                        *next += 1;
                        if open[before] && !placed[before] {
                            let from = path.iter().position(|(at, _)| *at == before).unwrap_or(0);
                            return Err(self.circle(path[from..].iter().map(|(at, _)| *at)));
                        }
                        path.push((before, 0));
                    }
                    None => {
                        placed[at] = true;
                        order.push(at);
                        path.pop();
                    }
                }
            }
        }
        let mut nodes: Vec<Option<Node>> = self.nodes.drain(..).map(Some).collect();
        self.nodes = order
            .into_iter()
            .filter_map(|at| nodes[at].take())
            .collect();
        Ok(())
    }

    fn circle(&self, nodes: impl Iterator<Item = usize>) -> Error {
        const MOST: usize = 8;
        let names: Vec<String> = nodes
            .map(|at| format!("\"{}\"", self.nodes[at].name))
            .collect();
        let rest = match names.len().checked_sub(MOST + 1) {
            Some(rest) => format!(" and {} more", rest + 1),
            None => String::new(),
        };
        Error::Parse(format!(
            "its nodes form a cycle, in which each reads the output of another: {}{rest}",
            names[..names.len().min(MOST)].join(", ")
        ))
    }

    /// Once every node is there: their order, which values are read last where, and which operands are of
    /// types that Burn has no dtype for.
    ///
    /// # Errors
    /// [`Error::Parse`] for nodes that wait for each other.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.sort()?;
        for node in &mut self.nodes {
            for attribute in node.attributes.values_mut() {
                if let Attribute::Graph(body) = attribute {
                    body.finish()?;
                }
            }
            let inputs = node.inputs.iter();
            node.low_precision = inputs
                .map(|name| self.low_precision.get(name).copied())
                .collect();
            if let (Some(kind), Some(output)) = (node.makes(), node.outputs.first()) {
                self.low_precision.insert(output.clone(), kind);
            }
        }
        let outputs = self.outputs.iter().map(|output| output.name.clone());
        let mut read: HashSet<String> = outputs.collect();
        for node in self.nodes.iter_mut().rev() {
            let mut names = HashSet::new();
            node.reads(&mut names);
            names.extend(node.outputs.iter().cloned());
            node.last_read = names
                .into_iter()
                .filter(|name| read.insert(name.clone()))
                .collect();
        }
        Ok(())
    }

    /// The same under other names; nodes are renamed by the caller.
    pub(crate) fn rename(&mut self, renamed: &dyn Fn(&String) -> String) {
        for port in self.inputs.iter_mut().chain(&mut self.outputs) {
            port.name = renamed(&port.name);
        }
        let take = |key: String| renamed(&key);
        let constants = std::mem::take(&mut self.constants).into_iter();
        self.constants = constants.map(|(key, data)| (take(key), data)).collect();
        let dtypes = std::mem::take(&mut self.input_dtypes).into_iter();
        self.input_dtypes = dtypes.map(|(key, dtype)| (take(key), dtype)).collect();
        let low_precision = std::mem::take(&mut self.low_precision).into_iter();
        self.low_precision = low_precision.map(|(key, kind)| (take(key), kind)).collect();
    }
}

impl Node {
    pub(crate) fn read(node: NodeProto, reader: &mut Reader<'_>, opset: i64) -> Result<Self> {
        let unnamed = node.name.is_empty();
        let name = match unnamed {
            true => node.output.first().cloned().unwrap_or_default(),
            false => node.name,
        };
        let mut notes = node.metadata_props.into_iter();
        let scopes = notes.find(|note| note.key == "pkg.torch.onnx.name_scopes");
        let mut attributes = HashMap::new();
        for attribute in node.attribute {
            let (key, value) = Attribute::read(attribute, reader, opset)?;
            attributes.insert(key, value);
        }
        Ok(Self {
            file_name: name.clone(),
            name,
            unnamed,
            scopes: scopes.map(|note| note.value),
            op: node.op_type,
            domain: normalize_domain(&node.domain).to_string(),
            overload: node.overload,
            opset,
            inputs: node.input,
            outputs: node.output,
            attributes,
            ..Self::default()
        })
    }

    /// The type of its first output, if Burn has no dtype for it.
    fn makes(&self) -> Option<LowPrecision> {
        let code = |name: &str| match self.attributes.get(name) {
            Some(Attribute::Int(code)) => i32::try_from(*code).ok().and_then(LowPrecision::of),
            _ => None,
        };
        let of_input = |index: usize| self.low_precision.get(index).copied().flatten();
        match &self.op[..] {
            "Cast" => code("to"),
            "CastLike" => of_input(1),
            "QuantizeLinear" => code("output_dtype").or_else(|| of_input(2)),
            "Constant" => self.attributes.values().find_map(|value| match value {
                Attribute::Tensor(_, kind) => *kind,
                _ => None,
            }),
            "Concat" | "Expand" | "Flatten" | "Gather" | "Identity" | "Pad" | "Reshape"
            | "Slice" | "Split" | "Squeeze" | "Tile" | "Transpose" | "Unsqueeze" => of_input(0),
            _ => None,
        }
    }

    /// Every name it reads that it does not make itself, in a body it holds.
    fn waits_for(&self, names: &mut HashSet<String>) {
        names.extend(self.inputs.iter().cloned());
        for attribute in self.attributes.values() {
            let Attribute::Graph(body) = attribute else {
                continue;
            };
            let mut inner: HashSet<String> = body
                .outputs
                .iter()
                .map(|output| output.name.clone())
                .collect();
            for node in &body.nodes {
                node.waits_for(&mut inner);
            }
            for node in &body.nodes {
                node.outputs.iter().for_each(|name| {
                    inner.remove(name);
                });
            }
            let own = |name: &String| {
                body.constants.contains_key(name)
                    || body.inputs.iter().any(|input| input.name == *name)
            };
            names.extend(inner.into_iter().filter(|name| !own(name)));
        }
    }

    /// Every name it reads, also in the bodies it holds.
    pub(crate) fn reads(&self, names: &mut HashSet<String>) {
        names.extend(self.inputs.iter().cloned());
        for attribute in self.attributes.values() {
            if let Attribute::Graph(body) = attribute {
                names.extend(body.outputs.iter().map(|output| output.name.clone()));
                for node in &body.nodes {
                    node.reads(names);
                }
            }
        }
    }
}

impl Attribute {
    pub(crate) fn read(
        mut proto: AttributeProto,
        reader: &mut Reader<'_>,
        opset: i64,
    ) -> Result<(String, Self)> {
        if !proto.ref_attr_name.is_empty() {
            return Ok((proto.name, Self::Reference(proto.ref_attr_name)));
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let kind = proto.type_.enum_value().unwrap_or_default();
        let value = match kind {
            AttributeType::INT => Self::Int(proto.i),
            AttributeType::FLOAT => Self::Float(proto.f),
            AttributeType::STRING => Self::Text(text(&proto.s)),
            AttributeType::INTS => Self::Ints(proto.ints),
            AttributeType::FLOATS => Self::Floats(proto.floats),
            AttributeType::TENSOR => {
                let tensor = proto.t.mut_or_insert_default();
                if !readable_type(tensor.data_type) {
                    // Refused where an op reads it, by the node's name.
                    Self::Other(format!("a tensor of type {}", type_name(tensor.data_type)))
                } else {
                    if tensor.name.is_empty() {
                        tensor.name = proto.name.clone();
                    }
                    Self::Tensor(reader.read(tensor)?, LowPrecision::of(tensor.data_type))
                }
            }
            AttributeType::GRAPH => {
                let graph = Graph::read(proto.g.mut_or_insert_default(), reader, opset)?;
                Self::Graph(Box::new(graph))
            }
            other => Self::Other(format!("{other:?}")),
        };
        Ok((proto.name, value))
    }
}

/// The version of the standard's operator set, where the imports (domain and version) name one.
pub(crate) fn default_opset<'a>(imports: impl IntoIterator<Item = (&'a str, i64)>) -> Option<i64> {
    let mut imports = imports.into_iter();
    let standard = imports.find(|(domain, _)| normalize_domain(domain).is_empty());
    standard.map(|(_, version)| version)
}

/// The type of a value's elements, if it declares one.
fn element_type(value: &ValueInfoProto) -> Option<i32> {
    let kind = value.type_.as_ref().filter(|kind| kind.has_tensor_type())?;
    Some(kind.tensor_type().elem_type)
}

/// Name and dtype of an input that declares one.
fn declared_dtype(value: &ValueInfoProto) -> Option<(String, DType)> {
    Some((value.name.clone(), dtype(element_type(value)?)?))
}
