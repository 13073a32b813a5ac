//! The figures of the analysis commands: images and values of patches in, a picture out.

mod attention;
mod boxes;
mod confusion;
mod correspond;
mod fit;
mod gallery;
mod patterns;
mod pca;
mod segments;
mod similar;
mod usage;

pub use attention::{AttentionMap, attention};
pub use boxes::{BoxPicture, boxes};
pub use confusion::confusion_picture;
pub use correspond::{ImagePoints, PairColor, PointPair, correspond, keypoints};
pub(crate) use fit::panel_image;
pub use gallery::{GalleryImage, gallery};
pub use patterns::{PatternBlock, context_tile, patterns};
pub use pca::{PcaImage, pca};
pub use segments::{SegmentRow, segments};
pub use similar::{Candidate, Query, similar};
pub use usage::usage;

#[cfg(test)]
mod tests;
