//! `preview.png` of a run: what its augmentation looks like.

use anyhow::Result;
use ibot_core::image::normalize::denormalize;

use super::samples::AugmentedViews;
use crate::data::Dataset;
use crate::data::loader::SampleId;
use crate::report::figures::panel_image;
use crate::report::png::save_png;
use crate::report::sheet::{Panel, Sheet, SheetRow};
use crate::run::run_dir::RunDir;
use crate::settings::FinetuneSettings;

/// Images in the picture.
const IMAGES: usize = 4;
/// Views of each: those of the first epochs.
const VIEWS: usize = 6;

/// Draws a few images as the first epochs will see them, before they are mixed.
pub fn save_preview(data: &Dataset, settings: &FinetuneSettings, dir: &RunDir) -> Result<()> {
    let size = settings.config.model.image_size;
    let views = AugmentedViews::new(settings);

    let mut sheet = Sheet::default();
    for image in data.subset(IMAGES, 0) {
        // The run itself names images that cannot be read.
        let Ok(original) = data.load(image) else {
            continue;
        };
        let mut panels = vec![Panel::new("original", vec![panel_image(&original)])];
        for epoch in 0..VIEWS {
            let mut planes = vec![0.0; 3 * size * size];
            let id = SampleId {
                epoch,
                image,
                copy: 0,
                step: 0,
                place: 0,
            };
            views.write(&original, id, &mut planes);
            let view = panel_image(&denormalize(&planes, size, size));
            panels.push(Panel::new(format!("epoch {}", epoch + 1), vec![view]));
        }
        sheet.rows.push(SheetRow {
            panels,
            joined: false,
        });
    }
    save_png(&sheet.into_image(), &dir.preview())?;
    Ok(())
}
