//! Panics as errors.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Result, anyhow, bail};

/// Runs `work` and turns a panic, whose message is already printed, into an error.
pub fn catch_panic<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let panic = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => return result,
        Err(panic) => panic,
    };
    if let Some(text) = panic.downcast_ref::<String>() {
        Err(anyhow!("panicked: {text}"))
    } else if let Some(text) = panic.downcast_ref::<&str>() {
        Err(anyhow!("panicked: {text}"))
    } else {
        bail!("panicked")
    }
}
