//! Objects that are followed through frames, as the evaluation and `ibot track` do it.

use anyhow::{Context as _, Result, ensure};
use ibot_core::annotation::labels::LabelMap;
use ibot_core::eval::video::{FrameSize, ObjectNumbers, Propagation, Propagator, SoftMask};
use ibot_core::features::TokenGrid;
use ibot_core::grid::GridShape;
use ibot_core::image::{Planes, RgbImage};
use rayon::prelude::*;

use super::view::{FrameView, PIXEL_PATCH};
use crate::features::{FeatureStore, PassProgress, token_grids};

/// Follows objects through the frames of a video.
pub struct Tracker<'a> {
    pub features: &'a FeatureStore,
    pub view: FrameView,
    pub propagation: Propagation,
    /// Whether an object that is too small for any patch gets one.
    pub restores_lost: bool,
    pub progress: &'a PassProgress,
}

pub struct FrameSource<'a> {
    pub count: usize,
    /// Loads one, counted from 0; `None` leaves a frame out, which the first one cannot be.
    pub load: &'a (dyn Fn(usize) -> Result<Option<RgbImage>> + Sync),
}

/// A frame with the objects that were found in it.
pub struct TrackedFrame {
    /// Its number, counted from 0.
    pub frame: usize,
    pub image: RgbImage,
    /// The object of each pixel, 0 for none.
    pub labels: LabelMap,
}

struct EncodedFrame {
    frame: usize,
    image: RgbImage,
    tokens: TokenGrid,
}

impl Tracker<'_> {
    /// Finds the objects of `first`, the mask of frame 0, in all frames, and hands these to `take`
    /// in order; frame 0 has the mask as it is. Gives the objects that are too small for any patch.
    /// It holds a few frames at a time.
    pub fn follow(
        &self,
        frames: &FrameSource,
        first: &LabelMap,
        objects: ObjectNumbers,
        take: &mut dyn FnMut(TrackedFrame) -> Result<()>,
    ) -> Result<Vec<usize>> {
        ensure!(
            self.view.shorter >= self.view.patch,
            "frames of {} pixels are smaller than a patch of {} pixels; give a larger short side",
            self.view.shorter,
            self.view.patch
        );
        let image = (frames.load)(0)?.context("the first frame is left out")?;
        let size = self.view.size_of(&image);
        let shape = GridShape {
            rows: size.height / self.view.patch,
            columns: size.width / self.view.patch,
        };
        let mut mask = SoftMask::of(first, objects.count(), shape);
        let lost = mask.lost(first);
        if self.restores_lost {
            for object in &lost {
                mask.restore(first, *object);
            }
        }

        let mut start = Some(mask);
        let mut propagator = None;
        // As many frames as can be encoded at the same time; more would only take memory.
        let together = self.features.lane_count();
        for begin in (0..frames.count).step_by(together) {
            let end = (begin + together).min(frames.count);
            for EncodedFrame {
                frame,
                image,
                tokens,
            } in self.encode(frames, begin..end, size)?
            {
                let labels = match (&mut propagator, start.take()) {
                    (None, Some(mask)) => {
                        propagator = Some(Propagator::new(self.propagation, tokens, mask)?);
                        first.clone()
                    }
                    (None, None) => first.clone(),
                    (Some(propagator), _) => {
                        let size = (image.width(), image.height());
                        propagator.next(tokens)?.labels(self.view.patch, size)
                    }
                };
                take(TrackedFrame {
                    frame,
                    image,
                    labels,
                })?;
            }
            self.progress.add(end - begin);
        }
        Ok(lost)
    }

    /// Those of a few frames that are not left out, with their tokens.
    fn encode(
        &self,
        frames: &FrameSource,
        numbers: std::ops::Range<usize>,
        size: FrameSize,
    ) -> Result<Vec<EncodedFrame>> {
        let view = self.view;
        let load = |frame: usize| {
            let image = (frames.load)(frame)?;
            Ok(image.map(|image| (frame, view.show(&image, size), image)))
        };
        let loaded: Result<Vec<Option<(usize, Planes, RgbImage)>>> =
            numbers.into_par_iter().map(load).collect();

        let mut images = Vec::new();
        let mut planes = Vec::new();
        for (frame, shown, image) in loaded?.into_iter().flatten() {
            images.push((frame, image));
            planes.push(shown);
        }
        let grids = token_grids(self.features, PIXEL_PATCH, planes);
        let grids = grids.context("a smaller short side takes less memory")?;

        let mut encoded = Vec::with_capacity(images.len());
        for ((frame, image), tokens) in images.into_iter().zip(grids) {
            encoded.push(EncodedFrame {
                frame,
                image,
                tokens,
            });
        }
        Ok(encoded)
    }
}

/// Side of a patch of what `features` sees, in pixels.
pub fn patch_side(features: &FeatureStore) -> usize {
    features
        .backbone()
        .map_or(PIXEL_PATCH, |backbone| backbone.stride())
}
