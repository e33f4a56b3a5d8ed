//! What a state dict of a network contains.

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::Tensor,
};

/// A parameter or running statistic as in PyTorch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its key in a state dict: `layer1.0.bn1.running_mean`.
    pub name: String,
    /// Its shape in PyTorch; for a linear layer `[to, from]`.
    pub shape: Vec<usize>,
}

/// The parameters and running statistics of a module, in its order. Cost: none, weights need not exist yet.
pub fn parameters<M: Module>(module: &M) -> Vec<Parameter> {
    let mut found = Found::default();
    module.visit(&mut found);
    found.parameters
}

/// The kinds of modules whose parameters Burn calls or lays out otherwise than PyTorch.
pub(crate) const PRELU: &str = "Struct:PRelu";
const LINEAR: &str = "Struct:Linear";

#[derive(Default)]
struct Found {
    path: Vec<String>,
    containers: Vec<String>,
    parameters: Vec<Parameter>,
}

impl ModuleVisitor for Found {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.push(name.into());
        self.containers.push(container.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
        self.containers.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let container = self.containers.last().map_or("", |container| container);
        let mut path = self.path.clone();
        let mut shape = param.lazy_shape().to_vec();
        if let Some(own) = path.last_mut() {
            match (container, &own[..]) {
                (PRELU, "alpha") | (_, "gamma") => *own = "weight".into(),
                (_, "beta") => *own = "bias".into(),
                (LINEAR, "weight") => shape.reverse(),
                _ => {}
            }
        }
        self.parameters.push(Parameter {
            name: path.join("."),
            shape,
        });
    }
}
