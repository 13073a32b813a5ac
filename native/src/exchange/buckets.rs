//! Gradients as vectors of a size that travels well.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use burn::tensor::{Tensor, TensorData};
use futures_lite::future::block_on;
use ibot_core::optim::NamedGradients;

use super::connection::Connection;
use super::half;

// 25 MiB, as in PyTorch. While one bucket travels, the next is copied from the device.
const VALUES: usize = 25 << 18;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// In 32 bits.
    Exact,
    /// In 16 bits with a scale for each message: half the bytes, a relative error of 2^-11 at each
    /// of two roundings.
    Half,
}

/// Some of the gradients, one after another.
pub struct Bucket {
    /// Their names, and how many values each has.
    pub layout: Vec<(String, usize)>,
    pub values: Tensor<1>,
}

/// The gradients in buckets, in the order of their names.
pub fn pack(gradients: NamedGradients) -> impl Iterator<Item = Bucket> {
    let mut buckets: Vec<Vec<(String, Tensor<1>)>> = Vec::new();
    let mut free = 0;
    // In the order of their names, so that all workers fill the same buckets.
    for (name, gradient) in gradients.0 {
        let count = gradient.dims()[0];
        match buckets.last_mut() {
            Some(bucket) if count <= free => bucket.push((name, gradient)),
            _ => {
                buckets.push(vec![(name, gradient)]);
                free = VALUES;
            }
        }
        free = free.saturating_sub(count);
    }

    // The values of a bucket are copied only when the iterator reaches it.
    buckets.into_iter().map(|bucket| {
        let (names, values): (Vec<_>, Vec<_>) = bucket.into_iter().unzip();
        let counts = values.iter().map(|value| value.dims()[0]);
        Bucket {
            layout: names.into_iter().zip(counts).collect(),
            values: Tensor::cat(values, 0),
        }
    })
}

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
pub fn all_reduce(
    others: &Connection,
    gradients: NamedGradients,
    weight: f64,
    encoding: Encoding,
) -> Result<NamedGradients> {
    let mut under_way = Vec::new();
    for Bucket { layout, values } in pack(gradients) {
        let device = values.device();
        let data = block_on((values * weight).into_data_async());
        let values: Vec<f32> = data.context("gradients on the device")?.iter().collect();

        let operation = others.begin(move |exchange| match encoding {
            Encoding::Exact => exchange.all_reduce(values),
            Encoding::Half => half::all_reduce(exchange, &values),
        });
        under_way.push((layout, device, operation));
    }

    let mut sums = BTreeMap::new();
    for (layout, device, operation) in under_way {
        let values = others.finish(operation)?;
        let count = values.len();
        let values = Tensor::from_data(TensorData::new(values, [count]), &device);
        sums.extend(unpack(&values, layout));
    }
    Ok(NamedGradients(sums))
}
