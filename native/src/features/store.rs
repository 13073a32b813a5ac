//! Features that are computed once: what one evaluation read from an image, the next one takes.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::thread;

use anyhow::{Result, bail, ensure};
use burn::tensor::{Device, Tensor, TensorData};
use ibot_core::features::Readout;
use ibot_core::model::{Backbone, ComputePrecision};

use super::decode::{Decoding, chunks};
use super::lanes::{Batch, Lanes};
use super::progress::Progress;
use super::table::Table;
use super::view::EvalView;
use crate::data::Dataset;
use crate::device::cores;

/// Features of datasets' images, as one frozen network sees them in one view.
///
/// Rows that were read once are kept in memory. Images whose rows are missing go through the
/// network in one pass, which reads all planned readouts at once.
pub struct FeatureStore {
    encoder: StoreEncoder,
    view: EvalView,
    /// Where rows lie.
    device: Device,
    decode_threads: NonZeroUsize,
    planned: Vec<Readout>,
    shows_progress: bool,
    memory: RefCell<Memory>,
    encoded: Cell<usize>,
}

/// What turns an image into a feature.
#[derive(Clone, Copy)]
pub enum Encoder<'a> {
    /// A frozen network.
    Network(&'a Backbone),
    /// Nothing: the normalised pixels themselves, as a baseline without a network.
    Pixels,
}

enum StoreEncoder {
    Network(Lanes),
    Pixels,
}

/// Features of the images that could be read.
pub struct FeatureRows {
    /// One row an image, `[M, D]`.
    pub rows: Tensor<2>,
    /// Which image each row belongs to.
    pub indices: Vec<usize>,
}

/// Rows by dataset and readout. A dataset is known by its description, which names its place.
#[derive(Default)]
struct Memory {
    tables: HashMap<(String, Readout), Table>,
    /// Images that cannot be read, by dataset.
    unreadable: HashMap<String, HashSet<usize>>,
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
        let encoder = match encoder {
            Encoder::Network(backbone) => {
                let (size, patch) = (view.size, backbone.stride());
                ensure!(
                    size.is_multiple_of(patch),
                    "a crop of {size} pixels is not a multiple of patches of {patch} pixels; choose another size"
                );
                StoreEncoder::Network(Lanes::new(backbone, devices, cores())?)
            }
            Encoder::Pixels => StoreEncoder::Pixels,
        };

