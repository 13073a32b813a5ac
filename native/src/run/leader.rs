//! The leader of a run: it trains as all workers do, and records, evaluates and saves.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::ending::Ending;
use super::evaluator::Evaluator;
use super::event::Event;
use super::learner::{Learner, StepOutcome};
use super::listeners::Listeners;
use super::means::Window;
use super::not_finite::SkipLimit;
use super::panics::catch_panic;
use super::plan::RunPlan;
use super::record::Record;
use super::report::Report;
use super::saver::{Saver, Unsaved};
use super::slow_data::SlowData;
use super::state::RunState;
use crate::exchange::Stop;

pub struct Leader<L> {
    learner: L,
    plan: Arc<RunPlan>,
    listeners: Listeners,
    saver: Saver,
    evaluator: Evaluator,
    skips: SkipLimit,
    slow_data: SlowData,
    /// Steps since the last line of metrics.
    recent: Window,
    /// Steps of the epoch.
    epoch: Window,
    step: usize,
    /// Steps done before this process.
    first_step: usize,
}

impl<L: Learner> Leader<L> {
    /// A run whose `learner` has done `step` steps.
    pub fn new(
        learner: L,
        step: usize,
        listeners: Listeners,
        saver: Saver,
        evaluator: Evaluator,
    ) -> Self {
        let plan = saver.plan.clone();
        let max_skipped = plan.settings.max_skipped;

        Self {
            skips: SkipLimit::new(max_skipped, L::DIVERGED_ADVICE),
            slow_data: SlowData::default(),
            recent: Window::default(),
            epoch: Window::default(),
            first_step: step,
            learner,
            plan,
            listeners,
            saver,
            evaluator,
            step,
        }
    }

    pub fn warn(&mut self, warning: &str) {
        self.listeners.warn(warning);
    }

    /// Takes all remaining steps. The caller passes the result to [`conclude`](Self::conclude).
    ///
    /// # Errors
    /// If anything fails. What was computed can still be saved.
    pub fn train(&mut self) -> Result<Ending> {
        self.start()?;
        while self.step < self.plan.total_steps {
            let begin = Instant::now();

            // Step: all workers take it, or all stop before it.
            let stop = self.reason_to_stop(begin);
            let listeners = &mut self.listeners;
            let outcome = self
                .learner
                .step(self.step, stop, &mut |warning| listeners.warn(warning))?;
            let (report, waited) = match outcome {
                StepOutcome::Done { report, waited } => (report, waited),
                StepOutcome::Stopped(stop) => {
                    if self.saver.saved != Some(self.step) {
                        self.save(None)?;
                    }
                    return Ok(Ending::Stopped(stop));
                }
            };
            let epoch = self.plan.epochs_after(self.step);
            let epoch_ends = (self.step + 1).is_multiple_of(self.plan.steps_per_epoch);
            self.step += 1;

            // Log.
            self.record(report, epoch, waited)?;
            if epoch_ends || self.step.is_multiple_of(self.plan.settings.log_every) {
                let means = self.recent.take(self.step, epoch);
                self.listeners.emit(&Event::Record(Record::Step(means)));
            }

            // Evaluations and checkpoint.
            if epoch_ends {
                self.end_epoch(epoch)?;
            } else if self.saver.clock.save_is_due(Instant::now()) {
                // Saving is no part of training: it does not count towards images a second.
                let pause = Instant::now();
                self.save(None)?;
                self.recent.pause(pause.elapsed());
                self.epoch.pause(pause.elapsed());
            }
            self.saver.clock.step(begin.elapsed());
        }
        Ok(Ending::Complete)
    }

    /// Ends the run after `result`: reports how it ended, and saves the state of a run that failed
    /// if it still can be.
    ///
    /// # Errors
    /// That of `result`, with what became of the state.
    pub fn conclude(mut self, result: Result<Ending>) -> Result<Ending> {
        self.listeners.display.finish();
        let total = self.plan.total_steps;
        let error = match result {
            Ok(Ending::Complete) => {
                let dir = &self.saver.dir;
                let (file, what) = L::PRODUCT;
                println!(
                    "done: {} ({what}), {} (curves)",
                    dir.file(file).display(),
                    dir.curves().display()
                );
                self.emit_state(RunState::Complete, Some("all steps are done"));
                return Ok(Ending::Complete);
            }
            Ok(Ending::Stopped(stop)) => {
                let why = match stop {
                    Stop::OutOfTime => "run.max_hours are over",
                    Stop::Interrupted => "interrupted",
                };
                let message = format!(
                    "{why}: stopped after step {} of {total}, {} of them in this process",
                    self.step,
                    self.step - self.first_step
                );
                println!("{message}; continue with --resume");
                self.emit_state(RunState::Interrupted, Some(&message));
                return Ok(Ending::Stopped(stop));
            }
            Err(error) => error,
        };

        // What could not be written for as long as the settings allow is not tried again, and a
        // resumed run without a new step is saved already.
        let is_new = self.saver.saved.is_none() || self.step > self.first_step;
        if error.is::<Unsaved>() || !is_new {
            return Err(error);
        }
        if self.saver.saved != Some(self.step) {
            // A device that has failed once may panic when its memory is read.
            if let Err(failed) = catch_panic(|| self.save(None)) {
                return Err(anyhow!(
                    "{error:#}; and the state could not be saved: {failed:#}"
                ));
            }
        }
        Err(error.context(format!(
            "stopped after step {} of {total}, saved",
            self.step
        )))
    }

