//! Running a graph, node by node, on any backend. What rests on constants alone is computed on
//! the host, so that shapes and indices are numbers when an op needs them.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use burn_backend::Backend;
use burn_flex::{Flex, FlexDevice};
use linearscope::panic_message;

use crate::{
    context::{Context, Outputs},
    error::{Error, Result},
    graph::{Graph, Node},
    initialiser::shared,
    ops,
    scope::{Environment, Scope},
    value::Value,
};

/// The most elements a tensor may have on the device: 4 GiB in f32.
const LARGEST: u128 = 1 << 30;

/// The most nodes one run may take, passes through loops counted.
const BUDGET: u64 = 1 << 20;

/// The most elements a folded constant may have: 256 MiB in f32.
const LARGEST_FOLDED: u128 = 1 << 26;

/// What a run starts with.
pub(crate) fn environment<B: Backend>(device: B::Device, capturing: bool) -> Environment<B> {
    Environment {
        device,
        capturing,
        largest: LARGEST,
        budget: Cell::new(BUDGET),
        made: RefCell::default(),
        quantisers: RefCell::default(),
        run_body: |body, inputs, outer, env| walk(body, inputs, Some(outer), env),
    }
}

/// Run a graph on its inputs, by name; one value for each of its outputs.
///
/// # Errors
/// [`Error::UnsupportedOp`], [`Error::Unsupported`], [`Error::Parse`], [`Error::Panicked`].
pub(crate) fn run<B: Backend>(
    graph: &Graph,
    inputs: HashMap<String, Value<B>>,
    env: &Environment<B>,
) -> Result<Vec<Value<B>>> {
    walk(graph, inputs, None, env)
}

/// Run a graph, or a body that reads the values of `outer`.
fn walk<B: Backend>(
    graph: &Graph,
    inputs: HashMap<String, Value<B>>,
    outer: Option<&Scope<'_, B>>,
    env: &Environment<B>,
) -> Result<Vec<Value<B>>> {
    let scope = Scope::new(Some(&graph.constants), inputs, outer);
    for node in &graph.nodes {
        env.budget.set(env.budget.get().saturating_sub(1));
        if env.budget.get() == 0 {
            return Err(Error::Unsupported {
                node: node.name.clone(),
                op: node.op.clone(),
                what: "a loop that unrolls to more than 2²⁰ nodes".into(),
            });
        }
        let outputs = match constants(node, &scope) {
            Some(inputs) => fold(node, inputs)?,
            None => step(&Context {
                scope: &scope,
                env,
                node,
            })?,
        };
        for (name, value) in node.outputs.iter().zip(outputs) {
            if !name.is_empty() {
                if env.capturing {
                    let mut made = env.made.borrow_mut();
                    made.push((node.name.clone(), value.clone()));
                }
                scope.values.borrow_mut().insert(name.clone(), value);
            }
        }
        if !env.capturing {
            scope.free(&node.last_read);
        }
    }
    graph
        .outputs
        .iter()
        .map(|output| {
            scope.get(&output.name).ok_or_else(|| {
                Error::Parse(format!("no node makes the output \"{}\"", output.name))
            })
        })
        .collect()
}

/// The operands, if all are constants and the op is computed from them alone.
fn constants<B: Backend>(
    node: &Node,
    scope: &Scope<'_, B>,
) -> Option<HashMap<String, Value<Flex>>> {
    if ops::has_bodies(&node.op) {
        return None;
    }
    let given = node.inputs.iter().filter(|name| !name.is_empty());
    given
        .map(|name| match scope.get(name) {
            Some(Value::Constant(data)) => Some((name.clone(), Value::Constant(data))),
            _ => None,
        })
        .collect()
}

/// One node of constants, computed on the host.
fn fold<B: Backend>(node: &Node, inputs: HashMap<String, Value<Flex>>) -> Outputs<B> {
    let scope = Scope::new(None, inputs, None);
    let env = Environment {
        largest: LARGEST_FOLDED,
        budget: Cell::new(1),
        ..environment(FlexDevice, false)
    };
    let cx = Context {
        scope: &scope,
        env: &env,
        node,
    };
    let outputs = step(&cx)?;
    outputs
        .into_iter()
        .map(|value| Ok(Value::Constant(shared(cx.read(value)?))))
        .collect()
}

/// One node; a panic below becomes an error with its name.
fn step<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    catch_unwind(AssertUnwindSafe(|| ops::execute(cx))).unwrap_or_else(|panic| {
        Err(Error::Panicked {
            node: cx.node.name.clone(),
            message: panic_message(panic.as_ref()),
        })
    })
}
