//! Crops, resizing and flips: what moves pixels.
//!
//! Bicubic means Pillow's: Catmull-Rom (a = -0.5), widened by the scale when shrinking so that
//! every source pixel counts. Bilinear is Pillow's too, widened likewise.

use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ImageView, ResizeAlg, ResizeOptions, Resizer};

use crate::image::RgbImage;

/// A rectangle of whole pixels in an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CropBox {
    /// Columns left of the box.
    pub left: usize,
    /// Rows above the box.
    pub top: usize,
    /// Columns of the box.
    pub width: usize,
    /// Rows of the box.
    pub height: usize,
}

impl CropBox {
    /// The part of the box inside an image of `width` x `height`, at least one pixel.
    fn inside(self, width: usize, height: usize) -> Self {
        let (left, top) = (self.left.min(width - 1), self.top.min(height - 1));
        Self {
            left,
            top,
            width: self.width.clamp(1, width - left),
            height: self.height.clamp(1, height - top),
        }
    }
}

/// Cuts `crop` out of `image`. A box that reaches over the border is cut off there.
pub fn cut(image: &RgbImage, crop: CropBox) -> RgbImage {
    let crop = crop.inside(image.width(), image.height());
    RgbImage::from_fn(crop.width, crop.height, |x, y| {
        image.pixel(crop.left + x, crop.top + y)
    })
}

/// Cuts `crop` out of `image` and scales it to `size` x `size`, as torchvision's bicubic
/// `resized_crop` does. A box that reaches over the border is cut off there.
pub fn resized_crop(image: &RgbImage, crop: CropBox, size: usize) -> RgbImage {
    filtered_crop(image, crop, size, FilterType::CatmullRom)
}

/// [`resized_crop`] with torchvision's bilinear filter, as the linear evaluation wants it.
pub fn bilinear_crop(image: &RgbImage, crop: CropBox, size: usize) -> RgbImage {
    filtered_crop(image, crop, size, FilterType::Bilinear)
}

fn filtered_crop(image: &RgbImage, crop: CropBox, size: usize, filter: FilterType) -> RgbImage {
    let size = size.max(1);
    let mut out = blank(size, size);
    let crop = crop.inside(image.width(), image.height());

    // A view and not the resizer's own crop option: that one lets the filter reach pixels outside
    // of the box, which PIL has already cut away at this point.
    let cropped = source(image).and_then(|view| {
        TypedCroppedImage::new(
            view,
            side(crop.left),
            side(crop.top),
            side(crop.width),
            side(crop.height),
        )
        .ok()
    });

    if let Some(cropped) = cropped {
        resample(
            &cropped,
            [0.0, 0.0, crop.width as f64, crop.height as f64],
            filter,
            &mut out,
        );
    }
    out
}

/// Scales the whole image to `width` x `height`. A side of zero is taken as 1.
pub fn resize(image: &RgbImage, width: usize, height: usize) -> RgbImage {
    let mut out = blank(width.max(1), height.max(1));
    if let Some(view) = source(image) {
        resample(
            &view,
            [0.0, 0.0, image.width() as f64, image.height() as f64],
            FilterType::CatmullRom,
            &mut out,
        );
    }
    out
}

/// The image scaled down to fit `side` x `side` pixels, as PIL's `thumbnail` with its Lanczos
/// filter; one that fits stays as it is. PIL scales images that are more than twice as large in two
/// steps, which is faster and less exact; here it is one.
pub fn thumbnail(image: &RgbImage, side: usize) -> RgbImage {
    let (width, height) = thumbnail_size(image.width(), image.height(), side);
    if (width, height) == (image.width(), image.height()) {
        return image.clone();
    }

    let mut out = blank(width, height);
    if let Some(view) = source(image) {
        let all = [0.0, 0.0, image.width() as f64, image.height() as f64];
        resample(&view, all, FilterType::Lanczos3, &mut out);
    }
    out
}

/// Width and height of the thumbnail: the longer side becomes `side`, the other one the whole number
/// that changes the aspect ratio least.
fn thumbnail_size(width: usize, height: usize, side: usize) -> (usize, usize) {
    let side = side.max(1);
    if width.max(height) <= side {
        return (width, height);
    }

    let aspect = width as f64 / height as f64;
    if aspect <= 1.0 {
        let exact = side as f64 * aspect;
        let error = |n: f64| (aspect - n / side as f64).abs();
        (nearer(exact, error), side)
    } else {
        let exact = side as f64 / aspect;
        let error = |n: f64| match n {
            0.0 => 0.0,
            n => (aspect - side as f64 / n).abs(),
        };
        (side, nearer(exact, error))
    }
}

