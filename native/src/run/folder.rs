//! The folder of a run before there is one.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;

use super::run_dir::{RunDir, RunDirError};
use super::status::write_failure;

/// The folder that a run will have.
pub struct RunFolder {
    out: Option<PathBuf>,
    /// Names a folder that is not given.
    name: String,
    dir: OnceCell<Arc<RunDir>>,
}

impl RunFolder {
    pub fn new(out: Option<PathBuf>, name: String) -> Self {
        Self {
            out,
            name,
            dir: OnceCell::new(),
        }
    }

    /// The folder of the run to continue.
    pub fn resume(out: &Path) -> Result<Self, RunDirError> {
        let dir = OnceCell::from(Arc::new(RunDir::open(out)?));
        Ok(Self {
            out: Some(out.to_owned()),
            name: String::new(),
            dir,
        })
    }

    pub fn get(&self) -> Result<Arc<RunDir>, RunDirError> {
        if let Some(dir) = self.dir.get() {
            return Ok(dir.clone());
        }
        // Made when it is first needed, so that a mistake found before leaves no folder behind.
        let dir = RunDir::create(self.out.as_deref(), &self.name)?;
        Ok(self.dir.get_or_init(|| Arc::new(dir)).clone())
    }

    /// Runs `work`; if it fails, writes so to the status in the folder, if there is one by then.
    pub fn report_failure<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let result = work();
        if let (Err(error), Some(dir)) = (&result, self.dir.get()) {
            write_failure(dir, error);
        }
        result
    }
}
