//! The `[run]` section: how a run is carried out and reported.

use std::time::Duration;

use ibot_core::pretrain::Activations;
use ibot_core::pretrain::config::Config;
use ibot_core::problems::Problems;
use serde::{Deserialize, Serialize};

/// How a run is carried out and reported; nothing here changes what a step computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunSettings {
    /// The images: what `--data` takes.
    pub data: String,
    /// Other images to evaluate on: what `--val` takes. Without them evaluations put some of the
    /// images aside.
    pub val: Option<String>,
    /// Weights to start from in place of random ones: what `--init` takes.
    pub init: Option<String>,
    /// Seed of the weights, the order of the images, the crops and the masks.
    pub seed: u64,
    /// Threads that decode and augment; 0 takes one for each core.
    pub loader_threads: usize,
    /// Shards of a batch that the CPU computes at the same time; 0 takes one for each core. Their
    /// number changes the order of sums, so a run keeps that of its start.
    pub shards: usize,
    /// Images that a shard takes through forward and backward at a time: fewer take less memory. 0
    /// takes few on a CPU, whose caches then hold more of them, and all on a GPU. It changes the
    /// order of sums, as `shards` does.
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
            val: None,
            init: None,
            seed: 0,
            loader_threads: 0,
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

// Upper limit of the student's tokens in a micro-batch on a CPU; one image may exceed it. Measured
// in docs/performance.md.
const MOST_TOKENS: usize = 1024;

// Hours or minutes that no run takes: a hundred years. Clocks cannot add up much more.
const LONGEST: f64 = 876_600.0;

impl RunSettings {
    pub fn check(&self, at: &mut Problems) {
        at.require(
            self.log_every > 0,
            "log_every",
            self.log_every,
            "must be at least 1",
        );
        for (key, threads) in [
            ("loader_threads", self.loader_threads),
            ("shards", self.shards),
        ] {
            at.require(threads <= 1024, key, threads, "must be at most 1024");
        }

        at.within("save_every", self.save_every, 0.0..=LONGEST);
        at.within("save_patience", self.save_patience, 0.0..=LONGEST);
        at.within("exchange_timeout", self.exchange_timeout, 0.0..=LONGEST);
        at.within("max_hours", self.max_hours, 0.0..=LONGEST);

        at.within("max_unreadable", self.max_unreadable, 0.0..=1.0);
    }

    /// Settles what 0 leaves to the device.
    ///
    /// A step has `batch` images of `tokens` tokens each, all crops together.
    pub fn resolve(&mut self, batch: usize, tokens: usize, is_cpu: bool, cores: usize) {
        if self.shards == 0 {
            self.shards = if is_cpu { cores.min(batch) } else { 1 };
        }
        if self.micro_batch == 0 {
            self.micro_batch = if is_cpu {
                (MOST_TOKENS / tokens.max(1)).clamp(1, batch)
            } else {
                batch
            };
        }
    }

    pub fn activations(&self) -> Activations {
        if self.recompute_activations {
            Activations::Recomputed
        } else {
            Activations::Kept
        }
    }

    pub fn exchange_patience(&self) -> Duration {
        Duration::try_from_secs_f64(60.0 * self.exchange_timeout).unwrap_or(Duration::MAX)
    }

    /// Number of micro-batches in a batch of `images`.
    pub fn micro_batches(&self, images: usize) -> usize {
        let shards = self.shards.clamp(1, images);
        let micro_batch = match self.micro_batch {
            0 => images,
            micro_batch => micro_batch,
        };
        // The same number for each shard, which computes them one after another.
        let per_shard = images.div_ceil(shards).div_ceil(micro_batch);
        // None of them is empty.
        (shards * per_shard).min(images)
    }
}

/// Tokens of all crops of an image, CLS tokens included, as wide as those of the output.
pub fn student_tokens(config: &Config) -> usize {
    let crops = &config.crops;
    let backbone = config.backbone();
    let tokens = |side: usize| backbone.wide_tokens(side);
    crops.global_crops_number * tokens(crops.global_size)
        + crops.local_crops_number * tokens(crops.local_size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micro_batches(shards: usize, micro_batch: usize, images: usize) -> usize {
        let run = RunSettings {
            shards,
            micro_batch,
            ..RunSettings::default()
        };
        run.micro_batches(images)
    }

    #[test]
    fn a_batch_is_cut_into_parts_of_about_the_micro_batch() {
        assert_eq!(micro_batches(2, 4, 32), 8);
        assert_eq!(micro_batches(2, 16, 32), 2);
        assert_eq!(micro_batches(2, 0, 32), 2);
        assert_eq!(micro_batches(2, 1, 5), 5);
        assert_eq!(micro_batches(8, 1, 4), 4);
        assert_eq!(micro_batches(1, 3, 10), 4);
        assert_eq!(micro_batches(0, 0, 1), 1);
    }
}
