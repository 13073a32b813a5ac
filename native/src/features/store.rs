//! Features that are computed once: what one evaluation read from an image, the next one takes.

use std::cell::{Cell, RefCell};
use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::{Result, bail, ensure};
use burn::tensor::{Device, Tensor, TensorData};
use ibot_core::features::Readout;
use ibot_core::grid::GridShape;
use ibot_core::model::{Backbone, ComputePrecision};

use super::encoder::{Encoder, RowEncoder};
use super::lanes::{ImageBatch, Lanes};
use super::memory::RowMemory;
use super::pass::{CacheSettings, FeaturePass, PassSettings};
use super::rows::FeatureRows;
use super::view::EvalView;
use crate::data::Dataset;
use crate::device::cores;

/// Features of datasets' images, as one frozen network sees them in one view.
///
/// Rows that were read once are kept in memory, and in a folder if one is given. Images whose rows
/// are missing go through the network in one pass, which reads all planned readouts at once.
pub struct FeatureStore {
    encoder: RowEncoder,
    passes: PassSettings,
    device: Device,
    devices: Vec<Device>,
    memory: RefCell<RowMemory>,
    encoded: Cell<usize>,
}

impl FeatureStore {
    /// A store without rows, whose passes use all `devices`. Rows lie on the first of them.
    ///
    /// # Errors
    /// If the crop does not fit the network, there is no device, or the system refuses a thread.
    pub fn new(encoder: Encoder, view: EvalView, devices: &[Device]) -> Result<Self> {
        ensure!(view.size > 0, "a crop needs at least one pixel, not 0");
        let Some(first) = devices.first() else {
            bail!("features need a device");
        };
        Ok(Self {
            encoder: RowEncoder::new(encoder, view.size, devices)?,
            passes: PassSettings {
                view,
                decode_threads: cores(),
                planned: Vec::new(),
                precision: ComputePrecision::F32,
                cache: None,
                shows_progress: false,
                names_unreadable: true,
            },
            device: first.clone(),
            devices: devices.to_vec(),
            memory: RefCell::default(),
            encoded: Cell::new(0),
        })
    }

    /// The store with the network's matrix products in `precision`, which all devices must support.
    pub fn with_precision(mut self, precision: ComputePrecision) -> Self {
        self.passes.precision = precision;
        self.encoder = self.encoder.with_precision(precision);
        self
    }

    /// The store that cuts plain pixels into patches of `side` x `side`, whose tokens are their
    /// normalised pixels, channel by channel.
    ///
    /// # Errors
    /// If the crop is not whole patches.
    pub fn with_pixel_patches(mut self, side: usize) -> Result<Self> {
        self.encoder = self.encoder.with_pixel_patches(side)?;
        Ok(self)
    }

    /// The grid of the patches of an image.
    ///
    /// # Errors
    /// If plain pixels are not cut into patches.
    pub fn grid(&self) -> Result<GridShape> {
        self.encoder.grid()
    }

    /// The store that decodes images on so many threads in place of one a core.
    pub fn with_decode_threads(mut self, threads: NonZeroUsize) -> Self {
        self.passes.decode_threads = threads;
        self
    }

    /// The store that keeps rows in `folder`, and takes those that are there. `network` is the
    /// digest of the network's dimensions and weights.
    pub fn with_cache(mut self, folder: &Path, network: String) -> Self {
        self.passes.cache = Some(CacheSettings {
            folder: folder.to_owned(),
            network,
        });
        self
    }

    /// The store that shows its progress where standard error is a terminal.
    pub fn with_progress(mut self) -> Self {
        self.passes.shows_progress = true;
        self
    }

    /// The store that leaves out images that cannot be read without a warning, because something
    /// else names them.
    pub fn with_silent_gaps(mut self) -> Self {
        self.passes.names_unreadable = false;
        self
    }

    /// Lets every pass read `readouts` too, because they will be asked for. Patch tokens, which are
    /// hundreds of times as large as other rows, are read only of the images they are asked for.
    pub fn plan(&mut self, readouts: &[Readout]) {
        for readout in readouts {
            if !self.passes.planned.contains(readout) {
                self.passes.planned.push(*readout);
            }
        }
    }

    pub fn backbone(&self) -> Option<&Backbone> {
        self.lanes().map(Lanes::backbone)
    }

    /// The replicas of the network; `None` for pixels.
    pub(super) fn lanes(&self) -> Option<&Lanes> {
        self.encoder.lanes()
    }

