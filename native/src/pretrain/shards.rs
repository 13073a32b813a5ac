//! A step on all cores: each takes a shard of the batch through forward and backward, alone.
//!
//! burn's CPU backend spreads only its larger matrix products over threads; between them all cores but one wait. Whole
//! shards keep every core busy, and give the same sums but for their order.

use std::thread;

use burn::tensor::{Device, ExecutionError, Tensor, TensorData};
use ibot_core::config::Config;
use ibot_core::rng::{Purpose, stream};
use ibot_core::schedule::StepValues;
use ibot_core::train::{Batch, Objective, Pass, StepReport, TrainState, apply};
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use super::loader::HostBatch;

/// One thread for each shard.
pub struct Shards {
    /// Pools of one thread each: what a shard computes inside its pool stays on that thread. Empty for a single shard,
    /// which the calling thread computes with all threads of the backend.
    pools: Vec<ThreadPool>,
}

impl Shards {
    /// Threads for `count` shards.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn new(count: usize) -> Result<Self, ThreadPoolBuildError> {
        let pools = if count > 1 { count } else { 0 };
        let pools = (0..pools).map(|_| ThreadPoolBuilder::new().num_threads(1).build());
        Ok(Self { pools: pools.collect::<Result<_, _>>()? })
    }

    /// Step `step` on the shards of a batch, one for each thread.
    ///
    /// # Errors
    /// If the device fails.
    pub async fn step(
        &self,
        state: TrainState,
        shards: Vec<Batch>,
        step: usize,
        now: &StepValues,
        config: &Config,
        seed: u64,
    ) -> Result<(TrainState, StepReport), ExecutionError> {
        let pass = |state: &TrainState, batch: &Batch, shard: usize| {
            let mut noise = stream(seed, Purpose::DropPath, step as u64, shard as u64);
            Objective::new(state, batch, now, &config.loss, Some(&mut noise)).differentiate(&state.student)
        };
        let passes = if self.pools.is_empty() {
            shards.iter().map(|batch| pass(&state, batch, 0)).collect()
        } else {
            thread::scope(|scope| {
                let threads: Vec<_> = self
                    .pools
                    .iter()
                    .zip(shards)
                    .enumerate()
                    .map(|(shard, (pool, batch))| {
                        let (state, pass) = (state.fork(), &pass);
                        scope.spawn(move || pool.install(|| pass(&state, &batch, shard)))
                    })
                    .collect();
                // A thread that panicked takes the step down with it, as it would on this thread.
                let join = |thread: thread::ScopedJoinHandle<Pass>| {
                    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                };
                threads.into_iter().map(join).collect()
            })
        };
        apply(state, passes, now, &config.loss, &config.optim).await
    }
}

/// Moves a shard of a batch to the device.
pub fn to_device(shard: HostBatch, config: &Config, device: &Device) -> Batch {
    let crops = &config.crops;
    let tensor = |values: Vec<f32>, size: usize| {
        let count = values.len() / (3 * size * size);
        Tensor::<4>::from_data(TensorData::new(values, [count, 3, size, size]), device)
    };
    Batch {
        images: shard.masks.len() / crops.global_crops_number,
        globals: tensor(shard.globals, crops.global_size),
        locals: (!shard.locals.is_empty()).then(|| tensor(shard.locals, crops.local_size)),
        masks: shard.masks,
    }
}
