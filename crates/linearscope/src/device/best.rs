//! The best device for a job.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::{DType, Device, Tensor};

use super::{Class, Description, check_dtype, describe, kinds};
use crate::{
    device::Presence,
    error::{Error, Result, panic_message},
};

/// Kinds from the fastest on: where one card can be reached by several, its maker's own comes first.
const FASTEST: &[&str] = &["cuda", "rocm", "metal", "vulkan", "wgpu", "cpu"];

/// The smallest tensor, in bytes, that a device must be able to hold: what WebGPU guarantees everywhere. One that has
/// less holds no weights of a published classifier.
const LEAST: u64 = 128 << 20;

/// A device that [`auto`] chose.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Chosen {
    /// The name that [`select`](super::select) takes.
    pub name: String,
    /// The device, opened.
    pub device: Device,
    /// What it says of itself.
    pub description: Description,
    /// Devices that come before it and cannot do the job, and why.
    pub passed_over: Vec<(String, String)>,
}

/// The best device that can do the job: it opens, computes in `dtype` (a small product and a tanh come out right), and
/// can hold a tensor of 128 MiB. The order is that of [`Class`]: cards, then the CPU, then software drivers; within a class
/// CUDA, ROCm, Metal, Vulkan, wgpu. Where nothing but the CPU is compiled in, it is the CPU. Remote devices are never chosen.
///
/// Cost: opens every device; compiles two small kernels on the chosen one and on those before it.
///
/// # Errors
/// [`Error::Device`] if no device can do the job, which needs a dtype that even the CPU lacks.
pub fn auto(dtype: impl Into<DType>) -> Result<Chosen> {
    let dtype = dtype.into();
    let mut candidates = Vec::new();
    let mut unusable = Vec::new();
    for kind in kinds() {
        match kind.presence {
            Presence::NotCompiled => {}
            Presence::Failed(said) => unusable.push((kind.name.to_string(), said)),
            Presence::Devices(devices) => {
                for (name, device) in devices {
                    match describe(&name, &device) {
                        Ok(description) => candidates.push((name, device, description)),
                        Err(error) => unusable.push((name, because(&error))),
                    }
                }
            }
        }
    }
    candidates.sort_by_key(|(name, _, description)| rank(name, description.class));
    for (name, device, description) in candidates {
        let works = holds_enough(&description)
            .and_then(|()| computes(&name, &device, dtype).map_err(|error| because(&error)));
        match works {
            Ok(()) => {
                return Ok(Chosen {
                    name,
                    device,
                    description,
                    passed_over: unusable,
                });
            }
            Err(because) => unusable.push((name, because)),
        }
    }
    let all: Vec<String> = unusable
        .iter()
        .map(|(name, because)| format!("{name} {because}"))
        .collect();
    Err(Error::Device {
        name: super::AUTO.into(),
        because: format!("finds no device that can do this: {}", all.join("; ")),
        available: super::available(),
    })
}

/// Which comes first: by class, then by kind.
fn rank(name: &str, class: Class) -> (Class, usize) {
    let kind = name.split(':').next().unwrap_or(name);
    let place = FASTEST.iter().position(|known| *known == kind);
    (class, place.unwrap_or(FASTEST.len()))
}

/// The reason alone, without the name and the list of devices.
fn because(error: &Error) -> String {
    match error {
        Error::Device { because, .. } => because.clone(),
        Error::Dtype { dtype, .. } => format!("does not support {dtype}"),
        other => other.to_string(),
    }
}

fn holds_enough(description: &Description) -> std::result::Result<(), String> {
    let limits = [description.memory, description.largest_tensor];
    match limits.into_iter().flatten().min() {
        Some(bytes) if bytes < LEAST => Err(format!(
            "holds tensors of {:.1} MB at most, and {:.0} MB are needed",
            bytes as f64 / 1e6,
            LEAST as f64 / 1e6
        )),
        _ => Ok(()),
    }
}

/// Check that a device computes in a dtype, by computing: a product of matrices, and a tanh, which drivers that claim f64 have
/// been found to get wrong. Opens the device.
///
/// # Errors
/// As [`check_dtype`]; [`Error::Device`] where it panics or the numbers are wrong.
pub(super) fn computes(name: &str, device: &Device, dtype: DType) -> Result<()> {
    check_dtype(name, device, dtype)?;
    comes_out_right(name, device, dtype)
}

