//! The figures of the analysis commands: images and values of patches in, a picture out.

mod attention;
mod correspond;
mod patterns;
mod pca;
mod segments;
mod similar;
mod usage;

pub use attention::{AttentionMap, attention};
pub use correspond::{PairColor, PointPair, correspond};
use ibot_core::image::RgbImage;
use ibot_core::picture::{Interpolation, resize};
pub use patterns::{PatternBlock, context_tile, patterns};
pub use pca::{PcaImage, pca};
pub use segments::{SegmentRow, segments};
pub use similar::{Candidate, Query, similar};
pub use usage::usage;

use super::canvas::fit;

/// The side of the square that an image of a panel fills.
const PANEL: usize = 256;

/// `image` as large as fits `room`. Much enlarged ones show their pixels, others are smooth.
fn fitted(image: &RgbImage, room: (usize, usize)) -> RgbImage {
    let (width, height) = fit((image.width(), image.height()), room);
    let few_pixels = width >= 4 * image.width() || height >= 4 * image.height();
    resize(
        image,
        width,
        height,
        if few_pixels {
            Interpolation::Nearest
        } else {
            Interpolation::Smooth
        },
    )
}

/// `image` at the usual size.
fn panel_image(image: &RgbImage) -> RgbImage {
    fitted(image, (PANEL, PANEL))
}

#[cfg(test)]
mod tests;
