//! How much arithmetic a network and a step take: multiply-accumulates of their matrix products,
//! counted from the configuration.
//!
//! A multiply-accumulate is two floating-point operations. Norms, activations, softmax and updates
//! are left out: they take time for memory rather than for arithmetic.

use crate::pretrain::centering::CenterFrom;
use crate::pretrain::config::Config;

/// A whole step, for one image of which `masked` patches are masked in all its global crops
/// together.
pub fn step_macs(config: &Config, masked: f64) -> f64 {
    let Config {
        head, crops, loss, ..
    } = config;
    let backbone = config.backbone();
    let globals = crops.global_crops_number as f64;
    let locals = crops.local_crops_number as f64;
    let (rows, columns) = config.global_grid();
    let patches = globals * (rows * columns) as f64;

    let global = backbone.macs(crops.global_size);
    let local = backbone.macs(crops.local_size);
    let (cls_head, patch_head) = (head.cls(), head.patch());
    let cls = cls_head.mlp_macs(backbone.dim()) + cls_head.prototype_macs();
    let mlp = patch_head.mlp_macs(backbone.dim());

    // Only CLS tokens and the patches that are predicted go through the student's head.
    let predicted = if loss.visible_patch_weight > 0.0 {
        patches
    } else {
        masked
    };
    let patch_layer = predicted * patch_head.prototype_macs();
    let student = globals * global
        + locals * local
        + (globals + locals) * cls
        + predicted * mlp
        + patch_layer;

    // Where the center is the mean of the logits of all patches, all go through the teacher's MLP.
    let centered = match loss.center_from {
        CenterFrom::All => patches,
        CenterFrom::Masked => predicted,
    };
    let anchor = if loss.gram_loss_weight > 0.0 {
        globals * global
    } else {
        0.0
    };
    let teacher = globals * global + globals * cls + centered * mlp + patch_layer + anchor;
    // The backward pass computes a gradient of the weights and one of the inputs.
    3.0 * student + teacher
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::augment::CropsConfig;
    use crate::model::{Arch, ModelConfig};
    use crate::model::{Ffn, VitConfig};
    use crate::testing::test;

    fn config(arch: Arch) -> Config {
        Config {
            model: ModelConfig {
                arch,
                ..ModelConfig::default()
            },
            crops: CropsConfig {
                local_crops_number: 10,
                ..CropsConfig::default()
            },
            ..Config::default()
        }
    }

    /// Published figures: 4.6 and 17.6 GMAC for ViT-S/16 and ViT-B/16 at 224 pixels.
    #[test]
    fn backbones_take_what_is_known_of_them() {
        let giga = |arch, side| config(arch).backbone().macs(side) / 1e9;
        assert!((giga(Arch::VitSmall, 224) - 4.60).abs() < 0.005);
        assert!((giga(Arch::VitSmall, 96) - 0.81).abs() < 0.005);
        assert!((giga(Arch::VitBase, 224) - 17.56).abs() < 0.05);
    }

    /// One block of one token without patches, by hand: 4 D² + 2 D + 2 D hidden.
    #[test]
    fn a_block_by_hand() {
        let vit = VitConfig {
            dim: 10,
            hidden: 40,
            depth: 3,
            heads: 2,
            ..config(Arch::VitTiny).model.vit(224, true)
        };
        assert_eq!(vit.macs(0), 3.0 * (400.0 + 20.0 + 800.0));
        let gated = VitConfig {
            ffn: Ffn::SwiGlu,
            registers: 1,
            ..vit
        };
        assert_eq!(gated.macs(0), 3.0 * (800.0 + 80.0 + 2400.0));
    }

    /// 2 x 224 + 10 x 96 with the mixture's mean of 14.5 % masked: 65.2 GMAC an image for ViT-S/16,
    /// 240.9 for ViT-B/16.
    #[test]
    fn a_step_takes_three_student_passes_and_one_of_the_teacher() {
        for (arch, expected) in [(Arch::VitSmall, 65.2), (Arch::VitBase, 240.9)] {
            let macs = step_macs(&config(arch), 0.145 * 2.0 * 196.0) / 1e9;
            assert!((macs / expected - 1.0).abs() < 0.01, "{macs} GMAC");
        }
    }
}
