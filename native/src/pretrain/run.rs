//! A run under way: steps, and between them what records, evaluates, saves and stops.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};
use burn::tensor::Device;
use ibot_core::pretrain::{StepReport, TrainState};
use ibot_core::weights::ModelHeader;

use super::checkpoint::{self, Loaded};
use super::clock::Clock;
use super::ending::Ending;
use super::means::Window;
use super::metrics::{Metrics, Record};
use super::plan::Plan;
use super::preview::save_preview;
use super::progress::Progress;
use super::run_dir::RunDir;
use super::saver::Unsaved;
use super::status::{State, Status, StatusFile};
use super::watch::{Culprits, Watch};
use super::worker::{self, Place, Step, Worker};
use crate::data::Dataset;
use crate::eval::{EvalProgress, Subject};
use crate::exchange::{Stop, Team};
use crate::features::{Encoder, EvalView, Extractor};
use crate::model::read_checkpoint;

/// A run under way; the training state passes from step to step beside it.
pub struct Run {
    pub(super) data: Arc<Dataset>,
    pub(super) plan: Plan,
    device: Device,
    pub(super) dir: Arc<RunDir>,
    loaders: NonZeroUsize,
    pub(super) metrics: Metrics,
    pub(super) status: StatusFile,
    progress: Progress,
    watch: Watch,
    pub(super) clock: Clock,
    pub(super) interrupted: Arc<AtomicBool>,
    /// Means since the last line of metrics, and over the epoch.
    windows: [Window; 2],
    /// Steps done.
    pub(super) step: usize,
    /// Steps done before this process.
    first: usize,
    /// Step of the last checkpoint.
    pub(super) saved: Option<usize>,
}

