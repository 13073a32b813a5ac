//! What a run has to be told before its first step.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use burn::tensor::Device;
use ibot_core::pretrain::Snapshot;

use super::learner::Learner;
use super::plan::RunPlan;
use super::seat::Seat;
use crate::data::Dataset;
use crate::settings::{RunSettings, SettingsOf, TrainConfig};

/// The images of a run.
#[derive(Clone)]
pub struct RunData {
    /// Those to learn from.
    pub train: Arc<Dataset>,
    /// Those to evaluate on, where these are others.
    pub val: Option<Arc<Dataset>>,
}

/// A run, resolved, whatever it trains.
#[derive(Clone)]
pub struct ResolvedRun {
    pub plan: Arc<RunPlan>,
    pub data: RunData,
    /// What follows from the settings, for people.
    pub notes: Vec<String>,
    pub warnings: Vec<String>,
    /// The settings as TOML; reading it back gives the same settings.
    pub settings: String,
    /// Two workers share it only if they compute the same steps over as many images.
    pub fingerprint: u32,
}

/// A run of one kind: its first state and its learners.
pub trait Job: Clone + Send + 'static {
    type State;

    type Learner<'a>: Learner;

    fn resolved(&self) -> &ResolvedRun;

    /// The state of a new run, before the weights that the settings name.
    fn first_state(&self, device: &Device) -> Result<Self::State>;

    /// The state of a new run: the first one with the weights that the settings name, if any. Says
    /// how they were loaded.
    fn initialised(&self, state: Self::State, device: &Device) -> Result<Self::State>;

    fn restored(&self, state: Self::State, snapshot: Snapshot) -> Result<Self::State>;

    fn snapshot(&self, state: &Self::State) -> Result<Snapshot>;

    fn learner<'a>(
        &self,
        seat: &'a Seat,
        state: Self::State,
        step: usize,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<Self::Learner<'a>>;
}

impl ResolvedRun {
    /// A run with `settings`, of which `plan` is what the loop follows.
    pub fn new<C: TrainConfig>(
        settings: &SettingsOf<C>,
        plan: RunPlan,
        data: RunData,
        notes: Vec<String>,
        warnings: Vec<String>,
    ) -> Self {
        Self {
            plan: Arc::new(plan),
            notes,
            warnings,
            settings: settings.to_toml(),
            fingerprint: settings.fingerprint(data.train.len(), data.train.classes()),
            data,
        }
    }
}

impl RunData {
    pub fn open(settings: &RunSettings) -> Result<Self> {
        let val = settings.val.as_deref().map(Dataset::open).transpose()?;
        Ok(Self {
            train: Arc::new(Dataset::open(&settings.data)?),
            val: val.map(Arc::new),
        })
    }
}
