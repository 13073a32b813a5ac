//! The forward passes of teacher and student.

use burn::tensor::Tensor;

use crate::model::mask::{Mask, masked_rows};
use crate::model::{Network, Noise};
use crate::pretrain::batch::Batch;
use crate::pretrain::recompute::{Activations, Recomputed};
use crate::pretrain::targets::{MeanLogits, TeacherLogits};

/// The teacher's logits for the global crops without masks, outside autodiff, and their means.
pub fn teach(teacher: &Network, batch: &Batch) -> (TeacherLogits, MeanLogits) {
    let Network { backbone, head } = teacher;
    // No noise: the official teacher has a drop path of 0.
    let tokens = backbone.forward(batch.globals.clone().without_autodiff(), &[], &mut None);

    let cls = head.cls_logits(head.bottleneck(tokens.cls.clone()));
    let patches = head.bottleneck(tokens.into_patches().flatten(0, 1));

    // The last layer is linear: the mean of all patches' logits is the logits of their mean, K
    // times cheaper. So only masked patches go through the wide layer.
    let mean = MeanLogits {
        cls: cls.clone().mean_dim(0),
        patch: head.patch_logits(patches.clone().mean_dim(0)),
    };
    let patch = masked_rows(&batch.masks, 0, &patches.device())
        .map(|rows| head.patch_logits(patches.select(0, rows)));

    (TeacherLogits { cls, patch }, mean)
}

/// The student's logits.
pub struct Prediction {
    /// CLS tokens of all crops, `[(globals + locals) * B, K]`, crop by crop, globals first.
    pub cls: Tensor<2>,
    /// Masked patches, `[M, K']`; `None` without masks.
    pub patch: Option<Tensor<2>>,
    /// CLS tokens of the global crops before the head, `[globals * B, D]`.
    pub global_tokens: Tensor<2>,
    /// Passes of the backbone whose activations were not kept.
    pub(super) recomputed: Vec<Recomputed>,
}

/// The student's logits for masked global crops and whole local crops.
pub fn predict(
    student: &Network,
    batch: &Batch,
    activations: Activations,
    mut noise: Noise,
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
    let global_tokens = tokens.cls.clone();
    let mut rows = vec![global_tokens.clone()];
    let masked = tokens.into_masked_patches(&batch.masks);
    if let Some(locals) = &batch.locals {
        // Local crops are not masked, and no loss reads their patches.
        rows.push(encode(locals, &[]).cls);
    }
    let cls_count: usize = rows.iter().map(|rows| rows.dims()[0]).sum();

    // One pass through the head for all that the losses need, and nothing else.
    let bottleneck = head.bottleneck(Tensor::cat(rows.into_iter().chain(masked).collect(), 0));
    let patch_count = bottleneck.dims()[0] - cls_count;
    Prediction {
        cls: head.cls_logits(bottleneck.clone().narrow(0, 0, cls_count)),
        patch: (patch_count > 0)
            .then(|| head.patch_logits(bottleneck.narrow(0, cls_count, patch_count))),
        global_tokens,
        recomputed,
    }
}
