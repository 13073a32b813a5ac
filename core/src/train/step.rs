//! One optimisation step of iBOT, top to bottom as the paper's algorithm 1.

use burn::tensor::{ExecutionError, Int, Tensor, Transaction};

use super::ema::update_teacher;
use super::{AdamW, GradientNorms, NamedGradients};
use crate::loss::{self, Centers, LossConfig};
use crate::masking::{Mask, masked_rows};
use crate::model::Network;
use crate::rng::Rng;
use crate::schedule::{OptimConfig, StepValues};
use crate::weights::map_flat;

/// Everything that a step changes.
#[derive(Clone, Debug)]
pub struct TrainState {
    /// The network that learns, on an autodiff device.
    pub student: Network,
    /// Its moving average, outside autodiff.
    pub teacher: Network,
    /// The optimiser's moments.
    pub optimizer: AdamW,
    /// The centers of the teacher's logits.
    pub centers: Centers,
}

/// The crops of B images on a device.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Normalised global crops `[globals * B, 3, S, S]`, crop by crop.
    pub globals: Tensor<4>,
    /// Normalised local crops `[locals * B, 3, s, s]`, crop by crop; `None` if there are none.
    pub locals: Option<Tensor<4>>,
    /// One mask for each global crop, in their order.
    pub masks: Vec<Mask>,
    /// Number B of images.
    pub images: usize,
}

impl TrainState {
    /// This state with a student whose parameters are leaves of their own, so that a thread can differentiate it
    /// while others do the same.
    pub fn fork(&self) -> Self {
        Self { student: map_flat(self.student.clone(), |_, values| values), ..self.clone() }
    }
}

impl Batch {
    /// Global crops of an image.
    fn globals_number(&self) -> usize {
        self.globals.dims()[0] / self.images
    }
}

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
    /// Share of images whose most likely prototype in the student's second view is the teacher's in the first.
    pub agreement: f64,
    /// Whether the update was applied. It is not when the loss or a gradient is not finite.
    pub applied: bool,
}

/// One optimisation step. The state comes back unchanged if the loss or a gradient is not finite.
///
/// `noise` drives the student's stochastic depth; `None` switches it off.
///
/// # Errors
/// If the device fails.
pub async fn train_step(
    state: TrainState,
    batch: &Batch,
    now: &StepValues,
    loss_config: &LossConfig,
    optim: &OptimConfig,
    noise: Option<&mut Rng>,
) -> Result<(TrainState, StepReport), ExecutionError> {
    let pass = Objective::new(&state, batch, now, loss_config, noise).differentiate(&state.student);
    apply(state, vec![pass], now, loss_config, optim).await
}

/// What forward and backward on a batch, or on a shard of one, gave. Nothing is read or changed yet.
pub struct Pass {
    /// Images of the shard.
    images: usize,
    /// The gradients of the loss.
    pub gradients: NamedGradients,
    /// Loss, CLS loss, patch loss, teacher entropy, agreement of views; `[5]`.
    scalars: Tensor<1>,
    /// The teacher's most likely prototype for every global crop, `[globals * B, 1]`.
    prototypes: Tensor<2, Int>,
    /// Mean CLS logits of the teacher, `[1, K]`.
    pub cls_mean: Tensor<2>,
    /// Mean patch logits of the teacher, `[1, K']`.
    pub patch_mean: Tensor<2>,
}

impl Pass {
    /// The pass over all images of `shards`: since every loss is a mean over images, so are its parts.
    ///
    /// The shards must be of one batch; at least one.
    pub fn join(mut shards: Vec<Self>) -> Self {
        if shards.len() == 1 {
            return shards.remove(0);
        }
        let images: usize = shards.iter().map(|shard| shard.images).sum();
        let share = |shard: &Self| shard.images as f64 / images as f64;
        let mean = |of: fn(&Self) -> Tensor<2>| {
            let parts: Vec<Tensor<2>> = shards.iter().map(|shard| of(shard) * share(shard)).collect();
            Tensor::cat(parts, 0).sum_dim(0)
        };
        let (cls_mean, patch_mean) = (mean(|shard| shard.cls_mean.clone()), mean(|shard| shard.patch_mean.clone()));
        let scalars = mean(|shard| shard.scalars.clone().unsqueeze()).squeeze_dim(0);
        let prototypes = Tensor::cat(shards.iter().map(|shard| shard.prototypes.clone()).collect(), 0);
        let gradients = NamedGradients::weighted_sum(shards.into_iter().map(|shard| {
            let share = share(&shard);
            (shard.gradients, share)
        }));
        Self { images, gradients, scalars, prototypes, cls_mean, patch_mean }
    }

