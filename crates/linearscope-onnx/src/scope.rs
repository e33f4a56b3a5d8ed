//! The values of a run, by the file's names, and what holds for all of it.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use burn_backend::{Backend, TensorData};

use crate::{error::Result, graph::Graph, value::Value};

/// What is the same for every node of a run.
pub(crate) struct Environment<B: Backend> {
    /// Where constants go.
    pub device: B::Device,
    /// While a graph is captured nothing is computed: no value can be read from the device, and
    /// floats are f32.
    pub capturing: bool,
    /// The most elements a tensor may have.
    pub largest: u128,
    /// Nodes that may still run; loops end here.
    pub budget: Cell<u64>,
    /// While a graph is captured: every value and the node that made it.
    pub made: RefCell<Vec<(String, Value<B>)>>,
    /// While a graph is captured: the nodes that quantise.
    pub quantisers: RefCell<Vec<String>>,
    /// Runs the body of an `If` or `Loop`. The executor puts itself here, so that ops need not know
    /// it.
    pub run_body: RunBody<B>,
}

/// A body, its inputs by name, the values around it, and the run it is part of.
pub(crate) type RunBody<B> =
    fn(&Graph, HashMap<String, Value<B>>, &Scope<'_, B>, &Environment<B>) -> Result<Vec<Value<B>>>;

/// The values of one graph, or of one pass through a body.
pub(crate) struct Scope<'a, B: Backend> {
    constants: Option<&'a HashMap<String, TensorData>>,
    pub values: RefCell<HashMap<String, Value<B>>>,
    /// Constants on the device, so that a weight is uploaded once.
    uploaded: RefCell<HashMap<String, Value<B>>>,
    outer: Option<&'a Scope<'a, B>>,
}

impl<'a, B: Backend> Scope<'a, B> {
    pub(crate) fn new(
        constants: Option<&'a HashMap<String, TensorData>>,
        values: HashMap<String, Value<B>>,
        outer: Option<&'a Scope<'a, B>>,
    ) -> Self {
        Self {
            constants,
            values: RefCell::new(values),
            uploaded: RefCell::default(),
            outer,
        }
    }

    /// A value of this graph as it is, or one of its constants.
    fn own(&self, name: &str) -> Option<Value<B>> {
        let value = self.values.borrow().get(name).cloned();
        value.or_else(|| {
            let constant = self.constants.and_then(|constants| constants.get(name));
            constant.map(|data| Value::Constant(data.clone()))
        })
    }

    /// A value as it is, of this graph or one around it.
    pub(crate) fn get(&self, name: &str) -> Option<Value<B>> {
        let own = self.own(name);
        own.or_else(|| self.outer.and_then(|outer| outer.get(name)))
    }

    /// A value on the device; a constant is uploaded where it belongs, and once.
    pub(crate) fn on_device(&self, name: &str, env: &Environment<B>) -> Option<Value<B>> {
        if let Some(value) = self.uploaded.borrow().get(name) {
            return Some(value.clone());
        }
        match self.own(name) {
            Some(constant @ Value::Constant(_)) => {
                let value = constant.upload(&env.device, env.capturing);
                let mut uploaded = self.uploaded.borrow_mut();
                uploaded.insert(name.to_string(), value.clone());
                Some(value)
            }
            None => self.outer.and_then(|outer| outer.on_device(name, env)),
            value => value,
        }
    }

    /// Drop values that are not read again.
    pub(crate) fn free(&self, names: &[String]) {
        for name in names {
            self.values.borrow_mut().remove(name);
        }
    }
}
