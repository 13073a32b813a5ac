//! What a classifier owes to the background: the Backgrounds Challenge of IN-9 (arXiv 2006.09994,
//! paper table 8).

mod in9;

pub use in9::{IN9_CLASSES, in9_class};

use crate::image::RgbImage;
use crate::image::resize::CropBox;

/// How the object and the background of an image are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Nothing is changed.
    Original,
    /// The object on black.
    OnlyForeground,
    /// The object on the background of another image of its class.
    MixedSame,
    /// On the background of an image of any class.
    MixedRandom,
    /// On the background of an image of the next class.
    MixedNext,
    /// The object is black, its outline can be seen.
    NoForeground,
    /// The object's bounding box is black.
    OnlyBackgroundBlack,
    /// The object's bounding box is filled with pieces of the background.
    OnlyBackgroundTiled,
}

impl Variant {
    /// All of them, in the order of the paper's table.
    pub const ALL: [Self; 8] = [
        Self::Original,
        Self::OnlyForeground,
        Self::MixedSame,
        Self::MixedRandom,
        Self::MixedNext,
        Self::NoForeground,
        Self::OnlyBackgroundBlack,
        Self::OnlyBackgroundTiled,
    ];

    /// The folder of IN-9.
    pub fn name(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::OnlyForeground => "only_fg",
            Self::MixedSame => "mixed_same",
            Self::MixedRandom => "mixed_rand",
            Self::MixedNext => "mixed_next",
            Self::NoForeground => "no_fg",
            Self::OnlyBackgroundBlack => "only_bg_b",
            Self::OnlyBackgroundTiled => "only_bg_t",
        }
    }
}

/// `foreground` where `mask` says so, else `background`. All are of one size, `mask` row by row.
pub fn paste(background: &RgbImage, foreground: &RgbImage, mask: &[bool]) -> RgbImage {
    let width = background.width();
    RgbImage::from_fn(width, background.height(), |x, y| {
        if mask[y * width + x] {
            foreground.pixel(x, y)
        } else {
            background.pixel(x, y)
        }
    })
}

/// The smallest box around the pixels that `mask` has, row by row in lines of `width`; `None` if it
/// has none.
pub fn bounding_box(mask: &[bool], width: usize) -> Option<CropBox> {
    let (mut left, mut top, mut right, mut bottom) = (usize::MAX, usize::MAX, 0, 0);
    for (at, masked) in mask.iter().enumerate() {
        if *masked {
            let (x, y) = (at % width, at / width);
            left = left.min(x);
            top = top.min(y);
            right = right.max(x + 1);
            bottom = bottom.max(y + 1);
        }
    }
    (left < right).then(|| CropBox {
        left,
        top,
        width: right - left,
        height: bottom - top,
    })
}

/// The image with a black `place`.
pub fn blackened(image: &RgbImage, place: CropBox) -> RgbImage {
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        if contains(place, x, y) {
            [0; 3]
        } else {
            image.pixel(x, y)
        }
    })
}

/// The image whose `place` is filled with copies of the largest strip beside it: that on the left,
/// on the right, above or below. It is black if `place` is the whole image.
pub fn tiled(image: &RgbImage, place: CropBox) -> RgbImage {
    let (width, height) = (image.width(), image.height());
    let (right, bottom) = (place.left + place.width, place.top + place.height);
    let strip = |left, top, width, height| CropBox {
        left,
        top,
        width,
        height,
    };
    let strips = [
        strip(0, 0, place.left, height),
        strip(right, 0, width - right, height),
        strip(0, 0, width, place.top),
        strip(0, bottom, width, height - bottom),
    ];
    let largest = strips
        .into_iter()
        .max_by_key(|strip| strip.width * strip.height);
    let Some(tile) = largest.filter(|strip| strip.width * strip.height > 0) else {
        return blackened(image, place);
    };

    RgbImage::from_fn(width, height, |x, y| {
        if contains(place, x, y) {
            let across = (x - place.left) % tile.width;
            let down = (y - place.top) % tile.height;
            image.pixel(tile.left + across, tile.top + down)
        } else {
            image.pixel(x, y)
        }
    })
}

fn contains(place: CropBox, x: usize, y: usize) -> bool {
    (place.left..place.left + place.width).contains(&x)
        && (place.top..place.top + place.height).contains(&y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn picture() -> RgbImage {
        RgbImage::from_fn(5, 4, |x, y| [x as u8, y as u8, 7])
    }

    #[test]
    fn boxes_enclose_masks() {
        let mut mask = vec![false; 20];
        assert_eq!(bounding_box(&mask, 5), None);
        mask[7] = true;
        mask[13] = true;
        let place = bounding_box(&mask, 5).expect("two pixels");
        assert_eq!(
            (place.left, place.top, place.width, place.height),
            (2, 1, 2, 2)
        );
        let black = blackened(&picture(), place);
        assert_eq!((black.pixel(3, 2), black.pixel(4, 2)), ([0; 3], [4, 2, 7]));
    }

    #[test]
    fn the_box_is_filled_from_the_largest_strip_beside_it() {
        let place = CropBox {
            left: 2,
            top: 1,
            width: 3,
            height: 2,
        };
        // Two columns on the left are larger than one row above or below.
        let filled = tiled(&picture(), place);
        assert_eq!(
            (filled.pixel(2, 1), filled.pixel(3, 1)),
            ([0, 0, 7], [1, 0, 7])
        );
        assert_eq!(
            (filled.pixel(4, 2), filled.pixel(1, 3)),
            ([0, 1, 7], [1, 3, 7])
        );
        let whole = CropBox {
            left: 0,
            top: 0,
            width: 5,
            height: 4,
        };
        assert!(
            tiled(&picture(), whole)
                .pixels()
                .iter()
                .all(|value| *value == 0)
        );
    }

    #[test]
    fn a_pasted_object_takes_its_pixels_along() {
        let other = RgbImage::from_fn(5, 4, |_, _| [200; 3]);
        let mask: Vec<bool> = (0..20).map(|at| at == 6).collect();
        let pasted = paste(&other, &picture(), &mask);
        assert_eq!(
            (pasted.pixel(1, 1), pasted.pixel(0, 0)),
            ([1, 1, 7], [200; 3])
        );
        assert_eq!(paste(&picture(), &picture(), &mask), picture());
    }
}
