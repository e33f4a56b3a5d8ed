//! Layers one after another, each under the name that published weights give it.

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor},
    tensor::Device,
};

/// Layers one after another, with names.
///
/// Burn names the parts of a `Vec` 0, 1, 2, …. PyTorch's `Sequential` also counts layers without parameters, and
/// many published networks name layers freely (`denselayer3`). A chain keeps the published name of each layer, so
/// weights load without renaming and nodes have PyTorch's names. Dots make levels: `layer1.0.conv1`. A layer
/// without a name adds none to the paths of its own parts.
#[derive(Clone, Debug)]
pub struct Chain<L> {
    links: Vec<(String, L)>,
}

impl<L> Default for Chain<L> {
    fn default() -> Self {
        Self { links: Vec::new() }
    }
}

impl<L> Chain<L> {
    /// No layer: the identity.
    pub fn new() -> Self {
        Self::default()
    }

    /// Append this layer, under this name.
    pub fn named(mut self, name: impl Into<String>, layer: impl Into<L>) -> Self {
        self.links.push((name.into(), layer.into()));
        self
    }

    /// Append this layer, which has no parameters, or whose parts carry the whole name.
    pub fn then(self, layer: impl Into<L>) -> Self {
        self.named("", layer)
    }

    /// Append all layers of `other`.
    pub fn followed_by(mut self, other: Self) -> Self {
        self.links.extend(other.links);
        self
    }

    /// Names and layers, in order.
    pub fn links(&self) -> impl ExactSizeIterator<Item = (&str, &L)> {
        self.links.iter().map(|(name, layer)| (&name[..], layer))
    }

    fn rebuilt(self, mut each: impl FnMut(L) -> L) -> Self {
        let links = self.links.into_iter();
        Self {
            links: links.map(|(name, layer)| (name, each(layer))).collect(),
        }
    }
}

/// What holds the layers of a chain, in words of Burn's traversal: a collection, so that adapters ask the layer
/// itself what its parameters mean.
const CONTAINER: &str = "Vec";

fn levels(name: &str) -> impl DoubleEndedIterator<Item = &str> {
    name.split('.').filter(|level| !level.is_empty())
}

impl<L: Module> Module for Chain<L> {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        for (name, layer) in &self.links {
            levels(name).for_each(|level| visitor.enter_module(level, CONTAINER));
            layer.visit(visitor);
            levels(name)
                .rev()
                .for_each(|level| visitor.exit_module(level, CONTAINER));
        }
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        let links = self.links.into_iter();
        Self {
            links: links
                .map(|(name, layer)| {
                    levels(&name).for_each(|level| mapper.enter_module(level, CONTAINER));
                    let layer = layer.map(mapper);
                    levels(&name)
                        .rev()
                        .for_each(|level| mapper.exit_module(level, CONTAINER));
                    (name, layer)
                })
                .collect(),
        }
    }

    fn to_device(self, device: &Device) -> Self {
        self.rebuilt(|layer| layer.to_device(device))
    }

    fn fork(self, device: &Device) -> Self {
        self.rebuilt(|layer| layer.fork(device))
    }

    fn collect_devices(&self, devices: Vec<Device>) -> Vec<Device> {
        let layers = self.links.iter();
        layers.fold(devices, |devices, (_, layer)| {
            layer.collect_devices(devices)
        })
    }

    fn train(self) -> Self {
        self.rebuilt(Module::train)
    }

    fn valid(&self) -> Self {
        let links = self.links.iter();
        Self {
            links: links
                .map(|(name, layer)| (name.clone(), layer.valid()))
                .collect(),
        }
    }

    fn materialize(self) -> Self {
        self.rebuilt(Module::materialize)
    }
}
