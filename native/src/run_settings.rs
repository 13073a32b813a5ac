//! The `[run]` section: how a run is carried out and reported.

use std::time::Duration;

use ibot_core::pretrain::Activations;
use ibot_core::pretrain::config::Config;
use serde::{Deserialize, Serialize};

/// How a run is carried out and reported; nothing here changes what a step computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunSettings {
    /// The images: what `--data` takes.
    pub data: String,
    /// Weights to start from in place of random ones: what `--init` takes.
    pub init: Option<String>,
    /// Seed of the weights, the order of the images, the crops and the masks.
    pub seed: u64,
    /// Threads that decode and augment; 0 takes one for each core.
    pub workers: usize,
    /// Shards of a batch that the CPU computes at the same time; 0 takes one for each core. Their
    /// number changes the order of sums, so a run keeps that of its start.
    pub shards: usize,
    /// Images that a shard takes through forward and backward at a time: fewer take less memory. 0
    /// takes few on a CPU, whose caches then hold more of them, and all on a GPU. It changes the
    /// order of sums as `shards` does.
    pub micro_batch: usize,
    /// Whether the backward pass computes the activations of each of the student's blocks once
    /// more, rather than keep those of all: about a quarter more time for much less memory. It
    /// changes no number.
    pub recompute_activations: bool,
    /// Steps that a line of metrics averages.
    pub log_every: usize,
    /// Minutes after which the state is saved within an epoch too; 0 saves only at the ends of
    /// epochs.
    pub save_every: f64,
    /// Minutes in which a file that cannot be written is tried again before the run stops.
    pub save_patience: f64,
    /// Minutes that a worker waits for the others before the run ends with an error, saved; more
    /// than an evaluation and `save_patience` take, in which all wait for the first worker.
    pub exchange_timeout: f64,
    /// Whether gradients travel between workers in 16 bits.
    pub exchange_f16: bool,
    /// Whether CUDA devices of one process add gradients up themselves (NCCL), in 32 bits, in place
    /// of the host.
    pub exchange_nccl: bool,
    /// Hours after which the run stops, saved, to be continued; 0 sets no limit.
    pub max_hours: f64,
    /// Epochs between kept checkpoints; the last state is saved every epoch anyway.
    pub checkpoint_every: usize,
    /// Steps in a row with a non-finite loss or gradient that are skipped before the run stops.
    pub max_skipped: usize,
    /// Largest share of unreadable images before the run stops.
    pub max_unreadable: f64,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            data: "builtin".into(),
            init: None,
            seed: 0,
            workers: 0,
            shards: 0,
            micro_batch: 0,
            recompute_activations: false,
            log_every: 10,
            save_every: 30.0,
            save_patience: 10.0,
            exchange_timeout: 15.0,
            exchange_f16: false,
            exchange_nccl: false,
            max_hours: 0.0,
            checkpoint_every: 40,
            max_skipped: 10,
            max_unreadable: 0.1,
        }
    }
}

/// Tokens of the student that a CPU thread computes at a time, at most, if an image has not more;
/// measured in docs/performance.md.
const TOKENS_AT_A_TIME: usize = 1024;

impl RunSettings {
    /// Settles what 0 leaves to the device.
    pub fn resolve(&mut self, config: &Config, is_cpu: bool, cores: usize) {
        let batch = config.optim.batch_size;
        if self.shards == 0 {
            self.shards = if is_cpu { cores.min(batch) } else { 1 };
        }
        if self.micro_batch == 0 {
            let stride = config.backbone().stride();
            let tokens = |side: usize| (side / stride).pow(2) + 1;
            let crops = &config.crops;
            let image = crops.global_crops_number * tokens(crops.global_size)
                + crops.local_crops_number * tokens(crops.local_size);
            self.micro_batch = if is_cpu {
                (TOKENS_AT_A_TIME / image).clamp(1, batch)
            } else {
                batch
            };
        }
    }

    /// What the student's forward pass leaves for the backward pass.
    pub fn activations(&self) -> Activations {
        if self.recompute_activations {
            Activations::Recomputed
        } else {
            Activations::Kept
        }
    }

    /// How long a worker waits for the others.
    pub fn exchange_patience(&self) -> Duration {
        Duration::try_from_secs_f64(60.0 * self.exchange_timeout).unwrap_or(Duration::MAX)
    }

    /// Parts that a batch is cut into: as many for each shard as it takes one after another.
    pub fn parts(&self, batch: usize) -> usize {
        let shards = self.shards.clamp(1, batch);
        let at_a_time = if self.micro_batch == 0 {
            batch
        } else {
            self.micro_batch
        };
        (shards * batch.div_ceil(shards).div_ceil(at_a_time)).min(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Settings;

    #[test]
    fn a_batch_is_cut_into_parts_of_about_the_micro_batch() {
        let parts = |shards, micro_batch, batch| {
            RunSettings {
                shards,
                micro_batch,
                ..RunSettings::default()
            }
            .parts(batch)
        };
        assert_eq!(
            (parts(2, 4, 32), parts(2, 16, 32), parts(2, 0, 32)),
            (8, 2, 2)
        );
        assert_eq!(
            (
                parts(2, 1, 5),
                parts(8, 1, 4),
                parts(1, 3, 10),
                parts(0, 0, 1)
            ),
            (5, 4, 4, 1)
        );
        let mut settings = Settings::from_recipe("vit-small-imagenet", &[]).expect("a recipe");
        settings.run.resolve(&settings.config, true, 2);
        assert_eq!(
            (settings.run.shards, settings.run.micro_batch),
            (2, 1),
            "2 * 197 + 10 * 37 = 764 tokens an image"
        );
        let mut settings = Settings::from_recipe("vit-small-imagenet", &[]).expect("a recipe");
        settings.run.resolve(&settings.config, false, 2);
        assert_eq!((settings.run.shards, settings.run.micro_batch), (1, 1024));
    }
}
