//! Evaluations: one file each, from tensors to named measures, without datasets or files.

pub mod cluster;
pub mod knn;
pub mod logistic;
