//! The pass of a worker as one vector of numbers, gradients aside.
//!
//! The vector is `[losses, monitor, mean logits K + K' + 1, prototypes globals * batch]`. Means are
//! weighted by the worker's share of the images, and prototypes stand in their place among zeros,
//! so that the sum of all workers' vectors is the vector of the whole batch.

use burn::tensor::{ExecutionError, Tensor, TensorData, Transaction};
use futures_lite::future::block_on;
use ibot_core::optim::NamedGradients;
use ibot_core::pretrain::{MeanLogits, Pass};

use crate::run::worker_engine::SharedPass;

impl SharedPass for Pass {
    fn share(&self, batch: usize) -> f64 {
        Pass::share(self, batch)
    }

    fn gradients(&mut self) -> &mut NamedGradients {
        &mut self.gradients
    }

    fn pack(&self, first: usize, batch: usize) -> Result<Vec<f32>, ExecutionError> {
        // Names every field, so that a new one cannot be forgotten here.
        let Pass {
            images,
            gradients: _,
            losses,
            mean_logits,
            monitor,
            prototypes,
        } = self;
        let MeanLogits {
            cls,
            patch,
            patch_share,
        } = mean_logits;

        let mut means = Vec::new();
        losses.clone().map(|loss| means.push(loss));
        monitor.clone().map(|value| means.push(value));
        for mean in [cls, patch, patch_share] {
            means.push(mean.clone().flatten(0, 1));
        }

        let reading = Transaction::default()
            .register(Tensor::cat(means, 0) * self.share(batch))
            .register(prototypes.clone());
        let data = block_on(reading.execute_async())?;
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

    fn unpack(self, gradients: NamedGradients, sum: Vec<f32>, batch: usize) -> Self {
        let Pass {
            images: _,
            gradients: _,
            losses,
            mean_logits,
            monitor,
            prototypes: _,
        } = self;
        let device = mean_logits.cls.device();
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
        let mean_logits = mean_logits.map(|mean| Tensor::from_data(next(&mean.dims()), &device));
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
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use ibot_core::pretrain::{Losses, Monitor};

    use super::*;

    /// A pass over `images` images with two crops each, in which every value is `value`.
    fn pass(images: usize, value: f32) -> Pass {
        let device = Device::flex();
        let scalar = || Tensor::from_floats([value], &device);
        Pass {
            images,
            gradients: NamedGradients::default(),
            losses: Losses {
                total: scalar(),
                cls: scalar(),
                patch: scalar(),
                koleo: scalar(),
                gram: scalar(),
            },
            mean_logits: MeanLogits {
                cls: Tensor::full([1, 3], value, &device),
                patch: Tensor::full([1, 5], value, &device),
                patch_share: Tensor::full([1, 1], value, &device),
            },
            monitor: Monitor {
                teacher_entropy: scalar(),
                agreement: scalar(),
            },
            prototypes: Tensor::full([2 * images, 1], value as i32, &device),
        }
    }

    #[test]
    fn the_sum_of_all_vectors_is_the_pass_over_the_batch() {
        let first = pass(1, 4.0).pack(0, 4).expect("the CPU works");
        let rest = pass(3, 8.0).pack(1, 4).expect("the CPU works");
        let mut sum = Vec::new();
        for (a, b) in first.into_iter().zip(rest) {
            sum.push(a + b);
        }

        let whole = pass(1, 4.0).unpack(NamedGradients::default(), sum, 4);
        let joined = Pass::join(vec![pass(1, 4.0), pass(3, 8.0)]);
        assert_eq!((whole.images, joined.images), (4, 4));
        for whole in [&whole, &joined] {
            let losses = whole.losses.clone().map(Tensor::into_scalar::<f32>);
            assert_eq!((losses.total, losses.cls), (7.0, 7.0));
            assert_eq!((losses.patch, losses.koleo, losses.gram), (7.0, 7.0, 7.0));
            let monitor = whole.monitor.clone().map(Tensor::into_scalar::<f32>);
            assert_eq!((monitor.teacher_entropy, monitor.agreement), (7.0, 7.0));

            let MeanLogits {
                cls,
                patch,
                patch_share,
            } = &whole.mean_logits;
            assert_eq!((cls.dims(), patch.dims()), ([1, 3], [1, 5]));
            assert_eq!(cls.clone().sum().into_scalar::<f32>(), 21.0);
            assert_eq!(patch.clone().sum().into_scalar::<f32>(), 35.0);
            assert_eq!(patch_share.clone().into_scalar::<f32>(), 7.0);
            let prototypes = whole.prototypes.to_data();
            let prototypes: Vec<i64> = prototypes.iter::<i64>().collect();
            assert_eq!(prototypes, [4, 4, 8, 8, 8, 8, 8, 8]);
        }
    }
}
