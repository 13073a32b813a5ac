//! Settings of fine-tuning. Defaults are the paper's for ViT-S on ImageNet.

use serde::{Deserialize, Serialize};

use crate::finetune::mix::MixConfig;
use crate::finetune::network::TokenReadout;
use crate::image::augment::supervised::SupervisedConfig;
use crate::model::{BackboneConfig, ComputePrecision};
use crate::optim::{AdamWConfig, Clip, ClipBy};
use crate::problems::Problems;

/// What a run of fine-tuning learns, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FinetuneConfig {
    /// The network.
    pub model: ClassifierConfig,
    /// The optimiser and its schedules.
    pub optim: FinetuneOptimConfig,
    /// How an image is changed before it is shown.
    pub augment: SupervisedConfig,
    /// How images of a batch are mixed, and their targets made soft.
    pub mix: MixConfig,
}

/// What of the network learns, beside the dimensions that the weights bring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassifierConfig {
    /// Side of the images in pixels, a multiple of the patch.
    pub image_size: usize,
    /// Whether the weights are random in place of those of the file, to see what these add.
    pub untrained: bool,
    /// The tokens that the classifier reads.
    pub readout: TokenReadout,
    /// Stochastic depth of the last block; it rises linearly from 0 at the first.
    pub drop_path: f64,
    /// Factor of the classifier's first weights (official: `init_scale`).
    pub classifier_scale: f64,
    /// Rank of the change of every matrix of every block (LoRA), in place of the weights; 0 changes
    /// the weights themselves.
    pub lora_rank: usize,
    /// How many of the last blocks learn; 0 takes all of the network.
    pub last_blocks: usize,
}

impl Default for ClassifierConfig {
    fn default() -> Self {
        Self {
            image_size: 224,
            untrained: false,
            readout: TokenReadout::Cls,
            drop_path: 0.1,
            classifier_scale: 0.001,
            lora_rank: 0,
            last_blocks: 0,
        }
    }
}

impl ClassifierConfig {
    /// The backbone of the weights, as fine-tuning has it.
    pub fn backbone(&self, of_weights: BackboneConfig) -> BackboneConfig {
        let backbone = of_weights.with_mask_token(false);
        backbone.with_drop_path(self.drop_path)
    }

    fn check(&self, at: &mut Problems) {
        at.within("image_size", self.image_size, 1..=4096);
        if at.within("drop_path", self.drop_path, 0.0..=1.0) {
            let keeps = self.drop_path < 1.0;
            at.require(keeps, "drop_path", self.drop_path, "would drop every block");
        }
        at.not_negative("classifier_scale", self.classifier_scale);

        let one = self.lora_rank == 0 || self.last_blocks == 0;
        let problem = "cannot be combined with lora_rank: set one of them to 0";
        at.require(one, "last_blocks", self.last_blocks, problem);
    }
}

/// Learning rate and weight decay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FinetuneOptimConfig {
    /// Passes over the data.
    pub epochs: usize,
    /// Images in an optimisation step.
    pub batch_size: usize,
    /// Augmented copies of an image in an epoch, which then shows a part of the images (repeated
    /// augmentation).
    pub repeats: usize,
    /// Peak learning rate of the classifier. It is not scaled by the batch.
    pub lr: f64,
    /// Learning rate of the classifier at the end.
    pub min_lr: f64,
    /// Epochs in which the learning rate rises from 0.
    pub warmup_epochs: usize,
    /// Weight decay at the start.
    pub weight_decay: f64,
    /// Weight decay at the end.
    pub weight_decay_end: f64,
    /// Learning rate of each layer, over that of the layer above it.
    pub layer_decay: f64,
    /// Largest norm of all gradients together; 0 does not clip.
    pub clip_grad: f64,
    /// AdamW's decay of the first moment.
    pub beta1: f64,
    /// AdamW's decay of the second moment.
    pub beta2: f64,
    /// AdamW's epsilon.
    pub eps: f64,
    /// What matrix products of the backbone are computed in: `f32`, or on GPUs that can, `f16` or
    /// `bf16`.
    pub precision: ComputePrecision,
    /// Whether the learning rate follows the released code for few labels and transfer: by epoch
    /// and one epoch late, from 1e-6; tokens and position embeddings decay.
    pub as_released: bool,
}

impl Default for FinetuneOptimConfig {
    fn default() -> Self {
        Self {
            epochs: 200,
            batch_size: 1024,
            repeats: 1,
            lr: 1e-3,
            min_lr: 1e-6,
            warmup_epochs: 20,
            weight_decay: 0.05,
            weight_decay_end: 0.05,
            layer_decay: 0.75,
            clip_grad: 0.0,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            precision: ComputePrecision::F32,
            as_released: false,
        }
    }
}

/// Most epochs, and most images of a batch.
const MAX_COUNT: usize = 1_000_000_000;

impl FinetuneOptimConfig {
    /// The optimiser's part.
    pub fn adamw(&self) -> AdamWConfig {
        AdamWConfig {
            beta1: self.beta1,
            beta2: self.beta2,
            eps: self.eps,
            clip: Clip {
                max_norm: self.clip_grad,
                by: ClipBy::Global,
            },
        }
    }

    fn check(&self, at: &mut Problems) {
        at.within("epochs", self.epochs, 1..=MAX_COUNT);
        at.within("batch_size", self.batch_size, 1..=MAX_COUNT);
        // Crop streams tell 256 of an image apart.
        at.within("repeats", self.repeats, 1..=256);

        at.not_negative("lr", self.lr);
        at.not_negative("min_lr", self.min_lr);
        at.not_negative("weight_decay", self.weight_decay);
        at.not_negative("weight_decay_end", self.weight_decay_end);
        at.not_negative("clip_grad", self.clip_grad);
        at.within("layer_decay", self.layer_decay, 0.0..=1.0);

        self.adamw().check(at);
    }
}

impl FinetuneConfig {
    /// Checks the values by themselves.
    pub fn check(&self, problems: &mut Problems) {
        self.model.check(problems.section("model"));
        self.optim.check(problems.section("optim"));
        self.augment.check(problems.section("augment"));
        self.mix.check(problems.section("mix"));
    }

    /// Checks the values for the network that is to learn.
    pub fn check_for(&self, backbone: &BackboneConfig, problems: &mut Problems) {
        let at = problems.section("model");
        let model = &self.model;

        let patch = backbone.patch_size();
        let whole = model.image_size.is_multiple_of(patch);
        let problem = format!("must be a multiple of the patch, {patch}");
        at.require(whole, "image_size", model.image_size, problem);

        let depth = backbone.depth();
        let problem = format!("must be at most the number of blocks, {depth}");
        let has = model.last_blocks <= depth;
        at.require(has, "last_blocks", model.last_blocks, problem);

        let width = backbone.dim();
        let problem = format!("must be at most the width of a token, {width}");
        at.require(
            model.lora_rank <= width,
            "lora_rank",
            model.lora_rank,
            problem,
        );
    }
}
