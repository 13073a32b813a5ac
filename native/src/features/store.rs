//! Features that are computed once: what one evaluation read from an image, the next one takes.

use std::cell::{Cell, RefCell};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Result, bail, ensure};
use burn::tensor::{Device, Tensor, TensorData};
use ibot_core::features::Readout;
use ibot_core::grid::GridShape;
use ibot_core::model::{Backbone, ComputePrecision};

use super::cache::{FeatureCache, Shelf};
use super::decode::{Decoding, chunks};
use super::lanes::{ImageBatch, Lanes};
use super::memory::RowMemory;
use super::progress::PassProgress;
use super::sink::Sink;
use super::view::EvalView;
use crate::data::Dataset;
use crate::device::cores;

const NO_PATCHES: &str = "plain pixels have no patch tokens; give a network as the model";

/// Features of datasets' images, as one frozen network sees them in one view.
///
/// Rows that were read once are kept in memory, and in a folder if one is given. Images whose rows
/// are missing go through the network in one pass, which reads all planned readouts at once.
pub struct FeatureStore {
    encoder: StoreEncoder,
    view: EvalView,
    /// Where rows lie.
    device: Device,
    devices: Vec<Device>,
    decode_threads: NonZeroUsize,
    planned: Vec<Readout>,
    precision: ComputePrecision,
    /// Side of the patches of plain pixels, where these are cut into patches.
    pixel_patch: Option<usize>,
    cache: Option<CacheSettings>,
    shows_progress: bool,
    names_unreadable: bool,
    memory: RefCell<RowMemory>,
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

/// Where rows are kept beyond this process.
struct CacheSettings {
    folder: PathBuf,
    /// Digest of the network.
    network: String,
}

enum StoreEncoder {
    Network(Lanes),
    Pixels,
}

/// Features of the images that could be read, on the host.
pub struct FeatureRows {
    /// One row an image, `[M, width]`, row by row.
    pub values: Vec<f32>,
    pub width: usize,
    /// Which image each row belongs to.
    pub indices: Vec<usize>,
}

impl FeatureRows {
    /// The rows `[M, width]` on `device`.
    pub fn tensor(self, device: &Device) -> Tensor<2> {
        let shape = [self.indices.len(), self.width];
        Tensor::from_data(TensorData::new(self.values, shape), device)
    }
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
            devices: devices.to_vec(),
            decode_threads: cores(),
            planned: Vec::new(),
            precision: ComputePrecision::F32,
            pixel_patch: None,
            cache: None,
            shows_progress: false,
            names_unreadable: true,
            memory: RefCell::default(),
            encoded: Cell::new(0),
        })
    }

    /// The store with the network's matrix products in `precision`, which all devices must support.
    pub fn with_precision(mut self, precision: ComputePrecision) -> Self {
        self.precision = precision;
        if let StoreEncoder::Network(lanes) = self.encoder {
            self.encoder = StoreEncoder::Network(lanes.with_precision(precision));
        }
        self
    }

    /// The store that cuts plain pixels into patches of `side` x `side`, whose tokens are their
    /// normalised pixels, channel by channel.
    ///
    /// # Errors
    /// If the crop is not whole patches.
    pub fn with_pixel_patches(mut self, side: usize) -> Result<Self> {
        let size = self.view.size;
        ensure!(
            side > 0 && size.is_multiple_of(side),
            "a crop of {size} pixels is not a multiple of patches of {side} pixels; choose another size"
        );
        self.pixel_patch = Some(side);
        Ok(self)
    }

    /// The grid of the patches of an image.
    ///
    /// # Errors
    /// If plain pixels are not cut into patches.
    pub fn grid(&self) -> Result<GridShape> {
        let side = self.view.size;
        let (rows, columns) = match (self.backbone(), self.pixel_patch) {
            (Some(backbone), _) => backbone.grid(side, side),
            (None, Some(patch)) => (side / patch, side / patch),
            (None, None) => bail!(NO_PATCHES),
        };
        Ok(GridShape { rows, columns })
    }

    /// The store that decodes images on so many threads in place of one a core.
    pub fn with_decode_threads(mut self, threads: NonZeroUsize) -> Self {
        self.decode_threads = threads;
        self
    }

    /// The store that keeps rows in `folder`, and takes those that are there. `network` is the
    /// digest of the network's dimensions and weights.
    pub fn with_cache(mut self, folder: &Path, network: String) -> Self {
        self.cache = Some(CacheSettings {
            folder: folder.to_owned(),
            network,
        });
        self
    }

    /// The store that shows its progress where standard error is a terminal.
    pub fn with_progress(mut self) -> Self {
        self.shows_progress = true;
        self
    }

    /// The store that leaves out images that cannot be read without a warning, because something
    /// else names them.
    pub fn with_silent_gaps(mut self) -> Self {
        self.names_unreadable = false;
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

    /// The replicas of the network; `None` for pixels.
    pub(super) fn lanes(&self) -> Option<&Lanes> {
        match &self.encoder {
            StoreEncoder::Network(lanes) => Some(lanes),
            StoreEncoder::Pixels => None,
        }
    }

    /// How many images can be encoded at the same time, each alone.
    pub fn lane_count(&self) -> usize {
        self.lanes().map_or(1, Lanes::count)
    }

    /// Notes that so many images went through the network.
    pub(super) fn note_encoded(&self, images: usize) {
        self.encoded.set(self.encoded.get() + images);
    }

    /// All devices.
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// The first device, where evaluations compute on rows.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// How an image is cut.
    pub fn view(&self) -> EvalView {
        self.view
    }

    /// Whether it shows its progress, and evaluations on it shall too.
    pub fn shows_progress(&self) -> bool {
        self.shows_progress
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
    ///
    /// # Errors
    /// If the device fails, or plain pixels are not cut into the patches that are asked for.
    pub fn rows_of_some(
        &self,
        readout: Readout,
        data: &Dataset,
        indices: &[usize],
    ) -> Result<FeatureRows> {
        let readout = self.known(readout)?;
        let name = data.description();
        let missing = self.memory.borrow().missing(&name, readout, indices);
        if !missing.is_empty() {
            self.pass(readout, data, &missing)?;
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
    ///
    /// # Errors
    /// If the device fails, or plain pixels are not cut into the patches that are asked for.
    pub fn encode(&self, readouts: &[Readout], pixels: Vec<f32>) -> Result<Vec<Tensor<2>>> {
        let values = self.view.values();
        let images = pixels.len() / values;
        let StoreEncoder::Network(lanes) = &self.encoder else {
            let mut rows = Vec::with_capacity(readouts.len());
            for readout in readouts {
                let readout = self.known(*readout)?;
                let views = pixels.chunks_exact(values);
                let row = views.flat_map(|view| self.pixel_row(readout, view.to_vec()));
                rows.push(self.tensor(row.collect(), images));
            }
            return Ok(rows);
        };

        let batch = lanes.batch_size();
        let batches = pixels
            .chunks(batch * values)
            .enumerate()
            .map(|(number, pixels)| ImageBatch {
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
            (StoreEncoder::Pixels, Readout::Patches) if self.pixel_patch.is_some() => Ok(readout),
            (StoreEncoder::Pixels, _) => bail!(NO_PATCHES),
        }
    }

    /// What stands for `readout` of the normalised pixels of a view.
    fn pixel_row(&self, readout: Readout, pixels: Vec<f32>) -> Vec<f32> {
        match (readout, self.pixel_patch) {
            (Readout::Patches, Some(patch)) => patches_of(&pixels, self.view.size, patch),
            _ => pixels,
        }
    }

    /// Reads what is `wanted` and what is planned from the images `missing`, as far as it is not in
    /// the cache.
    fn pass(&self, wanted: Readout, data: &Dataset, missing: &[usize]) -> Result<()> {
        let name = data.description();
        let memory: &mut RowMemory = &mut self.memory.borrow_mut();
        let readouts = self.together_with(wanted);
        let shelves = self.shelves(data, &readouts)?;
        for (readout, shelf) in readouts.iter().zip(&shelves) {
            let absent = memory.missing(&name, *readout, missing);
            let table = memory.table_mut(&name, *readout);
            let problems = shelf.load(&absent.into_iter().collect(), &mut |image, row| {
                table.add(image, row);
            });
            for problem in problems {
                eprintln!("warning: {problem}");
            }
        }

        let missing = memory.missing(&name, wanted, missing);
        if missing.is_empty() {
            return Ok(());
        }
        let mut sink = Sink {
            memory,
            data: name,
            readouts,
            shelves,
            progress: PassProgress::new("features", missing.len(), self.shows_progress),
            names_unreadable: self.names_unreadable,
            encoded: 0,
        };
        let result = self.read(data, &missing, &mut sink);
        self.encoded.set(self.encoded.get() + sink.encoded);
        sink.finish();
        result
    }

    /// What a pass for `wanted` reads.
    fn together_with(&self, wanted: Readout) -> Vec<Readout> {
        let mut readouts = vec![wanted];
        // Plain pixels are one row, whatever is read.
        if let StoreEncoder::Network(_) = &self.encoder {
            for readout in &self.planned {
                if *readout != Readout::Patches && !readouts.contains(readout) {
                    readouts.push(*readout);
                }
            }
        }
        readouts
    }

    /// Reads images into `sink`.
    fn read(&self, data: &Dataset, images: &[usize], sink: &mut Sink) -> Result<()> {
        let readouts = sink.readouts.clone();
        let decoding = Decoding {
            view: self.view,
            threads: self.decode_threads,
            chunk: match &self.encoder {
                StoreEncoder::Network(lanes) => lanes.batch_size(),
                StoreEncoder::Pixels => 1,
            },
        };

        thread::scope(|scope| {
            let batches = chunks(scope, data, images, decoding).map(|chunk| ImageBatch {
                images: chunk.images,
                pixels: chunk.pixels,
            });
            match &self.encoder {
                StoreEncoder::Network(lanes) => {
                    lanes.run(self.view.size, &readouts, batches, |images, rows| {
                        sink.encoded += images.read.len();
                        sink.take(&images, &rows);
                        Ok(())
                    })?;
                }
                StoreEncoder::Pixels => {
                    for ImageBatch { images, pixels } in batches {
                        sink.take(&images, &[self.pixel_row(readouts[0], pixels)]);
                    }
                }
            }
            Ok(())
        })
    }

    /// Where the rows of each readout are kept; nothing without a cache.
    fn shelves(&self, data: &Dataset, readouts: &[Readout]) -> Result<Vec<Shelf>> {
        let (StoreEncoder::Network(lanes), Some(cache)) = (&self.encoder, &self.cache) else {
            return Ok(Vec::new());
        };
        let cache = FeatureCache {
            folder: cache.folder.clone(),
            network: cache.network.clone(),
            view: self.view,
            precision: self.precision,
        };
        let backbone = lanes.backbone();
        let (rows, columns) = backbone.grid(self.view.size, self.view.size);

        let mut shelves = Vec::new();
        for readout in readouts {
            let width = readout.width(backbone, rows * columns);
            shelves.push(cache.shelf(data, *readout, width)?);
        }
        Ok(shelves)
    }

    fn tensor(&self, values: Vec<f32>, rows: usize) -> Tensor<2> {
        let width = values.len().checked_div(rows).unwrap_or(0);
        Tensor::from_data(TensorData::new(values, [rows, width]), &self.device)
    }
}

/// The pixels of each patch of a view of `side` x `side` pixels `[3, side, side]`, patch by patch.
fn patches_of(pixels: &[f32], side: usize, patch: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(pixels.len());
    for top in (0..side).step_by(patch) {
        for left in (0..side).step_by(patch) {
            for plane in pixels.chunks_exact(side * side) {
                for row in top..top + patch {
                    values.extend_from_slice(&plane[row * side + left..][..patch]);
                }
            }
        }
    }
    values
}

#[cfg(test)]
mod tests;
