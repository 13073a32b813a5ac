//! What the student is to predict: the teacher's logits, centered and sharpened so that neither one
//! prototype nor all of them take every image.

use burn::tensor::{Device, Tensor, activation};

use crate::pretrain::ema::moving_average;
use crate::pretrain::loss::LossConfig;
use crate::pretrain::schedule::StepValues;

/// The teacher's logits for a batch.
pub struct TeacherLogits {
    /// CLS tokens, `[globals * B, K]`.
    pub cls: Tensor<2>,
    /// Masked patches, `[M, K']`; `None` without masks.
    pub patch: Option<Tensor<2>>,
}

/// Mean logits of the teacher over a batch.
#[derive(Clone, Debug)]
pub struct MeanLogits {
    /// Of the CLS tokens, `[1, K]`.
    pub cls: Tensor<2>,
    /// Of all patches, masked or not, `[1, K']`.
    pub patch: Tensor<2>,
}

/// The teacher's distributions for a batch.
pub struct Targets {
    /// CLS tokens, `[globals * B, K]`.
    pub cls: Tensor<2>,
    /// Masked patches, `[M, K']`; `None` without masks.
    pub patch: Option<Tensor<2>>,
}

/// Moving means of the teacher's logits, subtracted from them so that no prototype takes all.
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
        self.patch = moving_average(self.patch.clone(), mean.patch, config.center_momentum2);
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
        };
        centers.update(mean, &config);

        let cls: Vec<f32> = centers.cls.try_to_vec_as().expect("floats");
        let patch: Vec<f32> = centers.patch.try_to_vec_as().expect("floats");
        assert!(cls.iter().all(|c| (c - 0.1).abs() < 1e-7));
        assert!(patch.iter().all(|c| (c - 0.5).abs() < 1e-7));
    }
}