    /// Reads all that the host wants to know of a step in one transfer.
    ///
    /// # Errors
    /// If the device fails.
    pub async fn read(&self) -> Result<StepReport, ExecutionError> {
        let names = self.gradients.0.keys().cloned();
        let squares = self.gradients.squared_norms();
        let floats = Tensor::cat(std::iter::once(self.scalars.clone()).chain(squares).collect(), 0);
        let data = Transaction::default().register(floats).register(self.prototypes.clone()).execute_async().await?;
        // A transaction returns one entry for each registered tensor.
        let [floats, prototypes] = &data[..] else { unreachable!("two tensors were registered") };
        let floats: Vec<f64> = floats.iter::<f64>().collect();
        let norms = GradientNorms(names.zip(floats[5..].iter().map(|square| square.sqrt())).collect());
        Ok(StepReport {
            loss: floats[0],
            cls: floats[1],
            patch: floats[2],
            teacher_entropy: floats[3],
            agreement: floats[4],
            applied: floats[0].is_finite() && norms.total().is_finite(),
            norms,
            teacher_prototypes: prototypes.iter::<u32>().collect(),
        })
    }
}

/// The second half of a step: updates student, teacher and centers by the passes over all shards of a batch.
///
/// # Errors
/// If the device fails.
pub async fn apply(
    state: TrainState,
    shards: Vec<Pass>,
    now: &StepValues,
    loss_config: &LossConfig,
    optim: &OptimConfig,
) -> Result<(TrainState, StepReport), ExecutionError> {
    let pass = Pass::join(shards);
    let report = pass.read().await?;
    if !report.applied {
        return Ok((state, report));
    }
    let TrainState { student, teacher, mut optimizer, centers } = state;
    let student = optimizer.step(student, pass.gradients, &report.norms, now, optim);
    let teacher = update_teacher(teacher, &student, now.momentum);
    let centers = centers.update(pass.cls_mean, pass.patch_mean, loss_config);
    Ok((TrainState { student, teacher, optimizer, centers }, report))
}

/// The losses of a batch, ready to be differentiated.
pub struct Objective {
    /// `lambda1 * cls + lambda2 * patch`, `[1]`.
    pub loss: Tensor<1>,
    /// Cross-view loss of the CLS token, `[1]`.
    pub cls: Tensor<1>,
    /// Masked-patch loss, `[1]`.
    pub patch: Tensor<1>,
    images: usize,
    target: Target,
    prediction: Prediction,
}

impl Objective {
    /// Runs teacher and student on the batch.
    pub fn new(
        state: &TrainState,
        batch: &Batch,
        now: &StepValues,
        config: &LossConfig,
        noise: Option<&mut Rng>,
    ) -> Self {
        let target = teach(&state.teacher, batch, &state.centers, now);
        Self::between(target, predict(&state.student, batch, noise), batch, config)
    }

    /// The losses between what the teacher and the student make of the batch.
    pub fn between(target: Target, prediction: Prediction, batch: &Batch, config: &LossConfig) -> Self {
        let cls_target = Tensor::from_inner(target.cls.clone());
        let cls = loss::cls_loss(prediction.cls.clone(), cls_target, batch.globals_number(), config.student_temp);
        let patch = match (&prediction.patch, &target.patch) {
            (Some(prediction), Some(target)) => {
                let weights = loss::patch_weights(&batch.masks, &prediction.device());
                let target = Tensor::from_inner(target.clone());
                loss::patch_loss(prediction.clone(), target, weights, config.student_temp)
            }
            _ => cls.zeros_like(),
        };
        let loss = cls.clone() * config.lambda1 + patch.clone() * config.lambda2;
        Self { loss, cls, patch, images: batch.images, target, prediction }
    }

