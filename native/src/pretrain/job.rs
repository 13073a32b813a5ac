//! A run of pre-training, resolved for its data and its devices.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result};
use burn::tensor::Device;
use futures_lite::future::block_on;
use ibot_core::pretrain::{Snapshot, TrainState};

use super::learner::Pretrainer;
use super::plan::Plan;
use crate::data::Dataset;
use crate::model::read_checkpoint;
use crate::run::devices::RunDevices;
use crate::run::job::Job;
use crate::run::plan::RunPlan;
use crate::run::seat::Seat;
use crate::settings::{Settings, student_tokens};

#[derive(Clone)]
pub struct PretrainJob {
    plan: Arc<Plan>,
    run: Arc<RunPlan>,
    data: Arc<Dataset>,
    val: Option<Arc<Dataset>>,
}

impl PretrainJob {
    /// Opens the data and computes what a run with `settings` will do.
    pub fn plan(mut settings: Settings, devices: &RunDevices) -> Result<Self> {
        let data = Arc::new(Dataset::open(&settings.run.data)?);
        let val = match &settings.run.val {
            Some(val) => Some(Arc::new(Dataset::open(val)?)),
            None => None,
        };
        let config = &settings.config;
        devices.check(config.optim.precision)?;

        let (batch, tokens) = (config.optim.batch_size, student_tokens(config));
        let run = &mut settings.run;
        run.resolve(batch, tokens, devices.is_cpu(), devices.cores());
        let plan = Plan::new(settings, data.len(), devices.workers())?;
        Ok(Self {
            run: Arc::new(plan.run_plan(data.len())),
            plan: Arc::new(plan),
            data,
            val,
        })
    }
}

impl Job for PretrainJob {
    type State = TrainState;
    type Learner<'a> = Pretrainer<'a>;

    fn plan(&self) -> &Arc<RunPlan> {
        &self.run
    }

    fn data(&self) -> &Arc<Dataset> {
        &self.data
    }

    fn val(&self) -> Option<&Arc<Dataset>> {
        self.val.as_ref()
    }

    fn notes(&self) -> &[String] {
        &self.plan.notes
    }

    fn warnings(&self) -> &[String] {
        &self.plan.warnings
    }

    fn settings(&self) -> String {
        self.plan.settings.to_toml()
    }

    fn fingerprint(&self) -> u32 {
        self.plan.fingerprint(self.data.len())
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
            self.data.clone(),
            self.plan.clone(),
            (state, step),
            interrupted.clone(),
        )
    }
}
