//! Images at the sizes of panels.

use ibot_core::image::RgbImage;
use ibot_core::picture::{Interpolation, resize};

use crate::report::canvas::fit;

/// The side of the square that an image of a panel fills.
const PANEL: usize = 256;

/// `image` as large as fits `room`. Much enlarged ones show their pixels, others are smooth.
pub(super) fn fitted(image: &RgbImage, room: (usize, usize)) -> RgbImage {
    let (width, height) = fit((image.width(), image.height()), room);
    let has_few_pixels = width >= 4 * image.width() || height >= 4 * image.height();
    let interpolation = if has_few_pixels {
        Interpolation::Nearest
    } else {
        Interpolation::Smooth
    };
    resize(image, width, height, interpolation)
}

pub(crate) fn panel_image(image: &RgbImage) -> RgbImage {
    fitted(image, (PANEL, PANEL))
}
