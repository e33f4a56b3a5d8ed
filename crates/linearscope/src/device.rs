//! Devices by name: `cpu`, `wgpu`, `vulkan:1`, `cuda`…, or the best there is ([`auto`]).
//!
//! A device must be compiled in (a feature of its name) *and* be present. Burn and wgpu panic if it
//! is not. This module asks the machine first, and its error lists the available devices.

mod best;
mod description;
mod remote;

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::{DType, Device, DeviceType};

pub use best::{Chosen, auto};
pub use description::{Class, Description, describe};
#[cfg(feature = "remote-server")]
pub use remote::serve;
pub use remote::{REMOTE, TOKEN};

use crate::error::{Error, Result, panic_message};

/// How the devices of a kind are listed.
type List = fn() -> std::result::Result<Vec<Device>, String>;

/// The kinds of devices that this build knows, best known first.
const KINDS: &[(&str, List)] = &[
    ("cpu", || Ok(vec![Device::flex()])),
    #[cfg(feature = "wgpu")]
    ("wgpu", || listed(DeviceType::Wgpu)),
    #[cfg(feature = "vulkan")]
    ("vulkan", || listed(DeviceType::Vulkan)),
    #[cfg(feature = "metal")]
    ("metal", || listed(DeviceType::Metal)),
    #[cfg(feature = "cuda")]
    ("cuda", || listed(DeviceType::Cuda)),
    #[cfg(feature = "rocm")]
    ("rocm", || listed(DeviceType::Rocm)),
];

/// Kinds that a feature of their name adds, and that are listed; [`REMOTE`] is another.
const FEATURES: &[&str] = &["wgpu", "vulkan", "metal", "cuda", "rocm"];

/// The devices of a kind, or what its driver said.
#[allow(dead_code)]
fn listed(kind: DeviceType) -> std::result::Result<Vec<Device>, String> {
    let ask = || Device::enumerate(kind).into_iter().collect();
    catch_unwind(AssertUnwindSafe(ask)).map_err(|panic| panic_message(panic.as_ref()))
}

/// A kind of device, and what there is of it.
#[derive(Clone, Debug)]
pub struct Kind {
    /// `cpu`, or the cargo feature that adds it.
    pub name: &'static str,
    /// What there is of it.
    pub presence: Presence,
}

/// What there is of a kind of device.
#[derive(Clone, Debug)]
pub enum Presence {
    /// Nothing: this build lacks the kind's feature.
    NotCompiled,
    /// Its driver could not be asked; what it said.
    Failed(String),
    /// These, by the names that [`select`] takes; none is opened yet.
    Devices(Vec<(String, Device)>),
}

/// All kinds of devices, those of this build first; [`REMOTE`] only where it is not compiled in. Cost: asks every driver.
pub fn kinds() -> Vec<Kind> {
    let compiled = KINDS.iter().map(|&(name, list)| {
        let named = |devices: Vec<Device>| {
            let count = devices.len();
            let name = |i| match count {
                1 => name.to_string(),
                _ => format!("{name}:{i}"),
            };
            let named = devices.into_iter().enumerate();
            Presence::Devices(named.map(|(i, device)| (name(i), device)).collect())
        };
        Kind {
            name,
            presence: list().map_or_else(Presence::Failed, named),
        }
    });
    let known = |name: &str| KINDS.iter().any(|(known, _)| *known == name);
    let others = FEATURES.iter().filter(|name| !known(name));
    let others = others.map(|name| Kind {
        name,
        presence: Presence::NotCompiled,
    });
    // Compiled in, it has no list: whoever names one has its address.
    let remote = cfg!(not(feature = "remote")).then_some(Kind {
        name: REMOTE,
        presence: Presence::NotCompiled,
    });
    compiled.chain(others).chain(remote).collect()
}

/// The devices that are compiled in and present, by the names that [`select`] takes; none is opened. Cost: asks every
/// driver.
pub fn present() -> Vec<(String, Device)> {
    let devices = |kind: Kind| match kind.presence {
        Presence::Devices(devices) => devices,
        Presence::NotCompiled | Presence::Failed(_) => Vec::new(),
    };
    kinds().into_iter().flat_map(devices).collect()
}

/// The names of [`present`]. Cost: asks every driver.
pub fn available() -> Vec<String> {
    present().into_iter().map(|(name, _)| name).collect()
}

/// The name that stands for the best device.
pub const AUTO: &str = "auto";

