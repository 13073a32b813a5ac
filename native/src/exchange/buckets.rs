//! Gradients as vectors of a size that travels well.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use burn::tensor::{Tensor, TensorData};
use futures_lite::future::block_on;
use ibot_core::train::NamedGradients;

use super::{Encoding, Link};

/// Values of a bucket: 25 MiB, as PyTorch's. While one travels, the next is made ready.
pub const VALUES: usize = 25 << 18;

/// Some of the gradients, one after another.
pub struct Bucket {
    /// Their names, and how many values each has.
    pub layout: Vec<(String, usize)>,
    /// Their values, on the device.
    pub values: Tensor<1>,
}

/// The gradients in buckets, in the order of their names; none of the values is copied before its
/// bucket is asked for.
pub fn pack(gradients: NamedGradients) -> impl Iterator<Item = Bucket> {
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
    buckets.into_iter().map(|bucket| {
        let (names, values): (Vec<_>, Vec<_>) = bucket.into_iter().unzip();
        let counts = values.iter().map(|value| value.dims()[0]);
        Bucket {
            layout: names.into_iter().zip(counts).collect(),
            values: Tensor::cat(values, 0),
        }
    })
}

/// The gradients that lie one after another in `values`.
pub fn unpack(
    values: &Tensor<1>,
    layout: Vec<(String, usize)>,
) -> impl Iterator<Item = (String, Tensor<1>)> {
    let mut start = 0;
    layout.into_iter().map(move |(name, count)| {
        start += count;
        (name, values.clone().narrow(0, start - count, count))
    })
}

/// The sum over all workers of `weight` times each one's gradients, which must have the same names.
///
/// # Errors
/// If the device fails, or another worker does.
pub fn sum(
    link: &Link,
    gradients: NamedGradients,
    weight: f64,
    encoding: Encoding,
) -> Result<NamedGradients> {
    let mut sent = Vec::new();
    for Bucket { layout, values } in pack(gradients) {
        sent.push((layout, values.device()));
        let data =
            block_on((values * weight).into_data_async()).context("gradients on the device")?;
        link.send(data.iter::<f32>().collect(), encoding);
    }
    let mut sums = BTreeMap::new();
    for (layout, device) in sent {
        let values = link.receive()?;
        let count = values.len();
        sums.extend(unpack(
            &Tensor::from_data(TensorData::new(values, [count]), &device),
            layout,
        ));
    }
    Ok(NamedGradients(sums))
}
