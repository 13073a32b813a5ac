//! What the `ibot` command is made of: data, devices, runs and their reports. The algorithm is in
//! `ibot-core`.

#![allow(missing_docs, reason = "`pub` here means visible to the next module")]

pub mod bench;
pub mod commands;
pub mod data;
pub mod device;
pub mod digest;
pub mod eval;
pub mod exchange;
pub mod features;
pub mod files;
pub mod finetune;
#[cfg(feature = "kernel-cache")]
pub mod kernel_cache;
pub mod linear_head;
pub mod model;
pub mod pretrain;
pub mod process;
pub mod report;
pub mod run;
pub mod runs;
pub mod seal;
pub mod settings;
pub mod suite;
