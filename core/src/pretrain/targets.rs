//! What the student is to predict: the teacher's logits, centered and sharpened so that neither one
//! prototype nor all of them take every image.

use burn::tensor::{Device, Tensor, activation};

use crate::pretrain::centering::CenterFrom;
use crate::pretrain::ema::moving_average;
use crate::pretrain::loss::LossConfig;
use crate::pretrain::schedule::StepValues;

/// The teacher's logits for a batch.
#[derive(Clone, Debug)]
pub struct TeacherLogits {
    /// CLS tokens, `[globals * B, K]`.
    pub cls: Tensor<2>,
    /// The patches that are predicted, `[M, K']`: the masked ones, or all. `None` without any.
    pub patch: Option<Tensor<2>>,
}

/// Mean logits of the teacher over a batch.
#[derive(Clone, Debug)]
pub struct MeanLogits {
    /// Of the CLS tokens, `[1, K]`.
    pub cls: Tensor<2>,
    /// Of all patches, where those that the center does not follow count as 0, `[1, K']`.
    pub patch: Tensor<2>,
    /// Share of the patches that the center follows, `[1, 1]`.
    pub patch_share: Tensor<2>,
}

impl MeanLogits {
    /// Applies `f` to each tensor, always in the same order.
    pub fn map(self, mut f: impl FnMut(Tensor<2>) -> Tensor<2>) -> Self {
        Self {
            cls: f(self.cls),
            patch: f(self.patch),
            patch_share: f(self.patch_share),
        }
    }

    /// Combines each tensor with the other's.
    pub fn zip(self, other: Self, f: impl Fn(Tensor<2>, Tensor<2>) -> Tensor<2>) -> Self {
        Self {
            cls: f(self.cls, other.cls),
            patch: f(self.patch, other.patch),
            patch_share: f(self.patch_share, other.patch_share),
        }
    }
}

/// The teacher's distributions for a batch.
pub struct Targets {
    /// CLS tokens, `[globals * B, K]`.
    pub cls: Tensor<2>,
    /// The patches that are predicted, `[M, K']`; `None` without any.
    pub patch: Option<Tensor<2>>,
}

/// What is subtracted from the teacher's logits so that no prototype takes all: their moving means,
/// or what balances a batch.
#[derive(Clone, Debug)]
pub struct Centers {
    /// Center of CLS logits, `[1, K]`.
    pub cls: Tensor<2>,
    /// Center of patch logits, `[1, K']`.
    pub patch: Tensor<2>,
}

impl Centers {
    /// Centers at zero for `cls` and `patch` prototypes.
    pub fn zeros(cls: usize, patch: usize, device: &Device) -> Self {
        Self {
            cls: Tensor::zeros([1, cls], device),
            patch: Tensor::zeros([1, patch], device),
        }
    }

    /// The distributions of the teacher's logits, centered and sharpened.
    pub fn targets(&self, logits: TeacherLogits, now: &StepValues) -> Targets {
        let TeacherLogits { cls, patch } = logits;
        Targets {
            cls: distribution(cls, self.cls.clone(), now.teacher_temp),
            patch: patch
                .map(|logits| distribution(logits, self.patch.clone(), now.teacher_patch_temp)),
        }
    }

    /// Moves the centers towards the mean logits of a batch. The next step subtracts them.
    pub fn update(&mut self, mean: MeanLogits, config: &LossConfig) {
        self.cls = moving_average(self.cls.clone(), mean.cls, config.center_momentum);

        let old = self.patch.clone();
        self.patch = match config.center_from {
            CenterFrom::All => moving_average(old, mean.patch, config.center_momentum2),
            CenterFrom::Masked => {
                // The same moving average, written so that it stays where it is if no patch is
                // masked: the difference is then 0.
                let difference = mean.patch - old.clone() * mean.patch_share.clone();
                let mean_difference = difference / mean.patch_share.clamp_min(f32::MIN_POSITIVE);
                old + mean_difference * (1.0 - config.center_momentum2)
            }
        };
    }
}

/// `softmax((logits - center) / temperature)` over the last dimension.
pub fn distribution(logits: Tensor<2>, center: Tensor<2>, temperature: f64) -> Tensor<2> {
    activation::softmax((logits - center) / temperature, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn centers_follow_the_mean() {
        let device = Device::flex();
        let config = LossConfig {
            center_momentum: 0.9,
            center_momentum2: 0.5,
            ..LossConfig::default()
        };
        let mut centers = Centers::zeros(2, 3, &device);
        let mean = MeanLogits {
            cls: Tensor::ones([1, 2], &device),
            patch: Tensor::ones([1, 3], &device),
            patch_share: Tensor::ones([1, 1], &device),
        };
        centers.update(mean, &config);

        let cls: Vec<f32> = centers.cls.try_to_vec_as().expect("floats");
        let patch: Vec<f32> = centers.patch.try_to_vec_as().expect("floats");
        assert!(cls.iter().all(|c| (c - 0.1).abs() < 1e-7));
        assert!(patch.iter().all(|c| (c - 0.5).abs() < 1e-7));
    }

    /// 3 of 8 patches are masked, with logits of 4 on the mean; then none is.
    #[test]
    fn the_center_follows_the_masked_patches_where_there_are_some() {
        let device = Device::flex();
        let config = LossConfig {
            center_from: CenterFrom::Masked,
            center_momentum2: 0.5,
            ..LossConfig::default()
        };
        let mut centers = Centers::zeros(2, 3, &device);
        for (share, expected) in [(0.375, 2.0), (0.375, 3.0), (0.0, 3.0)] {
            let mean = MeanLogits {
                cls: Tensor::ones([1, 2], &device),
                patch: Tensor::full([1, 3], 4.0 * share, &device),
                patch_share: Tensor::full([1, 1], share, &device),
            };
            centers.update(mean, &config);
            let patch: Vec<f32> = centers.patch.try_to_vec_as().expect("floats");
            assert!(
                patch.iter().all(|c| (c - expected).abs() < 1e-6),
                "{patch:?}"
            );
        }
    }
}
