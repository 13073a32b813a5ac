//! What is known about images beside their pixels, as data without files.

pub mod boxes;
pub mod coco;
pub mod ground_truth;
pub mod homography;
pub mod keypoints;
pub mod labels;
pub mod pfm;
pub mod retrieval;
pub mod shares;
pub mod voc;
