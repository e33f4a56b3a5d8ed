//! Model-local functions, as ONNX calls those that a file defines, inlined: each call is replaced by the
//! function's nodes, under names of its own.

use std::collections::HashMap;

use onnx_ir::{ModelProto, normalize_domain};

use crate::{
    error::{Error, Result},
    graph::{Attribute, Graph, Node, default_opset},
    initialiser::Reader,
};

/// The most nodes that calls may become: functions that call functions grow fast.
const MOST_NODES: usize = 1 << 16;

/// The deepest that functions may call functions.
const DEEPEST: usize = 64;

/// Domain, name and overload: what a call names.
type Key = (String, String, String);

/// A function of a model.
#[derive(Debug)]
struct Function {
    inputs: Vec<String>,
    outputs: Vec<String>,
    /// What attributes are when a call leaves them out.
    defaults: HashMap<String, Attribute>,
    nodes: Vec<Node>,
}

/// The functions that a model defines.
#[derive(Debug)]
pub(crate) struct LocalFunctions {
    functions: HashMap<Key, Function>,
    made: usize,
}

impl LocalFunctions {
    /// The functions of a model, whose opset is `opset` where a function says none.
    pub(crate) fn read(
        proto: &mut ModelProto,
        reader: &mut Reader<'_>,
        opset: i64,
    ) -> Result<Self> {
        let mut functions = HashMap::new();
        for mut function in std::mem::take(&mut proto.functions) {
            let imports = function.opset_import.iter();
            let imports = imports.map(|import| (&import.domain[..], import.version));
            let opset = default_opset(imports).unwrap_or(opset);
            let nodes = std::mem::take(&mut function.node).into_iter();
            let defaults = std::mem::take(&mut function.attribute_proto).into_iter();
            let read = Function {
                nodes: nodes
                    .map(|node| Node::read(node, reader, opset))
                    .collect::<Result<_>>()?,
                defaults: defaults
                    .map(|attribute| Attribute::read(attribute, reader, opset))
                    .collect::<Result<_>>()?,
                inputs: function.input,
                outputs: function.output,
            };
            let domain = normalize_domain(&function.domain).to_string();
            functions.insert((domain, function.name, function.overload), read);
        }
        Ok(Self { functions, made: 0 })
    }

    /// Put the functions' nodes in place of every call in a graph and in the bodies it holds.
    ///
    /// # Errors
    /// [`Error::Parse`] for functions that call themselves, or grow without bound.
    pub(crate) fn inline(&mut self, graph: &mut Graph) -> Result<()> {
        if self.functions.is_empty() {
            return Ok(());
        }
        let nodes = std::mem::take(&mut graph.nodes);
        self.expand(nodes, &mut graph.nodes, 0)
    }

    fn expand(&mut self, nodes: Vec<Node>, into: &mut Vec<Node>, depth: usize) -> Result<()> {
        for mut node in nodes {
            let key = (node.domain.clone(), node.op.clone(), node.overload.clone());
            let Some(function) = self.functions.get(&key) else {
                for attribute in node.attributes.values_mut() {
                    if let Attribute::Graph(body) = attribute {
                        self.inline(body)?;
                    }
                }
                into.push(node);
                continue;
            };
            let body = function.inlined_at(&node);
            self.made += body.len();
            if self.made > MOST_NODES || depth > DEEPEST {
                return Err(Error::Parse(format!(
                    "in node \"{}\": the function {} calls itself, or expands to more than {MOST_NODES} nodes",
                    node.name, node.op
                )));
            }
            self.expand(body, into, depth + 1)?;
        }
        Ok(())
    }
}

impl Function {
    /// The nodes that take the place of one call.
    fn inlined_at(&self, call: &Node) -> Vec<Node> {
        let mut names: HashMap<String, String> = HashMap::new();
        let mut passed = Vec::new();
        for (i, name) in self.inputs.iter().enumerate() {
            let given = call.inputs.get(i).cloned().unwrap_or_default();
            names.insert(name.clone(), given);
        }
        for (i, name) in self.outputs.iter().enumerate() {
            let Some(wanted) = call.outputs.get(i).filter(|wanted| !wanted.is_empty()) else {
                continue;
            };
            if let Some(given) = names.get(name) {
                // An output that is an input, or the same as another output.
                passed.push((given.clone(), wanted.clone()));
            } else {
                names.insert(name.clone(), wanted.clone());
            }
        }
        let renamed = |name: &String| match names.get(name) {
            Some(found) => found.clone(),
            None if name.is_empty() => String::new(),
            None => format!("{}/{name}", call.name),
        };
        let mut nodes: Vec<Node> = self.nodes.clone();
        for node in &mut nodes {
            node.name = format!("{}/{}", call.name, node.name);
            node.file_name = node.name.clone();
            if node.scopes.is_none() {
                node.scopes = call.scopes.clone();
            }
            self.substitute(node, call, &renamed);
        }
        nodes.extend(passed.into_iter().map(|(from, to)| Node {
            name: format!("{}/{to}", call.name),
            file_name: format!("{}/{to}", call.name),
            op: "Identity".into(),
            inputs: vec![from],
            outputs: vec![to],
            opset: call.opset,
            ..Node::default()
        }));
        nodes
    }

    /// Names and attributes of a call in place of the function's own.
    fn substitute(&self, node: &mut Node, call: &Node, renamed: &dyn Fn(&String) -> String) {
        for name in node.inputs.iter_mut().chain(&mut node.outputs) {
            *name = renamed(name);
        }
        let attributes = std::mem::take(&mut node.attributes);
        node.attributes = attributes
            .into_iter()
            .filter_map(|(key, mut value)| {
                if let Attribute::Reference(name) = &value {
                    let given = call.attributes.get(name);
                    // What neither the call nor the function gives is left out.
                    value = given.or_else(|| self.defaults.get(name))?.clone();
                } else if let Attribute::Graph(body) = &mut value {
                    body.rename(renamed);
                    for inner in &mut body.nodes {
                        self.substitute(inner, call, renamed);
                    }
                }
                Some((key, value))
            })
            .collect();
    }
}
