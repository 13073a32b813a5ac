//! `status.json`: where a run stands, for programs that watch it.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::run_dir::RunDir;
use crate::files::replace;

/// Least time between two writings that tell no news but progress.
const EVERY: Duration = Duration::from_secs(2);

/// What a run is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It trains; or its process was killed, if there is none of that id.
    #[default]
    Running,
    /// All steps are done.
    Complete,
    /// It was stopped and is saved.
    Interrupted,
    /// It ended with an error, which is the message.
    Failed,
}

/// The content of `status.json`. What is not known yet is `null`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// What the run is doing.
    pub state: State,
    /// Steps done.
    pub step: usize,
    /// Steps of the run.
    pub total: usize,
    /// Epochs done.
    pub epoch: usize,
    /// Loss of the newest step, in nats.
    pub loss: Option<f64>,
    /// Images a second over the steps last recorded.
    pub images_per_second: Option<f64>,
    /// Seconds that the remaining steps take at that speed.
    pub seconds_left: Option<f64>,
    /// Step of the last checkpoint.
    pub checkpoint_step: Option<usize>,
    /// Steps skipped in the whole run because they were not finite.
    pub skipped_steps: usize,
    /// The newest warning, or why the run ended.
    pub message: String,
    /// When this was written, in seconds since 1970.
    pub time: u64,
    /// The process of the run.
    pub pid: u32,
}

/// Keeps `status.json` of a run.
pub struct StatusFile {
    path: PathBuf,
    status: Status,
    written: Option<Instant>,
}

impl StatusFile {
    /// The file in `dir`, first written at the first change.
    pub fn new(dir: &RunDir, status: Status) -> Self {
        Self {
            path: dir.status(),
            status,
            written: None,
        }
    }

    /// Notes progress, which is written now and then. Nothing waits for the disk, and an error does
    /// not stop a run: where it matters, writing the checkpoint meets the same one.
    pub fn progress(&mut self, change: impl FnOnce(&mut Status)) {
        change(&mut self.status);
        if self
            .written
            .is_none_or(|written| written.elapsed() >= EVERY)
        {
            self.write();
        }
    }

    /// Notes news, which is written at once.
    pub fn news(&mut self, change: impl FnOnce(&mut Status)) {
        change(&mut self.status);
        self.write();
    }

    fn write(&mut self) {
        self.status.time = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_secs());
        self.status.pid = std::process::id();
        let _ = serde_json::to_vec(&self.status).map(|bytes| replace(&self.path, &bytes));
        self.written = Some(Instant::now());
    }
}

/// Leaves the state failed, with `error`, in the folder of a run that got wherever its status says.
pub fn fail(dir: &RunDir, error: &anyhow::Error) {
    let last = fs::read(dir.status())
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok());
    StatusFile::new(dir, last.unwrap_or_default()).news(|status| {
        status.state = State::Failed;
        status.seconds_left = None;
        status.message = format!("{error:#}");
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_keeps_what_was_known() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = RunDir::create(Some(&folder.path().join("run")), "x").expect("a new folder");
        let mut file = StatusFile::new(
            &dir,
            Status {
                total: 9,
                ..Status::default()
            },
        );
        let read = || -> Status {
            serde_json::from_slice(&fs::read(dir.status()).expect("a file")).expect("JSON")
        };
        file.progress(|status| status.step = 3);
        assert_eq!(
            (read().step, read().total, read().state),
            (3, 9, State::Running)
        );
        file.progress(|status| status.step = 4);
        assert_eq!(read().step, 3, "progress is not written at every step");
        file.news(|status| status.checkpoint_step = Some(4));
        assert_eq!((read().step, read().checkpoint_step), (4, Some(4)));
        fail(&dir, &anyhow::anyhow!("reason").context("what"));
        assert_eq!(
            (read().state, read().step, read().message.as_str()),
            (State::Failed, 4, "what: reason")
        );
        assert_eq!(read().pid, std::process::id());
    }
}