    /// How many images can be encoded at the same time, each alone.
    pub fn lane_count(&self) -> usize {
        self.lanes().map_or(1, Lanes::count)
    }

    /// Notes that so many images went through the network.
    pub(super) fn note_encoded(&self, images: usize) {
        self.encoded.set(self.encoded.get() + images);
    }

    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// The first device, where evaluations compute on rows.
    pub fn device(&self) -> &Device {
        &self.device
    }

    pub fn view(&self) -> EvalView {
        self.passes.view
    }

    /// Whether it shows its progress, and evaluations on it shall too.
    pub fn shows_progress(&self) -> bool {
        self.passes.shows_progress
    }

    /// How many images of datasets went through the network so far.
    pub fn encoded(&self) -> usize {
        self.encoded.get()
    }

    /// What `readout` reads from the images `indices` of `data`. Images that cannot be read are
    /// left out, with a warning the first time. Pixels are the same for every pooled readout.
    ///
    /// # Errors
    /// If no image can be read, the device fails, or plain pixels are not cut into the patches that
    /// are asked for.
    pub fn rows(&self, readout: Readout, data: &Dataset, indices: &[usize]) -> Result<FeatureRows> {
        let rows = self.rows_of_some(readout, data, indices)?;
        ensure!(
            !rows.indices.is_empty(),
            "no image of {} could be read",
            data.description()
        );
        Ok(rows)
    }

    /// The same, where others may do if none of these images can be read.
    pub fn rows_of_some(
        &self,
        readout: Readout,
        data: &Dataset,
        indices: &[usize],
    ) -> Result<FeatureRows> {
        let readout = self.encoder.known(readout)?;
        let name = data.description();
        let missing = self.memory.borrow().missing(&name, readout, indices);
        if !missing.is_empty() {
            let pass = FeaturePass {
                settings: &self.passes,
                encoder: &self.encoder,
                data,
                encoded: &self.encoded,
            };
            pass.run(readout, &missing, &mut self.memory.borrow_mut())?;
        }

        let memory = self.memory.borrow();
        let mut rows = FeatureRows {
            values: Vec::new(),
            width: 0,
            indices: Vec::new(),
        };
        if let Some(table) = memory.table(&name, readout) {
            rows.width = table.width();
            rows.values.reserve_exact(indices.len() * rows.width);
            for image in indices {
                if let Some(row) = table.row(*image) {
                    rows.values.extend_from_slice(row);
                    rows.indices.push(*image);
                }
            }
        }
        Ok(rows)
    }

    /// Drops from memory what `readout` read from the images of `data`.
    pub fn forget_rows(&self, readout: Readout, data: &Dataset) {
        let mut memory = self.memory.borrow_mut();
        memory.forget_rows(&data.description(), readout);
    }

    /// Drops the rows of `data` from memory, where nothing asks for them again. Those in the folder
    /// stay.
    pub fn forget(&self, data: &Dataset) {
        self.memory.borrow_mut().forget(&data.description());
    }

    /// What `readouts` read from normalised images, 3 x size x size values each: for each readout
    /// one row an image. Nothing is kept.
    pub fn encode(&self, readouts: &[Readout], pixels: Vec<f32>) -> Result<Vec<Tensor<2>>> {
        let values = self.passes.view.values();
        let images = pixels.len() / values;
        let known: Result<Vec<Readout>> = readouts
            .iter()
            .map(|readout| self.encoder.known(*readout))
            .collect();

        let batches = pixels.chunks(self.encoder.batch_size() * values);
        let batches = batches.enumerate().map(|(number, pixels)| ImageBatch {
            images: number,
            pixels: pixels.to_vec(),
        });
        let mut parts = Vec::new();
        self.encoder.run(&known?, batches, |number, rows| {
            parts.push((number, rows));
            Ok(())
        })?;

        // Batches are done in any order.
        parts.sort_by_key(|(number, _)| *number);
        let mut joined = vec![Vec::new(); readouts.len()];
        for (_, rows) in parts {
            for (all, own) in joined.iter_mut().zip(rows) {
                all.extend(own);
            }
        }
        let tensor = |values| self.tensor(values, images);
        Ok(joined.into_iter().map(tensor).collect())
    }

    fn tensor(&self, values: Vec<f32>, rows: usize) -> Tensor<2> {
        let width = values.len().checked_div(rows).unwrap_or(0);
        Tensor::from_data(TensorData::new(values, [rows, width]), &self.device)
    }
}

#[cfg(test)]
mod tests;
