//! Gives all workers the leader's state.

use anyhow::{Context as _, Result};
use ibot_core::pretrain::TrainState;

use super::checkpoint::{Identity, decode, encode};
use super::plan::Plan;
use crate::exchange::Team;

/// The leader's state and number of steps on every worker. They travel as the bytes of a
/// checkpoint, so every bit arrives and a damaged one is noticed.
///
/// # Errors
/// If the device or another worker fails.
pub fn replicate(
    team: &Team,
    state: TrainState,
    step: usize,
    plan: &Plan,
    identity: Identity,
) -> Result<(TrainState, usize)> {
    let leaders = team.broadcast(|| encode(&state, &plan.model_header(step), identity))?;
    let Some(bytes) = leaders else {
        return Ok((state, step));
    };

    let (snapshot, header) = decode(&bytes).context("the state of worker 0")?;
    Ok((state.restore(snapshot)?, header.step))
}
