//! The augmentation under which classifiers of frozen features learn: a crop and a flip, no colors.

use crate::image::RgbImage;
use crate::image::augment::draw::{chance, draw_crop};
use crate::image::resize::{bilinear_crop, flip};
use crate::rng::Rng;

/// Smallest and largest area of a crop, relative to the image.
const SCALE: [f64; 2] = [0.08, 1.0];
/// Smallest and largest width-to-height ratio of a crop.
const RATIO: [f64; 2] = [3.0 / 4.0, 4.0 / 3.0];
/// Probability of a horizontal flip.
const FLIP: f64 = 0.5;

/// torchvision's `RandomResizedCrop(size)`, bilinear, and `RandomHorizontalFlip`, as in the
/// official `eval_linear_multi.py`.
pub fn probe_view(image: &RgbImage, size: usize, rng: &mut Rng) -> RgbImage {
    let crop = draw_crop(
        image.width().max(1),
        image.height().max(1),
        SCALE,
        RATIO,
        rng,
    );
    let mut view = bilinear_crop(image, crop, size);
    if chance(rng, FLIP) {
        flip(&mut view);
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::test;

    #[test]
    fn views_are_crops_of_the_image_and_half_of_them_mirrored() {
        // Brightness rises to the right, so the order of two columns tells whether a view is
        // mirrored, and their distance how wide the crop was.
        let image = RgbImage::from_fn(200, 150, |x, _| [x as u8, 0, 0]);
        let mut rng = stream(1, Purpose::Augment, 0, 0);
        let (mut mirrored, mut widest) = (0, 0);
        for _ in 0..400 {
            let view = probe_view(&image, 24, &mut rng);
            assert_eq!((view.width(), view.height()), (24, 24));
            let [left, right] = [view.pixel(0, 12)[0], view.pixel(23, 12)[0]];
            mirrored += usize::from(left > right);
            widest = widest.max(left.abs_diff(right));
            // 8 % of the area at a ratio of 3 : 4 is 42 columns of 150 x 200 pixels.
            assert!(left.abs_diff(right) > 35, "{left} to {right}");
        }
        assert!((160..240).contains(&mirrored), "{mirrored} of 400");
        assert!(widest > 180, "{widest}");
    }
}
