//! Devices by name: `cpu`, `wgpu`, `vulkan:1`, `cuda`…
//!
//! A device must be compiled in (a feature of its name) *and* be present. Burn and wgpu panic if it
//! is not. This module asks the machine first, and its error lists the available devices.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::{DType, Device, DeviceType};

use crate::error::{Error, Result};

/// A kind's name, and how its devices are listed.
type Kind = (&'static str, fn() -> Vec<Device>);

/// The kinds of devices that this build knows, best known first.
const KINDS: &[Kind] = &[
    ("cpu", || vec![Device::flex()]),
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

/// Kinds that a feature of their name adds.
const FEATURES: &[&str] = &["wgpu", "vulkan", "metal", "cuda", "rocm"];

/// The devices of a kind; none where asking for them fails.
#[allow(dead_code)]
fn listed(kind: DeviceType) -> Vec<Device> {
    catch_unwind(AssertUnwindSafe(|| {
        Device::enumerate(kind).into_iter().collect()
    }))
    .unwrap_or_default()
}

/// The devices that are compiled in and present, by the names that [`select`] takes. Cost: asks
/// every driver.
pub fn available() -> Vec<String> {
    let names = |(kind, list): &Kind| {
        let count = list().len();
        (0..count)
            .map(|i| match count {
                1 => kind.to_string(),
                _ => format!("{kind}:{i}"),
            })
            .collect::<Vec<_>>()
    };
    KINDS.iter().flat_map(names).collect()
}

/// Select a device by name: a kind or, if there are several of a kind, `kind:index`. Without an
/// index it is the first.
///
/// - `cpu`: Burn's flex.
/// - `wgpu`: through the system's graphics API (Vulkan, Metal or DX12), shaders in WGSL.
/// - `vulkan`, `metal`, `cuda`, `rocm`: that API.
///
/// # Errors
/// [`Error::Device`], which lists the available devices.
pub fn select(name: &str) -> Result<Device> {
    let wrong = |because: String| Error::Device {
        name: name.into(),
        because,
        available: available(),
    };
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
    let mut devices = list();
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
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::Dtype {
            device: name.into(),
            dtype: format!("{dtype:?}").to_lowercase(),
        }),
        Err(panic) => Err(Error::Device {
            name: name.into(),
            because: format!(
                "does not open: {}",
                crate::error::panic_message(panic.as_ref())
            ),
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
        ] {
            let error = select(name).expect_err(name).to_string();
            assert!(error.contains(says), "{error}");
            assert!(error.contains("there are: cpu"), "{error}");
        }
    }
}
