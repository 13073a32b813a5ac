//! What the `ibot` command is made of: data, devices, runs and their reports. The algorithm is in `ibot-core`.

pub mod data;
pub mod device;
pub mod features;
pub mod knn;
pub mod recipe;
pub mod report;
