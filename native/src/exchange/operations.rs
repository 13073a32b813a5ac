//! The collective operations that a group of workers needs.

use std::sync::Arc;

use super::error::ExchangeError;

/// A group of workers that exchange vectors. All call the same methods in the same order; every
/// method waits for all workers and fails if one is gone or does not answer.
pub trait Exchange {
    /// Number of this worker, from 0. Worker 0 is the leader: it alone writes files.
    fn rank(&self) -> usize;

    fn size(&self) -> usize;

    /// The sum of all workers' `values`, which have the same length; the same bits on each worker.
    fn all_reduce(&mut self, values: Vec<f32>) -> Result<Vec<f32>, ExchangeError>;

    /// The `bytes` of worker `root` on every worker. What the others pass is ignored; they need not
    /// know the length.
    fn broadcast(
        &mut self,
        root: usize,
        bytes: Arc<Vec<u8>>,
    ) -> Result<Arc<Vec<u8>>, ExchangeError>;

    /// Cuts `words` into as many equal pieces as there are workers and sends each worker its piece.
    /// Returns the pieces received, in the order of the workers.
    fn all_to_all(&mut self, words: Vec<u16>) -> Result<Vec<u16>, ExchangeError>;

    /// The `words` of all workers, which have the same length, in the order of the workers.
    fn all_gather(&mut self, words: Vec<u16>) -> Result<Vec<u16>, ExchangeError>;
}
