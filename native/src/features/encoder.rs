//! What turns views of images into rows: a frozen network, or nothing.

use anyhow::{Result, bail, ensure};
use burn::tensor::Device;
use ibot_core::features::{Readout, pixels_of_patches};
use ibot_core::grid::GridShape;
use ibot_core::model::{Backbone, ComputePrecision};

use super::lanes::{ImageBatch, Lanes};
use crate::device::cores;

const NO_PATCHES: &str = "plain pixels have no patch tokens; give a network as the model";

#[derive(Clone, Copy)]
pub enum Encoder<'a> {
    Network(&'a Backbone),
    /// Nothing: the normalised pixels themselves, as a baseline without a network.
    Pixels,
}

/// Turns square views into rows, batch by batch, on all devices.
pub(super) struct RowEncoder {
    /// Side of a view in pixels.
    side: usize,
    source: RowSource,
}

enum RowSource {
    Network(Lanes),
    Pixels {
        /// Side of the patches into which they are cut, where they are.
        patch: Option<usize>,
    },
}

impl RowEncoder {
    /// An encoder of views of `side` x `side` pixels.
    ///
    /// # Errors
    /// If views do not fit the network, or the system refuses a thread.
    pub fn new(encoder: Encoder, side: usize, devices: &[Device]) -> Result<Self> {
        let source = match encoder {
            Encoder::Network(backbone) => {
                check_patches(side, backbone.stride())?;
                RowSource::Network(Lanes::new(backbone, devices, cores())?)
            }
            Encoder::Pixels => RowSource::Pixels { patch: None },
        };
        Ok(Self { side, source })
    }

    /// The encoder with the network's matrix products in `precision`.
    pub fn with_precision(self, precision: ComputePrecision) -> Self {
        let source = match self.source {
            RowSource::Network(lanes) => RowSource::Network(lanes.with_precision(precision)),
            pixels => pixels,
        };
        Self { source, ..self }
    }

    /// The encoder that cuts plain pixels into patches of `patch` x `patch`.
    ///
    /// # Errors
    /// If a view is not whole patches.
    pub fn with_pixel_patches(self, patch: usize) -> Result<Self> {
        check_patches(self.side, patch)?;
        let source = match self.source {
            RowSource::Pixels { .. } => RowSource::Pixels { patch: Some(patch) },
            network => network,
        };
        Ok(Self { source, ..self })
    }

    /// The network on its devices; `None` for pixels.
    pub fn lanes(&self) -> Option<&Lanes> {
        match &self.source {
            RowSource::Network(lanes) => Some(lanes),
            RowSource::Pixels { .. } => None,
        }
    }

    /// The grid of the patches of a view.
    ///
    /// # Errors
    /// If plain pixels are not cut into patches.
    pub fn grid(&self) -> Result<GridShape> {
        let (rows, columns) = match &self.source {
            RowSource::Network(lanes) => lanes.backbone().grid(self.side, self.side),
            RowSource::Pixels { patch: Some(patch) } => (self.side / patch, self.side / patch),
            RowSource::Pixels { patch: None } => bail!(NO_PATCHES),
        };
        Ok(GridShape { rows, columns })
    }

    /// The readout under which rows are kept: plain pixels are one row, whatever is pooled.
    ///
    /// # Errors
    /// If it reads patches of plain pixels that are not cut into any.
    pub fn known(&self, readout: Readout) -> Result<Readout> {
        match (&self.source, readout) {
            (RowSource::Network(_), readout) => Ok(readout),
            (RowSource::Pixels { .. }, Readout::Pooled(_)) => Ok(Readout::CLS),
            (RowSource::Pixels { patch: Some(_) }, Readout::Patches) => Ok(readout),
            (RowSource::Pixels { .. }, _) => bail!(NO_PATCHES),
        }
    }

    pub fn batch_size(&self) -> usize {
        self.lanes().map_or(1, Lanes::batch_size)
    }

    /// Reads `readouts`, as [`known`](Self::known) gives them, from all `batches`, and hands each
    /// batch's images and rows, one vector a readout, to `take`, in the order in which they are
    /// done.
    pub fn run<T: Send>(
        &self,
        readouts: &[Readout],
        batches: impl Iterator<Item = ImageBatch<T>> + Send,
        mut take: impl FnMut(T, Vec<Vec<f32>>) -> Result<()> + Send,
    ) -> Result<()> {
        let patch = match &self.source {
            RowSource::Network(lanes) => return lanes.run(self.side, readouts, batches, take),
            RowSource::Pixels { patch } => *patch,
        };

        for ImageBatch { images, pixels } in batches {
            let mut rows = Vec::with_capacity(readouts.len());
            for readout in readouts {
                rows.push(match (readout, patch) {
                    (Readout::Patches, Some(patch)) => self.patches_of(&pixels, patch),
                    _ => pixels.clone(),
                });
            }
            take(images, rows)?;
        }
        Ok(())
    }

    /// The pixels of the patches of normalised views, view by view.
    fn patches_of(&self, views: &[f32], patch: usize) -> Vec<f32> {
        let size = (self.side, self.side);
        let views = views.chunks_exact(3 * self.side * self.side);
        views
            .flat_map(|view| pixels_of_patches(view, size, patch))
            .collect()
    }
}

fn check_patches(side: usize, patch: usize) -> Result<()> {
    ensure!(
        patch > 0 && side.is_multiple_of(patch),
        "a crop of {side} pixels is not a multiple of patches of {patch} pixels; choose another size"
    );
    Ok(())
}
