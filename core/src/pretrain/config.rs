//! The configuration of a training run: one struct a concern, with the official code's names and
//! defaults.

use serde::{Deserialize, Serialize};

use crate::image::augment::{AugmentConfig, CropsConfig};
use crate::model::vit::pos_embed::Sampling;
use crate::model::{BackboneConfig, Ffn, HeadConfig, VitConfig};
use crate::optim::schedule::{OptimConfig, TeacherTempConfig};
use crate::pretrain::loss::LossConfig;
use crate::pretrain::masking::MaskConfig;

/// The longest side of a crop or patch, in pixels.
const MAX_SIDE: usize = 16_384;
/// The most channels of a layer.
const MAX_WIDTH: usize = 65_536;
/// The most prototypes of a head.
const MAX_PROTOTYPES: usize = 1 << 24;
/// The most crops of an image.
const MAX_CROPS: usize = 256;
/// The most epochs, and images of a batch.
const MAX_COUNT: usize = 1_000_000_000;

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

/// A setting that makes no sense.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("{key} = {value}: {problem}")]
pub struct ConfigError {
    /// Section and name, as written in a configuration file.
    pub key: &'static str,
    /// The value.
    pub value: String,
    /// What is wrong, and what would do.
    pub problem: String,
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

    /// Checks that the settings make sense, one by one and together.
    ///
    /// # Errors
    /// The first setting that does not.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.validate_network()?;
        self.validate_views()?;
        self.validate_optimisation()
    }

    fn validate_network(&self) -> Result<(), ConfigError> {
        let model = &self.model;
        // Beyond these bounds, which no network comes near, sizes would overflow or ask for memory
        // that no machine has.
        within("model.patch_size", model.patch_size, 1, MAX_SIDE)?;
        within("model.dim", model.dim.unwrap_or(1), 1, MAX_WIDTH)?;
        within("model.depth", model.depth.unwrap_or(1), 1, 1024)?;
        within("model.heads", model.heads.unwrap_or(1), 1, MAX_WIDTH)?;
        within("model.mlp_ratio", model.mlp_ratio, 1, 64)?;
        within(
            "model.num_register_tokens",
            model.num_register_tokens,
            0,
            1024,
        )?;
        let vit = self.vit();
        if let Some(initial) = vit.layerscale {
            check(
                initial.is_finite() && initial != 0.0,
                "model.layerscale",
                initial,
                || "would shut the branches off: leave it out for no LayerScale".into(),
            )?;
        }
        check(
            vit.dim.is_multiple_of(vit.heads),
            "model.dim",
            vit.dim,
            || format!("is not a multiple of {} heads", vit.heads),
        )?;
        fraction("model.interpolate_offset", self.model.interpolate_offset)?;
        fraction("model.drop_path", vit.drop_path)?;
        check(
            vit.drop_path < 1.0,
            "model.drop_path",
            vit.drop_path,
            || "would drop every block".into(),
        )?;
        let stride = self.backbone().stride();
        for (key, size) in [
            ("crops.global_size", self.crops.global_size),
            ("crops.local_size", self.crops.local_size),
        ] {
            within(key, size, 1, MAX_SIDE)?;
            check(size.is_multiple_of(stride), key, size, || {
                format!("is not a multiple of the patch size {stride}")
            })?;
        }
        within("head.out_dim", self.head.out_dim, 2, MAX_PROTOTYPES)?;
        within(
            "head.patch_out_dim",
            self.head.patch_out_dim,
            2,
            MAX_PROTOTYPES,
        )?;
        within("head.hidden_dim", self.head.hidden_dim, 1, MAX_WIDTH)?;
        within(
            "head.bottleneck_dim",
            self.head.bottleneck_dim,
            1,
            MAX_WIDTH,
        )
    }

    fn validate_views(&self) -> Result<(), ConfigError> {
        let crops = &self.crops;
        within(
            "crops.global_crops_number",
            crops.global_crops_number,
            2,
            MAX_CROPS,
        )?;
        let locals = crops.local_crops_number;
        check(
            locals <= MAX_CROPS - crops.global_crops_number,
            "crops.local_crops_number",
            locals,
            || format!("makes more than {MAX_CROPS} crops of an image"),
        )?;
        scale("crops.global_crops_scale", crops.global_crops_scale)?;
        scale("crops.local_crops_scale", crops.local_crops_scale)?;
        let a = &self.augment;
        for (key, probability) in [
            ("augment.flip", a.flip),
            ("augment.color_jitter", a.color_jitter),
            ("augment.grayscale", a.grayscale),
            ("augment.blur_global1", a.blur_global1),
            ("augment.blur_global2", a.blur_global2),
            ("augment.blur_local", a.blur_local),
            ("augment.solarize", a.solarize),
        ] {
            fraction(key, probability)?;
        }
        for (key, strength, most) in [
            ("augment.brightness", a.brightness, 10.0),
            ("augment.contrast", a.contrast, 10.0),
            ("augment.saturation", a.saturation, 10.0),
            ("augment.hue", a.hue, 0.5),
        ] {
            check((0.0..=most).contains(&strength), key, strength, || {
                format!("must lie between 0 and {most}")
            })?;
        }
        for (key, [low, high]) in [
            ("augment.crop_ratio", a.crop_ratio),
            ("augment.blur_radius", a.blur_radius),
        ] {
            check(
                low > 0.0 && low <= high && high <= 100.0,
                key,
                format!("[{low}, {high}]"),
                || "must be two numbers above 0 and up to 100, the smaller first".into(),
            )?;
        }
        let mask = &self.mask;
        check(
            !mask.pred_ratio.is_empty() && mask.pred_ratio.len() == mask.pred_ratio_var.len(),
            "mask.pred_ratio_var",
            format!("{:?}", mask.pred_ratio_var),
            || {
                format!(
                    "needs one value for each of mask.pred_ratio = {:?}",
                    mask.pred_ratio
                )
            },
        )?;
        for (ratio, variation) in mask.pred_ratio.iter().zip(&mask.pred_ratio_var) {
            fraction("mask.pred_ratio", *ratio)?;
            check(
                *variation >= 0.0 && variation <= ratio && ratio + variation <= 1.0,
                "mask.pred_ratio_var",
                variation,
                || format!("leads ratios around {ratio} out of 0 to 1"),
            )?;
        }
        Ok(())
    }

    fn validate_optimisation(&self) -> Result<(), ConfigError> {
        let o = &self.optim;
        within("optim.epochs", o.epochs, 1, MAX_COUNT)?;
        within("optim.batch_size", o.batch_size, 1, MAX_COUNT)?;
        for (key, value) in [
            ("optim.lr", o.lr),
            ("optim.min_lr", o.min_lr),
            ("optim.weight_decay", o.weight_decay),
            ("optim.weight_decay_end", o.weight_decay_end),
            ("optim.clip_grad", o.clip_grad),
            ("loss.lambda1", self.loss.lambda1),
            ("loss.lambda2", self.loss.lambda2),
        ] {
            check(value.is_finite() && value >= 0.0, key, value, || {
                "must be zero or more".into()
            })?;
        }
        for (key, value) in [
            ("optim.eps", o.eps),
            ("loss.student_temp", self.loss.student_temp),
            (
                "teacher.warmup_teacher_temp",
                self.teacher.warmup_teacher_temp,
            ),
            ("teacher.teacher_temp", self.teacher.teacher_temp),
            (
                "teacher.warmup_teacher_patch_temp",
                self.teacher.warmup_teacher_patch_temp,
            ),
            (
                "teacher.teacher_patch_temp",
                self.teacher.teacher_patch_temp,
            ),
        ] {
            check(value.is_finite() && value > 0.0, key, value, || {
                "must be more than zero".into()
            })?;
        }
        for (key, value) in [
            ("optim.momentum_teacher", o.momentum_teacher),
            ("optim.beta1", o.beta1),
            ("optim.beta2", o.beta2),
            ("loss.center_momentum", self.loss.center_momentum),
            ("loss.center_momentum2", self.loss.center_momentum2),
        ] {
            fraction(key, value)?;
        }
        check(o.beta1 < 1.0, "optim.beta1", o.beta1, || {
            "must be less than one".into()
        })?;
        check(o.beta2 < 1.0, "optim.beta2", o.beta2, || {
            "must be less than one".into()
        })?;
        let learns = self.loss.lambda1 > 0.0
            || (self.loss.lambda2 > 0.0 && self.mask.use_masked_im_modeling);
        check(learns, "loss.lambda1", self.loss.lambda1, || {
            "leaves nothing to learn: set lambda1, or lambda2 with mask.use_masked_im_modeling"
                .into()
        })
    }
}

