//! Running a parsed graph, node by node, on any backend.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use burn_backend::{Backend, tensor::FloatTensor};
use linearscope::panic_message;
use onnx_ir::OnnxGraph;

use crate::{
    context::{Context, Value},
    error::{Error, Result},
    names::Names,
    ops,
};

/// Run the graph. `made` is told of every value and the node that made it.
pub(crate) fn run<B: Backend>(
    graph: &OnnxGraph,
    names: &Names,
    inputs: Vec<FloatTensor<B>>,
    device: &B::Device,
    mut made: impl FnMut(&str, &Value<B>),
) -> Result<Vec<FloatTensor<B>>> {
    let mut values: HashMap<String, Value<B>> = HashMap::new();
    for (argument, input) in graph.inputs.iter().zip(inputs) {
        values.insert(argument.name.clone(), Value::Float(input));
    }
    for node in &graph.nodes {
        let name = names.get(node.name());
        let context = Context {
            values: &values,
            device,
            node: &name,
            inputs: node.inputs(),
            op: ops::name(node),
        };
        let outputs = catch_unwind(AssertUnwindSafe(|| ops::execute(&context, node)))
            .unwrap_or_else(|panic| {
                Err(Error::Panicked {
                    node: name.clone(),
                    message: panic_message(panic.as_ref()),
                })
            })?;
        for (argument, value) in node.outputs().iter().zip(outputs) {
            made(&name, &value);
            values.insert(argument.name.clone(), value);
        }
    }
    graph
        .outputs
        .iter()
        .map(|output| match values.get(&output.name) {
            Some(Value::Float(tensor)) => Ok(tensor.clone()),
            Some(_) => Err(Error::Parse(format!(
                "output \"{}\" is no float tensor",
                output.name
            ))),
            None => Err(Error::Parse(format!(
                "output \"{}\" is made by no node",
                output.name
            ))),
        })
        .collect()
}
