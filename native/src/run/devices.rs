//! The devices on which a process computes its part of a run.

use std::num::NonZeroUsize;

use anyhow::Result;
use ibot_core::model::ComputePrecision;

use crate::device::{self, Devices, Selected};
use crate::exchange::launcher::Launch;

/// The devices of a process, one for each of its workers, and its place among other processes.
#[derive(Clone)]
pub struct RunDevices {
    pub devices: Vec<Selected>,
    /// `None` without a launcher, such as mpirun.
    pub launch: Option<Launch>,
}

impl RunDevices {
    /// Finds the devices that are asked for.
    pub fn find(devices: &Devices, launch: Option<Launch>) -> Result<Self> {
        let local_rank = launch.map(|launch| launch.local_rank);
        let devices = device::select_each(devices, local_rank)?;
        Ok(Self { devices, launch })
    }

    /// Checks that all devices can compute in `precision`.
    pub fn check(&self, precision: ComputePrecision) -> Result<()> {
        for device in &self.devices {
            device.check(precision)?;
        }
        Ok(())
    }

    pub fn is_cpu(&self) -> bool {
        self.devices.iter().any(|device| device.is_cpu)
    }

    /// Workers of the run, those of other processes included.
    pub fn workers(&self) -> usize {
        self.launch.map_or(self.devices.len(), |launch| launch.size)
    }

    /// Processor cores for each worker of this process.
    pub fn cores(&self) -> usize {
        cores_each(self.devices.len()).get()
    }

    pub fn device_names(&self) -> String {
        let mut names = Vec::new();
        for device in &self.devices {
            names.push(device.description.as_str());
        }
        names.join(" + ")
    }
}

/// Processor cores for each of so many workers.
pub fn cores_each(workers: usize) -> NonZeroUsize {
    let cores = device::cores().get() / workers.max(1);
    NonZeroUsize::new(cores).unwrap_or(NonZeroUsize::MIN)
}
