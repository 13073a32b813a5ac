//! The folder of a run: made once, never overwritten.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::files::PARTIAL;
use crate::model::{BEST_FILE, CHECKPOINT_FILE};

#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    #[error("{0} already holds a run: continue it with --resume, or choose another --out")]
    Taken(PathBuf),
    #[error("{0} is in use: another process trains this run; see status.json there")]
    InUse(PathBuf),
    #[error("{0} exists and is not empty: choose another --out")]
    NotEmpty(PathBuf),
    #[error("{0} holds no run to resume: it has no config.toml")]
    NothingToResume(PathBuf),
    #[error("cannot use the folder {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
}

/// The folder of a run. No other process can take it while this value exists.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    /// Locked until the process ends, however it ends. `None` where files cannot be locked.
    _lock: Option<File>,
}

/// Names of files in the folder of a run.
pub const CONFIG_FILE: &str = "config.toml";
pub const METRICS_FILE: &str = "metrics.jsonl";
pub const STATUS_FILE: &str = "status.json";

const CHECKPOINTS: &str = "checkpoints";
const LOCK: &str = ".lock";

impl RunDir {
    /// Makes the folder of a new run: `out`, or the first free of `runs/NAME`, `runs/NAME-2`, ...
    pub fn create(out: Option<&Path>, name: &str) -> Result<Self, RunDirError> {
        let path = match out {
            Some(out) => out.to_owned(),
            None => first_free(name),
        };
        if path.join(CONFIG_FILE).exists() {
            return Err(RunDirError::Taken(path));
        }

        let mut entries = fs::read_dir(&path).into_iter().flatten().flatten();
        if path.is_file() || entries.any(|entry| !is_left_over(&entry)) {
            return Err(RunDirError::NotEmpty(path));
        }
        Self::lock(path)
    }

    pub fn open(path: &Path) -> Result<Self, RunDirError> {
        if !path.join(CONFIG_FILE).exists() {
            return Err(RunDirError::NothingToResume(path.to_owned()));
        }
        Self::lock(path.to_owned())
    }

    fn lock(path: PathBuf) -> Result<Self, RunDirError> {
        let file = match open_lock(&path) {
            Ok(file) => file,
            Err(source) => return Err(RunDirError::Io { path, source }),
        };
        match file.try_lock() {
            Ok(()) => Ok(Self {
                path,
                _lock: Some(file),
            }),
            Err(TryLockError::WouldBlock) => Err(RunDirError::InUse(path)),
            // Some network file systems have no locks. There, nothing keeps a second process out.
            Err(TryLockError::Error(_)) => Ok(Self { path, _lock: None }),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn config(&self) -> PathBuf {
        self.path.join(CONFIG_FILE)
    }

    pub fn last_checkpoint(&self) -> PathBuf {
        self.path.join(CHECKPOINT_FILE)
    }

    pub fn previous_checkpoint(&self) -> PathBuf {
        self.path.join(CHECKPOINTS).join("previous.safetensors")
    }

    /// The state kept after an epoch, counted from 1.
    pub fn epoch_checkpoint(&self, epoch: usize) -> PathBuf {
        self.path
            .join(CHECKPOINTS)
            .join(format!("epoch-{epoch:04}.safetensors"))
    }

    pub fn epoch_checkpoints(&self) -> Vec<PathBuf> {
        let folder = self.path.join(CHECKPOINTS);
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("epoch-") && name.ends_with(".safetensors") {
                paths.push(entry.path());
            }
        }
        // Numbers are padded, so that names in order are epochs in order.
        paths.sort_unstable();
        paths
    }

    /// A file of this name in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// What others use of the best epoch so far.
    pub fn best(&self) -> PathBuf {
        self.path.join(BEST_FILE)
    }

    pub fn metrics(&self) -> PathBuf {
        self.path.join(METRICS_FILE)
    }

    pub fn status(&self) -> PathBuf {
        self.path.join(STATUS_FILE)
    }

    pub fn tensorboard(&self) -> PathBuf {
        self.path.join("tensorboard")
    }

    pub fn preview(&self) -> PathBuf {
        self.path.join("preview.png")
    }

    pub fn curves(&self) -> PathBuf {
        self.path.join("curves.svg")
    }
}

/// Whether a process trains the run in `path`, as far as its lock tells.
pub fn may_be_in_use(path: &Path) -> bool {
    match File::open(path.join(LOCK)) {
        // A shared lock, so that two that ask do not take each other for the run. An error of the
        // system counts as in use: where files cannot be locked, a process may train it.
        Ok(lock) => lock.try_lock_shared().is_err(),
        // A run that was never locked is in use by nobody.
        Err(_) => false,
    }
}

/// The first of `runs/NAME`, `runs/NAME-2`, ... that is not there.
fn first_free(name: &str) -> PathBuf {
    let mut path = PathBuf::from(format!("runs/{name}"));
    let mut number = 2;
    while path.exists() {
        path = PathBuf::from(format!("runs/{name}-{number}"));
        number += 1;
    }
    path
}

/// Whether a process that was killed in its first moments can have left this.
fn is_left_over(entry: &fs::DirEntry) -> bool {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    name == LOCK || name == CHECKPOINTS || name.ends_with(PARTIAL)
}

fn open_lock(path: &Path) -> io::Result<File> {
    fs::create_dir_all(path.join(CHECKPOINTS))?;
    OpenOptions::new()
        .create(true)
        // Nothing is written; a file that is made must be opened for writing.
        .append(true)
        .open(path.join(LOCK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_never_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("run");
        let run = RunDir::create(Some(&out), "x").expect("a new folder");
        assert!(matches!(
            RunDir::open(&out),
            Err(RunDirError::NothingToResume(_))
        ));
        assert!(matches!(
            RunDir::create(Some(&out), "x"),
            Err(RunDirError::InUse(_))
        ));
        fs::write(run.config(), "").expect("writable");
        assert!(matches!(
            RunDir::create(Some(&out), "x"),
            Err(RunDirError::Taken(_))
        ));
        assert!(matches!(RunDir::open(&out), Err(RunDirError::InUse(_))));
        drop(run);
        assert!(RunDir::open(&out).is_ok());
    }

    #[test]
    fn what_a_kill_in_the_first_moment_leaves_is_no_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("run");
        drop(RunDir::create(Some(&out), "x").expect("a new folder"));
        fs::write(out.join("config.toml.partial"), "half").expect("writable");
        assert!(RunDir::create(Some(&out), "x").is_ok());
        fs::write(out.join("letter.txt"), "").expect("writable");
        assert!(matches!(
            RunDir::create(Some(&out), "x"),
            Err(RunDirError::NotEmpty(_))
        ));
    }

    #[test]
    fn kept_checkpoints_are_listed_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let run = RunDir::create(Some(&folder.path().join("run")), "x").expect("a new folder");
        for epoch in [12, 3] {
            fs::write(run.epoch_checkpoint(epoch), "").expect("writable");
        }
        fs::write(run.last_checkpoint(), "").expect("writable");
        assert_eq!(
            run.epoch_checkpoints(),
            [run.epoch_checkpoint(3), run.epoch_checkpoint(12)]
        );
    }
}