/// The whole number below or above `exact` with the smaller error, the lower one of equals; at least
/// one.
fn nearer(exact: f64, error: impl Fn(f64) -> f64) -> usize {
    let (below, above) = (exact.floor(), exact.ceil());
    let chosen = match error(above) < error(below) {
        true => above,
        false => below,
    };
    (chosen as usize).max(1)
}

/// The view for evaluation: shorter side to `resize_to` pixels (torchvision `Resize`), then the
/// central `size` x `size` pixels (`CenterCrop`), with black borders where the resized image is
/// smaller. The official evaluations use 224 and 256.
pub fn eval_view(image: &RgbImage, size: usize, resize_to: usize) -> RgbImage {
    let (size, resize_to) = (size.max(1), resize_to.max(1));
    let shorter = image.width().min(image.height());
    // torchvision cuts the longer side to whole pixels.
    let axes = [image.width(), image.height()]
        // Only the visible part is resized: a 1 x 5000 image would grow to 256 x 1280000 pixels.
        .map(|side| CenteredAxis::new(side, resize_to * side / shorter, size));

    let mut inner = blank(axes[0].length, axes[1].length);
    if let Some(view) = source(image) {
        let [x, y] = &axes;
        resample(
            &view,
            [
                x.source_start,
                y.source_start,
                x.source_length,
                y.source_length,
            ],
            FilterType::CatmullRom,
            &mut inner,
        );
    }
    if (inner.width(), inner.height()) == (size, size) {
        return inner;
    }

    let mut out = blank(size, size);
    let rows = out
        .pixels_mut()
        .chunks_exact_mut(size * 3)
        .skip(axes[1].padding);
    for (to, from) in rows.zip(inner.pixels().chunks_exact(inner.width() * 3)) {
        to[axes[0].padding * 3..][..from.len()].copy_from_slice(from);
    }
    out
}

/// Mirrors left and right.
pub fn flip(image: &mut RgbImage) {
    let width = image.width();
    let (pixels, _) = image.pixels_mut().as_chunks_mut::<3>();
    pixels.chunks_exact_mut(width).for_each(<[_]>::reverse);
}

/// Rounds to the nearest integer and ties to even, as Python's `round`.
pub(super) fn round_even(value: f64) -> f64 {
    value.round_ties_even()
}

/// One axis of "resize, then crop the center", as the part of the source that the crop shows.
struct CenteredAxis {
    source_start: f64,
    source_length: f64,
    /// Pixels of the result that show the source.
    length: usize,
    /// Black pixels before them.
    padding: usize,
}

impl CenteredAxis {
    fn new(side: usize, resized: usize, size: usize) -> Self {
        if size >= resized {
            let padding = (size - resized) / 2;
            return Self {
                source_start: 0.0,
                source_length: side as f64,
                length: resized,
                padding,
            };
        }

        let scale = side as f64 / resized as f64;
        // `CenterCrop` rounds as Python does.
        let start = round_even((resized - size) as f64 / 2.0) * scale;
        let mut length = size as f64 * scale;
        // The resizer refuses a box that ends even one rounding error behind the image.
        while start + length > side as f64 {
            length = length.next_down();
        }
        Self {
            source_start: start,
            source_length: length,
            length: size,
            padding: 0,
        }
    }
}

/// Scales the `[left, top, width, height]` of `view` to all of `out`.
fn resample(
    view: &impl ImageView<Pixel = U8x3>,
    [left, top, width, height]: [f64; 4],
    filter: FilterType,
    out: &mut RgbImage,
) {
    // Rows first, as Pillow; the resizer alone takes columns first. Both round to bytes in between,
    // so the orders differ by several levels around sharp edges, where the first pass clips.
    let (out_width, out_height) = (side(out.width()), side(out.height()));
    let mut narrowed = TypedImage::<U8x3>::new(out_width, view.height());
    let Ok(mut target) = TypedImage::<U8x3>::from_buffer(out_width, out_height, out.pixels_mut())
    else {
        return;
    };

    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    let rows = options.crop(left, 0.0, width, f64::from(view.height()));
    let columns = options.crop(0.0, top, f64::from(out_width), height);

    let mut resizer = Resizer::new();
    let done = resizer
        .resize_typed(view, &mut narrowed, &rows)
        .and_then(|()| resizer.resize_typed(&narrowed, &mut target, &columns));
    debug_assert!(
        done.is_ok(),
        "a box inside of the image can be resized: {done:?}"
    );
}

fn source(image: &RgbImage) -> Option<TypedImageRef<'_, U8x3>> {
    TypedImageRef::from_buffer(side(image.width()), side(image.height()), image.pixels()).ok()
}

fn side(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn blank(width: usize, height: usize) -> RgbImage {
    let zeros = vec![0; width * height * 3];
    RgbImage::new(width, height, zeros)
        .unwrap_or_else(|_| RgbImage::from_fn(width, height, |_, _| [0; 3]))
}

#[cfg(test)]
mod tests;
