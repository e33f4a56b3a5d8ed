//! The network that is asked about: that of an `.onnx` file, or one of the zoo with published weights.
//!
//! Where the program takes a model, `zoo:NAME` is a network of `linearscope-zoo` with the weights that
//! `linearscope fetch NAME` downloads, and `zoo:NAME@FILE` the same with weights from a file. The word stands for both, so
//! every command takes it, and a command line says all of it.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use burn::tensor::Device;
use linearscope::Network;
use linearscope_onnx::{Model as Onnx, Signature};
use linearscope_preprocess::Recipe;
use linearscope_zoo::Architecture;

use crate::{
    commands::fetch,
    console,
    error::{Failure, Result},
    opened::{name_of, sizes},
    results::{sha256, sha256_of},
};

/// What networks of the zoo begin with in the place of a file.
const ZOO: &str = "zoo:";

/// A network that has been read, for any shape of its input.
pub(crate) enum Model {
    Onnx(Onnx),
    Zoo(Box<Zoo>),
}

/// A network of the zoo with its weights.
pub(crate) struct Zoo {
    pub known: &'static Architecture,
    /// Modules of Burn may be used by one thread at a time.
    module: Mutex<linearscope_zoo::Model>,
    input: [Signature; 1],
    output: [Signature; 1],
}

/// The word for a network of the zoo, and its weights where they are named: `NAME`, `NAME@FILE`.
fn parts(model: &Path) -> Option<(&str, Option<&Path>)> {
    let word = model.to_str()?.strip_prefix(ZOO)?;
    Some(match word.split_once('@') {
        Some((name, weights)) => (name, Some(Path::new(weights))),
        None => (word, None),
    })
}

/// Whether a model is a network of the zoo.
pub(crate) fn is_zoo(model: &Path) -> bool {
    parts(model).is_some()
}

/// What a model is called: its file's name, or `zoo:NAME`.
pub(crate) fn name(model: &Path) -> String {
    match parts(model) {
        Some((name, _)) => format!("{ZOO}{name}"),
        None => name_of(model),
    }
}

/// The recipe that comes with a network of the zoo; `None` for a file.
pub(crate) fn recipe(model: &Path) -> Option<Recipe> {
    let (name, _) = parts(model)?;
    Some(Architecture::named(name).ok()?.recipe())
}

/// The file of weights of a network of the zoo: the one that is named, else where `fetch` puts the published one. `None`
/// for other models, and where there is no such file to be named.
pub(crate) fn weights(model: &Path) -> Option<PathBuf> {
    let (name, weights) = parts(model)?;
    match weights {
        Some(weights) => Some(weights.into()),
        None => fetch::place(Architecture::named(name).ok()?, Path::new(fetch::FOLDER)),
    }
}

/// A model, and the SHA-256 of its file: for a network of the zoo that of its weights, or of its name where it needs none.
///
/// # Errors
/// A file that cannot be read; a name that the zoo does not have; weights that are missing or another network's.
pub(crate) fn read(model: &Path) -> Result<(Model, String)> {
    match parts(model) {
        Some((name, named)) => read_zoo(name, named.is_some(), weights(model)),
        None => read_onnx(model),
    }
}

/// The file passes by twice, side by side, so that only its weights stay in memory.
fn read_onnx(path: &Path) -> Result<(Model, String)> {
    console::step(&format!("reading {}", path.display()));
    let (model, hash) = std::thread::scope(|scope| {
        let hash = scope.spawn(|| sha256_of(path));
        (Onnx::load(path), hash.join())
    });
    let model = model?;
    let hash = hash
        .expect("hashing does not panic")
        .map_err(|error| Failure::file(path, error))?;
    Ok((Model::Onnx(model), hash))
}

