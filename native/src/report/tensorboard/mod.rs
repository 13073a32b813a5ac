//! Scalars in TensorBoard's event format: TFRecord frames around `Event` messages.

mod event;
mod record;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use self::event::{scalar_event, step_of, version_event};
use self::record::{frame, frames};
use crate::files::{Growing, PARTIAL, WriteError, write_atomically};

// How TensorBoard wants the names of event files to begin.
const FILE_NAME: &str = "events.out.tfevents";

#[derive(Debug)]
pub struct EventWriter(Growing);

impl EventWriter {
    /// Starts a new event file in `dir`, which is made if missing. Earlier files there stay.
    pub fn create(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        // TensorBoard reads all files of a directory as one run, so a resumed run continues its
        // curves.
        let name = format!("{FILE_NAME}.{}.{}", unix_time() as u64, host_name());
        let (file, path) = create_new(dir, &name)?;
        let mut file = Growing::new(path, file);
        file.add(&frame(&version_event(unix_time())));
        file.flush().map_err(|error| error.source)?;
        Ok(Self(file))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Records `values` (tag and value) at `step`, as one event of 32-bit floats.
    pub fn scalars(&mut self, step: u64, values: &[(&str, f64)]) {
        if !values.is_empty() {
            // NaN and infinities are written as they are: a diverged loss is worth seeing.
            self.0.add(&frame(&scalar_event(unix_time(), step, values)));
        }
    }

    /// Hands everything recorded so far to the operating system, so that a running TensorBoard sees
    /// it.
    ///
    /// # Errors
    /// If the file cannot be written; nothing is lost, and the next call tries again.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.0.flush()
    }
}

/// Drops every event after `step`, all with `None`, from our event files in `dir`.
pub fn prune(dir: &Path, step: Option<u64>) -> io::Result<()> {
    // These events are of a lost part of a run, or cut short by a crash.
    let mut events = Vec::new();
    // A folder that does not exist has nothing to drop.
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with(FILE_NAME) {
            continue;
        }
        if name.ends_with(PARTIAL) {
            // A crash while a file was rewritten left this; the file itself is whole.
            fs::remove_file(entry.path())?;
        } else {
            events.push(entry.path());
        }
    }

    // Only now, because a file that is rewritten has a partial one beside it for a moment.
    for path in events {
        prune_file(&path, step)?;
    }
    Ok(())
}

fn prune_file(path: &Path, last: Option<u64>) -> io::Result<()> {
    let content = fs::read(path)?;
    let mut kept = Vec::with_capacity(content.len());
    let mut scalars = 0;
    for data in frames(&content) {
        match step_of(data) {
            Some(step) if last.is_none_or(|last| step > last) => continue,
            Some(_) => scalars += 1,
            None => {}
        }
        kept.extend(frame(data));
    }
    if scalars == 0 {
        fs::remove_file(path)
    } else if kept.len() < content.len() {
        write_atomically(path, &kept).map_err(|error| error.source)
    } else {
        Ok(())
    }
}

fn create_new(dir: &Path, name: &str) -> io::Result<(File, PathBuf)> {
    let mut path = dir.join(name);
    // Two writers may start in one directory within one second. The later gets a numbered name.
    for number in 1_u32.. {
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                path = dir.join(format!("{name}.{number}"))
            }
            opened => return opened.map(|file| (file, path)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn unix_time() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |elapsed| elapsed.as_secs_f64())
}

/// The host's name reduced to what is safe in a file name anywhere.
fn host_name() -> String {
    let name =
        fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME"));
    let safe = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = name
        .unwrap_or_default()
        .chars()
        .filter(safe)
        .take(64)
        .collect();
    if name.is_empty() {
        "ibot".to_owned()
    } else {
        name
    }
}

#[cfg(test)]
mod tests;
