//! A network of the zoo, whatever its family.

use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use linearscope::Network;

use crate::{
    Chain, Classifier, Layer, Parameter, Result, load_tensors, load_weights, parameters::parameters,
};

/// A network of the zoo.
#[derive(Clone, Debug)]
pub enum Model {
    /// From pictures to scores.
    Classifier(Classifier),
    /// From pictures to pictures.
    Pictures(Chain<Layer>),
}

impl From<Classifier> for Model {
    fn from(classifier: Classifier) -> Self {
        Self::Classifier(classifier)
    }
}

impl From<Chain<Layer>> for Model {
    fn from(chain: Chain<Layer>) -> Self {
        Self::Pictures(chain)
    }
}

impl Model {
    /// Load published weights. Returns the names of anything else in the file.
    ///
    /// # Errors
    /// As [`load_weights`].
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<Vec<String>> {
        match self {
            Self::Classifier(module) => load_weights(module, path),
            Self::Pictures(module) => load_weights(module, path),
        }
    }

    /// Load tensors under PyTorch's names. Returns the names of those that were not used.
    ///
    /// # Errors
    /// As [`load_tensors`].
    pub fn load_tensors(
        &mut self,
        tensors: impl IntoIterator<Item = (String, TensorData)>,
    ) -> Result<Vec<String>> {
        match self {
            Self::Classifier(module) => load_tensors(module, tensors),
            Self::Pictures(module) => load_tensors(module, tensors),
        }
    }

    /// The parameters that a state dict of this network must contain, in the network's order.
    pub fn parameters(&self) -> Vec<Parameter> {
        match self {
            Self::Classifier(module) => parameters(module),
            Self::Pictures(module) => parameters(module),
        }
    }

    /// The output, flattened: `[n, c, h, w]` → `[n, m]`.
    ///
    /// # Panics
    /// As [`Layer::forward`].
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        match self {
            Self::Classifier(module) => module.forward(x),
            Self::Pictures(module) => module.forward(x).flatten(1, 3),
        }
    }

    /// The network's graph at this input shape, `[n, c, h, w]`, ready to be frozen. Its input is `image`, its output
    /// `scores` or `picture`, and its nodes have PyTorch's names of the modules.
    ///
    /// # Errors
    /// [`linearscope::Error::Capture`], for example for a picture that is too small.
    pub fn network(&self, shape: [usize; 4]) -> Result<Network> {
        let network = match self {
            Self::Classifier(module) => Network::capture(module, |module, ports| {
                let x = ports.input("image", shape);
                ports.output("scores", module.forward(x));
            }),
            Self::Pictures(module) => Network::capture(module, |module, ports| {
                let x = ports.input("image", shape);
                ports.output("picture", module.forward(x));
            }),
        };
        Ok(network?)
    }
}
