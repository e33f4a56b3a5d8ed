//! The graph of a model as the executor walks it: nodes in the file's order, under the file's own
//! names, and every constant as numbers.

use std::collections::{HashMap, HashSet};

use burn_backend::{DType, TensorData};
use onnx_ir::{AttributeProto, AttributeType, GraphProto, NodeProto, ValueInfoProto};

use crate::{
    error::{Error, Result},
    initialiser::{Reader, dtype},
    model::Signature,
};

/// An attribute of a node.
#[derive(Clone, Debug)]
pub(crate) enum Attribute {
    Int(i64),
    Float(f32),
    Text(String),
    Ints(Vec<i64>),
    Floats(Vec<f32>),
    Tensor(TensorData),
    Graph(Box<Graph>),
    /// A kind that no op here reads.
    Other(String),
}

/// One node.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Its name, or that of its first output.
    pub name: String,
    pub op: String,
    pub domain: String,
    /// Operands; an empty name is one that is left out.
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub attributes: HashMap<String, Attribute>,
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
}

impl Graph {
    /// A graph from its protobuf, whose tensors are emptied on the way: no weight exists twice
    /// for longer than its own copy takes.
    pub(crate) fn read(proto: &mut GraphProto, reader: &mut Reader) -> Result<Self> {
        if let Some(sparse) = proto.sparse_initializer.first() {
            return Err(Error::Initialiser {
                tensor: sparse.values.name.clone(),
                because: "is sparse".into(),
            });
        }
        let mut constants = HashMap::new();
        for tensor in &mut proto.initializer {
            let data = reader.read(tensor)?;
            constants.insert(tensor.name.clone(), data);
        }
        let mut nodes = std::mem::take(&mut proto.node)
            .into_iter()
            .map(|node| Node::read(node, reader))
            .collect::<Result<Vec<_>>>()?;
        // Old files list the weights among the inputs.
        let free: Vec<&ValueInfoProto> = proto
            .input
            .iter()
            .filter(|input| !constants.contains_key(&input.name))
            .collect();
        let inputs: Vec<Signature> = free.iter().map(|input| signature(input)).collect();
        let input_dtypes = free
            .iter()
            .filter_map(|input| declared_dtype(input))
            .collect();
        let outputs: Vec<Signature> = proto.output.iter().map(signature).collect();
        let mut read: HashSet<String> = outputs.iter().map(|output| output.name.clone()).collect();
        for node in nodes.iter_mut().rev() {
            let mut names = HashSet::new();
            node.reads(&mut names);
            names.extend(node.outputs.iter().cloned());
            node.last_read = names
                .into_iter()
                .filter(|name| read.insert(name.clone()))
                .collect();
        }
        Ok(Self {
            nodes,
            constants,
            inputs,
            input_dtypes,
            outputs,
        })
    }
}

impl Node {
    fn read(node: NodeProto, reader: &mut Reader) -> Result<Self> {
        let name = if node.name.is_empty() {
            node.output.first().cloned().unwrap_or_default()
        } else {
            node.name
        };
        let mut attributes = HashMap::new();
        for attribute in node.attribute {
            let (key, value) = Attribute::read(attribute, reader)?;
            attributes.insert(key, value);
        }
        let domain = match node.domain.as_str() {
            "ai.onnx" => String::new(),
            _ => node.domain,
        };
        Ok(Self {
            name,
            op: node.op_type,
            domain,
            inputs: node.input,
            outputs: node.output,
            attributes,
            last_read: Vec::new(),
        })
    }

    /// Every name it reads, also in the bodies it holds.
    fn reads(&self, names: &mut HashSet<String>) {
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
    fn read(mut proto: AttributeProto, reader: &mut Reader) -> Result<(String, Self)> {
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
                if dtype(tensor.data_type).is_none() {
                    // Refused where an op reads it, by the node's name.
                    Self::Other(format!(
                        "a tensor of type {}",
                        crate::initialiser::type_name(tensor.data_type)
                    ))
                } else {
                    if tensor.name.is_empty() {
                        tensor.name = proto.name.clone();
                    }
                    Self::Tensor(reader.read(tensor)?)
                }
            }
            AttributeType::GRAPH => {
                let graph = Graph::read(proto.g.mut_or_insert_default(), reader)?;
                Self::Graph(Box::new(graph))
            }
            other => Self::Other(format!("{other:?}")),
        };
        Ok((proto.name, value))
    }
}

fn signature(value: &ValueInfoProto) -> Signature {
    let tensor = value
        .type_
        .as_ref()
        .filter(|kind| kind.has_tensor_type())
        .map(|kind| kind.tensor_type());
    let dims = tensor
        .map(|tensor| {
            tensor
                .shape
                .dim
                .iter()
                .enumerate()
                .map(|(axis, dim)| {
                    if dim.has_dim_value() && dim.dim_value() > 0 {
                        Ok(dim.dim_value() as usize)
                    } else if dim.dim_param().is_empty() {
                        Err(format!("d{axis}"))
                    } else {
                        Err(dim.dim_param().to_string())
                    }
                })
                .collect()
        })
        .unwrap_or_default();
    Signature {
        name: value.name.clone(),
        dims,
    }
}

/// Name and dtype of an input that declares one.
fn declared_dtype(value: &ValueInfoProto) -> Option<(String, DType)> {
    let kind = value.type_.as_ref().filter(|kind| kind.has_tensor_type())?;
    Some((value.name.clone(), dtype(kind.tensor_type().elem_type)?))
}