/// Select a device by name: a kind or, if there are several of a kind, `kind:index`. Without an
/// index it is the first.
///
/// - `auto`: the best one that computes in f32, as [`auto`] finds it; call that for another dtype and for its name.
/// - `cpu`: Burn's flex.
/// - `wgpu`: through the system's graphics API (Vulkan, Metal or DX12), shaders in WGSL.
/// - `vulkan`, `metal`, `cuda`, `rocm`: that API.
/// - `remote:ws://HOST:PORT`, `remote:ws://HOST:PORT/#1`: a device of the server there, the first or another. Connects at
///   once, with the token of the environment variable [`TOKEN`] where it is set. Nothing is encrypted.
///
/// # Errors
/// [`Error::Device`], which lists the available devices.
pub fn select(name: &str) -> Result<Device> {
    let wrong = |because: String| Error::Device {
        name: name.into(),
        because,
        available: available(),
    };
    if name == AUTO {
        return auto(DType::F32).map(|chosen| chosen.device);
    }
    if name == REMOTE || name.starts_with("remote:") {
        return remote::connect(name).map_err(wrong);
    }
    let (kind, index) = match name.split_once(':') {
        None => (name, 0),
        Some((kind, index)) => match index.parse() {
            Ok(index) => (kind, index),
            Err(_) => return Err(wrong(format!("has \"{index}\" in place of a number"))),
        },
    };
    let Some((_, list)) = KINDS.iter().find(|(known, _)| *known == kind) else {
        return Err(wrong(match FEATURES.contains(&kind) {
            true => format!("is not compiled in; build with --features {kind}"),
            false => "is not known".into(),
        }));
    };
    let mut devices =
        list().map_err(|said| wrong(format!("cannot be listed by its driver: {said}")))?;
    if index < devices.len() {
        return Ok(devices.swap_remove(index));
    }
    Err(wrong(match devices.len() {
        0 => "is compiled in, but this machine has none".into(),
        1 => "does not exist; there is one of its kind".into(),
        n => format!("does not exist; there are {n} of its kind"),
    }))
}

/// Kinds whose shaders do not compute in f64. Drivers may claim it (Mesa's does), but the shader
/// languages have no f64 mathematics: a small network on Mesa's software Vulkan came out a tenth off.
const WITHOUT_F64: &[&str] = &["wgpu", "vulkan", "metal"];

/// Check that the device, selected by this name, computes in this dtype. Opens the device.
///
/// # Errors
/// [`Error::Dtype`]; [`Error::Device`] if the device does not open.
pub fn check_dtype(name: &str, device: &Device, dtype: impl Into<DType>) -> Result<()> {
    let dtype = dtype.into();
    let kind = name.split(':').next().unwrap_or(name);
    let supported = catch_unwind(AssertUnwindSafe(|| {
        let claimed = device.supports_dtype(dtype);
        claimed && !(dtype == DType::F64 && WITHOUT_F64.contains(&kind))
    }));
    match supported {
        // Nobody says what a server computes with, and drivers claim f64 that they get wrong.
        Ok(true) if kind == REMOTE && dtype == DType::F64 => {
            best::comes_out_right(name, device, dtype)
        }
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::Dtype {
            device: name.into(),
            dtype: format!("{dtype:?}").to_lowercase(),
        }),
        Err(panic) => Err(Error::Device {
            name: name.into(),
            because: format!("does not open: {}", panic_message(panic.as_ref())),
            available: available(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::FloatDType;

    use super::*;

    #[test]
    fn the_cpu_is_always_there_with_both_dtypes() {
        let cpu = select("cpu").expect("flex");
        assert_eq!(select("cpu:0").expect("flex"), cpu);
        for dtype in [FloatDType::F32, FloatDType::F64] {
            check_dtype("cpu", &cpu, dtype).expect("flex has both");
        }
        assert_eq!(available()[0], "cpu");
    }

    #[test]
    fn every_kind_is_listed_once_with_what_there_is_of_it() {
        let kinds = kinds();
        let mut names: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
        names.retain(|name| *name != REMOTE);
        names.sort_unstable();
        assert_eq!(names, ["cpu", "cuda", "metal", "rocm", "vulkan", "wgpu"]);
        for kind in kinds {
            let compiled = KINDS.iter().any(|(name, _)| *name == kind.name);
            let missing = matches!(kind.presence, Presence::NotCompiled);
            assert_eq!(compiled, !missing, "{kind:?}");
        }
        // What has a name can be selected by it.
        for (name, device) in present() {
            assert_eq!(select(&name).expect("it is present"), device, "{name}");
        }
    }

    #[test]
    fn what_is_not_there_is_an_error_that_names_what_is() {
        for (name, says) in [
            ("cpu:1", "there is one of its kind"),
            ("cpu:x", "in place of a number"),
            ("quantum", "is not known"),
            #[cfg(not(feature = "cuda"))]
            ("cuda", "build with --features cuda"),
            #[cfg(not(feature = "metal"))]
            ("metal:2", "build with --features metal"),
            #[cfg(feature = "wgpu")]
            ("wgpu:99", "of its kind"),
            #[cfg(not(feature = "remote"))]
            ("remote:ws://127.0.0.1:1", "build with --features remote"),
            #[cfg(feature = "remote")]
            ("remote:ws://127.0.0.1:1", "cannot be connected"),
            #[cfg(feature = "remote")]
            ("remote:http://a", "remote:ws://HOST:PORT"),
            #[cfg(feature = "remote")]
            ("remote", "remote:ws://HOST:PORT"),
        ] {
            let error = select(name).expect_err(name).to_string();
            assert!(error.contains(says), "{error}");
            assert!(error.contains("there are: cpu"), "{error}");
        }
    }
}