fn check(
    holds: bool,
    key: &'static str,
    value: impl ToString,
    problem: impl FnOnce() -> String,
) -> Result<(), ConfigError> {
    if holds {
        Ok(())
    } else {
        Err(ConfigError {
            key,
            value: value.to_string(),
            problem: problem(),
        })
    }
}

fn within(key: &'static str, value: usize, least: usize, most: usize) -> Result<(), ConfigError> {
    check((least..=most).contains(&value), key, value, || {
        format!("must lie between {least} and {most}")
    })
}

fn fraction(key: &'static str, value: f64) -> Result<(), ConfigError> {
    check((0.0..=1.0).contains(&value), key, value, || {
        "must lie between 0 and 1".into()
    })
}

fn scale(key: &'static str, [low, high]: [f64; 2]) -> Result<(), ConfigError> {
    check(
        low > 0.0 && low <= high && high <= 1.0,
        key,
        format!("[{low}, {high}]"),
        || "must be two shares of the image's area, the smaller first".into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn defaults_are_valid() {
        assert_eq!(Config::default().validate(), Ok(()));
        assert_eq!(Config::miniature().validate(), Ok(()));
    }

    #[test]
    fn each_mistake_is_named() {
        let broken = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.validate().expect_err("a mistake").key
        };
        assert_eq!(broken(|c| c.model.heads = Some(5)), "model.dim");
        assert_eq!(
            broken(|c| c.model.layerscale = Some(0.0)),
            "model.layerscale"
        );
        assert_eq!(broken(|c| c.crops.local_size = 90), "crops.local_size");
        assert_eq!(
            broken(|c| c.crops.global_crops_scale = [0.5, 0.2]),
            "crops.global_crops_scale"
        );
        assert_eq!(
            broken(|c| c.mask.pred_ratio_var = vec![0.0]),
            "mask.pred_ratio_var"
        );
        assert_eq!(
            broken(|c| c.mask.pred_ratio_var = vec![0.0, 0.4]),
            "mask.pred_ratio_var"
        );
        assert_eq!(
            broken(|c| c.teacher.teacher_temp = 0.0),
            "teacher.teacher_temp"
        );
        assert_eq!(broken(|c| c.optim.lr = f64::NAN), "optim.lr");
        assert_eq!(
            broken(|c| (c.loss.lambda1, c.loss.lambda2) = (0.0, 0.0)),
            "loss.lambda1"
        );
        assert_eq!(broken(|c| c.augment.solarize = 1.5), "augment.solarize");
        assert_eq!(broken(|c| c.augment.hue = f64::NAN), "augment.hue");
        assert_eq!(
            broken(|c| c.augment.blur_radius = [0.1, 1e9]),
            "augment.blur_radius"
        );
        assert_eq!(broken(|c| c.model.dim = Some(usize::MAX / 3)), "model.dim");
        assert_eq!(
            broken(|c| c.crops.global_size = 1 << 30),
            "crops.global_size"
        );
        assert_eq!(
            broken(|c| c.crops.local_crops_number = usize::MAX),
            "crops.local_crops_number"
        );
        assert_eq!(broken(|c| c.optim.epochs = usize::MAX), "optim.epochs");
    }
}
