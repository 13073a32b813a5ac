//! Checkpoints: the whole state of a run in one file, and the one before it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, ensure};
use ibot_core::pretrain::{Snapshot, Updates};
use ibot_core::weights::{ModelHeader, StoredPrecision, from_safetensors, to_safetensors};
use serde::{Deserialize, Serialize};

use super::record::recorded_steps;
use super::run_dir::RunDir;
use crate::files::{Pending, WriteError};
use crate::seal;

const HEADER: &str = "ibot-checkpoint";

/// What a checkpoint says beside its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    // All random numbers derive from the seed and the step: these two are the state of all
    // generators.
    pub step: usize,
    seed: u64,
    // Of the data. With another number, epochs have other images.
    images: usize,
    /// Workers that computed its steps together.
    #[serde(default = "one")]
    workers: usize,
    updates: Updates,
}

fn one() -> usize {
    1
}

/// What does not change from one checkpoint of a run to the next.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    pub seed: u64,
    pub images: usize,
    pub workers: usize,
}

pub struct SavedState {
    pub path: PathBuf,
    pub state: Snapshot,
    pub step: usize,
    /// What a person must know: damage, or data that has changed.
    pub warnings: Vec<String>,
}

/// The bytes of a checkpoint: `state` after the steps that `model` names.
pub fn encode(state: &Snapshot, model: &ModelHeader, identity: Identity) -> Result<Vec<u8>> {
    let header = Header {
        step: model.step,
        seed: identity.seed,
        images: identity.images,
        workers: identity.workers,
        updates: state.updates.clone(),
    };

    let mut metadata = model.to_metadata()?;
    metadata.insert(HEADER.to_owned(), serde_json::to_string(&header)?);
    seal::reserve(&mut metadata);
    let mut bytes = to_safetensors(&state.tensors, metadata, StoredPrecision::F32)?;
    seal::seal(&mut bytes)?;
    Ok(bytes)
}

/// Reads what [`encode`] gave.
pub fn decode(bytes: &[u8]) -> Result<(Snapshot, Header)> {
    seal::verify(bytes)?;
    let (tensors, metadata) = from_safetensors(bytes)?;
    let header = metadata
        .get(HEADER)
        .context("it is no checkpoint of a run")?;
    let header: Header = serde_json::from_str(header)?;
    let updates = header.updates.clone();
    Ok((Snapshot { tensors, updates }, header))
}

/// Writes a checkpoint; what was the last one becomes the previous one. With `keep_epoch` it is
/// also kept as that of an epoch.
///
/// # Errors
/// If a file cannot be written; the last checkpoint is then still there.
pub fn write_checkpoint(
    dir: &RunDir,
    keep_epoch: Option<usize>,
    bytes: &[u8],
) -> Result<(), WriteError> {
    // A crash at any moment leaves a whole checkpoint under a name that `load` knows: the new file
    // is on the disk before it takes its name, and the old one has its second name before it loses
    // the first.
    let pending = Pending::write(&dir.last_checkpoint(), bytes)?;
    if let Some(epoch) = keep_epoch {
        pending.also_as(&dir.epoch_checkpoint(epoch))?;
    }
    keep_previous(&dir.last_checkpoint(), &dir.previous_checkpoint())?;
    pending.commit()
}

fn keep_previous(last: &Path, previous: &Path) -> Result<(), WriteError> {
    if !last.exists() {
        return Ok(());
    }
    // `last` is whole, so for a moment there may be no other.
    let _ = fs::remove_file(previous);
    // Without hard links the last checkpoint is away until the new one takes its name; `load` knows
    // the previous one.
    fs::hard_link(last, previous)
        .or_else(|_| fs::rename(last, previous))
        .map_err(|source| WriteError {
            path: previous.to_owned(),
            source,
        })
}

/// Reads the newest whole checkpoint of a run; `None` if the run ended before it wrote one.
pub fn load(dir: &RunDir, identity: Identity) -> Result<Option<SavedState>> {
    let (last, previous) = (dir.last_checkpoint(), dir.previous_checkpoint());
    let recorded = recorded_steps(dir);
    // Recorded steps without a checkpoint are a loss, which must not pass for a new run.
    if !last.exists() && !previous.exists() && recorded == 0 {
        return Ok(None);
    }
    let mut warnings = Vec::new();
    let (path, (state, header)) = match read(&last) {
        Ok(found) => (last, found),
        Err(damage) => {
            let found = read(&previous).map_err(|second| none_is_whole(dir, &damage, &second))?;
            let aside = match set_aside(&last)? {
                Some(path) => format!("; it is now {}", path.display()),
                None => String::new(),
            };
            let step = found.1.step;
            let lost = recorded.saturating_sub(step);
            warnings.push(format!(
                "the checkpoint {} cannot be used: {damage:#}{aside}. Going back to the previous one, of step {step}: \
                 the {lost} steps recorded since are done again",
                last.display()
            ));
            (previous, found)
        }
    };

    ensure!(
        header.seed == identity.seed,
        "checkpoint {} was made with seed {}, the run has seed {}",
        path.display(),
        header.seed,
        identity.seed
    );
    if header.images != identity.images {
        warnings.push(format!(
            "the data has {} images, it had {} when this run was saved: the order of images, and steps and \
             schedules where they follow from the number of images, differ from here on",
            identity.images, header.images
        ));
    }
    if header.workers != identity.workers {
        warnings.push(format!(
            "the run goes on with {} workers in place of {}: batches have the same images, crops and masks; sums \
             are in another order, and stochastic depth draws other numbers",
            identity.workers, header.workers
        ));
    }

    Ok(Some(SavedState {
        path,
        state,
        step: header.step,
        warnings,
    }))
}

fn read(path: &Path) -> Result<(Snapshot, Header)> {
    decode(&fs::read(path)?)
}

/// Moves a damaged checkpoint aside; its new name, if there is a file.
fn set_aside(last: &Path) -> Result<Option<PathBuf>> {
    if !last.exists() {
        return Ok(None);
    }
    let aside = last.with_extension("safetensors.damaged");
    // Under its own name it would become the previous one when the run saves.
    fs::rename(last, &aside).map_err(|source| WriteError {
        path: aside.clone(),
        source,
    })?;
    Ok(Some(aside))
}

/// The error of a run whose last two checkpoints are damaged.
fn none_is_whole(dir: &RunDir, last: &anyhow::Error, previous: &anyhow::Error) -> anyhow::Error {
    // Those of epochs are older, and may be whole: the newest of these is what is left.
    let mut kept = dir.epoch_checkpoints().into_iter().rev();
    let whole = kept.find_map(|path| read(&path).ok().map(|(_, header)| (path, header.step)));
    let (last_path, previous_path) = (dir.last_checkpoint(), dir.previous_checkpoint());
    let advice = match whole {
        Some((path, step)) => format!(
            "{} of step {step} is whole: to continue from there, copy it to {}",
            path.display(),
            last_path.display()
        ),
        None => "no checkpoint of an epoch was kept either: start a new run, with this one's config.toml as --config, \
                 and --init with its teacher.safetensors if that is whole"
            .to_owned(),
    };
    let (last_path, previous_path) = (last_path.display(), previous_path.display());
    anyhow!(
        "no checkpoint is whole. {last_path}: {last:#}. {previous_path}: {previous:#}. What now: {advice}"
    )
}