fn read_zoo(name: &str, named: bool, weights: Option<PathBuf>) -> Result<(Model, String)> {
    let known = Architecture::named(name)?;
    let mut module = known.init(&Device::flex());
    let hash = if module.parameters().is_empty() {
        if let Some(weights) = weights.filter(|_| named) {
            return Err(Failure::input(format!(
                "{ZOO}{name} has no parameters, so {} is not for it",
                weights.display()
            ))
            .hint(format!("use {ZOO}{name}")));
        }
        sha256(format!("{ZOO}{name}").as_bytes())
    } else {
        let weights = there(known, named, weights)?;
        console::step(&format!("reading {}", weights.display()));
        let hash = sha256_of(&weights).map_err(|error| Failure::file(&weights, error))?;
        if let Some(begins) = known
            .hash()
            .filter(|begins| !named && !hash.starts_with(begins))
        {
            return Err(Failure::input(format!(
                "{} has the SHA-256 {hash}, but its name says {begins}…",
                weights.display()
            ))
            .hint(format!(
                "remove it and run linearscope fetch {name}; to use it as it is, write {ZOO}{name}@{}",
                weights.display()
            )));
        }
        if !named && known.hash().is_none() {
            check_pinned(name, &weights, &hash)?;
        }
        check_unused(name, &weights, &module.load(&weights)?)?;
        hash
    };
    let open = |name: &str| Err(name.to_string());
    let sides = || [open("H"), open("W")];
    let input = [open("N"), Ok(known.input[0])].into_iter().chain(sides());
    let output = match known.classes {
        Some(classes) => Signature::new("scores", vec![open("N"), Ok(classes)]),
        None => {
            let ends = [open("N"), open("C")].into_iter().chain(sides());
            Signature::new("picture", ends.collect())
        }
    };
    let zoo = Zoo {
        known,
        module: Mutex::new(module),
        input: [Signature::new("image", input.collect())],
        output: [output],
    };
    Ok((Model::Zoo(Box::new(zoo)), hash))
}

/// The weights of a network, which are a file.
fn there(known: &Architecture, named: bool, weights: Option<PathBuf>) -> Result<PathBuf> {
    let name = known.name;
    let file = format!("{ZOO}{name}@FILE");
    match weights {
        Some(weights) if weights.as_os_str().is_empty() => Err(Failure::input(format!(
            "{ZOO}{name}@ names no file of weights"
        ))
        .hint(format!("name a .pth or .safetensors file: {file}"))),
        Some(weights) if weights.is_file() => Ok(weights),
        Some(weights) if named => Err(Failure::input(format!(
            "the weights {} of {ZOO}{name} are not a file",
            weights.display()
        ))
        .hint(match known.weights {
            Some(_) => format!("linearscope fetch {name} downloads the published ones"),
            None => "name a .pth or .safetensors file".into(),
        })),
        Some(weights) => Err(Failure::input(format!(
            "{ZOO}{name} needs its published weights, and {} is not there",
            weights.display()
        ))
        .hint(format!(
            "linearscope fetch {name} downloads them there; or name a .pth or .safetensors file: {file}"
        ))),
        None => Err(Failure::input(format!(
            "{ZOO}{name} needs weights, and there are no published ones"
        ))
        .hint(format!("name a .pth or .safetensors file: {file}"))),
    }
}

/// Check a downloaded file whose name has no hash against the one that `fetch` wrote beside it.
fn check_pinned(name: &str, weights: &Path, hash: &str) -> Result<()> {
    let pin = fetch::pin(weights);
    let Ok(text) = std::fs::read_to_string(&pin) else {
        return Ok(());
    };
    match text.split_whitespace().next() == Some(hash) {
        true => Ok(()),
        false => Err(Failure::input(format!(
            "{} has the SHA-256 {hash}, which is not the one in {}",
            weights.display(),
            pin.display()
        ))
        .hint(format!(
            "remove both and run linearscope fetch {name}; to use it as it is, write {ZOO}{name}@{}",
            weights.display()
        ))),
    }
}

