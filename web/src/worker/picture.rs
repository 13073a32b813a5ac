//! Pictures of the page as images of the network, and back.

use ibot_core::image::{ImageError, RgbImage};

use ibot_web::protocol::Picture;
use ibot_web::wire::Bytes;

/// The picture without its fourth channel.
pub fn to_rgb(picture: &Picture) -> Result<RgbImage, ImageError> {
    // The page has put transparent pixels on white.
    let pixels = picture.rgba.0.as_chunks::<4>().0;
    let pixels = pixels.iter().flat_map(|[r, g, b, _]| [*r, *g, *b]);
    RgbImage::new(picture.width, picture.height, pixels.collect())
}

pub fn from_rgb(image: &RgbImage) -> Picture {
    let pixels = image.pixels().as_chunks::<3>().0;
    let rgba = pixels.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]);
    Picture {
        width: image.width(),
        height: image.height(),
        rgba: Bytes(rgba.collect()),
    }
}
