//! A run of pre-training, resolved for its data and its devices.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result};
use burn::tensor::Device;
use futures_lite::future::block_on;
use ibot_core::pretrain::{Snapshot, TrainState};

use super::learner::Pretrainer;
use super::plan::Plan;
use crate::model::read_checkpoint;
use crate::run::devices::RunDevices;
use crate::run::job::{Job, ResolvedRun, RunData};
use crate::run::seat::Seat;
use crate::settings::{Settings, student_tokens};

#[derive(Clone)]
pub struct PretrainJob {
    plan: Arc<Plan>,
    run: ResolvedRun,
}

impl PretrainJob {
    /// Opens the data and computes what a run with `settings` will do.
    pub fn plan(mut settings: Settings, devices: &RunDevices) -> Result<Self> {
        let data = RunData::open(&settings.run)?;
        let config = &settings.config;
        devices.check(config.optim.precision)?;

        let (batch, tokens) = (config.optim.batch_size, student_tokens(config));
        let run = &mut settings.run;
        run.resolve(batch, tokens, devices.is_cpu(), devices.cores());
        let plan = Plan::new(settings, data.train.len(), devices.workers())?;
        let (notes, warnings) = (plan.notes.clone(), plan.warnings.clone());
        let run = plan.run_plan(data.train.len());
        Ok(Self {
            run: ResolvedRun::new(&plan.settings, run, data, notes, warnings),
            plan: Arc::new(plan),
        })
    }
}

impl Job for PretrainJob {
    type State = TrainState;
    type Learner<'a> = Pretrainer<'a>;

    fn resolved(&self) -> &ResolvedRun {
        &self.run
    }

    fn first_state(&self, device: &Device) -> Result<TrainState> {
        let settings = &self.plan.settings;
        let seed = settings.run.seed;
        Ok(TrainState::fresh(&settings.config, seed, device))
    }

    fn initialised(&self, state: TrainState, device: &Device) -> Result<TrainState> {
        let Settings { config, run, .. } = &self.plan.settings;
        let Some(file) = &run.init else {
            return Ok(state);
        };
        let checkpoint = read_checkpoint(file.as_ref(), None)?;
        let started = checkpoint.start(state.student, &config.backbone());
        let (student, report) = started.with_context(|| format!("cannot start from {file}"))?;
        println!("init    {file}: {report}");
        // Made anew, as the teacher starts as a copy of the student.
        Ok(TrainState::new(student, config.head.shared_head, device))
    }

    fn restored(&self, state: TrainState, snapshot: Snapshot) -> Result<TrainState> {
        Ok(state.restore(snapshot)?)
    }

    fn snapshot(&self, state: &TrainState) -> Result<Snapshot> {
        Ok(block_on(state.snapshot())?)
    }

    fn learner<'a>(
        &self,
        seat: &'a Seat,
        state: TrainState,
        step: usize,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<Pretrainer<'a>> {
        let Seat { team, options } = seat;
        Pretrainer::new(
            team,
            options,
            self.run.data.train.clone(),
            self.plan.clone(),
            (state, step),
            interrupted.clone(),
        )
    }
}
