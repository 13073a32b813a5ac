//! The patches of images with the labels of their pixels, a few images at a time.

use anyhow::{Result, ensure};
use ibot_core::annotation::labels::LabelMap;
use rayon::prelude::*;

use super::truth::PixelTruth;
use crate::eval::sets::Subset;
use crate::features::{FeatureStore, Readout};

/// Images whose tokens are looked at together: 100 MB of those of ViT-S/16 at 512 pixels.
const TOGETHER: usize = 64;
/// Bytes of a set's tokens that stay in memory for the next evaluation.
const KEPT: usize = 1 << 30;

/// Images of a set with what their pixels show.
pub struct LabelledImages<'a> {
    pub images: &'a Subset<'a>,
    pub truth: &'a PixelTruth<'a>,
    pub features: &'a FeatureStore,
    /// Side of the masks in which labels are looked at, in pixels.
    pub side: usize,
}

/// A few images as the network sees them.
pub struct SeenImages {
    pub indices: Vec<usize>,
    /// The class of each pixel of their views, a map an image.
    pub labels: Vec<LabelMap>,
    /// Their patch tokens, patch by patch, image by image.
    pub tokens: Vec<f32>,
    /// Numbers in the tokens of an image.
    pub width: usize,
}

impl SeenImages {
    pub fn tokens_of(&self, place: usize) -> &[f32] {
        &self.tokens[place * self.width..][..self.width]
    }
}

impl LabelledImages<'_> {
    /// Gives all images to `take`, a few at a time, and their number. Those that cannot be read, or
    /// whose masks cannot, are named and left out.
    ///
    /// # Errors
    /// If none is left, `take` fails, or the device does.
    pub fn for_each(&self, take: &mut dyn FnMut(SeenImages) -> Result<()>) -> Result<usize> {
        let Subset { data, indices } = self.images;
        let mut count = 0;
        for chunk in indices.chunks(TOGETHER) {
            let rows = self.features.rows_of_some(Readout::Patches, data, chunk)?;
            // The tokens of a large set would fill the memory; the next evaluation computes them
            // again.
            if indices.len() * rows.width * size_of::<f32>() > KEPT {
                self.features.forget_rows(Readout::Patches, data);
            }

            let masks = self.masks(&rows.indices);
            let mut seen = SeenImages {
                indices: Vec::with_capacity(masks.len()),
                labels: Vec::with_capacity(masks.len()),
                tokens: Vec::with_capacity(rows.values.len()),
                width: rows.width,
            };
            for (place, mask) in masks.into_iter().enumerate() {
                match mask {
                    Ok(labels) => {
                        seen.indices.push(rows.indices[place]);
                        seen.labels.push(labels);
                        let tokens = &rows.values[place * rows.width..][..rows.width];
                        seen.tokens.extend_from_slice(tokens);
                    }
                    Err(error) => eprintln!("warning: {error:#} (left out)"),
                }
            }
            count += seen.indices.len();
            if !seen.indices.is_empty() {
                take(seen)?;
            }
        }
        ensure!(
            count > 0,
            "no image of {} could be read with its mask",
            data.description()
        );
        Ok(count)
    }

    fn masks(&self, indices: &[usize]) -> Vec<Result<LabelMap>> {
        // A store stays on its thread.
        let (truth, view, side) = (self.truth, self.features.view(), self.side);
        let labels = indices.par_iter().map(|index| {
            let labels = truth.load(*index)?;
            Ok(view.cut_labels(&labels, side))
        });
        labels.collect()
    }
}
