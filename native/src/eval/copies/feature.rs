//! The feature by which copies are found.

use anyhow::Result;
use ibot_core::image::resize::resize;
use ibot_core::image::{Planes, RgbImage};

use crate::features::{FeatureRows, FeatureStore, Readout, picture_rows};

/// The features of `count` images that `load` gives, not normalised: CLS beside the generalised mean
/// of the patches, of the whole image as a square. For plain pixels it is the pixels of the square.
pub fn copy_features(
    features: &FeatureStore,
    count: usize,
    load: impl Fn(usize) -> Result<RgbImage> + Sync,
) -> Result<FeatureRows> {
    let readouts = match features.backbone() {
        Some(_) => vec![Readout::CLS, Readout::Gem],
        None => vec![Readout::CLS],
    };
    let side = features.view().size;
    // A central crop would hide borders by which a cropped or turned copy is still known.
    picture_rows(features, &readouts, count, |index| {
        let square = resize(&load(index)?, side, side);
        Ok(vec![Planes::of(&square)])
    })
}
