//! An image with its segments.

use ibot_core::annotation::labels::LabelMap;
use ibot_core::features::TokenGrid;
use ibot_core::image::RgbImage;

pub struct Segmented {
    pub name: String,
    pub patches: TokenGrid,
    /// The segment of each patch, row by row.
    pub segments: Vec<usize>,
    pub truth: Option<LabelMap>,
    /// Only of the images that are drawn.
    pub image: Option<RgbImage>,
}
