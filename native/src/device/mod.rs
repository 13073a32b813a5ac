//! Which device computes: the CPU through burn's flex backend, a GPU through wgpu, or an NVIDIA GPU
//! through CUDA.

mod choice;

use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use burn::tensor::{Device, DeviceType};
use ibot_core::model::ComputePrecision;

pub use self::choice::{DeviceChoice, Devices};

/// Why the device asked for cannot be had.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DeviceError {
    #[error("there is no GPU {wanted}: {}; use --device cpu or auto", found(.names))]
    NoGpu { wanted: usize, names: Vec<String> },
    #[error(
        "no software GPU is installed (on Debian: mesa-vulkan-drivers); use --device cpu or auto"
    )]
    NoSoftware,
    /// A launcher started more processes on this machine than there are devices.
    #[error(
        "process {process} of this machine has no device: there are {devices}; start fewer, or name more in --devices"
    )]
    TooManyProcesses { process: usize, devices: usize },
    #[error(
        "precision {precision}: {device} does not compute with such numbers; f32 works everywhere"
    )]
    NoPrecision {
        precision: ComputePrecision,
        device: String,
    },
    #[error("this build has no CUDA; rebuild with --features cuda, or use --device gpu (Vulkan)")]
    NoCuda,
}

fn found(names: &[String]) -> String {
    if names.is_empty() {
        "no GPU was found".into()
    } else {
        format!("found {}", names.join(", "))
    }
}

/// A device and what to call it.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The device, without autodiff.
    pub device: Device,
    /// Its name, and why it was taken.
    pub description: String,
    pub is_cpu: bool,
    pub is_cuda: bool,
}

impl Selected {
    /// Checks that matrix products in `precision` can be had.
    pub fn check(&self, precision: ComputePrecision) -> Result<(), DeviceError> {
        if precision.is_supported_by(&self.device) {
            return Ok(());
        }
        Err(DeviceError::NoPrecision {
            precision,
            device: self.description.clone(),
        })
    }
}

/// Finds the device for `choice`.
pub fn select(choice: DeviceChoice) -> Result<Selected, DeviceError> {
    match choice {
        DeviceChoice::Cpu => Ok(cpu("asked for")),
        DeviceChoice::Auto => Ok(gpus()
            .into_iter()
            .next()
            .unwrap_or_else(|| cpu("no hardware GPU was found"))),
        DeviceChoice::Gpu(wanted) => {
            let mut gpus = gpus();
            if wanted < gpus.len() {
                return Ok(gpus.swap_remove(wanted));
            }
            Err(DeviceError::NoGpu {
                wanted,
                names: gpus.into_iter().map(|gpu| gpu.description).collect(),
            })
        }
        DeviceChoice::Software => software().ok_or(DeviceError::NoSoftware),
        DeviceChoice::Cuda(index) => cuda(index),
    }
}

/// Finds the devices of this process's workers.
pub fn select_each(
    devices: &Devices,
    local_rank: Option<usize>,
) -> Result<Vec<Selected>, DeviceError> {
    // To the processes of a launcher `auto` means all GPUs, of which each takes its own.
    let of_launcher =
        |choices: &[DeviceChoice]| local_rank.is_some() && choices == [DeviceChoice::Auto];
    let mut found = Vec::new();
    match devices {
        Devices::Of(choices) if !of_launcher(choices) => {
            for choice in choices {
                found.push(select(*choice)?);
            }
        }
        _ => found = gpus(),
    }
    if found.is_empty() {
        found.push(cpu("no hardware GPU was found"));
    }

    let devices = found.len();
    // A launcher starts one process a device: each takes that of its number, or all the only one.
    match local_rank {
        Some(process) if process >= devices && devices > 1 => {
            Err(DeviceError::TooManyProcesses { process, devices })
        }
        Some(process) if devices > 1 => Ok(vec![found.swap_remove(process)]),
        _ => Ok(found),
    }
}

fn cpu(reason: &str) -> Selected {
    let cores = cores();
    Selected {
        device: Device::flex(),
        description: format!("CPU, {cores} cores ({reason})"),
        is_cpu: true,
        is_cuda: false,
    }
}

/// Processor cores that this process may use.
pub fn cores() -> NonZeroUsize {
    available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Must run before the first GPU is opened through wgpu.
fn prepare() {
    #[cfg(feature = "kernel-cache")]
    crate::kernel_cache::load();
}

/// Hardware GPUs through wgpu, one entry a card.
fn gpus() -> Vec<Selected> {
    prepare();
    let mut gpus = Vec::new();
    for card in Device::enumerate_physical() {
        // A card can be reached in several ways; the first is the best.
        if let Some(device) = card.devices.into_vec().into_iter().next() {
            gpus.push(Selected {
                device,
                description: format!("GPU {} through wgpu", card.name),
                is_cpu: false,
                is_cuda: false,
            });
        }
    }
    gpus
}

/// The first adapter that is not a card.
fn software() -> Option<Selected> {
    prepare();
    let devices = Device::enumerate(DeviceType::Wgpu).into_vec();
    devices.into_iter().find_map(|device| {
        let identity = device.identity()?;
        let description = format!("software GPU {} (asked for)", identity.name);
        identity.physical.is_none().then(|| Selected {
            device,
            description,
            is_cpu: false,
            is_cuda: false,
        })
    })
}

#[cfg(feature = "cuda")]
fn cuda(index: usize) -> Result<Selected, DeviceError> {
    Ok(Selected {
        device: Device::cuda(index),
        description: format!("GPU {index} through CUDA"),
        is_cpu: false,
        is_cuda: true,
    })
}

#[cfg(not(feature = "cuda"))]
fn cuda(_: usize) -> Result<Selected, DeviceError> {
    Err(DeviceError::NoCuda)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_of_a_machine_takes_its_own_device() {
        let cpus = Devices::Of(vec![DeviceChoice::Cpu; 2]);
        assert_eq!(select_each(&cpus, None).expect("the CPU").len(), 2);
        assert_eq!(select_each(&cpus, Some(1)).expect("the CPU").len(), 1);
        let error = select_each(&cpus, Some(2)).map(|found| found.len());
        assert_eq!(
            error,
            Err(DeviceError::TooManyProcesses {
                process: 2,
                devices: 2
            })
        );
        let cpu = Devices::Of(vec![DeviceChoice::Cpu]);
        assert_eq!(
            select_each(&cpu, Some(5))
                .expect("all share the only one")
                .len(),
            1
        );
    }

    #[test]
    fn the_cpu_is_always_there_and_missing_gpus_are_named() {
        assert!(select(DeviceChoice::Cpu).expect("the CPU").is_cpu);
        let error = select(DeviceChoice::Gpu(99)).expect_err("no machine has 100 GPUs");
        assert!(error.to_string().contains("there is no GPU 99"), "{error}");
    }
}
