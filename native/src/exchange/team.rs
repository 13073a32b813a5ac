//! The workers of a run, as each of them sees the others.

use std::ops::Range;
use std::process::exit;
use std::sync::Arc;
use std::thread::sleep;

use anyhow::{Result, bail};
use ibot_core::optim::NamedGradients;

use super::buckets::{self, Encoding};
use super::connection::Connection;
use super::error::ExchangeError;
use super::nccl::Nccl;
use super::vote::{Stop, vote, vote_failed};

/// A worker's view of all workers of a run. For the only worker of a run nothing is copied.
pub struct Team {
    /// `None` for the only worker.
    connection: Option<Connection>,
    nccl: Option<Nccl>,
    encoding: Encoding,
    batch: usize,
}

impl Team {
    /// A worker that is connected to others, or the only one without a `connection`; together they
    /// compute batches of `batch` images.
    pub fn new(connection: Option<Connection>, encoding: Encoding, batch: usize) -> Self {
        Self {
            connection,
            nccl: None,
            encoding,
            batch,
        }
    }

    pub fn alone(batch: usize) -> Self {
        Self::new(None, Encoding::Exact, batch)
    }

    /// The same worker, with gradients that its GPU adds to those of the others.
    pub fn with_nccl(self, nccl: Option<Nccl>) -> Self {
        Self { nccl, ..self }
    }

    /// Number of this worker. Worker 0 is the leader: it alone writes files.
    pub fn rank(&self) -> usize {
        self.connection.as_ref().map_or(0, |others| others.rank)
    }

    pub fn size(&self) -> usize {
        self.connection.as_ref().map_or(1, |others| others.size)
    }

    /// The images of a batch that this worker computes.
    pub fn share(&self) -> Range<usize> {
        let start = self.rank() * self.batch / self.size();
        let end = (self.rank() + 1) * self.batch / self.size();
        start..end
    }

    /// Waits for all workers and returns the reason to stop, if any of them has one.
    pub fn vote(&self, stop: Option<Stop>) -> Result<Option<Stop>, ExchangeError> {
        // Every operation that follows needs all workers, so a worker that has failed tells the
        // others here.
        match &self.connection {
            Some(others) => vote(others, stop),
            None => Ok(stop),
        }
    }

    /// The sum of all workers' `values`, which must be equally many.
    pub fn all_reduce(&self, values: Vec<f32>) -> Result<Vec<f32>, ExchangeError> {
        match &self.connection {
            Some(others) => others.run(move |exchange| exchange.all_reduce(values)),
            None => Ok(values),
        }
    }

    /// The sum over all workers of `weight` times each one's gradients of the same names.
    pub fn all_reduce_gradients(
        &self,
        gradients: NamedGradients,
        weight: f64,
    ) -> Result<NamedGradients> {
        match (&self.connection, &self.nccl) {
            (None, _) => Ok(gradients),
            (Some(_), Some(nccl)) => nccl.all_reduce(gradients, weight),
            (Some(others), None) => buckets::all_reduce(others, gradients, weight, self.encoding),
        }
    }

    /// Checks that all workers pass the same `fingerprint` of their settings and data.
    ///
    /// # Errors
    /// If one of them has another, on all workers; or if one has failed.
    pub fn check_same(&self, fingerprint: u32) -> Result<()> {
        let Some(others) = &self.connection else {
            return Ok(());
        };
        // A worker that has failed says so here, where the others would wait for it in vain.
        vote(others, None)?;

        // Workers gather words of 16 bits.
        let words = vec![fingerprint as u16, (fingerprint >> 16) as u16];
        let own = words.clone();
        let all = others.run(move |exchange| exchange.all_gather(words))?;
        let different = all.chunks(own.len()).position(|words| *words != all[..2]);
        if let Some(worker) = different {
            bail!(
                "worker {worker} has other settings or other data than worker 0; all must be started with the same \
                 command and see the same files"
            );
        }
        Ok(())
    }

    /// Sends the bytes that `make` gives to all other workers, which call
    /// [`receive`](Self::receive).
    pub fn broadcast(&self, make: impl FnOnce() -> Result<Vec<u8>>) -> Result<()> {
        // `make` is costly, and not called for the only worker.
        let Some(others) = &self.connection else {
            return Ok(());
        };
        let bytes = Arc::new(make()?);
        vote(others, None)?;
        others.run(move |exchange| exchange.broadcast(0, bytes))?;
        Ok(())
    }

    /// Receives what the leader [`broadcast`](Self::broadcast)s.
    pub fn receive(&self) -> Result<Arc<Vec<u8>>, ExchangeError> {
        let Some(others) = &self.connection else {
            return Err(ExchangeError::NotConnected("there is one worker".into()));
        };
        vote(others, None)?;
        others.run(|exchange| exchange.broadcast(0, Arc::default()))
    }

    /// Ends the run for all workers, which learn of a failure in `result`.
    pub fn end(self, result: &Result<impl Sized>) {
        let Some(others) = self.connection else {
            return;
        };
        let reachable = match result {
            Ok(_) => true,
            Err(error) => match error.downcast_ref() {
                None => {
                    vote_failed(&others, &format!("{error:#}"));
                    true
                }
                Some(ExchangeError::Failed { .. }) => true,
                Some(_) => false,
            },
        };

        // A launcher may end all processes as soon as one has ended, so each waits for the others.
        if reachable && vote(&others, None).is_ok() {
            others.close();
        } else if others.rank > 0 && result.is_err() {
            // The leader cannot be reached, and needs time to save.
            sleep(others.timeout);
            exit(1);
        }
    }
}
