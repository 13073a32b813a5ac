//! Gradients that NVIDIA GPUs add up themselves, by burn's collectives over NCCL.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use burn::tensor::distributed::{ReduceOperation, all_reduce};
use burn::tensor::{Device, Tensor};
use futures_lite::future::block_on;
use ibot_core::optim::NamedGradients;

use super::buckets::{Bucket, pack, unpack};
use super::error::ExchangeError;
use crate::device::Selected;

/// The GPUs of all workers of a process.
// Only gradients. Votes, and the few numbers that the host reads anyway, go through the host.
#[derive(Clone, Debug)]
pub struct Nccl {
    devices: Arc<[Device]>,
}

impl Nccl {
    /// Checks that `devices` can add up: there are several, and all are reached through CUDA.
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

    /// The sum over all GPUs of `weight` times each one's gradients of the same names.
    pub fn all_reduce(&self, gradients: NamedGradients, weight: f64) -> Result<NamedGradients> {
        // All buckets are under way before the first is waited for.
        let mut under_way = Vec::new();
        for Bucket { layout, values } in pack(gradients) {
            // Where NCCL refuses, burn writes a line to its log and leaves the values as they were.
            // So each worker appends a one: their sum tells how many took part.
            let one = Tensor::ones([1], &values.device());
            let values = Tensor::cat(vec![values * weight, one], 0);
            let sum = all_reduce(values, ReduceOperation::Sum, self.devices.to_vec());
            under_way.push((layout, sum));
        }

        let mut counts = Vec::new();
        let mut sums = BTreeMap::new();
        for (layout, sum) in under_way {
            let values = sum.resolve();
            counts.push(values.clone().narrow(0, values.dims()[0] - 1, 1));
            sums.extend(unpack(&values, layout));
        }

        let workers = self.devices.len();
        let counts = block_on(Tensor::cat(counts, 0).into_data_async())
            .context("gradients on the device")?;
        if counts.iter::<f32>().any(|count| count != workers as f32) {
            return Err(ExchangeError::NcclFailed(workers).into());
        }
        Ok(NamedGradients(sums))
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
