//! One optimisation step of iBOT, top to bottom as the paper's algorithm 1.

use burn::tensor::{Device, ExecutionError, Tensor};

use crate::model::{ComputePrecision, Network};
use crate::optim::schedule::{OptimConfig, StepValues};
use crate::optim::{AdamW, LossScale, NamedGradients};
use crate::pretrain::config::Config;
use crate::pretrain::ema::update_teacher;
use crate::pretrain::loss;
use crate::pretrain::loss::{Centers, LossConfig};
use crate::pretrain::masking::{Mask, masked_rows};
use crate::pretrain::recompute::Recomputed;
use crate::pretrain::{Activations, Pass, StepReport};
use crate::rng::{Purpose, Rng, stream};
use crate::weights::map_named;

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
    /// The scale of the loss; `None` but in f16.
    pub loss_scale: Option<LossScale>,
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
    /// The state of a new run: the network of `config`, initialised by `seed`.
    pub fn fresh(config: &Config, seed: u64, device: &Device) -> Self {
        let rng = &mut stream(seed, Purpose::Init, 0, 0);
        let student = Network::init(
            &config.backbone(),
            &config.head,
            &device.clone().autodiff(),
            rng,
        );
        Self::new(
            student.with_precision(config.optim.precision),
            config.head.shared_head,
            device,
        )
    }

    /// The state before the first step: the student's weights in both networks, centers at zero.
    ///
    /// `shared_head_teacher` is whether the teacher's CLS and patch tokens share their prototypes.
    pub fn new(student: Network, shared_head_teacher: bool, device: &Device) -> Self {
        let teacher = student.teacher(shared_head_teacher);
        let (classes, patches) = (teacher.head.prototypes(), teacher.head.patch_prototypes());
        let centers = Centers::zeros(classes, patches, &device.clone().without_autodiff());
        let loss_scale = (student.precision() == ComputePrecision::F16).then(LossScale::default);
        Self {
            student,
            teacher,
            optimizer: AdamW::default(),
            centers,
            loss_scale,
        }
    }

    /// This state with a student whose parameters are leaves of their own, so that a thread can
    /// differentiate it while others do the same.
    pub fn fork(&self) -> Self {
        Self {
            student: map_named(self.student.clone(), |_, values| values),
            ..self.clone()
        }
    }
}

impl Batch {
    /// Global crops of an image.
    fn globals_number(&self) -> usize {
        self.globals.dims()[0] / self.images
    }
}

/// One optimisation step. If the loss or a gradient is not finite, the state comes back unchanged
/// but for a smaller loss scale.
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
    let pass = Objective::new(&state, batch, now, loss_config, Activations::Kept, noise)
        .differentiate(&state.student);
    apply(state, pass, now, loss_config, optim).await
}

/// The second half of a step: updates student, teacher and centers by the pass over the whole
/// batch.
///
/// # Errors
/// If the device fails.
pub async fn apply(
    state: TrainState,
    pass: Pass,
    now: &StepValues,
    loss_config: &LossConfig,
    optim: &OptimConfig,
) -> Result<(TrainState, StepReport), ExecutionError> {
    let mut report = pass.read().await?;
    report.loss_scale = state.loss_scale;
    let loss_scale = state.loss_scale.map(|scale| scale.after(report.applied));
    if !report.applied {
        return Ok((
            TrainState {
                loss_scale,
                ..state
            },
            report,
        ));
    }
    let TrainState {
        student,
        teacher,
        mut optimizer,
        centers,
        ..
    } = state;
    let student = optimizer.step(student, pass.gradients, &report.norms, now, optim);
    let teacher = update_teacher(teacher, &student, now.momentum);
    let centers = centers.update(pass.cls_mean, pass.patch_mean, loss_config);
    Ok((
        TrainState {
            student,
            teacher,
            optimizer,
            centers,
            loss_scale,
        },
        report,
    ))
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
    loss_scale: Option<LossScale>,
}

impl Objective {
    /// Runs teacher and student on the batch.
    pub fn new(
        state: &TrainState,
        batch: &Batch,
        now: &StepValues,
        config: &LossConfig,
        activations: Activations,
        noise: Option<&mut Rng>,
    ) -> Self {
        let target = teach(&state.teacher, batch, &state.centers, now);
        Self::between(
            target,
            predict(&state.student, batch, activations, noise),
            batch,
            config,
        )
        .scaled(state.loss_scale)
    }

