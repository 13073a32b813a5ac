//! What differs between the programs that take a step: how micro-batches are spread over threads,
//! how workers add up their shares, what is timed.

use burn::module::Module;
use burn::tensor::{ExecutionError, Tensor};

use crate::pretrain::pass::Pass;
use crate::pretrain::recompute::Activations;
use crate::rng::Rng;
use crate::weights::map_named;

/// Carries out a [`step`](super::step), here or of [fine-tuning](crate::finetune::step), that
/// computes passes `P`.
///
/// Whatever needs all images of a batch belongs between two calls of this trait, never into the
/// work on one micro-batch. Sinkhorn-Knopp targets, for example, take a first
/// [`map_reduce`](Self::map_reduce) that collects the teacher's logits, a [`sum`](Self::sum) in
/// each iteration, and a second `map_reduce` for the student.
pub trait Engine<P = Pass> {
    /// Why a step could not be taken.
    type Error: From<ExecutionError>;

    /// Runs `work` on each micro-batch, in any form `B`, and joins the results in the order of the
    /// batch.
    ///
    /// [`Lane::run`] does this on one thread. Threads that work at the same time need a [`fork`] of
    /// the network each.
    fn map_reduce<M: Module, B: Send, T: Send>(
        &self,
        network: &M,
        batch: Vec<B>,
        work: impl Fn(&M, &B, &mut Lane) -> T + Sync,
        join: impl Fn(Vec<T>) -> T + Sync,
    ) -> T;

    /// The sum of all workers' `values`, of the same shape.
    ///
    /// # Errors
    /// If the workers do not all finish their share.
    fn sum(&self, values: Tensor<2>) -> Result<Tensor<2>, Self::Error>;

    /// The pass over the whole batch, given this worker's share of it.
    ///
    /// # Errors
    /// If the workers do not all finish their share.
    fn all_reduce<M: Module>(&self, pass: P, network: &M) -> Result<P, Self::Error>;

    /// Called at the end of each phase that all micro-batches share.
    fn lap(&self, _phase: Phase) {}
}

/// A phase of a step, for timing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The teacher's forward pass and its targets.
    Teacher,
    /// The student's forward pass.
    Student,
    /// The losses.
    Losses,
    /// The backward pass.
    Backward,
    /// The sum over workers, and what the host reads of it.
    Sum,
    /// AdamW.
    Optimizer,
    /// The moving averages: the teacher and the centers.
    Ema,
}

/// One of the threads that compute a batch, each its micro-batches one after another.
pub struct Lane {
    /// What the student's forward pass keeps for the backward pass.
    pub activations: Activations,
    /// Draws the student's stochastic depth; `None` switches it off.
    pub noise: Option<Rng>,
    /// Called at the end of each phase on a micro-batch.
    pub timer: Option<Box<dyn FnMut(Phase)>>,
}

impl Lane {
    /// A lane that times nothing.
    pub fn new(activations: Activations, noise: Option<Rng>) -> Self {
        Self {
            activations,
            noise,
            timer: None,
        }
    }

    /// Runs `work` on micro-batches one after another and joins the results. `None` without
    /// micro-batches.
    pub fn run<M, B, T>(
        &mut self,
        network: &M,
        batch: Vec<B>,
        work: impl Fn(&M, &B, &mut Self) -> T,
        join: impl Fn(Vec<T>) -> T,
    ) -> Option<T> {
        // Lazily: one is joined before the next begins, so that one micro-batch's activations are
        // in memory.
        let results = batch
            .into_iter()
            .map(|micro_batch| work(network, &micro_batch, self));
        results.reduce(|sum, result| join(vec![sum, result]))
    }

    /// Ends a phase on a micro-batch.
    pub(crate) fn lap(&mut self, phase: Phase) {
        if let Some(timer) = &mut self.timer {
            timer(phase);
        }
    }
}

/// One worker, one thread, no stochastic depth: the page and the tests.
#[derive(Clone, Copy, Debug)]
pub struct Sequential;

impl<P> Engine<P> for Sequential {
    type Error = ExecutionError;

    fn map_reduce<M: Module, B: Send, T: Send>(
        &self,
        network: &M,
        batch: Vec<B>,
        work: impl Fn(&M, &B, &mut Lane) -> T + Sync,
        join: impl Fn(Vec<T>) -> T + Sync,
    ) -> T {
        let mut lane = Lane::new(Activations::Kept, None);
        let result = lane.run(network, batch, work, &join);
        join(result.into_iter().collect())
    }

    fn sum(&self, values: Tensor<2>) -> Result<Tensor<2>, Self::Error> {
        Ok(values)
    }

    fn all_reduce<M: Module>(&self, pass: P, _: &M) -> Result<P, Self::Error> {
        Ok(pass)
    }
}

/// A copy of a network whose parameters are leaves of their own, so that a thread can differentiate
/// it while others do the same. It shares the network's memory.
pub fn fork<M: Module>(network: &M) -> M {
    map_named(network.clone(), |_, values| values)
}
