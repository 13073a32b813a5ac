//! A step on all cores: each takes a shard of the batch through forward and backward, alone.
//!
//! burn's CPU backend spreads only its larger matrix products over threads; between them all cores
//! but one wait. Whole shards keep every core busy, and give the same sums but for their order. A
//! shard is computed part by part: see
//! [`RunSettings::micro_batch`](crate::settings::RunSettings).

use std::thread;

use ibot_core::optim::schedule::StepValues;
use ibot_core::pretrain::loss::LossConfig;
use ibot_core::pretrain::{Activations, Batch, Objective, Pass, TrainState};
use ibot_core::rng::Rng;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// One thread for each shard.
pub struct Shards {
    /// Pools of one thread each: what a shard computes inside its pool stays on that thread. Empty
    /// for a single shard of a single worker, which the calling thread computes with all threads of
    /// the backend.
    pools: Vec<ThreadPool>,
    /// What the student's forward passes leave for the backward passes.
    pub activations: Activations,
}

impl Shards {
    /// Threads for `count` shards. A single shard stays on its thread if it is `crowded` by other
    /// workers of the process.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn new(
        count: usize,
        crowded: bool,
        activations: Activations,
    ) -> Result<Self, ThreadPoolBuildError> {
        let pools = if count > 1 || crowded { count } else { 0 };
        let pools = (0..pools).map(|_| ThreadPoolBuilder::new().num_threads(1).build());
        Ok(Self {
            pools: pools.collect::<Result<_, _>>()?,
            activations,
        })
    }

    /// Forward and backward on the parts of a batch. Each thread takes its share of them one after
    /// another and adds up what they give, so that only one part's activations a thread are in
    /// memory. `noise` is each shard's.
    pub fn pass(
        &self,
        state: &TrainState,
        parts: Vec<Batch>,
        now: &StepValues,
        loss: &LossConfig,
        noise: impl Fn(usize) -> Rng + Sync,
    ) -> Pass {
        let passes = self.spread(self.queues(state, parts), |shard, (state, parts)| {
            let mut noise = noise(shard);
            let passes = parts.into_iter().map(|batch| {
                Objective::new(
                    &state,
                    &batch,
                    now,
                    loss,
                    self.activations,
                    Some(&mut noise),
                )
                .differentiate(&state.student)
            });
            passes.reduce(|sum, pass| Pass::join(vec![sum, pass]))
        });
        Pass::join(passes.into_iter().flatten().collect())
    }

    /// The parts of each thread, in order, with a state of its own.
    pub fn queues(&self, state: &TrainState, parts: Vec<Batch>) -> Vec<(TrainState, Vec<Batch>)> {
        let each = parts.len().div_ceil(self.pools.len().max(1)).max(1);
        let mut parts = parts.into_iter().peekable();
        let mut queues = Vec::new();
        while parts.peek().is_some() {
            queues.push((state.fork(), parts.by_ref().take(each).collect()));
        }
        queues
    }

    /// What `work` makes of every item and its number, all at the same time: one item a thread.
    pub fn spread<S: Send, T: Send>(
        &self,
        items: Vec<S>,
        work: impl Fn(usize, S) -> T + Sync,
    ) -> Vec<T> {
        let items = items.into_iter().enumerate();
        if self.pools.is_empty() {
            return items.map(|(number, item)| work(number, item)).collect();
        }
        thread::scope(|scope| {
            let work = &work;
            let threads: Vec<_> = (self.pools.iter().zip(items))
                .map(|(pool, (number, item))| {
                    scope.spawn(move || pool.install(|| work(number, item)))
                })
                .collect();
            // A thread that panicked takes the step down with it, as it would on this thread.
            let join = |thread: thread::ScopedJoinHandle<T>| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(join).collect()
        })
    }
}
