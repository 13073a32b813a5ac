//! Patch tokens of images that are shown whole, each in a grid of its own shape.

use anyhow::Result;
use ibot_core::features::TokenGrid;
use ibot_core::image::resize::resize;
use ibot_core::image::{Planes, RgbImage};
use ibot_core::model::Backbone;
use rayon::prelude::*;

use super::pictures::token_grids;
use super::progress::PassProgress;
use super::store::FeatureStore;

/// Images that are in memory at a time, scaled down.
const TOGETHER: usize = 16;
/// Side of a patch of plain pixels.
const PIXEL_PATCH: usize = 8;
/// Longer side of an image for plain pixels: 28 patches, as many as ViT-S/8 sees of 224 pixels.
const PIXEL_SIDE: usize = 224;
// Longer side up to which networks see images larger than in pre-training by default; DINOv2's own
// size.
const LARGE_ENOUGH: usize = 518;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WholeView {
    /// Longer side of an image in pixels, before both sides are rounded to whole patches.
    pub side: usize,
}

impl WholeView {
    /// The view whose longer side is `side`, or by default twice that which the network of `store`
    /// sees, up to 518 pixels. Plain pixels always have 28 patches along it.
    pub fn of(store: &FeatureStore, side: Option<usize>) -> Self {
        let size = store.view().size;
        let side = match store.backbone() {
            Some(_) => side.unwrap_or((2 * size).min(LARGE_ENOUGH.max(size))),
            None => PIXEL_SIDE,
        };
        Self { side }
    }

    /// The whole image in whole patches of `patch` pixels; at least one on each side.
    fn shown(self, image: &RgbImage, patch: usize) -> RgbImage {
        let scale = self.side as f64 / image.width().max(image.height()) as f64;
        let pixels = |side: usize| {
            let patches = (side as f64 * scale / patch as f64).round() as usize;
            patches.max(1) * patch
        };
        resize(image, pixels(image.width()), pixels(image.height()))
    }
}

/// An image with its patch tokens.
pub struct SeenImage {
    /// Width and height of the image in its file.
    pub size: (usize, usize),
    /// The whole image as it was shown.
    pub image: RgbImage,
    /// After the final norm; of plain pixels the normalised pixels of each patch.
    pub tokens: TokenGrid,
}

/// An image before its tokens are known, with what is known of it.
struct LoadedImage<E> {
    index: usize,
    size: (usize, usize),
    image: RgbImage,
    known: E,
}

/// Shows the images 0 to `count` to the network of `store`, and gives what `work` makes of each and
/// of what `load` knows of it, in their order. Those that `load` fails for are named and left out.
/// However large images are, only as many as are read at the same time are in memory.
pub fn seen_images<E: Send, T: Send>(
    store: &FeatureStore,
    view: WholeView,
    count: usize,
    load: &(dyn Fn(usize) -> Result<(RgbImage, E)> + Sync),
    work: &(dyn Fn(usize, SeenImage, E) -> Result<T> + Sync),
) -> Result<Vec<(usize, T)>> {
    let progress = PassProgress::new("images", count, store.shows_progress());
    let patch = store.backbone().map_or(PIXEL_PATCH, Backbone::stride);
    let read = |index: usize| match load(index) {
        Ok((image, known)) => Some(LoadedImage {
            index,
            size: (image.width(), image.height()),
            // Scaled at once, so that large originals do not stay in memory.
            image: view.shown(&image, patch),
            known,
        }),
        Err(error) => {
            progress.warn(&format!("{error:#} (left out)"));
            None
        }
    };

    let mut done = Vec::with_capacity(count);
    for first in (0..count).step_by(TOGETHER) {
        let last = (first + TOGETHER).min(count);
        let loaded: Vec<LoadedImage<E>> = (first..last).into_par_iter().filter_map(read).collect();
        let planes = loaded.iter().map(|loaded| Planes::of(&loaded.image));
        let grids = token_grids(store, PIXEL_PATCH, planes.collect())?;

        let seen = loaded.into_par_iter().zip(grids).map(|(loaded, tokens)| {
            let seen = SeenImage {
                size: loaded.size,
                image: loaded.image,
                tokens,
            };
            Ok((loaded.index, work(loaded.index, seen, loaded.known)?))
        });
        let seen: Result<Vec<(usize, T)>> = seen.collect();
        done.extend(seen?);
        progress.add(last - first);
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use anyhow::bail;
    use burn::tensor::Device;

    use super::*;
    use crate::features::{Encoder, EvalView};

    fn pixels() -> FeatureStore {
        let view = EvalView {
            size: 32,
            resize_ratio: 1.0,
        };
        FeatureStore::new(Encoder::Pixels, view, &[Device::flex()]).expect("a device")
    }

    #[test]
    fn patches_of_plain_pixels_lie_where_they_are_in_the_image() {
        // The left half is black, the right one white.
        let image = || RgbImage::from_fn(56, 28, |x, _| [if x < 28 { 0 } else { 255 }; 3]);
        let load = |index: usize| match index {
            1 => bail!("no image"),
            index => Ok((image(), 10 * index)),
        };
        let work = |index: usize, seen: SeenImage, known: usize| {
            assert_eq!(known, 10 * index);
            Ok(seen.tokens)
        };
        let store = pixels();
        let view = WholeView::of(&store, Some(99));
        let seen = seen_images(&store, view, 3, &load, &work).expect("two images");
        let places: Vec<usize> = seen.iter().map(|(index, _)| *index).collect();
        assert_eq!(places, [0, 2]);

        let tokens = &seen[0].1;
        assert_eq!(
            (tokens.rows(), tokens.columns(), tokens.dim()),
            (14, 28, 192)
        );
        for patch in 0..tokens.count() {
            let red = tokens.token(patch)[20];
            assert_eq!(red > 0.0, patch % 28 >= 14, "patch {patch} is {red}");
        }
    }
}
