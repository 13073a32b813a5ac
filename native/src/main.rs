//! The `ibot` command.

use std::process::ExitCode;

use clap::Parser as _;
use ibot_native::commands::{Cli, run};

mod allocator;

fn main() -> ExitCode {
    allocator::keep_pages();
    let code = run(Cli::parse()).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    });
    #[cfg(feature = "kernel-cache")]
    ibot_native::kernel_cache::save();
    code
}
