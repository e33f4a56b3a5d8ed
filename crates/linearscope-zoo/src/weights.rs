//! Published weights: PyTorch's state dicts as `.pth`, `.pt` or `.safetensors`.

use std::path::Path;

use burn::{
    module::Module,
    tensor::{DType, TensorData},
};
use burn_store::{
    ApplyResult, FloatCastAdapter, ModuleAdapter, ModuleContext, ModuleSnapshot, ModuleStore,
    PyTorchToBurnAdapter, PytorchStore, SafetensorsStore, bridge, burn_pack::Tensor,
};

use crate::{Error, Result, parameters::PRELU};

/// From PyTorch's names and layouts to Burn's: burn-store's adapter, and the slope of a PReLU, which it lacks.
#[derive(Clone, Debug)]
struct FromTorch;

impl ModuleAdapter for FromTorch {
    fn adapt(&self, tensor: Tensor, context: ModuleContext<'_>) -> Tensor {
        PyTorchToBurnAdapter.adapt(tensor, context)
    }

    fn get_alternative_param_name(&self, name: &str, module: &str) -> Option<String> {
        match (module, name) {
            (PRELU, "alpha") => Some("weight".into()),
            _ => PyTorchToBurnAdapter.get_alternative_param_name(name, module),
        }
    }

    fn clone_box(&self) -> Box<dyn ModuleAdapter> {
        Box::new(self.clone())
    }
}

/// Load a state dict into a module of this crate, each parameter by its published name.
///
/// Linear weights are transposed, a norm's `weight` and `bias` become Burn's `gamma` and `beta`, and all floats become
/// f32. Anything else in the file (counters of batch norms, the auxiliary classifier of Inception) is not loaded; its
/// names are returned, sorted. A state dict may be nested under `state_dict`, `params`, `params_ema` or `model`, as
/// training scripts save it. DenseNets may use the names of PyTorch 0.3, as torchvision's files still do. After an
/// error, the module may be partly loaded.
///
/// # Errors
/// [`Error::Format`], [`Error::Unreadable`]; [`Error::Weights`] if a parameter is missing or has another shape.
pub fn load_weights<M: Module>(module: &mut M, path: impl AsRef<Path>) -> Result<Vec<String>> {
    let path = path.as_ref();
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    let tensors = match extension.to_ascii_lowercase().as_str() {
        "pth" | "pt" => {
            let store = PytorchStore::from_file(path).map_indices_contiguous(false);
            tensors(store, path, "a PyTorch state dict")?
        }
        "safetensors" => tensors(SafetensorsStore::from_file(path), path, "safetensors")?,
        _ => return Err(Error::Format { path: path.into() }),
    };
    apply(module, renamed(unwrapped(tensors))).map_err(|reason| Error::Weights {
        path: path.into(),
        reason,
    })
}

/// Load weights from another source: tensors under PyTorch's names, in its layout ([`parameters`](crate::parameters())
/// lists both). Names that were not used are returned, sorted.
///
/// # Errors
/// [`Error::Tensors`] if a parameter is missing or has another shape.
pub fn load_tensors<M: Module>(
    module: &mut M,
    tensors: impl IntoIterator<Item = (String, TensorData)>,
) -> Result<Vec<String>> {
    let tensors = tensors.into_iter();
    let tensors = tensors.map(|(name, data)| bridge::from_data(data, name, None));
    apply(module, tensors.collect()).map_err(Error::Tensors)
}

fn apply<M: Module>(
    module: &mut M,
    tensors: Vec<Tensor>,
) -> std::result::Result<Vec<String>, String> {
    let adapter = FromTorch.chain(FloatCastAdapter::to(DType::F32));
    let found = module.apply(tensors, None, Some(Box::new(adapter)), true);
    match found.errors.is_empty() && found.missing.is_empty() {
        true => Ok(found.unused),
        false => Err(reason(&found)),
    }
}

fn tensors<S: ModuleStore>(mut store: S, path: &Path, format: &'static str) -> Result<Vec<Tensor>> {
    let tensors = store.get_all_tensors().map_err(|error| Error::Unreadable {
        path: path.into(),
        format,
        reason: error.to_string(),
    })?;
    Ok(tensors.values().cloned().collect())
}

/// Where training scripts put a state dict.
const WRAPPERS: [&str; 5] = ["state_dict.", "params.", "params_ema.", "model.", "module."];

/// The tensors without a prefix that all of them share with a wrapper.
fn unwrapped(mut tensors: Vec<Tensor>) -> Vec<Tensor> {
    for wrapper in WRAPPERS {
        // CycleGAN's own names begin with `model.`, followed by a number.
        let own = |name: &str| name[wrapper.len()..].starts_with(|c: char| c.is_ascii_digit());
        let wrapped = |tensor: &Tensor| tensor.name.starts_with(wrapper) && !own(&tensor.name);
        if !tensors.is_empty() && tensors.iter().all(wrapped) {
            for tensor in &mut tensors {
                tensor.name.drain(..wrapper.len());
            }
        }
    }
    tensors
}

/// DenseNets of PyTorch 0.3 have `denselayer1.norm.1`, those of today `denselayer1.norm1`.
fn renamed(mut tensors: Vec<Tensor>) -> Vec<Tensor> {
    for tensor in &mut tensors {
        if tensor.name.contains(".denselayer") {
            for old in [".norm.1.", ".norm.2.", ".conv.1.", ".conv.2."] {
                let (part, number) = (&old[..5], &old[6..]);
                tensor.name = tensor.name.replace(old, &format!("{part}{number}"));
            }
        }
    }
    tensors
}

/// Names listed in an error.
const LISTED: usize = 3;

fn reason(found: &ApplyResult) -> String {
    let mut said = Vec::new();
    if !found.missing.is_empty() {
        let names = found.missing.iter().map(|(name, _)| in_pytorch(name));
        let names: Vec<String> = names.collect();
        said.push(format!("it lacks {}", listed(&names)));
    }
    if !found.errors.is_empty() {
        let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        said.push(format!("these do not fit: {}", listed(&errors)));
    }
    if !found.unused.is_empty() {
        said.push(format!("it has instead {}", listed(&found.unused)));
    }
    said.join("; ")
}

/// Burn's name of a parameter in PyTorch's words.
fn in_pytorch(name: &str) -> String {
    for (burn, torch) in [
        (".gamma", ".weight"),
        (".beta", ".bias"),
        (".alpha", ".weight"),
    ] {
        if let Some(module) = name.strip_suffix(burn) {
            return format!("{module}{torch}");
        }
    }
    name.into()
}

fn listed(names: &[String]) -> String {
    let first = names[..names.len().min(LISTED)].join(", ");
    match names.len() - names.len().min(LISTED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