        Ok(Self {
            encoder,
            view,
            device: first.clone(),
            decode_threads: cores(),
            planned: Vec::new(),
            shows_progress: false,
            memory: RefCell::default(),
            encoded: Cell::new(0),
        })
    }

    /// The store with the network's matrix products in `precision`, which all devices must support.
    pub fn with_precision(mut self, precision: ComputePrecision) -> Self {
        if let StoreEncoder::Network(lanes) = self.encoder {
            self.encoder = StoreEncoder::Network(lanes.with_precision(precision));
        }
        self
    }

    /// The store that decodes images on so many threads in place of one a core.
    pub fn with_decode_threads(mut self, threads: NonZeroUsize) -> Self {
        self.decode_threads = threads;
        self
    }

    /// The store that shows its progress where standard error is a terminal.
    pub fn with_progress(mut self) -> Self {
        self.shows_progress = true;
        self
    }

    /// Lets every pass read `readouts` too, because they will be asked for. Patch tokens, which are
    /// hundreds of times as large as other rows, are read only of the images they are asked for.
    pub fn plan(&mut self, readouts: &[Readout]) {
        for readout in readouts {
            if !self.planned.contains(readout) {
                self.planned.push(*readout);
            }
        }
    }

    /// The frozen network; `None` for pixels.
    pub fn backbone(&self) -> Option<&Backbone> {
        match &self.encoder {
            StoreEncoder::Network(lanes) => Some(lanes.backbone()),
            StoreEncoder::Pixels => None,
        }
    }

    /// Where rows lie.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// How an image is cut.
    pub fn view(&self) -> EvalView {
        self.view
    }

    /// How many images of datasets went through the network so far.
    pub fn encoded(&self) -> usize {
        self.encoded.get()
    }

    /// What `readout` reads from the images `indices` of `data`. Images that cannot be read are
    /// left out, with a warning the first time. Pixels are the same for every pooled readout.
    ///
    /// # Errors
    /// If no image can be read, the device fails, or patches of plain pixels are asked for.
    pub fn rows(&self, readout: Readout, data: &Dataset, indices: &[usize]) -> Result<FeatureRows> {
        let readout = self.known(readout)?;
        let name = data.description();
        let missing = self.memory.borrow().missing(&name, readout, indices);
        if !missing.is_empty() {
            self.pass(readout, data, &missing)?;
        }

        let memory = self.memory.borrow();
        let Some(table) = memory.tables.get(&(name, readout)) else {
            bail!("no image of {} could be read", data.description());
        };
        let mut values = Vec::with_capacity(indices.len() * table.width());
        let mut read = Vec::with_capacity(indices.len());
        for image in indices {
            if let Some(row) = table.row(*image) {
                values.extend_from_slice(row);
                read.push(*image);
            }
        }
        ensure!(
            !read.is_empty(),
            "no image of {} could be read",
            data.description()
        );
        Ok(FeatureRows {
            rows: self.tensor(values, read.len()),
            indices: read,
        })
    }

    /// What `readouts` read from normalised images, 3 x size x size values each: for each readout
    /// one row an image. Nothing is kept.
    ///
    /// # Errors
    /// If the device fails, or patches of plain pixels are asked for.
    pub fn encode(&self, readouts: &[Readout], pixels: Vec<f32>) -> Result<Vec<Tensor<2>>> {
        let values = self.view.values();
        let images = pixels.len() / values;
        let StoreEncoder::Network(lanes) = &self.encoder else {
            for readout in readouts {
                self.known(*readout)?;
            }
            let row = self.tensor(pixels, images);
            return Ok(vec![row; readouts.len()]);
        };

        let batch = lanes.batch_size();
        let batches = pixels
            .chunks(batch * values)
            .enumerate()
            .map(|(number, pixels)| Batch {
                images: number,
                pixels: pixels.to_vec(),
            });
        let mut parts = Vec::new();
        lanes.run(self.view.size, readouts, batches, |number, rows| {
            parts.push((number, rows));
            Ok(())
        })?;

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

    /// The readout under which rows are kept.
    fn known(&self, readout: Readout) -> Result<Readout> {
        match (&self.encoder, readout) {
            (StoreEncoder::Network(_), readout) => Ok(readout),
            (StoreEncoder::Pixels, Readout::Pooled(_)) => Ok(Readout::CLS),
            (StoreEncoder::Pixels, _) => {
                bail!("plain pixels have no patch tokens; give a network as the model")
            }
        }
    }

    /// Reads what is `wanted` and what is planned from the images `missing`.
    fn pass(&self, wanted: Readout, data: &Dataset, missing: &[usize]) -> Result<()> {
        let mut readouts = vec![wanted];
        for readout in &self.planned {
            let readout = self.known(*readout)?;
            if readout != Readout::Patches && !readouts.contains(&readout) {
                readouts.push(readout);
            }
        }

        let progress = Progress::new(missing.len(), self.shows_progress);
        let name = data.description();
        let memory: &mut Memory = &mut self.memory.borrow_mut();
        let chunk = match &self.encoder {
            StoreEncoder::Network(lanes) => lanes.batch_size(),
            StoreEncoder::Pixels => 1,
        };
        let decoding = Decoding {
            view: self.view,
            threads: self.decode_threads,
            chunk,
        };

        thread::scope(|scope| {
            let mut broken = Vec::new();
            let batches = chunks(scope, data, missing, decoding).map(|chunk| {
                for image in chunk.unreadable {
                    progress.warn(&format!("{} (skipped)", image.problem));
                    broken.push(image.index);
                }
                Batch {
                    images: chunk.indices,
                    pixels: chunk.pixels,
                }
            });
            let batches = batches.filter(|batch| !batch.images.is_empty());

            match &self.encoder {
                StoreEncoder::Network(lanes) => {
                    let mut done = 0;
                    let take = |images: Vec<usize>, rows: Vec<Vec<f32>>| {
                        for (readout, rows) in readouts.iter().zip(&rows) {
                            memory.add(&name, *readout, &images, rows);
                        }
                        done += images.len();
                        progress.add(images.len());
                        Ok(())
                    };
                    let result = lanes.run(self.view.size, &readouts, batches, take);
                    self.encoded.set(self.encoded.get() + done);
                    result?;
                }
                StoreEncoder::Pixels => {
                    for batch in batches {
                        memory.add(&name, wanted, &batch.images, &batch.pixels);
                    }
                }
            }
            memory
                .unreadable
                .entry(name.clone())
                .or_default()
                .extend(broken);
            Ok(())
        })
    }

    fn tensor(&self, values: Vec<f32>, rows: usize) -> Tensor<2> {
        let width = values.len().checked_div(rows).unwrap_or(0);
        Tensor::from_data(TensorData::new(values, [rows, width]), &self.device)
    }
}

impl Memory {
    /// The images that are neither kept nor known as unreadable, each once.
    fn missing(&self, data: &str, readout: Readout, indices: &[usize]) -> Vec<usize> {
        let key = (data.to_owned(), readout);
        let table = self.tables.get(&key);
        let unreadable = self.unreadable.get(data);

        let mut seen = HashSet::new();
        let mut missing = Vec::new();
        for image in indices {
            let kept = table.is_some_and(|table| table.contains(*image));
            let broken = unreadable.is_some_and(|images| images.contains(image));
            if !kept && !broken && seen.insert(*image) {
                missing.push(*image);
            }
        }
        missing
    }

    /// Keeps the rows of `images`, one after another in `values`, unless they are kept already.
    fn add(&mut self, data: &str, readout: Readout, images: &[usize], values: &[f32]) {
        let table = self.tables.entry((data.to_owned(), readout)).or_default();
        let width = values.len() / images.len();
        for (image, row) in images.iter().zip(values.chunks_exact(width)) {
            if !table.contains(*image) {
                table.add(*image, row);
            }
        }
    }
}

#[cfg(test)]
mod tests;
