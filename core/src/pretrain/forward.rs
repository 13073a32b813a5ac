//! The forward passes of teacher and student.

use burn::tensor::Tensor;

use crate::model::mask::{Mask, masked_rows};
use crate::model::{Backbone, Head, Network, Noise};
use crate::pretrain::batch::Batch;
use crate::pretrain::centering::CenterFrom;
use crate::pretrain::loss::LossConfig;
use crate::pretrain::recompute::{Activations, Recomputed};
use crate::pretrain::targets::{MeanLogits, TeacherLogits};

/// The teacher's logits for the global crops without masks, outside autodiff, and their means.
pub fn teach(teacher: &Network, batch: &Batch, config: &LossConfig) -> (TeacherLogits, MeanLogits) {
    let Network { backbone, head } = teacher;
    // No noise: the official teacher has a drop path of 0.
    let tokens = backbone.forward(batch.globals.clone().without_autodiff(), &[], &mut None);

    let cls = head.cls_logits(head.cls_bottleneck(tokens.cls.clone()));
    let patches: Tensor<2> = tokens.into_patches().flatten(0, 1);
    let count = patches.dims()[0];

    // Through the MLP go all patches, or the masked ones where neither center nor loss need others.
    let visible = config.visible_patch_weight > 0.0;
    let all = (visible || config.center_from == CenterFrom::All)
        .then(|| head.patch_bottleneck(patches.clone()));
    let masked = masked_rows(&batch.masks, 0, &patches.device()).map(|rows| match &all {
        Some(all) => all.clone().select(0, rows),
        None => head.patch_bottleneck(patches.select(0, rows)),
    });

    // The last layer is linear: the mean of the patches' logits is the logits of their mean, K
    // times cheaper. So only patches that are predicted go through the wide layer.
    let centered = match config.center_from {
        CenterFrom::All => all.clone(),
        CenterFrom::Masked => masked.clone(),
    };
    let (patch_mean, share) = match centered {
        Some(vectors) => {
            let share = vectors.dims()[0] as f64 / count as f64;
            (head.patch_logits(vectors.mean_dim(0)) * share, share)
        }
        None => (
            Tensor::zeros([1, head.patch_prototypes()], &cls.device()),
            0.0,
        ),
    };
    let mean = MeanLogits {
        cls: cls.clone().mean_dim(0),
        patch_share: Tensor::full([1, 1], share, &cls.device()),
        patch: patch_mean,
    };

    let predicted = if visible { all } else { masked };
    let patch = predicted.map(|vectors| head.patch_logits(vectors));
    (TeacherLogits { cls, patch }, mean)
}

/// Patch tokens of the global crops without masks, outside autodiff, `[globals * B, N, D]`.
pub fn patch_tokens(backbone: &Backbone, batch: &Batch) -> Tensor<3> {
    let globals = batch.globals.clone().without_autodiff();
    backbone.forward(globals, &[], &mut None).into_patches()
}

/// The student's logits.
pub struct Prediction {
    /// CLS tokens of all crops, `[(globals + locals) * B, K]`, crop by crop, globals first.
    pub cls: Tensor<2>,
    /// The patches that are predicted, `[M, K']`: the masked ones, or all. `None` without any.
    pub patch: Option<Tensor<2>>,
    /// CLS tokens of the global crops before the head, `[globals * B, D]`.
    pub global_tokens: Tensor<2>,
    /// Patch tokens of the global crops before the head, `[globals * B, N, D]`; `None` where no loss
    /// reads them.
    pub patch_tokens: Option<Tensor<3>>,
    /// Passes of the backbone whose activations were not kept.
    pub(super) recomputed: Vec<Recomputed>,
}

