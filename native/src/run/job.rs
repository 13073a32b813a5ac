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

/// A run of one kind, resolved: its plan, its data, its first state and its learners.
pub trait Job: Clone + Send + 'static {
    type State;

    type Learner<'a>: Learner;

    fn plan(&self) -> &Arc<RunPlan>;

    fn data(&self) -> &Arc<Dataset>;

    /// The images to evaluate on, where these are others.
    fn val(&self) -> Option<&Arc<Dataset>>;

    /// What follows from the settings, for people.
    fn notes(&self) -> &[String];

    fn warnings(&self) -> &[String];

    /// The settings as TOML; reading it back gives the same settings.
    fn settings(&self) -> String;

    /// A number that two workers share only if they compute the same steps over as many images.
    fn fingerprint(&self) -> u32;

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
