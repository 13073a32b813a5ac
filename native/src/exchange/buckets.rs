//! Gradients as vectors of a size that travels well.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use burn::tensor::{Device, Tensor, TensorData};
use futures_lite::future::block_on;
use ibot_core::train::NamedGradients;

use super::{Encoding, Link};

/// Values of a bucket: 25 MiB, as PyTorch's. While one travels, the next is made ready.
pub const VALUES: usize = 25 << 18;

/// The sum over all workers of `weight` times each one's gradients, which must have the same names.
///
/// # Errors
/// If the device fails, or another worker does.
pub fn sum(link: &Link, gradients: NamedGradients, weight: f64, encoding: Encoding) -> Result<NamedGradients> {
    let mut buckets: Vec<Vec<(String, Tensor<1>)>> = Vec::new();
    let mut room = 0;
    for (name, gradient) in gradients.0 {
        let count = gradient.dims()[0];
        match buckets.last_mut() {
            Some(bucket) if count <= room => bucket.push((name, gradient)),
            _ => {
                buckets.push(vec![(name, gradient)]);
                room = VALUES;
            }
        }
        room = room.saturating_sub(count);
    }
    let Some(device) = buckets.first().and_then(|bucket| bucket.first()).map(|(_, gradient)| gradient.device()) else {
        return Ok(NamedGradients::default());
    };
    let mut layouts = Vec::new();
    for bucket in buckets {
        let (names, values): (Vec<_>, Vec<_>) = bucket.into_iter().unzip();
        layouts.push(names.into_iter().zip(values.iter().map(|value| value.dims()[0])).collect::<Vec<_>>());
        let data = block_on((Tensor::cat(values, 0) * weight).into_data_async()).context("gradients on the device")?;
        link.send(data.iter::<f32>().collect(), encoding);
    }
    let mut sums = BTreeMap::new();
    for layout in layouts {
        sums.extend(unpack(link.receive()?, layout, &device));
    }
    Ok(NamedGradients(sums))
}

/// The gradients of a bucket, on the device.
fn unpack(values: Vec<f32>, layout: Vec<(String, usize)>, device: &Device) -> Vec<(String, Tensor<1>)> {
    let count = values.len();
    let values = Tensor::<1>::from_data(TensorData::new(values, [count]), device);
    let mut start = 0;
    let narrow = |(name, count): (String, usize)| {
        start += count;
        (name, values.clone().narrow(0, start - count, count))
    };
    layout.into_iter().map(narrow).collect()
}
