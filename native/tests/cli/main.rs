//! The `ibot` command as a user runs it: whole processes, real files.
//!
//! One test binary for all of them, as each one links burn.

mod analyze;
mod classify;
mod data_forms;
mod eval_attentive;
mod eval_cluster;
mod eval_copies;
mod eval_corruptions;
mod eval_discovery;
mod eval_keypoints;
mod eval_linear;
mod eval_logistic;
mod eval_parts;
mod eval_rank;
mod eval_retrieval;
mod eval_robustness;
mod eval_segmentation;
mod eval_video;
mod features;
mod finetune;
mod pretrain;
mod runs;
mod scale;
mod search;
mod segment;
mod suite;
mod support;
mod survive;
mod swin;
mod trouble;
