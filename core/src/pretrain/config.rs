//! The configuration of a training run: one struct a concern, with the official code's names and
//! defaults.

use serde::{Deserialize, Serialize};

use crate::image::augment::{AugmentConfig, CropsConfig};
use crate::model::vit::pos_embed::Sampling;
use crate::model::{BackboneConfig, Ffn, HeadConfig, VitConfig};
use crate::optim::schedule::{OptimConfig, TeacherTempConfig};
use crate::pretrain::loss::LossConfig;
use crate::pretrain::masking::{Mask, MaskConfig};
use crate::problems::Problems;

/// Named sizes of vision transformers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arch {
    /// 192 wide, 12 blocks, 3 heads.
    VitTiny,
    /// 384 wide, 12 blocks, 6 heads.
    VitSmall,
    /// 768 wide, 12 blocks, 12 heads.
    VitBase,
    /// 1024 wide, 24 blocks, 16 heads.
    VitLarge,
}

impl Arch {
    /// Width, depth and heads.
    pub fn dimensions(self) -> (usize, usize, usize) {
        match self {
            Self::VitTiny => (192, 12, 3),
            Self::VitSmall => (384, 12, 6),
            Self::VitBase => (768, 12, 12),
            Self::VitLarge => (1024, 24, 16),
        }
    }
}

/// The backbone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Named size.
    pub arch: Arch,
    /// Side of a patch, in pixels.
    pub patch_size: usize,
    /// Width of a token, in place of the named size's.
    pub dim: Option<usize>,
    /// Number of blocks, in place of the named size's.
    pub depth: Option<usize>,
    /// Attention heads of a block, in place of the named size's.
    pub heads: Option<usize>,
    /// Width of the MLP's hidden layer over the token's; SwiGLU takes two thirds of it, in steps of
    /// eight.
    pub mlp_ratio: usize,
    /// The feed-forward branch: `mlp`, or `swiglu` as in DINOv2's larger networks.
    pub ffn_layer: Ffn,
    /// What LayerScale's gains start from (DINOv2: 1e-5); without it there is no LayerScale.
    pub layerscale: Option<f64>,
    /// Register tokens.
    pub num_register_tokens: usize,
    /// Stochastic depth of the student's last block.
    pub drop_path: f64,
    /// Offset of the position embeddings' interpolation: 0.1 samples as the official code does, 0
    /// at the plain ratio.
    pub interpolate_offset: f64,
    /// Whether that interpolation is antialiased, as in DINOv2's networks with registers.
    pub interpolate_antialias: bool,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            arch: Arch::VitSmall,
            patch_size: 16,
            dim: None,
            depth: None,
            heads: None,
            mlp_ratio: 4,
            ffn_layer: Ffn::Mlp,
            layerscale: None,
            num_register_tokens: 0,
            drop_path: 0.1,
            interpolate_offset: Sampling::OFFICIAL.offset,
            interpolate_antialias: Sampling::OFFICIAL.antialias,
        }
    }
}

/// Largest width of a layer. Beyond these bounds, which no network comes near, sizes would overflow
/// or ask for memory that no machine has.
const MAX_WIDTH: usize = 65_536;
const MAX_BLOCKS: usize = 1024;
const MAX_REGISTERS: usize = 1024;
const MAX_MLP_RATIO: usize = 64;
/// Longest side of a patch, in pixels.
const MAX_PATCH: usize = 16_384;

