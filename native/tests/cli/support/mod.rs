//! What tests of whole processes share.

pub mod process;
pub mod run_files;
