//! The batches that a worker's loader brings, and the vote when none comes.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::data::loader::Loader;
use crate::exchange::{Stop, Team};
use crate::settings::RunSettings;

/// The supply of batches of one worker.
pub struct Supply<B> {
    loader: Loader<B>,
    interrupted: Arc<AtomicBool>,
    /// A worker that waits for images without end would keep all others waiting.
    patience: Option<Duration>,
}

/// What a worker has for its step.
pub enum Supplied<B> {
    Batch {
        /// Its share of the batch, as micro-batches.
        micro_batches: Vec<B>,
        /// How long it waited for them.
        waited: Duration,
    },
    /// All workers stop before the step.
    Stopped(Stop),
}

impl<B: Send + 'static> Supply<B> {
    pub fn new(
        loader: Loader<B>,
        team: &Team,
        settings: &RunSettings,
        interrupted: Arc<AtomicBool>,
    ) -> Self {
        let has_others = team.size() > 1;
        Self {
            loader,
            interrupted,
            patience: has_others.then(|| settings.exchange_patience()),
        }
    }

    /// The next batch, unless this worker has a reason to `stop` or the run is interrupted
    /// meanwhile.
    pub fn next(
        &mut self,
        team: &Team,
        stop: Option<Stop>,
        warn: &mut dyn FnMut(&str),
    ) -> Result<Supplied<B>> {
        let begin = Instant::now();
        let delivery = match stop {
            Some(_) => None,
            None => self.loader.next(&self.interrupted, self.patience)?,
        };

        let Some(delivery) = delivery else {
            let stop = stop.unwrap_or(Stop::Interrupted);
            // The others are at the vote of their step.
            let voted = team.vote(Some(stop))?;
            return Ok(Supplied::Stopped(voted.unwrap_or(stop)));
        };
        for message in &delivery.skipped {
            warn(&format!("{message} (skipped)"));
        }
        Ok(Supplied::Batch {
            micro_batches: delivery.micro_batches?,
            waited: begin.elapsed(),
        })
    }
}