impl ModelConfig {
    /// Checks the values; whether the dimensions make a network.
    pub(crate) fn check(&self, at: &mut Problems) -> bool {
        let (dim, depth, heads) = self.arch.dimensions();
        let dim = self.dim.unwrap_or(dim);
        let depth = self.depth.unwrap_or(depth);
        let heads = self.heads.unwrap_or(heads);

        // Every check is carried out, so that all mistakes are found.
        let mut sound = at.within("patch_size", self.patch_size, 1..=MAX_PATCH);
        sound &= at.within("dim", dim, 1..=MAX_WIDTH);
        sound &= at.within("depth", depth, 1..=MAX_BLOCKS);
        sound &= at.within("heads", heads, 1..=MAX_WIDTH);
        sound &= at.within("mlp_ratio", self.mlp_ratio, 1..=MAX_MLP_RATIO);
        sound &= at.within(
            "num_register_tokens",
            self.num_register_tokens,
            0..=MAX_REGISTERS,
        );
        if sound {
            let problem = format!("is not a multiple of {heads} heads");
            sound &= at.require(dim.is_multiple_of(heads), "dim", dim, problem);
        }

        let gain = self.layerscale.unwrap_or(1.0);
        at.require(
            gain.is_finite() && gain != 0.0,
            "layerscale",
            gain,
            "would shut the branches off: leave it out for no LayerScale",
        );
        if at.within("drop_path", self.drop_path, 0.0..=1.0) {
            let keeps = self.drop_path < 1.0;
            at.require(keeps, "drop_path", self.drop_path, "would drop every block");
        }
        at.within("interpolate_offset", self.interpolate_offset, 0.0..=1.0);
        sound
    }
}

/// Everything that determines what is learned, apart from the data and the seed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The backbone.
    pub model: ModelConfig,
    /// The projection head.
    pub head: HeadConfig,
    /// The multi-crop views.
    pub crops: CropsConfig,
    /// Their augmentation.
    pub augment: AugmentConfig,
    /// The masks.
    pub mask: MaskConfig,
    /// The losses.
    pub loss: LossConfig,
    /// The teacher's temperatures.
    pub teacher: TeacherTempConfig,
    /// The optimiser and its schedules.
    pub optim: OptimConfig,
}

impl Config {
    /// The defaults with a network of which a step takes milliseconds, to try a device with: 16
    /// patches of 4 x 4 pixels, 12 prototypes.
    pub fn miniature() -> Self {
        Self {
            model: ModelConfig {
                patch_size: 4,
                dim: Some(16),
                depth: Some(2),
                heads: Some(2),
                mlp_ratio: 2,
                drop_path: 0.0,
                ..ModelConfig::default()
            },
            head: HeadConfig {
                out_dim: 12,
                patch_out_dim: 12,
                hidden_dim: 16,
                bottleneck_dim: 8,
                norm_last_layer: false,
                ..HeadConfig::default()
            },
            crops: CropsConfig {
                global_size: 16,
                local_size: 8,
                ..CropsConfig::default()
            },
            ..Self::default()
        }
    }

    /// The student's backbone; the teacher's is the same without mask token.
    pub fn backbone(&self) -> BackboneConfig {
        self.vit().into()
    }

    pub(crate) fn vit(&self) -> VitConfig {
        let (dim, depth, heads) = self.model.arch.dimensions();
        let dim = self.model.dim.unwrap_or(dim);
        let hidden = dim * self.model.mlp_ratio;
        VitConfig {
            image_size: self.crops.global_size,
            patch_size: self.model.patch_size,
            dim,
            depth: self.model.depth.unwrap_or(depth),
            heads: self.model.heads.unwrap_or(heads),
            hidden: match self.model.ffn_layer {
                Ffn::Mlp => hidden,
                // A gate is a third matrix: two thirds of the width keep the number of parameters.
                Ffn::SwiGlu => (hidden * 2 / 3).next_multiple_of(8),
            },
            ffn: self.model.ffn_layer,
            layerscale: self.model.layerscale,
            registers: self.model.num_register_tokens,
            drop_path: self.model.drop_path,
            pos_sampling: Sampling {
                offset: self.model.interpolate_offset,
                antialias: self.model.interpolate_antialias,
            },
            mask_token: self.mask.use_masked_im_modeling,
        }
    }

    /// Patches along both sides of a global crop.
    pub fn global_grid(&self) -> (usize, usize) {
        let side = self.crops.global_size;
        self.backbone().grid(side, side)
    }

    /// The masks of the global crops of an image, the same wherever and whenever they are drawn.
    pub fn masks(&self, seed: u64, epoch: usize, image: usize) -> Vec<Mask> {
        let crops = 0..self.crops.global_crops_number;
        crops
            .map(|crop| self.mask.mask(self.global_grid(), seed, epoch, image, crop))
            .collect()
    }