    /// The gradients of `student`, whose losses these are, and all else that the step needs.
    pub fn differentiate(self, student: &Network) -> Pass {
        let Self { loss, cls, patch, images, target, prediction } = self;
        let gradients = NamedGradients::of(student, loss.backward());
        let entropy = loss::entropy(target.cls.clone()).mean();
        let prototypes = target.cls.argmax(1);
        let second_view = prediction.cls.inner().narrow(0, images, images).argmax(1);
        let agreement = prototypes.clone().narrow(0, 0, images).equal(second_view).float().mean();
        Pass {
            images,
            gradients,
            scalars: Tensor::cat(vec![loss.inner(), cls.inner(), patch.inner(), entropy, agreement], 0),
            prototypes,
            cls_mean: target.cls_mean,
            patch_mean: target.patch_mean,
        }
    }
}

/// What the teacher makes of the batch.
pub struct Target {
    /// Distributions of the CLS tokens, `[globals * B, K]`.
    cls: Tensor<2>,
    /// Distributions of the masked patches, `[M, K']`; `None` without masks.
    patch: Option<Tensor<2>>,
    /// Mean CLS logits, `[1, K]`.
    cls_mean: Tensor<2>,
    /// Mean logits of all patches, masked or not, `[1, K']`.
    patch_mean: Tensor<2>,
}

/// The teacher sees the global crops without masks.
pub fn teach(teacher: &Network, batch: &Batch, centers: &Centers, now: &StepValues) -> Target {
    let Network { backbone, head } = teacher;
    let tokens = backbone.forward(batch.globals.clone().without_autodiff(), &[], &mut None);
    let cls_logits = head.cls_logits(head.bottleneck(backbone.cls_of(tokens.clone())));
    let patches = head.bottleneck(backbone.patches_of(tokens).flatten(0, 1));
    // The last layer is linear: the mean of all patches' logits is the logits of their mean, K times cheaper.
    let patch_mean = head.patch_logits(patches.clone().mean_dim(0));
    let patch = masked_rows(&batch.masks, 0, &patches.device()).map(|rows| {
        let logits = head.patch_logits(patches.select(0, rows));
        loss::targets(logits, centers.patch.clone(), now.teacher_patch_temp)
    });
    Target {
        cls: loss::targets(cls_logits.clone(), centers.cls.clone(), now.teacher_temp),
        patch,
        cls_mean: cls_logits.mean_dim(0),
        patch_mean,
    }
}

/// The student's logits.
pub struct Prediction {
    /// CLS tokens of all crops, `[(globals + locals) * B, K]`.
    cls: Tensor<2>,
    /// Masked patches, `[M, K']`; `None` without masks.
    patch: Option<Tensor<2>>,
}

/// The student sees masked global crops, and local crops whole. Only what the losses need goes through its head.
pub fn predict(student: &Network, batch: &Batch, mut noise: Option<&mut Rng>) -> Prediction {
    let Network { backbone, head } = student;
    let tokens = backbone.forward(batch.globals.clone().autodiff(), &batch.masks, &mut noise.as_deref_mut());
    let device = tokens.device();
    let mut cls_rows = vec![backbone.cls_of(tokens.clone())];
    let masked =
        masked_rows(&batch.masks, backbone.prefix(), &device).map(|rows| tokens.flatten::<2>(0, 1).select(0, rows));
    if let Some(locals) = &batch.locals {
        let local_tokens = backbone.forward(locals.clone().autodiff(), &[], &mut noise);
        cls_rows.push(backbone.cls_of(local_tokens));
    }
    let cls_count: usize = cls_rows.iter().map(|rows| rows.dims()[0]).sum();
    let bottleneck = head.bottleneck(Tensor::cat(cls_rows.into_iter().chain(masked).collect(), 0));
    let patch_count = bottleneck.dims()[0] - cls_count;
    Prediction {
        cls: head.cls_logits(bottleneck.clone().narrow(0, 0, cls_count)),
        patch: (patch_count > 0).then(|| head.patch_logits(bottleneck.narrow(0, cls_count, patch_count))),
    }
}