/// The student's logits for masked global crops and whole local crops.
pub fn predict(
    student: &Network,
    batch: &Batch,
    config: &LossConfig,
    activations: Activations,
    mut noise: Noise,
) -> Prediction {
    let Network { backbone, head } = student;
    let mut recomputed = Vec::new();
    let mut encode = |crops: &Tensor<4>, masks: &[Mask]| {
        let (tokens, pass) = activations.forward(backbone, crops, masks, &mut noise);
        recomputed.extend(pass);
        tokens
    };

    let tokens = encode(&batch.globals, &batch.masks);
    let global_tokens = tokens.cls.clone();
    let mut rows = vec![global_tokens.clone()];
    let patch_tokens = (config.gram_loss_weight > 0.0).then(|| tokens.clone().into_patches());
    let patches = if config.visible_patch_weight > 0.0 {
        Some(tokens.into_patches().flatten(0, 1))
    } else {
        tokens.into_masked_patches(&batch.masks)
    };
    if let Some(locals) = &batch.locals {
        // Local crops are not masked, and no loss reads their patches.
        rows.push(encode(locals, &[]).cls);
    }

    let (cls, patch) = bottlenecks(head, rows, patches);
    Prediction {
        cls: head.cls_logits(cls),
        patch: patch.map(|vectors| head.patch_logits(vectors)),
        global_tokens,
        patch_tokens,
        recomputed,
    }
}

/// Bottleneck vectors of CLS tokens, given in parts, and of patches.
fn bottlenecks(
    head: &Head,
    mut rows: Vec<Tensor<2>>,
    patches: Option<Tensor<2>>,
) -> (Tensor<2>, Option<Tensor<2>>) {
    if !head.shares_mlp() {
        let cls = head.cls_bottleneck(Tensor::cat(rows, 0));
        return (cls, patches.map(|tokens| head.patch_bottleneck(tokens)));
    }

    // One pass through the MLP for all that the losses need, and nothing else.
    let cls_count: usize = rows.iter().map(|rows| rows.dims()[0]).sum();
    rows.extend(patches);
    let all = head.cls_bottleneck(Tensor::cat(rows, 0));
    let patch_count = all.dims()[0] - cls_count;
    let patch = (patch_count > 0).then(|| all.clone().narrow(0, cls_count, patch_count));
    (all.narrow(0, 0, cls_count), patch)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Int, TensorData};

    use super::*;
    use crate::model::init;
    use crate::rng::{Purpose, stream};
    use crate::testing::{max_difference, small_network, test};

    #[test]
    fn means_and_predicted_patches_are_those_that_are_asked_for() {
        let device = Device::flex();
        let teacher = small_network(2, &device).teacher(true);
        let rng = &mut stream(4, Purpose::Init, 0, 0);
        let masked = Mask::new(4, 4, vec![false, true, true]);
        let batch = Batch {
            globals: init::uniform([2, 3, 16, 16], 1.0, &device, rng).val(),
            locals: None,
            masks: vec![masked, Mask::empty(4, 4)],
            images: 1,
        };
        let rows = Tensor::<1, Int>::from_data(TensorData::new(vec![1i32, 2], [2]), &device);

        let taught = |visible: f64, center_from: CenterFrom| {
            let config = LossConfig {
                visible_patch_weight: visible,
                center_from,
                ..LossConfig::default()
            };
            let (logits, mean) = teach(&teacher, &batch, &config);
            (logits.patch.expect("patches"), mean)
        };
        let (all, of_all) = taught(1.0, CenterFrom::All);
        assert_eq!(all.dims(), [32, 12]);
        let two = all.clone().select(0, rows);
        assert!(max_difference(&of_all.patch, &all.mean_dim(0)) < 1e-6);

        for visible in [0.0, 1.0] {
            let (predicted, mean) = taught(visible, CenterFrom::Masked);
            let share: f32 = mean.patch_share.into_scalar();
            assert_eq!(share, 2.0 / 32.0);
            assert!(max_difference(&(mean.patch * 16.0), &two.clone().mean_dim(0)) < 1e-5);
            if visible == 0.0 {
                assert!(max_difference(&predicted, &two) < 1e-6);
            }
        }
    }
}
