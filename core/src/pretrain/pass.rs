//! What forward and backward give: over a shard of a batch, over the whole of it, and read by the
//! host.

use burn::tensor::{ExecutionError, Int, Tensor, TensorData, Transaction};

use crate::optim::{GradientNorms, LossScale, NamedGradients};

/// What a step computed, read back to the host.
#[derive(Clone, Debug)]
pub struct StepReport {
    /// `lambda1 * cls + lambda2 * patch`.
    pub loss: f64,
    /// Cross-view loss of the CLS token.
    pub cls: f64,
    /// Masked-patch loss.
    pub patch: f64,
    /// Gradient norms before clipping.
    pub norms: GradientNorms,
    /// Mean entropy of the teacher's CLS targets, in nats; ln K when they say nothing.
    pub teacher_entropy: f64,
    /// The teacher's most likely prototype for every global crop.
    pub teacher_prototypes: Vec<u32>,
    /// Share of images whose most likely prototype in the student's second view is the teacher's in
    /// the first.
    pub agreement: f64,
    /// Whether the update was applied. It is not when the loss or a gradient is not finite.
    pub applied: bool,
    /// The scale at which the losses were differentiated; `None` but in f16.
    pub loss_scale: Option<LossScale>,
}

impl StepReport {
    /// Whether gradients were not finite because of the loss scale, as happens in f16 now and then:
    /// the next step has a smaller one. What fails without a scale has another reason.
    pub fn overflowed(&self) -> bool {
        !self.applied
            && self.loss.is_finite()
            && self.loss_scale.is_some_and(|scale| scale.factor() > 1.0)
    }
}

/// What forward and backward on a batch, or on a shard of one, gave. Nothing is read or changed
/// yet.
pub struct Pass {
    /// Images of the shard.
    pub(super) images: usize,
    /// The gradients of the loss.
    pub gradients: NamedGradients,
    /// Loss, CLS loss, patch loss, teacher entropy, agreement of views; `[5]`.
    pub(super) scalars: Tensor<1>,
    /// The teacher's most likely prototype for every global crop, `[globals * B, 1]`.
    pub(super) prototypes: Tensor<2, Int>,
    /// Mean CLS logits of the teacher, `[1, K]`.
    pub cls_mean: Tensor<2>,
    /// Mean patch logits of the teacher, `[1, K']`.
    pub patch_mean: Tensor<2>,
}

impl Pass {
    /// The pass over all images of `shards`: since every loss is a mean over images, so are its
    /// parts.
    ///
    /// The shards must be of one batch; at least one.
    pub fn join(mut shards: Vec<Self>) -> Self {
        if shards.len() == 1 {
            return shards.remove(0);
        }
        let images: usize = shards.iter().map(|shard| shard.images).sum();
        let share = |shard: &Self| shard.images as f64 / images as f64;
        let mean = |of: fn(&Self) -> Tensor<2>| {
            let parts: Vec<Tensor<2>> = shards
                .iter()
                .map(|shard| of(shard) * share(shard))
                .collect();
            Tensor::cat(parts, 0).sum_dim(0)
        };
        let (cls_mean, patch_mean) = (
            mean(|shard| shard.cls_mean.clone()),
            mean(|shard| shard.patch_mean.clone()),
        );
        let scalars = mean(|shard| shard.scalars.clone().unsqueeze()).squeeze_dim(0);
        let prototypes = Tensor::cat(
            shards
                .iter()
                .map(|shard| shard.prototypes.clone())
                .collect(),
            0,
        );
        let gradients = NamedGradients::weighted_sum(shards.into_iter().map(|shard| {
            let share = share(&shard);
            (shard.gradients, share)
        }));
        Self {
            images,
            gradients,
            scalars,
            prototypes,
            cls_mean,
            patch_mean,
        }
    }

