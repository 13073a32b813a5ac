//! How the learning rate follows the batch, and what shape it has over a run.

use serde::{Deserialize, Serialize};

/// How the peak of the learning rate follows the number of images in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LrScaling {
    /// In proportion: the rate is given for 256 images (official).
    Linear,
    /// By the square root: the rate is given for 1024 images (DINOv2).
    Sqrt,
    /// Not at all: the rate is given as it is (DINOv3).
    None,
}

impl LrScaling {
    /// The peak for steps of `batch` images.
    pub fn peak(self, lr: f64, batch: usize) -> f64 {
        let batch = batch as f64;
        match self {
            Self::Linear => lr * batch / 256.0,
            Self::Sqrt => lr * (batch / 1024.0).sqrt(),
            Self::None => lr,
        }
    }

    /// The factor of the peak in words.
    pub fn factor(self, batch: usize) -> String {
        match self {
            Self::Linear => format!(" x {batch} / 256"),
            Self::Sqrt => format!(" x sqrt({batch} / 1024)"),
            Self::None => String::new(),
        }
    }
}

/// The shape of learning rate, weight decay and the teacher's momentum over a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleShape {
    /// Half a cosine from the first value to the last (official).
    Cosine,
    /// The first value, from the warm-up of the learning rate to its cool-down (DINOv3).
    Constant,
}
