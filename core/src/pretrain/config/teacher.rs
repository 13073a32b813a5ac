//! The temperatures of the teacher's targets.

use serde::{Deserialize, Serialize};

use crate::problems::Problems;

/// Teacher temperatures, with the official code's names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TeacherTempConfig {
    /// Temperature of CLS targets at the start.
    pub warmup_teacher_temp: f64,
    /// Temperature of CLS targets after the warm-up.
    pub teacher_temp: f64,
    /// Temperature of patch targets at the start.
    pub warmup_teacher_patch_temp: f64,
    /// Temperature of patch targets after the warm-up.
    pub teacher_patch_temp: f64,
    /// Epochs of the warm-up of both.
    pub warmup_teacher_temp_epochs: usize,
}

impl Default for TeacherTempConfig {
    fn default() -> Self {
        Self {
            warmup_teacher_temp: 0.04,
            teacher_temp: 0.07,
            warmup_teacher_patch_temp: 0.04,
            teacher_patch_temp: 0.07,
            warmup_teacher_temp_epochs: 30,
        }
    }
}

impl TeacherTempConfig {
    pub(crate) fn check(&self, at: &mut Problems) {
        at.positive("warmup_teacher_temp", self.warmup_teacher_temp);
        at.positive("teacher_temp", self.teacher_temp);
        at.positive("warmup_teacher_patch_temp", self.warmup_teacher_patch_temp);
        at.positive("teacher_patch_temp", self.teacher_patch_temp);
    }
}
