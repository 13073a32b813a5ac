//! A step on all cores: each thread takes its share of the micro-batches through forward and
//! backward, alone.

use std::thread;

use burn::module::Module;
use ibot_core::pretrain::{Lane, fork};
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

// burn's CPU backend spreads only its larger matrix products over threads; between them all cores
// but one wait. Whole micro-batches keep every core busy, and give the same sums except for their
// order.
pub struct Threads {
    count: usize,
    /// Pools of one thread each: what runs inside a pool stays on its thread. Empty where the
    /// calling thread computes, with all threads of the backend.
    pools: Vec<ThreadPool>,
}

impl Threads {
    /// As many threads as `count`.
    pub fn new(count: usize, shares_process: bool) -> Result<Self, ThreadPoolBuildError> {
        let mut pools = Vec::new();
        // A single one is the calling thread, unless that shares its process with other workers,
        // whose threads it would take.
        if count > 1 || shares_process {
            for _ in 0..count {
                pools.push(ThreadPoolBuilder::new().num_threads(1).build()?);
            }
        }
        Ok(Self { count, pools })
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Number of threads that so many micro-batches keep busy.
    pub fn busy(&self, micro_batches: usize) -> usize {
        micro_batches.div_ceil(self.queue_length(micro_batches))
    }

    /// Most micro-batches that a thread takes.
    fn queue_length(&self, micro_batches: usize) -> usize {
        micro_batches.div_ceil(self.pools.len().max(1)).max(1)
    }

    /// Runs `work` on every micro-batch, each queue on a thread of its own, and joins the results.
    pub fn map_reduce<M: Module, B: Send, T: Send>(
        &self,
        network: &M,
        batch: Vec<B>,
        lane: impl Fn(usize) -> Lane + Sync,
        work: impl Fn(&M, &B, &mut Lane) -> T + Sync,
        join: impl Fn(Vec<T>) -> T + Sync,
    ) -> T {
        let length = self.queue_length(batch.len());
        let mut batch = batch.into_iter().peekable();
        let mut queues = Vec::new();
        while batch.peek().is_some() {
            let queue: Vec<B> = batch.by_ref().take(length).collect();
            queues.push((fork(network), queue));
        }

        let results = self.spread(queues, |number, (network, queue)| {
            lane(number).run(&network, queue, &work, &join)
        });
        join(results.into_iter().flatten().collect())
    }

    /// Runs `work` on every item and its number, all at the same time: one item a thread.
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
            let mut running = Vec::new();
            for (pool, (number, item)) in self.pools.iter().zip(items) {
                running.push(scope.spawn(move || pool.install(|| work(number, item))));
            }

            let mut results = Vec::new();
            for thread in running {
                // A thread that panicked takes the step down with it, as it would on this thread.
                let result = thread.join();
                results.push(result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            results
        })
    }
}
