//! `preview.png` of a run: what its augmentations and masks look like.

use anyhow::Result;

use super::multi_crop::MultiCrop;
use crate::data::Dataset;
use crate::data::loader::SampleId;
use crate::report::png::save_png;
use crate::report::preview::{PatchMask, PreviewRow, preview};
use crate::run::run_dir::RunDir;
use crate::settings::Settings;

/// Images in the picture.
const IMAGES: usize = 4;

/// Draws the crops and masks of a few images as the first epoch will see them.
pub fn save_preview(data: &Dataset, settings: &Settings, dir: &RunDir) -> Result<()> {
    let config = &settings.config;
    let samples = MultiCrop::new(config, settings.run.seed);
    let mut rows = Vec::new();
    for (place, index) in data.subset(IMAGES, 0).into_iter().enumerate() {
        // The run itself names images that cannot be read.
        let Ok(image) = data.load(index) else {
            continue;
        };
        let id = SampleId {
            epoch: 0,
            image: index,
            copy: 0,
            step: 0,
            // A batch may be smaller than the picture.
            place: place % config.optim.batch_size,
        };
        let crops = samples.crops(&image, id);
        // The first epoch that has masks may be a later one.
        let masks = samples.masks(SampleId {
            epoch: config.mask.pred_start_epoch,
            ..id
        });
        rows.push((image, crops, masks));
    }

    let rows: Vec<PreviewRow> = rows
        .iter()
        .map(|(image, crops, masks)| PreviewRow {
            original: image,
            globals: &crops.globals,
            masks: masks
                .iter()
                .map(|mask| PatchMask {
                    rows: mask.rows(),
                    columns: mask.columns(),
                    is_masked: mask.cells(),
                })
                .collect(),
            locals: &crops.locals,
        })
        .collect();
    save_png(&preview(&rows), &dir.preview())?;
    Ok(())
}
