//! How a run writes its files: with patience, since a full disk or a lost mount is often repaired
//! while it waits.

use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use ibot_core::pretrain::TrainState;

use super::checkpoint;
use super::run::Run;
use crate::files::WriteError;
use crate::model::save_backbone;

/// Longest time between two tries.
const RETRY: Duration = Duration::from_secs(15);
/// How often someone who waits for the next try looks whether to stop.
const LOOK_UP: Duration = Duration::from_millis(100);

/// A run stopped because it could not be saved.
#[derive(Debug, thiserror::Error)]
#[error("step {step} could not be saved: {problem}. {last}")]
pub struct Unsaved {
    step: usize,
    problem: WriteError,
    /// What there still is.
    last: String,
}

impl Run {
    /// Writes the checkpoint, the teacher and the curves; with `keep_epoch` a checkpoint that
    /// stays.
    ///
    /// # Errors
    /// If the device fails, or a file cannot be written for longer than the settings allow.
    pub(super) fn save(&mut self, state: &TrainState, keep_epoch: Option<usize>) -> Result<()> {
        self.save_checkpoint(state, keep_epoch)?;
        self.publish(state)
    }

    /// Writes the checkpoint alone.
    ///
    /// # Errors
    /// As [`Self::save`].
    pub(super) fn save_checkpoint(
        &mut self,
        state: &TrainState,
        keep_epoch: Option<usize>,
    ) -> Result<()> {
        let identity = self.plan.identity(self.data.len());
        let begin = Instant::now();
        let bytes = checkpoint::encode(state, &self.plan.model_header(self.step), identity)?;
        self.patiently(|run| {
            run.metrics.sync()?;
            checkpoint::save(&run.dir, keep_epoch, &bytes)?;
            Ok(())
        })?;
        self.saved = Some(self.step);
        let slow = self.clock.saved(Instant::now(), begin.elapsed());
        slow.iter().for_each(|warning| self.warn(warning));
        let (step, saved) = (self.step, self.saved);
        self.status
            .news(|status| (status.step, status.checkpoint_step) = (step, saved));
        Ok(())
    }

    /// Writes what others use of a run: the teacher and the curves.
    ///
    /// # Errors
    /// As [`Self::save`].
    pub(super) fn publish(&mut self, state: &TrainState) -> Result<()> {
        self.patiently(|run| {
            save_backbone(
                &run.dir.teacher(),
                &state.teacher.backbone,
                &run.plan.model_header(run.step),
            )?;
            let title = run.dir.path().display().to_string();
            run.metrics.draw(&run.dir, &title, &run.plan.settings.eval)
        })
    }

    /// Tries to write until it works, for `run.save_patience` minutes or until the run is
    /// interrupted.
    fn patiently(&mut self, mut write: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        let patience = Duration::from_secs_f64(60.0 * self.plan.settings.run.save_patience);
        let begin = Instant::now();
        loop {
            let Err(error) = write(self) else {
                return Ok(());
            };
            // Only the system's refusal can pass.
            let problem = error.downcast::<WriteError>()?;
            if begin.elapsed() >= patience || self.interrupted.load(Ordering::Relaxed) {
                let last = match self.saved {
                    Some(saved) if saved == self.step => {
                        "The checkpoint is whole: --resume continues there".to_owned()
                    }
                    Some(saved) => {
                        format!("The checkpoint of step {saved} is whole: --resume continues there")
                    }
                    None => "Nothing was saved yet".to_owned(),
                };
                return Err(Unsaved {
                    step: self.step,
                    problem,
                    last,
                }
                .into());
            }
            self.warn(&format!(
                "{problem}; training waits and tries again for {:.0} s",
                patience
                    .saturating_sub(begin.elapsed())
                    .as_secs_f64()
                    .ceil()
            ));
            let next = Instant::now() + RETRY.min(patience / 10);
            while Instant::now() < next && !self.interrupted.load(Ordering::Relaxed) {
                sleep(LOOK_UP.min(patience / 10));
            }
        }
    }
}
