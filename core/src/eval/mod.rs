//! Evaluations: one file each, from tensors to named measures, without datasets or files.

pub mod knn;