/// Check the names of a file of weights that the network has no use for: weights and biases are another network's, but for the
/// second scores that Inception is trained with; counters and statistics, which some files hold besides, are said.
fn check_unused(name: &str, weights: &Path, unused: &[String]) -> Result<()> {
    let trained = |name: &&String| {
        (name.ends_with(".weight") || name.ends_with(".bias")) && !name.starts_with("AuxLogits.")
    };
    if let Some(first) = unused.iter().find(trained) {
        return Err(Failure::input(format!(
            "{} of the tensors in {} have no place in {ZOO}{name}, the first of them {first}",
            unused.iter().filter(trained).count(),
            weights.display()
        ))
        .hint(
            "are these the weights of another network? linearscope fetch lists networks and files",
        ));
    }
    let told: Vec<&str> = unused
        .iter()
        .map(String::as_str)
        .filter(|name| !name.ends_with("num_batches_tracked"))
        .collect();
    if let [first, ..] = told[..] {
        console::notice(&format!(
            "tensors in {} that are not used: {}, the first {first}",
            weights.display(),
            told.len()
        ));
    }
    Ok(())
}

impl Model {
    /// What it takes.
    pub(crate) fn inputs(&self) -> &[Signature] {
        match self {
            Model::Onnx(model) => model.inputs(),
            Model::Zoo(zoo) => &zoo.input,
        }
    }

    /// What it gives.
    pub(crate) fn outputs(&self) -> &[Signature] {
        match self {
            Model::Onnx(model) => model.outputs(),
            Model::Zoo(zoo) => &zoo.output,
        }
    }

    /// Its graph at these shapes of its inputs.
    ///
    /// # Errors
    /// Shapes that it does not take; ops that the loader does not know.
    pub(crate) fn network(&self, shapes: &[Vec<usize>]) -> Result<Network> {
        match self {
            Model::Onnx(model) => Ok(model.network(shapes)?),
            Model::Zoo(zoo) => zoo.network(shapes),
        }
    }

    /// The shape of the one picture it was made for, where that is known and no file says it.
    pub(crate) fn made_for(&self) -> Option<Vec<usize>> {
        match self {
            Model::Onnx(_) => None,
            Model::Zoo(zoo) => Some([&[1], &zoo.known.input[..]].concat()),
        }
    }
}

impl Zoo {
    /// Its graph at this shape of its picture.
    ///
    /// # Errors
    /// No picture of its channels; one that is too small for its pools.
    pub(crate) fn network(&self, shapes: &[Vec<usize>]) -> Result<Network> {
        let (known, [channels, ..]) = (self.known, self.known.input);
        let not = |shape: &[usize], why: String| {
            Failure::input(format!(
                "{ZOO}{} does not take {}: {why}",
                known.name,
                sizes(shape)
            ))
        };
        let [shape] = shapes else {
            return Err(Failure::internal("a network of the zoo has one input"));
        };
        let &[n, c, h, w] = &shape[..] else {
            return Err(not(shape, format!("it takes [N, {channels}, H, W]")));
        };
        if c != channels {
            return Err(not(
                shape,
                format!("it takes {channels} channels, batch first"),
            ));
        }
        if h.min(w) < known.smallest {
            return Err(not(
                shape,
                format!("pictures must be at least {0}×{0}", known.smallest),
            )
            .hint("enlarge the picture with --resize"));
        }
        let module = self.module.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(module.network([n, c, h, w])?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_zoo_say_network_and_weights() {
        let of = |word| parts(Path::new(word));
        assert_eq!(of("zoo:resnet18"), Some(("resnet18", None)));
        let file = Path::new("a@b/w.safetensors");
        assert_eq!(
            of("zoo:vgg11@a@b/w.safetensors"),
            Some(("vgg11", Some(file)))
        );
        assert_eq!(of("./zoo:resnet18"), None);
        assert_eq!(name(Path::new("zoo:vgg11@a/w.pth")), "zoo:vgg11");
        assert_eq!(name(Path::new("a/net.onnx")), "net.onnx");
        let published = weights(Path::new("zoo:resnet18"));
        assert_eq!(published, Some("weights/resnet18-f37072fd.pth".into()));
        assert_eq!(weights(Path::new("zoo:srresnet_x4")), None);
        assert_eq!(weights(Path::new("net.onnx")), None);
    }
}