/// The same of a device that claims the dtype.
pub(super) fn comes_out_right(name: &str, device: &Device, dtype: DType) -> Result<()> {
    let wrong = |because: String| Error::Device {
        name: name.into(),
        because,
        available: super::available(),
    };
    let values: Vec<f64> = (0..64).map(|i| f64::from(i - 32) / 16.0).collect();
    let expected: Vec<f64> = (0..64)
        .map(|i| {
            let (row, column) = (i / 8, i % 8);
            let entry = |k: usize| values[8 * row + k] * values[8 * k + column];
            ((0..8).map(entry).sum::<f64>() / 8.0).tanh()
        })
        .collect();
    let compute = || {
        let data = burn::tensor::TensorData::new(values.clone(), [8, 8]).convert_dtype(dtype);
        let x: Tensor<2> = Tensor::from_data(data, (device, dtype));
        let y = (x.clone().matmul(x) / 8.0).tanh();
        y.into_data().convert_dtype(DType::F64).try_to_vec::<f64>()
    };
    let found = catch_unwind(AssertUnwindSafe(compute))
        .map_err(|panic| {
            wrong(format!(
                "does not compute: {}",
                panic_message(panic.as_ref())
            ))
        })?
        .map_err(|error| wrong(format!("does not compute: {error:?}")))?;
    let off = (found.iter().zip(&expected)).fold(0.0f64, |most, (a, b)| most.max((a - b).abs()));
    // Shaders' tanh is coarse: 1e-4 in f32 was met. What is wrong was wrong by a tenth.
    let limit = if dtype == DType::F64 { 1e-9 } else { 1e-2 };
    match off <= limit {
        true => Ok(()),
        false => Err(wrong(format!(
            "computes wrongly in {}: tanh of a small product is {off:.1e} off",
            format!("{dtype:?}").to_lowercase()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::FloatDType;

    use super::*;

    #[test]
    fn the_best_device_computes_in_what_was_asked() {
        for dtype in [FloatDType::F32, FloatDType::F64] {
            let chosen = auto(dtype).expect("the cpu at least");
            check_dtype(&chosen.name, &chosen.device, dtype).expect("it was chosen for that");
            assert_eq!(crate::device::select(&chosen.name).unwrap(), chosen.device);
        }
    }

    /// A build without a GPU feature has nothing to choose from, and passes over nothing.
    #[cfg(not(any(feature = "wgpu", feature = "cuda", feature = "rocm")))]
    #[test]
    fn alone_it_is_the_cpu() {
        let chosen = auto(DType::F32).unwrap();
        assert_eq!(chosen.name, "cpu");
        assert!(chosen.passed_over.is_empty());
    }

    #[test]
    fn cards_come_first_and_imitations_last() {
        let mut devices = [
            ("cpu", Class::Cpu),
            ("wgpu:1", Class::Software),
            ("wgpu:0", Class::Discrete),
            ("vulkan:1", Class::Integrated),
            ("vulkan:0", Class::Discrete),
            ("cuda", Class::Discrete),
        ];
        devices.sort_by_key(|&(name, class)| rank(name, class));
        let names = devices.map(|(name, _)| name);
        let expected = ["cuda", "vulkan:0", "wgpu:0", "vulkan:1", "cpu", "wgpu:1"];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_device_without_memory_is_passed_over_by_its_numbers() {
        let with = |memory, largest_tensor| Description {
            adapter: None,
            class: Class::Discrete,
            memory,
            largest_tensor,
        };
        for enough in [
            (None, None),
            (Some(LEAST), None),
            (Some(8 << 30), Some(LEAST)),
        ] {
            holds_enough(&with(enough.0, enough.1)).expect("enough");
        }
        for little in [(Some(1 << 20), None), (Some(8 << 30), Some(1 << 20))] {
            let said = holds_enough(&with(little.0, little.1)).unwrap_err();
            assert!(said.contains("1.0 MB at most"), "{said}");
        }
    }

    #[test]
    fn what_does_not_compute_in_a_dtype_says_so() {
        let cpu = Device::flex();
        for dtype in [DType::F32, DType::F64] {
            computes("cpu", &cpu, dtype).expect("flex has both");
        }
        // By its name it is one whose shaders have no f64.
        let error = computes("wgpu", &cpu, DType::F64).unwrap_err();
        assert_eq!(because(&error), "does not support f64");
    }
}
