//! `preview.png` of a run: what its augmentations and masks look like.

use anyhow::Result;
use ibot_core::image::augment::multi_crop;
use ibot_core::rng::{Purpose, crop_stream};

use super::run_dir::RunDir;
use crate::data::Dataset;
use crate::recipe::Settings;
use crate::report::png::save_png;
use crate::report::preview::{PreviewRow, preview};

/// Images in the picture.
const IMAGES: usize = 4;

/// Draws the crops and masks of a few images as the first epoch will see them.
///
/// # Errors
/// If the picture cannot be written.
pub fn save_preview(data: &Dataset, settings: &Settings, dir: &RunDir) -> Result<()> {
    let (config, seed) = (&settings.config, settings.run.seed);
    let mut rows = Vec::new();
    for index in data.subset(IMAGES, 0) {
        // The run itself names images that cannot be read.
        let Ok(image) = data.load(index) else {
            continue;
        };
        let rng = |crop| crop_stream(seed, Purpose::Augment, 0, index, crop);
        let crops = multi_crop(&image, &config.crops, &config.augment, rng);
        let start = config.mask.pred_start_epoch;
        let mask = |crop| {
            config
                .mask
                .mask(config.global_grid(), seed, start, index, crop)
        };
        let masks: Vec<_> = (0..crops.globals.len()).map(mask).collect();
        rows.push((image, crops, masks));
    }
    let rows: Vec<PreviewRow> = rows
        .iter()
        .map(|(image, crops, masks)| PreviewRow {
            original: image,
            globals: &crops.globals,
            masks: masks
                .iter()
                .map(|mask| (mask.rows(), mask.columns(), mask.cells()))
                .collect(),
            locals: &crops.locals,
        })
        .collect();
    save_png(&preview(&rows), &dir.preview())?;
    Ok(())
}
