//! Pictures of a few segmentations: the image, what was found, the truth.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use ibot_core::annotation::labels::LabelMap;
use ibot_core::image::RgbImage;

use crate::eval::sets::{Subset, spread};
use crate::features::EvalView;
use crate::report::figures::{SegmentRow, segments};
use crate::report::png::save_png;

const SHOWN: usize = 8;

/// Segmentations of a few images, to be drawn.
pub struct SegmentationPictures<'a> {
    folder: Option<&'a Path>,
    chosen: Vec<usize>,
    drawn: Vec<Drawn>,
}

struct Drawn {
    index: usize,
    truth: LabelMap,
    found: LabelMap,
}

impl<'a> SegmentationPictures<'a> {
    /// Pictures of a few of `images` for `folder`; none without one.
    pub fn of(images: &Subset, folder: Option<&'a Path>) -> Self {
        let chosen = match folder {
            Some(_) => spread(&images.indices, SHOWN),
            None => Vec::new(),
        };
        Self {
            folder,
            chosen,
            drawn: Vec::new(),
        }
    }

    /// Keeps the segmentation of an image, if it is drawn.
    pub fn add(&mut self, index: usize, truth: &LabelMap, found: &LabelMap) {
        if self.chosen.contains(&index) {
            self.drawn.push(Drawn {
                index,
                truth: truth.clone(),
                found: found.clone(),
            });
        }
    }

    /// Draws them over the views of `images`, into `name` in the folder.
    pub fn write(&self, name: &str, images: &Subset, view: EvalView) -> Result<()> {
        let Some(folder) = self.folder else {
            return Ok(());
        };
        // Rows borrow their images, so all of these are loaded first.
        let mut views: Vec<RgbImage> = Vec::with_capacity(self.drawn.len());
        for drawn in &self.drawn {
            views.push(view.cut(&images.data.load(drawn.index)?));
        }
        let mut rows = Vec::with_capacity(views.len());
        for (image, drawn) in views.iter().zip(&self.drawn) {
            rows.push(SegmentRow {
                image,
                prediction: drawn.found.view(),
                truth: Some(drawn.truth.view()),
            });
        }

        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        Ok(save_png(&segments(&rows), &folder.join(name))?)
    }
}
