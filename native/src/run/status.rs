//! `status.json`: where a run stands, for programs that watch it.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::record::Record;
use super::run_dir::RunDir;
use super::state::RunState;
use crate::files::replace;

/// Least time between two writes that only report progress.
const EVERY: Duration = Duration::from_secs(2);

/// The content of `status.json`. What is not known yet is `null`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    pub state: RunState,
    pub step: usize,
    pub total: usize,
    /// Epochs done.
    pub epoch: usize,
    /// Loss of the newest step, in nats.
    pub loss: Option<f64>,
    /// Images a second over the steps last recorded.
    pub images_per_second: Option<f64>,
    /// Seconds that the remaining steps take at that speed.
    pub seconds_left: Option<f64>,
    pub checkpoint_step: Option<usize>,
    /// Steps skipped in the whole run because they were not finite.
    pub skipped_steps: usize,
    /// The newest warning, or why the run ended.
    pub message: String,
    /// When this was written, in seconds since 1970.
    pub time: u64,
    pub pid: u32,
}

pub struct StatusFile {
    path: PathBuf,
    status: Status,
    /// Images of a batch.
    batch: usize,
    written: Option<Instant>,
}

impl StatusFile {
    pub fn new(dir: &RunDir, status: Status, batch: usize) -> Self {
        Self {
            path: dir.status(),
            status,
            batch,
            written: None,
        }
    }

    /// Takes in an event. Changes of state are written at once, progress now and then.
    pub fn on_event(&mut self, event: &Event) {
        let status = &mut self.status;
        match event {
            Event::Step { step, epochs, loss } => {
                status.step = *step;
                status.epoch = *epochs;
                status.loss = Some(*loss).filter(|loss| loss.is_finite());
                let images = ((status.total - step) * self.batch) as f64;
                status.seconds_left = status
                    .images_per_second
                    .map(|speed| images / speed.max(1e-9));
            }
            Event::Record(Record::Step(means)) => {
                status.images_per_second = Some(means.images_per_second);
            }
            Event::Record(Record::Skipped { .. }) => status.skipped_steps += 1,
            Event::Record(_) | Event::Notice(_) => return,
            Event::Warning(warning) => (*warning).clone_into(&mut status.message),
            Event::Saved(step) => {
                status.step = *step;
                status.checkpoint_step = Some(*step);
                return self.write();
            }
            Event::State {
                state,
                step,
                epochs,
                saved,
                message,
            } => {
                status.state = *state;
                status.step = *step;
                status.epoch = *epochs;
                status.checkpoint_step = *saved;
                if let Some(message) = message {
                    (*message).clone_into(&mut status.message);
                }
                if *state == RunState::Complete {
                    status.seconds_left = Some(0.0);
                }
                return self.write();
            }
        }

        if self
            .written
            .is_none_or(|written| written.elapsed() >= EVERY)
        {
            self.write();
        }
    }

    fn write(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        self.status.time = now.map_or(0, |elapsed| elapsed.as_secs());
        self.status.pid = std::process::id();
        // The disk is not waited for, as the file is soon replaced again.
        // An error does not stop a run: where it matters, writing the checkpoint meets the same
        // one.
        let _ = serde_json::to_vec(&self.status).map(|bytes| replace(&self.path, &bytes));
        self.written = Some(Instant::now());
    }
}

/// Writes that the run in `dir` failed with `error`, however far its status says that it was.
pub fn write_failure(dir: &RunDir, error: &anyhow::Error) {
    let last = fs::read(dir.status())
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let mut status: Status = last.unwrap_or_default();
    status.state = RunState::Failed;
    status.seconds_left = None;
    status.message = format!("{error:#}");
    StatusFile::new(dir, status, 0).write();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_keeps_what_was_known() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = RunDir::create(Some(&folder.path().join("run")), "x").expect("a new folder");
        let status = Status {
            total: 9,
            ..Status::default()
        };
        let mut file = StatusFile::new(&dir, status, 1);
        let read = || -> Status {
            serde_json::from_slice(&fs::read(dir.status()).expect("a file")).expect("JSON")
        };
        let step = |step| Event::Step {
            step,
            epochs: 0,
            loss: 1.0,
        };
        file.on_event(&step(3));
        assert_eq!(
            (read().step, read().total, read().state),
            (3, 9, RunState::Running)
        );
        file.on_event(&step(4));
        assert_eq!(read().step, 3, "progress is not written at every step");
        file.on_event(&Event::Saved(4));
        assert_eq!((read().step, read().checkpoint_step), (4, Some(4)));
        write_failure(&dir, &anyhow::anyhow!("reason").context("what"));
        assert_eq!(
            (read().state, read().step, read().message.as_str()),
            (RunState::Failed, 4, "what: reason")
        );
        assert_eq!(read().pid, std::process::id());
    }
}
