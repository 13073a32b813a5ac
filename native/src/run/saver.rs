//! How a run writes its files: again and again for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::checkpoint::{encode, write_checkpoint};
use super::clock::Clock;
use super::event::Event;
use super::learner::Learner;
use super::listeners::Listeners;
use super::plan::RunPlan;
use super::run_dir::RunDir;
use crate::files::WriteError;

/// Longest time between two tries.
const RETRY: Duration = Duration::from_secs(15);
/// How often a run that waits for the next try checks whether to stop.
const CHECK_EVERY: Duration = Duration::from_millis(100);

/// A run stopped because it could not be saved.
#[derive(Debug, thiserror::Error)]
#[error("step {step} could not be saved: {problem}. {last}")]
pub struct Unsaved {
    step: usize,
    problem: WriteError,
    /// What can be continued from.
    last: String,
}

pub struct Saver {
    pub dir: Arc<RunDir>,
    pub plan: Arc<RunPlan>,
    pub clock: Clock,
    pub interrupted: Arc<AtomicBool>,
    pub saved: Option<usize>,
}

impl Saver {
    /// Writes the checkpoint after `step` steps, the network and the curves; with `keep_epoch` a
    /// checkpoint that stays.
    pub fn save(
        &mut self,
        learner: &impl Learner,
        step: usize,
        keep_epoch: Option<usize>,
        listeners: &mut Listeners,
    ) -> Result<()> {
        self.save_checkpoint(learner, step, keep_epoch, listeners)?;
        self.publish(learner, step, listeners)
    }

    pub fn save_checkpoint(
        &mut self,
        learner: &impl Learner,
        step: usize,
        keep_epoch: Option<usize>,
        listeners: &mut Listeners,
    ) -> Result<()> {
        let begin = Instant::now();
        let model = self.plan.model_after(step);
        let bytes = encode(&learner.snapshot()?, &model, self.plan.identity)?;
        self.patiently(step, listeners, |listeners| {
            // The records first: a checkpoint must not be ahead of them.
            listeners.metrics.sync()?;
            Ok(write_checkpoint(&self.dir, keep_epoch, &bytes)?)
        })?;

        self.saved = Some(step);
        if let Some(warning) = self.clock.saved(Instant::now(), begin.elapsed()) {
            listeners.warn(&warning);
        }
        listeners.emit(&Event::Saved(step));
        Ok(())
    }

    /// Writes what others use of a run: the network and the curves.
    pub fn publish<L: Learner>(
        &self,
        learner: &L,
        step: usize,
        listeners: &mut Listeners,
    ) -> Result<()> {
        let model = self.plan.model_after(step);
        let charts = learner.charts();
        self.patiently(step, listeners, |listeners| {
            learner.publish(&self.dir.file(L::PRODUCT.0), &model)?;
            Ok(listeners
                .metrics
                .draw(&self.dir, &self.plan.evals, &charts)?)
        })
    }

    /// Writes what others use of the best epoch so far.
    pub fn publish_best(
        &self,
        learner: &impl Learner,
        step: usize,
        listeners: &mut Listeners,
    ) -> Result<()> {
        let model = self.plan.model_after(step);
        self.patiently(step, listeners, |_| {
            learner.publish(&self.dir.best(), &model)
        })
    }

    /// Tries until it works, for `run.save_patience` minutes or until the run is interrupted.
    fn patiently(
        &self,
        step: usize,
        listeners: &mut Listeners,
        mut write: impl FnMut(&mut Listeners) -> Result<()>,
    ) -> Result<()> {
        let patience = Duration::from_secs_f64(60.0 * self.plan.settings.save_patience);
        let begin = Instant::now();
        // A full disk or a lost mount is often repaired while the run waits.
        loop {
            let Err(error) = write(listeners) else {
                return Ok(());
            };
            // Only what the system refuses can work later.
            let problem = error.downcast::<WriteError>()?;
            if begin.elapsed() >= patience || self.interrupted.load(Ordering::Relaxed) {
                let last = self.last_checkpoint(step);
                return Err(Unsaved {
                    step,
                    problem,
                    last,
                }
                .into());
            }

            let left = patience.saturating_sub(begin.elapsed()).as_secs_f64();
            listeners.warn(&format!(
                "{problem}; training waits and tries again for {:.0} s",
                left.ceil()
            ));
            // Even a short patience has room for several tries.
            let next = Instant::now() + RETRY.min(patience / 10);
            while Instant::now() < next && !self.interrupted.load(Ordering::Relaxed) {
                sleep(CHECK_EVERY.min(patience / 10));
            }
        }
    }

    /// Says from where a run that stops at `step` can be continued.
    fn last_checkpoint(&self, step: usize) -> String {
        match self.saved {
            Some(saved) if saved == step => {
                "The checkpoint is whole: --resume continues there".to_owned()
            }
            Some(saved) => {
                format!("The checkpoint of step {saved} is whole: --resume continues there")
            }
            None => "Nothing was saved yet".to_owned(),
        }
    }
}
