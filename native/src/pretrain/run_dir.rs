//! The folder of a run: made once, never overwritten.

use std::fs;
use std::path::{Path, PathBuf};

use crate::model::{CHECKPOINT_FILE, TEACHER_FILE};

/// Why a folder cannot take a run.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// There is a run already.
    #[error("{0} already holds a run: continue it with --resume, or choose another --out")]
    Taken(PathBuf),
    /// There is a run that ended before it saved anything.
    #[error(
        "{0} holds a run that ended before its first checkpoint, so there is nothing to resume: remove it, or choose another --out"
    )]
    Unsaved(PathBuf),
    /// Something else is there.
    #[error("{0} exists and is not empty: choose another --out")]
    NotEmpty(PathBuf),
    /// There is nothing to continue.
    #[error("{0} holds no run to resume: it has no config.toml")]
    NothingToResume(PathBuf),
    /// The system refuses.
    #[error("cannot make the folder {path}: {source}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// The folder of a run.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Makes the folder of a new run: `out`, or the first free of `runs/NAME`, `runs/NAME-2`, ...
    ///
    /// # Errors
    /// If `out` is not empty or cannot be made.
    pub fn create(out: Option<&Path>, name: &str) -> Result<Self, RunDirError> {
        let free = |path: &PathBuf| !path.exists();
        let path = out.map(Path::to_owned).unwrap_or_else(|| {
            let numbered = (2..).map(|i| PathBuf::from(format!("runs/{name}-{i}")));
            // The numbers never end, so one of the folders is free.
            std::iter::once(PathBuf::from(format!("runs/{name}"))).chain(numbered).find(free).unwrap_or_default()
        });
        let dir = Self { path };
        if dir.config().exists() {
            let saved = dir.last_checkpoint().exists();
            return Err(if saved { RunDirError::Taken(dir.path) } else { RunDirError::Unsaved(dir.path) });
        }
        let path = dir.path;
        let occupied = fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_some());
        if occupied || path.is_file() {
            return Err(RunDirError::NotEmpty(path));
        }
        fs::create_dir_all(path.join("checkpoints"))
            .map_err(|source| RunDirError::Io { path: path.clone(), source })?;
        Ok(Self { path })
    }

    /// Opens the folder of a run that has a checkpoint.
    ///
    /// # Errors
    /// If it has none.
    pub fn open(path: &Path) -> Result<Self, RunDirError> {
        let dir = Self { path: path.to_owned() };
        match (dir.config().exists(), dir.last_checkpoint().exists()) {
            (true, true) => Ok(dir),
            (true, false) => Err(RunDirError::Unsaved(dir.path)),
            (false, _) => Err(RunDirError::NothingToResume(dir.path)),
        }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The resolved settings.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// The newest state.
    pub fn last_checkpoint(&self) -> PathBuf {
        self.path.join(CHECKPOINT_FILE)
    }

    /// The state kept after an epoch, counted from 1.
    pub fn epoch_checkpoint(&self, epoch: usize) -> PathBuf {
        self.path.join("checkpoints").join(format!("epoch-{epoch:04}.safetensors"))
    }

    /// The teacher's backbone.
    pub fn teacher(&self) -> PathBuf {
        self.path.join(TEACHER_FILE)
    }

    /// Metrics as JSON lines.
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// TensorBoard's folder.
    pub fn tensorboard(&self) -> PathBuf {
        self.path.join("tensorboard")
    }

    /// The picture of crops and masks.
    pub fn preview(&self) -> PathBuf {
        self.path.join("preview.png")
    }

    /// The picture of the metrics.
    pub fn curves(&self) -> PathBuf {
        self.path.join("curves.svg")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_never_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("run");
        let run = RunDir::create(Some(&out), "x").expect("a new folder");
        assert!(matches!(RunDir::open(&out), Err(RunDirError::NothingToResume(_))));
        assert!(matches!(RunDir::create(Some(&out), "x"), Err(RunDirError::NotEmpty(_))));
        fs::write(run.config(), "").expect("writable");
        assert!(matches!(RunDir::create(Some(&out), "x"), Err(RunDirError::Unsaved(_))));
        assert!(matches!(RunDir::open(&out), Err(RunDirError::Unsaved(_))));
        fs::write(run.last_checkpoint(), "").expect("writable");
        assert!(matches!(RunDir::create(Some(&out), "x"), Err(RunDirError::Taken(_))));
        assert!(RunDir::open(&out).is_ok());
    }
}