    /// Reads all that the host wants to know of a step in one transfer.
    ///
    /// # Errors
    /// If the device fails.
    pub async fn read(&self) -> Result<StepReport, ExecutionError> {
        let squares = self.gradients.squared_norms();
        let floats = Tensor::cat(
            std::iter::once(self.scalars.clone())
                .chain(squares)
                .collect(),
            0,
        );
        let data = Transaction::default()
            .register(floats)
            .register(self.prototypes.clone())
            .execute_async()
            .await?;
        // A transaction returns one entry for each registered tensor.
        let [floats, prototypes] = &data[..] else {
            unreachable!("two tensors were registered")
        };
        let floats: Vec<f64> = floats.iter::<f64>().collect();
        let norms = self.gradients.norms(&floats[5..]);
        Ok(StepReport {
            loss: floats[0],
            cls: floats[1],
            patch: floats[2],
            teacher_entropy: floats[3],
            agreement: floats[4],
            applied: floats[0].is_finite() && norms.total().is_finite(),
            loss_scale: None,
            norms,
            teacher_prototypes: prototypes.iter::<u32>().collect(),
        })
    }

    /// What this pass adds to the pass over a batch of `batch` images, of which `first` come before
    /// its own, gradients aside: `[5 + K + K' + globals * batch]`, on the host. Means are weighted
    /// by the share of images; prototypes stand in their place among zeros, so that their sum over
    /// all workers is the whole list.
    ///
    /// # Errors
    /// If the device fails.
    pub async fn summand(&self, first: usize, batch: usize) -> Result<Vec<f32>, ExecutionError> {
        let means = [
            self.cls_mean.clone().flatten(0, 1),
            self.patch_mean.clone().flatten(0, 1),
        ];
        let floats = Tensor::cat(
            std::iter::once(self.scalars.clone()).chain(means).collect(),
            0,
        ) * self.share(batch);
        let data = Transaction::default()
            .register(floats)
            .register(self.prototypes.clone())
            .execute_async()
            .await?;
        // A transaction returns one entry for each registered tensor.
        let [floats, prototypes] = &data[..] else {
            unreachable!("two tensors were registered")
        };
        let mut summand: Vec<f32> = floats.iter::<f32>().collect();
        let (start, globals) = (summand.len(), self.prototypes.dims()[0] / self.images);
        summand.resize(start + globals * batch, 0.0);
        // Numbers of prototypes are far below 2^24, up to where a float holds every integer.
        let own = summand[start + globals * first..]
            .iter_mut()
            .zip(prototypes.iter::<u32>());
        own.for_each(|(place, prototype)| *place = prototype as f32);
        Ok(summand)
    }

    /// This pass's share of a batch of `batch` images: the weight of its gradients in the batch's.
    pub fn share(&self, batch: usize) -> f64 {
        self.images as f64 / batch as f64
    }

    /// The pass over a whole batch of `images` images, from its gradients and the sum of all
    /// workers' [`summand`](Self::summand)s, which must be as long as this pass's.
    pub fn whole(self, gradients: NamedGradients, sum: Vec<f32>, images: usize) -> Self {
        let (device, mut rest) = (self.scalars.device(), sum.into_iter());
        let [scalars, classes, patches] = [
            self.scalars.dims()[0],
            self.cls_mean.dims()[1],
            self.patch_mean.dims()[1],
        ];
        let mut take = |count: usize| {
            TensorData::new(rest.by_ref().take(count).collect::<Vec<f32>>(), [count])
        };
        let scalars = Tensor::from_data(take(scalars), &device);
        let mut mean = |count: usize| Tensor::<1>::from_data(take(count), &device).unsqueeze();
        let (cls_mean, patch_mean) = (mean(classes), mean(patches));
        let prototypes: Vec<i32> = rest.map(|prototype| prototype as i32).collect();
        let count = prototypes.len();
        let prototypes = Tensor::from_data(TensorData::new(prototypes, [count, 1]), &device);
        Self {
            images,
            gradients,
            scalars,
            prototypes,
            cls_mean,
            patch_mean,
        }
    }
}
