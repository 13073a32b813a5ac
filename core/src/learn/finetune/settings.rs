//! Settings of fine-tuning, and what its optimiser takes from them.

use serde::{Deserialize, Serialize};

use crate::model::Backbone;
use crate::optim::{AdamWConfig, Clip, ClipBy, Schedule};
use crate::problems::Problems;

/// Which weights of the backbone learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A low-rank change of every matrix of every block (LoRA).
    Lora {
        /// Rank of the change.
        rank: usize,
    },
    /// All weights of so many last blocks, and the final norm.
    LastBlocks(usize),
}

/// How a [`FineTune`](super::FineTune) learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FineTuneSettings {
    /// What learns.
    pub mode: Mode,
    /// Side of the training views and shorter side of the images to classify, in pixels; a multiple
    /// of the patch.
    pub size: usize,
    /// Steps in which the learning rate falls to zero; further ones change nothing to speak of.
    pub steps: usize,
    /// Images of a step.
    pub batch: usize,
    /// Peak learning rate, reached after a tenth of the steps.
    pub lr: f64,
    /// Weight decay of the matrices that learn.
    pub weight_decay: f64,
    /// Smallest area of a crop, relative to the image; the largest is 1.
    pub crop_scale: f64,
    /// Probability of a horizontal flip; 0 where left and right matter.
    pub flip: f64,
    /// Seed of order, crops and first factors.
    pub seed: u64,
}

impl Default for FineTuneSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Lora { rank: 4 },
            size: 224,
            steps: 100,
            batch: 16,
            lr: 2e-3,
            weight_decay: 0.05,
            crop_scale: 0.6,
            flip: 0.5,
            seed: 0,
        }
    }
}

impl FineTuneSettings {
    /// The defaults for a mode and views of `size` pixels: LoRA's factors take a larger learning
    /// rate than weights.
    pub fn new(mode: Mode, size: usize) -> Self {
        let lr = match mode {
            Mode::Lora { .. } => 2e-3,
            Mode::LastBlocks(_) => 5e-4,
        };
        Self {
            mode,
            size,
            lr,
            ..Self::default()
        }
    }

    pub(super) fn check(&self, backbone: &Backbone, at: &mut Problems) {
        let patch = backbone.stride();
        let whole = self.size > 0 && self.size.is_multiple_of(patch);
        let problem = format!("must be a multiple of the patch, {patch}");
        at.require(whole, "size", self.size, problem);

        match self.mode {
            Mode::Lora { rank } => {
                let width = backbone.dim();
                let problem = format!("must lie between 1 and the width of a token, {width}");
                at.require((1..=width).contains(&rank), "rank", rank, problem);
            }
            Mode::LastBlocks(blocks) => {
                let depth = backbone.depth();
                let problem = format!("must lie between 1 and the number of blocks, {depth}");
                at.require(
                    (1..=depth).contains(&blocks),
                    "last_blocks",
                    blocks,
                    problem,
                );
            }
        }

        at.within("batch", self.batch, 1..=4096);
        at.require(self.steps > 0, "steps", self.steps, "must be at least 1");
        at.not_negative("lr", self.lr);
        at.not_negative("weight_decay", self.weight_decay);

        let share = self.crop_scale > 0.0 && self.crop_scale <= 1.0;
        let problem = "must be more than 0 and at most 1";
        at.require(share, "crop_scale", self.crop_scale, problem);
        at.within("flip", self.flip, 0.0..=1.0);
    }

    pub(super) fn learning_rate(&self) -> Schedule {
        Schedule::warmup_cosine(self.lr, 0.0, self.steps / 10, self.steps)
    }
}

/// PyTorch's AdamW with all gradients clipped together.
pub(super) fn adamw() -> AdamWConfig {
    AdamWConfig {
        clip: Clip {
            max_norm: 1.0,
            by: ClipBy::Global,
        },
        ..AdamWConfig::default()
    }
}
