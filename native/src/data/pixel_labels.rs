//! What an image source says of the pixels of its images.

use ibot_core::annotation::labels::LabelMap;

use super::error::LoadCause;

/// The labels of the pixels of a dataset's images.
pub trait PixelLabels: Send + Sync {
    /// The names of the classes, by number.
    fn classes(&self) -> &[String];

    /// The class of each pixel of image `index`, or
    /// [`IGNORED`](ibot_core::annotation::labels::IGNORED), at the size of the image.
    fn load(&self, index: usize) -> Result<LabelMap, LoadCause>;
}