    /// The losses between what the teacher and the student make of the batch.
    pub fn between(
        target: Target,
        prediction: Prediction,
        batch: &Batch,
        config: &LossConfig,
    ) -> Self {
        let cls_target = Tensor::from_inner(target.cls.clone());
        let cls = loss::cls_loss(
            prediction.cls.clone(),
            cls_target,
            batch.globals_number(),
            config.student_temp,
        );
        let patch = match (&prediction.patch, &target.patch) {
            (Some(prediction), Some(target)) => {
                let weights = loss::patch_weights(&batch.masks, &prediction.device());
                let target = Tensor::from_inner(target.clone());
                loss::patch_loss(prediction.clone(), target, weights, config.student_temp)
            }
            _ => cls.zeros_like(),
        };
        let loss = cls.clone() * config.lambda1 + patch.clone() * config.lambda2;
        Self {
            loss,
            cls,
            patch,
            images: batch.images,
            target,
            prediction,
            loss_scale: None,
        }
    }

    /// The same losses, differentiated at this scale, which the gradients do not show.
    pub fn scaled(self, loss_scale: Option<LossScale>) -> Self {
        Self { loss_scale, ..self }
    }

    /// The gradients of `student`, whose losses these are, and all else that the step needs.
    pub fn differentiate(self, student: &Network) -> Pass {
        let Self {
            loss,
            cls,
            patch,
            images,
            target,
            prediction,
            loss_scale,
        } = self;
        let scaled = |loss: Tensor<1>| {
            if let Some(scale) = loss_scale {
                loss * scale.factor()
            } else {
                loss
            }
        };
        let mut gradients = scaled(loss.clone()).backward();
        let recomputed = prediction
            .recomputed
            .into_iter()
            .map(|pass| pass.backward(student, &mut gradients));
        let recomputed: Vec<NamedGradients> = recomputed.collect();
        let mut gradients = NamedGradients::of(student, gradients);
        recomputed
            .into_iter()
            .for_each(|further| gradients.add(further));
        if let Some(scale) = loss_scale {
            gradients = NamedGradients::weighted_sum([(gradients, 1.0 / scale.factor())]);
        }
        let entropy = loss::entropy(target.cls.clone()).mean();
        let prototypes = target.cls.argmax(1);
        let second_view = prediction.cls.inner().narrow(0, images, images).argmax(1);
        let agreement = prototypes
            .clone()
            .narrow(0, 0, images)
            .equal(second_view)
            .float()
            .mean();
        Pass {
            images,
            gradients,
            scalars: Tensor::cat(
                vec![loss.inner(), cls.inner(), patch.inner(), entropy, agreement],
                0,
            ),
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
    let cls_logits = head.cls_logits(head.bottleneck(tokens.cls.clone()));
    let patches = head.bottleneck(tokens.into_patches().flatten(0, 1));
    // The last layer is linear: the mean of all patches' logits is the logits of their mean, K
    // times cheaper.
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
    /// Passes of the backbone whose activations were not kept.
    recomputed: Vec<Recomputed>,
}

/// The student sees masked global crops, and local crops whole. Only what the losses need goes
/// through its head.
pub fn predict(
    student: &Network,
    batch: &Batch,
    activations: Activations,
    mut noise: Option<&mut Rng>,
) -> Prediction {
    let Network { backbone, head } = student;
    let mut recomputed = Vec::new();
    let mut encode = |crops: &Tensor<4>, masks: &[Mask]| match activations {
        Activations::Kept => backbone.forward(crops.clone().autodiff(), masks, &mut noise),
        Activations::Recomputed => {
            let (tokens, pass) = Recomputed::forward(backbone, crops, masks, &mut noise);
            recomputed.push(pass);
            tokens
        }
    };
    let tokens = encode(&batch.globals, &batch.masks);
    let mut cls_rows = vec![tokens.cls.clone()];
    let masked = tokens.into_masked_patches(&batch.masks);
    if let Some(locals) = &batch.locals {
        cls_rows.push(encode(locals, &[]).cls);
    }
    let cls_count: usize = cls_rows.iter().map(|rows| rows.dims()[0]).sum();
    let bottleneck = head.bottleneck(Tensor::cat(cls_rows.into_iter().chain(masked).collect(), 0));
    let patch_count = bottleneck.dims()[0] - cls_count;
    Prediction {
        cls: head.cls_logits(bottleneck.clone().narrow(0, 0, cls_count)),
        patch: (patch_count > 0)
            .then(|| head.patch_logits(bottleneck.narrow(0, cls_count, patch_count))),
        recomputed,
    }
}
