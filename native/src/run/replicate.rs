//! Gives all workers the leader's state.

use anyhow::{Context as _, Result};
use ibot_core::pretrain::Snapshot;

use super::checkpoint::{decode, encode};
use super::plan::RunPlan;
use crate::exchange::Team;

/// Sends the leader's state after `step` steps to the other workers, if there are any.
pub fn send_state(
    team: &Team,
    plan: &RunPlan,
    step: usize,
    snapshot: impl FnOnce() -> Result<Snapshot>,
) -> Result<()> {
    // As the bytes of a checkpoint, so that every bit arrives and damage is noticed.
    team.broadcast(|| encode(&snapshot()?, &plan.model_after(step), plan.identity))
}

/// Receives the leader's state and its number of steps.
pub fn receive_state(team: &Team) -> Result<(Snapshot, usize)> {
    let bytes = team.receive()?;
    let (state, header) = decode(&bytes).context("the state of worker 0")?;
    Ok((state, header.step))
}
