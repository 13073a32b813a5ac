//! Gradients that NVIDIA GPUs add up themselves, by burn's collectives over NCCL. They alone take
//! this way: what workers say to each other, and the few numbers that the host reads anyway, go
//! through the host as ever.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use burn::tensor::distributed::{ReduceOperation, all_reduce};
use burn::tensor::{Device, Tensor};
use futures_lite::future::block_on;
use ibot_core::train::NamedGradients;

use super::ExchangeError;
use super::buckets::{Bucket, pack, unpack};
use crate::device::Selected;

/// The GPUs of all workers of a process.
#[derive(Clone, Debug)]
pub struct Nccl {
    devices: Arc<[Device]>,
}

impl Nccl {
    /// GPUs that can add up: several, reached through CUDA.
    ///
    /// # Errors
    /// If these cannot.
    pub fn among(devices: &[Selected]) -> Result<Self, ExchangeError> {
        if devices.len() < 2 || !devices.iter().all(|device| device.is_cuda) {
            let found: Vec<&str> = devices
                .iter()
                .map(|device| device.description.as_str())
                .collect();
            return Err(ExchangeError::NoNccl(found.join(" + ")));
        }
        Ok(Self {
            devices: devices.iter().map(|device| device.device.clone()).collect(),
        })
    }

    /// The sum over all GPUs of `weight` times each one's gradients, which must have the same
    /// names. Every worker calls this in the same step.
    ///
    /// # Errors
    /// If a GPU did not take part.
    pub fn sum(&self, gradients: NamedGradients, weight: f64) -> Result<NamedGradients> {
        let sums = pack(gradients).map(|Bucket { layout, values }| {
            // burn logs what NCCL refuses, and leaves the values as they were: a one for each
            // worker tells.
            let one = Tensor::ones([1], &values.device());
            let values = Tensor::cat(vec![values * weight, one], 0);
            (
                layout,
                all_reduce(values, ReduceOperation::Sum, self.devices.to_vec()),
            )
        });
        // All are under way before the first is waited for.
        let sums: Vec<_> = sums.collect();
        let sums: Vec<_> = sums
            .into_iter()
            .map(|(layout, sum)| (layout, sum.resolve()))
            .collect();
        let counts = sums
            .iter()
            .map(|(_, values)| values.clone().narrow(0, values.dims()[0] - 1, 1));
        let counts = block_on(Tensor::cat(counts.collect(), 0).into_data_async())
            .context("gradients on the device")?;
        let workers = self.devices.len();
        if counts.iter::<f32>().any(|count| count != workers as f32) {
            return Err(ExchangeError::NotSummed(workers).into());
        }
        let mut named = BTreeMap::new();
        for (layout, values) in sums {
            named.extend(unpack(&values, layout));
        }
        Ok(NamedGradients(named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{DeviceChoice, select};

    #[test]
    fn other_devices_are_refused() {
        let cpu = select(DeviceChoice::Cpu).expect("there is one");
        let gpu = |device: &Selected| Selected {
            is_cuda: true,
            ..device.clone()
        };
        let refused = |devices: &[Selected]| Nccl::among(devices).expect_err("refused").to_string();
        assert!(refused(&[cpu.clone(), cpu.clone()]).contains("CPU"));
        assert!(refused(&[gpu(&cpu), cpu.clone()]).contains("--devices cuda:0,cuda:1"));
        assert!(refused(&[gpu(&cpu)]).contains("run.exchange_nccl"));
        assert!(Nccl::among(&[gpu(&cpu), gpu(&cpu)]).is_ok());
    }
}
