//! What a device says of itself.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::Device;
use burn_dispatch::DispatchDevice;

use crate::error::{Error, Result, panic_message};

/// What sort of hardware a device is, best first: the order in which [`auto`](super::auto) tries devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A card with its own memory. CUDA and ROCm do not tell, and count as such.
    Discrete,
    /// On the processor's chip, in its memory; Apple's are.
    Integrated,
    /// A share of a card that a virtual machine was given.
    Virtual,
    /// A graphics adapter that its driver does not classify, as OpenGL's often do not.
    Unclassified,
    /// The processor, by this program's kernels and Burn's flex.
    Cpu,
    /// A graphics driver that computes on the processor (lavapipe, llvmpipe, WARP): for tests. It is slower than `cpu`.
    Software,
    /// A device of a server, which does not say what it is.
    Remote,
}

impl Class {
    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Discrete => "discrete",
            Self::Integrated => "integrated",
            Self::Virtual => "virtual",
            Self::Unclassified => "unclassified",
            Self::Cpu => "cpu",
            Self::Software => "software",
            Self::Remote => "remote",
        }
    }
}

/// What a device says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// The adapter's name as its driver has it, or the processor's; `None` where nobody says.
    pub adapter: Option<String>,
    /// What sort of hardware it is.
    pub class: Class,
    /// Bytes that it may hold at once. Graphics APIs do not say, CUDA and ROCm do; `None` for the CPU, too, whose memory
    /// other programs share ([`machine_budget`](crate::program::machine_budget)).
    pub memory: Option<u64>,
    /// Bytes of the largest single tensor; `None` where there is no such limit.
    pub largest_tensor: Option<u64>,
}

/// Describe a device that [`select`](super::select) knows by this name. Opens the device.
///
/// # Errors
/// [`Error::Device`] if it does not open.
pub fn describe(name: &str, device: &Device) -> Result<Description> {
    let asked = || described(device.as_dispatch());
    catch_unwind(AssertUnwindSafe(asked)).map_err(|panic| Error::Device {
        name: name.into(),
        because: format!("does not open: {}", panic_message(panic.as_ref())),
        available: super::available(),
    })
}

fn described(device: &DispatchDevice) -> Description {
    match device {
        #[cfg(any(feature = "wgpu", feature = "cuda", feature = "rocm"))]
        DispatchDevice::Cube(device) => {
            let client = device.client();
            let properties = client.properties();
            let identity = &properties.identity;
            let class = match class_of(device) {
                // Whatever is no card and is not said to be something else.
                Class::Unclassified if identity.physical.is_none() => Class::Software,
                class => class,
            };
            Description {
                adapter: Some(identity.name.clone()).filter(|name| !name.is_empty()),
                class,
                memory: properties.memory.max_memory(),
                largest_tensor: Some(properties.memory.max_page_size),
            }
        }
        #[cfg(feature = "remote")]
        DispatchDevice::Remote(_) => {
            // Whoever asks wants to know whether it is still there.
            let _connected = Device::new(device.clone()).settings();
            Description {
                adapter: None,
                class: Class::Remote,
                memory: None,
                largest_tensor: None,
            }
        }
        _ => Description {
            adapter: processor(),
            class: Class::Cpu,
            memory: None,
            largest_tensor: None,
        },
    }
}

/// What sort of hardware, as the adapter was listed.
#[cfg(any(feature = "wgpu", feature = "cuda", feature = "rocm"))]
fn class_of(device: &burn_dispatch::devices::CubeDevice) -> Class {
    #[cfg(feature = "wgpu")]
    use burn_dispatch::devices::{CubeDevice, WgpuDeviceKind};
    match device {
        #[cfg(feature = "wgpu")]
        CubeDevice::Wgpu(device) => match device.kind {
            WgpuDeviceKind::DiscreteGpu(_) => Class::Discrete,
            WgpuDeviceKind::IntegratedGpu(_) => Class::Integrated,
            WgpuDeviceKind::VirtualGpu(_) => Class::Virtual,
            WgpuDeviceKind::Cpu => Class::Software,
            _ => Class::Unclassified,
        },
        _ => Class::Discrete,
    }
}

/// The processor's name, where Linux says it.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    let (_, name) = line.split_once(':')?;
    Some(name.trim().into()).filter(|name: &String| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_one_without_limits_of_its_own() {
        let found = describe("cpu", &Device::flex()).expect("flex opens");
        assert_eq!(found.class, Class::Cpu);
        assert_eq!((found.memory, found.largest_tensor), (None, None));
    }

    /// Cards before the processor, and the processor before what only imitates a card on it.
    #[test]
    fn classes_are_in_order() {
        let best_first = [
            Class::Discrete,
            Class::Integrated,
            Class::Virtual,
            Class::Unclassified,
            Class::Cpu,
            Class::Software,
            Class::Remote,
        ];
        assert!(best_first.is_sorted());
    }
}
