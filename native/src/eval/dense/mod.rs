//! What evaluations by labels of pixels share: which classes pixels have, the patches of images with
//! their labels, and what is said of a segmentation.

mod images;
mod pictures;
mod report;
mod truth;

pub use self::images::{LabelledImages, SeenImages};
pub use self::pictures::SegmentationPictures;
pub use self::report::{MEAN_IOU, Segmentation, curve};
pub use self::truth::Truths;