impl Run {
    /// Prepares a new run in `dir`, or the rest of the one there.
    ///
    /// # Errors
    /// If its checkpoint, its initial weights or its folder cannot be used.
    pub fn start(
        data: Arc<Dataset>,
        plan: Plan,
        place: &Place,
        dir: Arc<RunDir>,
        clock: Clock,
        resume: bool,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<(Self, TrainState)> {
        let (optim, run) = (&plan.settings.config.optim, &plan.settings.run);
        let prototypes = plan.settings.config.head.out_dim;
        let device = place.device.clone();
        let first = worker::first_state(&plan, &device);
        let identity = plan.identity(data.len());
        let loaded = if resume {
            checkpoint::load(&dir, first.clone(), identity)?
        } else {
            None
        };
        let saved = loaded.as_ref().map(|loaded| loaded.step);
        let Loaded {
            state,
            step,
            warnings,
        } = match loaded {
            Some(loaded) => loaded,
            None => Loaded {
                state: initialised(first, &plan, &device)?,
                step: 0,
                warnings: Vec::new(),
            },
        };
        match saved {
            Some(step) => println!("resumed after step {step}"),
            None if resume => println!("nothing was saved yet: the run starts from its beginning"),
            None => {}
        }
        let total = plan.schedules.total_steps();
        let metrics = Metrics::open(&dir, step, prototypes)?;
        let mut run = Self {
            loaders: place.loaders,
            status: StatusFile::new(
                &dir,
                Status {
                    total,
                    skipped_steps: metrics.skipped(),
                    ..Status::default()
                },
            ),
            progress: Progress::new(total, step, optim.batch_size),
            watch: Watch::new(prototypes, run.max_skipped),
            windows: windows(prototypes),
            data,
            device,
            dir,
            metrics,
            clock,
            interrupted: interrupted.clone(),
            step,
            first: step,
            saved,
            plan,
        };
        warnings.iter().for_each(|warning| run.warn(warning));
        run.tell(State::Running, None);
        Ok((run, state))
    }

    /// All remaining steps, in order.
    ///
    /// # Errors
    /// If anything fails; the state is then saved if it still can be.
    pub fn train(mut self, mut state: TrainState, team: &Team, place: Place) -> Result<Ending> {
        let result = worker::guarded(|| self.steps(&mut state, team, place));
        self.progress.finish();
        let total = self.plan.schedules.total_steps();
        match result {
            Ok(Ending::Complete) => {
                println!(
                    "done: {} (teacher), {} (curves)",
                    self.dir.teacher().display(),
                    self.dir.curves().display()
                );
                self.tell(State::Complete, Some("all steps are done"));
                Ok(Ending::Complete)
            }
            Ok(Ending::Stopped(stop)) => {
                let why = match stop {
                    Stop::OutOfTime => "run.max_hours are over",
                    Stop::Interrupted => "interrupted",
                };
                let (step, new) = (self.step, self.step - self.first);
                let message = format!(
                    "{why}: stopped after step {step} of {total}, {new} of them in this process"
                );
                println!("{message}; continue with --resume");
                self.tell(State::Interrupted, Some(&message));
                Ok(Ending::Stopped(stop))
            }
            // What could not be written in all the time that the settings allow is not tried once
            // more.
            Err(error)
                if !error.is::<Unsaved>() && (self.saved.is_none() || self.step > self.first) =>
            {
                let saved = if self.saved == Some(self.step) {
                    Ok(())
                } else {
                    self.save(&state, None)
                };
                Err(match saved {
                    Ok(()) => error.context(format!(
                        "stopped after step {} of {total}, saved",
                        self.step
                    )),
                    Err(failed) => {
                        anyhow!("{error:#}; and the state could not be saved: {failed:#}")
                    }
                })
            }
            Err(error) => Err(error),
        }
    }

    fn steps(&mut self, state: &mut TrainState, team: &Team, place: Place) -> Result<Ending> {
        let settings = self.plan.settings.clone();
        let (config, run) = (&settings.config, &settings.run);
        let schedules = self.plan.schedules.clone();
        let (total, per_epoch) = (schedules.total_steps(), schedules.steps_per_epoch());
        if self.step == 0 {
            if self.saved.is_none() {
                // A folder that cannot hold a checkpoint shows now, not after hours.
                self.save_checkpoint(state, None)?;
            }
            save_preview(&self.data, &settings, &self.dir)?;
            for line in self.evaluate(state, 0)? {
                println!("{line}");
            }
        } else if self.step == total {
            // A process killed after its last checkpoint has not written what follows from it.
            self.publish(state)?;
        }
        let mut worker = Worker::new(
            team,
            place,
            self.data.clone(),
            &self.plan,
            self.step,
            &self.interrupted,
        )?;
        self.windows = windows(config.head.out_dim);

        while self.step < total {
            let begin = Instant::now();
            let (step, stop) = (self.step, self.stop(begin));
            let (report, waited) =
                match worker.step(state, step, stop, |warning| self.warn(warning))? {
                    Step::Done { report, waited } => (report, waited),
                    Step::Stopped(stop) => {
                        if self.saved != Some(self.step) {
                            self.save(state, None)?;
                        }
                        return Ok(Ending::Stopped(stop));
                    }
                };
            let (now, epoch) = (schedules.at(step), step / per_epoch);
            self.step += 1;
            self.windows
                .iter_mut()
                .for_each(|window| window.add(&report, config.optim.batch_size, waited));
            self.progress.step(self.step);
            self.look_at(&report, epoch)?;

            let epoch_ends = self.step.is_multiple_of(per_epoch);
            if self.step.is_multiple_of(run.log_every) || epoch_ends {
                let means = self.windows[0].take(self.step, epoch, &now);
                self.progress.means(&means);
                let speed = means.images_per_second;
                self.status
                    .progress(|status| status.images_per_second = Some(speed));
                self.metrics.record(Record::Step(means))?;
            }
            if epoch_ends {
                let means = self.windows[1].take(self.step, epoch, &now);
                self.watch
                    .epoch(&means)
                    .iter()
                    .for_each(|warning| self.warn(warning));
                self.metrics.record(Record::Epoch(means))?;
                let done = epoch + 1;
                for line in self.evaluate(state, done)? {
                    self.progress.say(&line);
                }
                self.save(
                    state,
                    done.is_multiple_of(run.checkpoint_every).then_some(done),
                )?;
                // Neither evaluations nor saving count towards the next images a second.
                self.windows = windows(config.head.out_dim);
            } else if self.clock.save_is_due(Instant::now()) {
                let pause = Instant::now();
                self.save(state, None)?;
                self.windows
                    .iter_mut()
                    .for_each(|window| window.pause(pause.elapsed()));
            }
            self.clock.step(begin.elapsed());
        }
        Ok(Ending::Complete)
    }

    /// Why the run should end now, if it should.
    fn stop(&self, now: Instant) -> Option<Stop> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Some(Stop::Interrupted);
        }
        self.clock.time_is_up(now).then_some(Stop::OutOfTime)
    }

    /// Tells watchers of a step, and everybody if it was skipped.
    fn look_at(&mut self, report: &StepReport, epoch: usize) -> Result<()> {
        let culprits = Culprits::of(report);
        let (step, total, batch) = (
            self.step,
            self.plan.schedules.total_steps(),
            self.plan.settings.config.optim.batch_size,
        );
        let per_epoch = self.plan.schedules.steps_per_epoch();
        self.status.progress(|status| {
            (status.step, status.epoch) = (step, step / per_epoch);
            status.loss = Some(report.losses.total).filter(|loss| loss.is_finite());
            status.seconds_left = status
                .images_per_second
                .map(|speed| ((total - step) * batch) as f64 / speed.max(1e-9));
            status.skipped_steps += usize::from(culprits.is_some());
        });
        if let Some(culprits) = &culprits {
            self.warn(&format!("step {step} skipped: {culprits}"));
            let Culprits {
                parts,
                tensors_at_fault,
                tensors,
                loss_scale,
            } = culprits.clone();
            self.metrics.record(Record::Skipped {
                step,
                epoch,
                parts,
                tensors_at_fault,
                tensors,
                loss_scale,
            })?;
        }
        Ok(self.watch.step(step, culprits.as_ref())?)
    }

    /// Says a warning to everybody.
    pub(super) fn warn(&mut self, warning: &str) {
        self.progress.say(&format!("warning: {warning}"));
        self.status
            .progress(|status| warning.clone_into(&mut status.message));
    }

    /// Writes to the status how far the run is, and what there is to say.
    fn tell(&mut self, state: State, message: Option<&str>) {
        let (step, saved) = (self.step, self.saved);
        let epoch = step / self.plan.schedules.steps_per_epoch();
        self.status.news(|status| {
            (
                status.state,
                status.step,
                status.epoch,
                status.checkpoint_step,
            ) = (state, step, epoch, saved);
            message
                .iter()
                .for_each(|message| (*message).clone_into(&mut status.message));
            if state == State::Complete {
                status.seconds_left = Some(0.0);
            }
        });
    }

    /// Carries out the evaluations of the teacher that are due after `epochs` epochs, on the images
    /// that the run learns from; a sentence for each.
    fn evaluate(&mut self, state: &TrainState, epochs: usize) -> Result<Vec<String>> {
        let settings = &self.plan.settings;
        let is_last = self.step == self.plan.schedules.total_steps();
        let mut sentences = Vec::new();
        for eval in &settings.eval {
            let task = eval.evaluation.task();
            if !eval.is_due(epochs, is_last) || !task.suits(&self.data) {
                continue;
            }
            let view = eval.view(EvalView {
                size: settings.config.crops.global_size,
                resize_ratio: ModelHeader::USUAL_RESIZE,
            });
            let subject = Subject {
                extractor: Extractor {
                    encoder: Encoder::Network(&state.teacher.backbone),
                    view,
                    threads: self.loaders,
                    device: &self.device,
                },
                data: &self.data,
                val: None,
            };
            let measures = task.run(&subject)?.measures;

            self.metrics.record(Record::Eval {
                name: task.name().to_owned(),
                step: self.step,
                epoch: epochs,
                measures: measures.clone(),
            })?;
            let progress = EvalProgress {
                epochs,
                starts_trained: settings.run.init.is_some(),
                first: self.metrics.first_eval(task.name()),
            };
            sentences.extend(progress.sentence(task, &measures));
        }
        Ok(sentences)
    }
}

fn windows(prototypes: usize) -> [Window; 2] {
    [Window::new(prototypes), Window::new(prototypes)]
}

/// The state of a new run: as it is, or with the weights that the settings name.
fn initialised(state: TrainState, plan: &Plan, device: &Device) -> Result<TrainState> {
    let Some(file) = &plan.settings.run.init else {
        return Ok(state);
    };
    let checkpoint = read_checkpoint(file.as_ref(), None)?;
    let started = checkpoint.start(state.student, &plan.settings.config.backbone());
    let (student, report) = started.with_context(|| format!("cannot start from {file}"))?;
    println!("init    {file}: {report}");
    Ok(TrainState::new(
        student,
        plan.settings.config.head.shared_head,
        device,
    ))
}
