//! Checkpoints: the whole state of a run in one file.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use futures_lite::future::block_on;
use ibot_core::train::{Snapshot, TrainState, Updates};
use ibot_core::weights::{ModelHeader, Precision, from_safetensors, to_safetensors};
use serde::{Deserialize, Serialize};

use crate::files::write_atomically;

const HEADER: &str = "ibot-checkpoint";

/// What a checkpoint says beside its tensors. All random numbers of a run derive from its seed and the step, so these
/// two are the whole state of its generators.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Optimisation steps done.
    pub step: usize,
    /// Seed of the run.
    pub seed: u64,
    /// Updates of each parameter by the optimiser.
    updates: Updates,
}

/// Writes the state of the network `model` after the steps it names to `path`, and to `kept` as well if it is given.
///
/// # Errors
/// If the device fails or a file cannot be written; the old checkpoint is then still there.
pub fn save(path: &Path, kept: Option<&Path>, state: &TrainState, model: &ModelHeader, seed: u64) -> Result<()> {
    let Snapshot { tensors, updates } = block_on(state.snapshot())?;
    let mut metadata = model.to_metadata()?;
    metadata.insert(HEADER.to_owned(), serde_json::to_string(&Header { step: model.step, seed, updates })?);
    let bytes = to_safetensors(&tensors, metadata, Precision::F32)?;
    for path in kept.into_iter().chain([path]) {
        write_atomically(path, &bytes)?;
    }
    Ok(())
}

/// Reads a checkpoint into `state`, which must be of the same dimensions; the state and the steps done.
///
/// # Errors
/// If there is none, it is damaged, or it belongs to other settings.
pub fn load(path: &Path, state: TrainState, seed: u64) -> Result<(TrainState, usize)> {
    let place = || format!("checkpoint {}", path.display());
    let bytes = fs::read(path).with_context(place)?;
    let (tensors, metadata) = from_safetensors(&bytes).with_context(place)?;
    let header = metadata.get(HEADER).context("this is no checkpoint of a run").with_context(place)?;
    let header: Header = serde_json::from_str(header).with_context(place)?;
    ensure!(header.seed == seed, "{} was made with seed {}, the run has seed {seed}", place(), header.seed);
    let state = state.restore(Snapshot { tensors, updates: header.updates }).with_context(place)?;
    Ok((state, header.step))
}
