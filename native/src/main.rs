//! The `ibot` command.

use std::process::ExitCode;

use clap::Parser as _;
use ibot_native::cli::{Cli, run};

/// A training step on the CPU allocates and frees many large tensors; the system's allocator returns each to the kernel
/// and pays for its pages anew.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    run(Cli::parse()).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
