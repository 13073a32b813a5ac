//! The pass of a worker as one vector of numbers, gradients aside.
//!
//! The vector is `[losses, monitor, mean logits K + K', prototypes globals * batch]`. Means are
//! weighted by the worker's share of the images, and prototypes stand in their place among zeros,
//! so that the sum of all workers' vectors is the vector of the whole batch.

use burn::tensor::{ExecutionError, Tensor, TensorData, Transaction};
use ibot_core::optim::NamedGradients;
use ibot_core::pretrain::{MeanLogits, Pass};

/// The vector of `pass`, which is of a batch of `batch` images, of which `first` come before its
/// own.
///
/// # Errors
/// If the device fails.
pub async fn pack(pass: &Pass, first: usize, batch: usize) -> Result<Vec<f32>, ExecutionError> {
    // Names every field, so that a new one cannot be forgotten here.
    let Pass {
        images,
        gradients: _,
        losses,
        mean_logits: MeanLogits { cls, patch },
        monitor,
        prototypes,
    } = pass;

    let mut means = Vec::new();
    losses.clone().map(|loss| means.push(loss));
    monitor.clone().map(|value| means.push(value));
    means.push(cls.clone().flatten(0, 1));
    means.push(patch.clone().flatten(0, 1));

    let data = Transaction::default()
        .register(Tensor::cat(means, 0) * pass.share(batch))
        .register(prototypes.clone())
        .execute_async()
        .await?;
    // A transaction returns one entry for each registered tensor.
    let [means, own] = &data[..] else {
        unreachable!("two tensors were registered")
    };

    let mut vector: Vec<f32> = means.iter::<f32>().collect();
    let globals = prototypes.dims()[0] / images;
    let place = vector.len() + globals * first;
    vector.resize(vector.len() + globals * batch, 0.0);
    // Numbers of prototypes are far below 2^24, up to which a float holds every integer.
    for (value, prototype) in vector[place..].iter_mut().zip(own.iter::<u32>()) {
        *value = prototype as f32;
    }
    Ok(vector)
}

/// The pass over a whole batch of `batch` images, from the sum of all workers' vectors and their
/// `gradients`. `own` is this worker's pass, whose sizes it takes.
pub fn unpack(own: Pass, gradients: NamedGradients, sum: Vec<f32>, batch: usize) -> Pass {
    let Pass {
        images: _,
        gradients: _,
        losses,
        mean_logits: MeanLogits { cls, patch },
        monitor,
        prototypes: _,
    } = own;
    let device = cls.device();
    let mut values = sum.into_iter();
    let mut next = |like: &[usize]| {
        let count = like.iter().product();
        TensorData::new(
            values.by_ref().take(count).collect::<Vec<f32>>(),
            like.to_vec(),
        )
    };

    // In the order of `pack`.
    let losses = losses.map(|loss| Tensor::from_data(next(&loss.dims()), &device));
    let monitor = monitor.map(|value| Tensor::from_data(next(&value.dims()), &device));
    let mean_logits = MeanLogits {
        cls: Tensor::from_data(next(&cls.dims()), &device),
        patch: Tensor::from_data(next(&patch.dims()), &device),
    };
    let prototypes: Vec<i32> = values.map(|prototype| prototype as i32).collect();
    let count = prototypes.len();

    Pass {
        images: batch,
        gradients,
        losses,
        mean_logits,
        monitor,
        prototypes: Tensor::from_data(TensorData::new(prototypes, [count, 1]), &device),
    }
}