    /// Checks that the settings make sense, one by one and together.
    pub fn check(&self, at: &mut Problems) {
        let known_backbone = self.model.check(at.section("model"));
        self.head.check(at.section("head"));
        self.crops.check(at.section("crops"));
        self.augment.check(at.section("augment"));
        self.mask.check(at.section("mask"));
        self.loss.check(at.section("loss"));
        self.teacher.check(at.section("teacher"));
        self.optim.check(at.section("optim"));

        // Sizes beyond their bounds would overflow where they become those of a network.
        let stride = if known_backbone {
            self.backbone().stride()
        } else {
            1
        };
        self.check_together(at.section(""), stride);
    }

    /// Checks settings of one section against those of another.
    fn check_together(&self, at: &mut Problems, stride: usize) {
        for (key, side) in [
            ("crops.global_size", self.crops.global_size),
            ("crops.local_size", self.crops.local_size),
        ] {
            let problem = format!("is not a multiple of the patch size {stride}");
            at.require(side.is_multiple_of(stride), key, side, problem);
        }

        let masks = self.mask.use_masked_im_modeling;
        let learns = self.loss.lambda1 != 0.0 || (self.loss.lambda2 != 0.0 && masks);
        at.require(
            learns,
            "loss.lambda1",
            self.loss.lambda1,
            "leaves nothing to learn: set lambda1, or lambda2 with mask.use_masked_im_modeling",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    /// The keys of all mistakes in the defaults after a change.
    fn mistakes(change: fn(&mut Config)) -> Vec<String> {
        let mut config = Config::default();
        change(&mut config);
        let mut problems = Problems::default();
        config.check(&mut problems);
        problems
            .found()
            .iter()
            .map(|found| found.key.clone())
            .collect()
    }

    #[test]
    fn defaults_are_valid() {
        assert_eq!(mistakes(|_| ()), [""; 0]);
        assert_eq!(mistakes(|config| *config = Config::miniature()), [""; 0]);
    }

    #[test]
    fn each_mistake_is_named() {
        let broken: [(&str, fn(&mut Config)); 19] = [
            ("model.dim", |c| c.model.heads = Some(5)),
            ("model.layerscale", |c| c.model.layerscale = Some(0.0)),
            ("crops.local_size", |c| c.crops.local_size = 90),
            ("crops.global_crops_scale", |c| {
                c.crops.global_crops_scale = [0.5, 0.2]
            }),
            ("mask.pred_ratio_var", |c| c.mask.pred_ratio_var = vec![0.0]),
            ("mask.pred_ratio_var", |c| {
                c.mask.pred_ratio_var = vec![0.0, 0.4]
            }),
            ("teacher.teacher_temp", |c| c.teacher.teacher_temp = 0.0),
            ("optim.lr", |c| c.optim.lr = f64::NAN),
            ("loss.lambda1", |c| {
                (c.loss.lambda1, c.loss.lambda2) = (0.0, 0.0)
            }),
            ("loss.lambda1", |c| c.loss.lambda1 = -1.0),
            ("augment.solarize", |c| c.augment.solarize = 1.5),
            ("augment.hue", |c| c.augment.hue = f64::NAN),
            ("augment.blur_radius", |c| {
                c.augment.blur_radius = [0.1, 1e9]
            }),
            ("model.dim", |c| c.model.dim = Some(usize::MAX / 3)),
            ("model.patch_size", |c| c.model.patch_size = 0),
            ("crops.global_size", |c| c.crops.global_size = 1 << 30),
            ("crops.local_crops_number", |c| {
                c.crops.local_crops_number = usize::MAX
            }),
            ("crops.global_crops_number", |c| {
                c.crops.global_crops_number = usize::MAX
            }),
            ("optim.epochs", |c| c.optim.epochs = usize::MAX),
        ];
        for (key, change) in broken {
            assert_eq!(mistakes(change), [key]);
        }
    }

    #[test]
    fn mistakes_of_all_sections_are_found_at_once() {
        let found = mistakes(|c| {
            c.head.out_dim = 1;
            c.crops.local_size = 90;
            c.optim.beta1 = 1.0;
        });
        assert_eq!(found, ["head.out_dim", "optim.beta1", "crops.local_size"]);
    }
}