    fn start(&mut self) -> Result<()> {
        self.emit_state(RunState::Running, None);

        if self.step == 0 {
            if self.saver.saved.is_none() {
                // A folder that cannot hold a checkpoint shows now, not after hours.
                self.saver
                    .save_checkpoint(&self.learner, 0, None, &mut self.listeners)?;
            }
            self.learner
                .preview(&self.evaluator.data.train, &self.saver.dir)?;
            for line in self.evaluate(0)? {
                println!("{line}");
            }
        } else {
            // A process that was killed after its checkpoint has not written what follows it.
            if self.step == self.plan.total_steps {
                self.saver
                    .publish(&self.learner, self.step, &mut self.listeners)?;
            }
            self.publish_if_best()?;
        }

        // What came before does not count towards the first images a second.
        self.restart_windows();
        Ok(())
    }

    fn reason_to_stop(&self, now: Instant) -> Option<Stop> {
        if self.saver.interrupted.load(Ordering::Relaxed) {
            return Some(Stop::Interrupted);
        }
        let time_is_up = self.saver.clock.time_is_up(now);
        time_is_up.then_some(Stop::OutOfTime)
    }

    /// Collects what a step computed, and reports it if it was skipped.
    fn record(&mut self, report: Report, epoch: usize, waited: Duration) -> Result<()> {
        self.recent.add(&report, self.plan.batch_size, waited);
        self.epoch.add(&report, self.plan.batch_size, waited);
        self.listeners.emit(&Event::Step {
            step: self.step,
            epochs: self.plan.epochs_after(self.step),
            loss: report.loss,
        });

        if let Some(not_finite) = &report.not_finite {
            self.warn(&format!("step {} skipped: {not_finite}", self.step));
            self.listeners.emit(&Event::Record(Record::Skipped {
                step: self.step,
                epoch,
                not_finite: not_finite.clone(),
            }));
        }
        Ok(self.skips.count(self.step, report.not_finite.as_ref())?)
    }

    fn end_epoch(&mut self, epoch: usize) -> Result<()> {
        let means = self.epoch.take(self.step, epoch);
        for warning in self.learner.inspect(&means) {
            self.warn(&warning);
        }
        if let Some(warning) = self.slow_data.inspect(&means) {
            self.warn(&warning);
        }
        self.listeners.emit(&Event::Record(Record::Epoch(means)));

        let epochs = epoch + 1;
        for line in self.evaluate(epochs)? {
            self.listeners.emit(&Event::Notice(&line));
        }

        let keep = epochs.is_multiple_of(self.plan.settings.checkpoint_every);
        self.save(keep.then_some(epochs))?;
        self.publish_if_best()?;

        // Neither evaluations nor saving count towards the next images a second.
        self.restart_windows();
        Ok(())
    }

    /// Writes the best file again if this epoch is better than all before it.
    fn publish_if_best(&mut self) -> Result<()> {
        if self.is_best() {
            self.saver
                .publish_best(&self.learner, self.step, &mut self.listeners)?;
        }
        Ok(())
    }

    /// Whether this epoch's measure is above those of all epochs before it.
    fn is_best(&self) -> bool {
        let Some((evaluation, measure)) = L::BEST_BY else {
            return false;
        };
        let mut best = f64::NEG_INFINITY;
        let mut last = None;
        for (step, value) in self.listeners.metrics.evaluated(evaluation, measure) {
            if step == self.step {
                last = Some(value);
            } else if step > 0 {
                best = best.max(value);
            }
        }
        last.is_some_and(|last| last > best)
    }

    /// Carries out the evaluations due after `epochs` epochs, and returns a sentence for each.
    fn evaluate(&mut self, epochs: usize) -> Result<Vec<String>> {
        self.evaluator.evaluate(
            &self.learner,
            &self.plan,
            self.step,
            epochs,
            &mut self.listeners,
        )
    }

    fn save(&mut self, keep_epoch: Option<usize>) -> Result<()> {
        self.saver
            .save(&self.learner, self.step, keep_epoch, &mut self.listeners)
    }

    fn restart_windows(&mut self) {
        self.recent = Window::default();
        self.epoch = Window::default();
    }

    fn emit_state(&mut self, state: RunState, message: Option<&str>) {
        self.listeners.emit(&Event::State {
            state,
            step: self.step,
            epochs: self.plan.epochs_after(self.step),
            saved: self.saver.saved,
            message,
        });
    }
}
