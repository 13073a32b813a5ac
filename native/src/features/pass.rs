//! A pass over images: what is missing goes through the network, and into memory and cache.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

use anyhow::Result;
use ibot_core::features::Readout;
use ibot_core::model::ComputePrecision;

use super::cache::{FeatureCache, Shelf};
use super::decode::{Decoding, chunks};
use super::encoder::RowEncoder;
use super::lanes::{ImageBatch, Lanes};
use super::memory::RowMemory;
use super::progress::PassProgress;
use super::sink::Sink;
use super::view::EvalView;
use crate::data::Dataset;

/// What all passes of a store share.
pub(super) struct PassSettings {
    pub view: EvalView,
    pub decode_threads: NonZeroUsize,
    pub precision: ComputePrecision,
    /// What every pass reads beside what it is for.
    pub planned: Vec<Readout>,
    pub cache: Option<CacheSettings>,
    pub shows_progress: bool,
    /// Whether images that cannot be read get a warning.
    pub names_unreadable: bool,
}

/// Where rows are kept beyond this process.
pub(super) struct CacheSettings {
    pub folder: PathBuf,
    /// Digest of the network's dimensions and weights.
    pub network: String,
}

pub(super) struct FeaturePass<'a> {
    pub settings: &'a PassSettings,
    pub encoder: &'a RowEncoder,
    pub data: &'a Dataset,
    /// Counts the images that went through the network.
    pub encoded: &'a Cell<usize>,
}

impl FeaturePass<'_> {
    /// Reads what is `wanted` and what is planned from the images `missing`, as far as it is not in
    /// the cache.
    pub fn run(&self, wanted: Readout, missing: &[usize], memory: &mut RowMemory) -> Result<()> {
        let name = self.data.description();
        let readouts = self.together_with(wanted);
        let shelves = self.shelves(&readouts)?;

        // Rows that the folder has need no pass.
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

        // Planned readouts alone are worth no pass: perhaps nobody asks for them.
        let missing = memory.missing(&name, wanted, missing);
        if missing.is_empty() {
            return Ok(());
        }
        let mut sink = Sink {
            memory,
            data: name,
            readouts,
            shelves,
            progress: PassProgress::new("features", missing.len(), self.settings.shows_progress),
            names_unreadable: self.settings.names_unreadable,
            encoded: 0,
        };
        let result = self.read(&missing, &mut sink);
        self.encoded.set(self.encoded.get() + sink.encoded);
        // Also after an error, so that the rows that were read are kept.
        sink.finish();
        result
    }

    /// What a pass for `wanted` reads.
    fn together_with(&self, wanted: Readout) -> Vec<Readout> {
        let mut readouts = vec![wanted];
        // Plain pixels are one row, whatever is read.
        if self.encoder.lanes().is_some() {
            for readout in &self.settings.planned {
                if *readout != Readout::Patches && !readouts.contains(readout) {
                    readouts.push(*readout);
                }
            }
        }
        readouts
    }

    fn read(&self, images: &[usize], sink: &mut Sink) -> Result<()> {
        let readouts = sink.readouts.clone();
        let is_network = self.encoder.lanes().is_some();
        let decoding = Decoding {
            view: self.settings.view,
            threads: self.settings.decode_threads,
            chunk: self.encoder.batch_size(),
        };

        thread::scope(|scope| {
            let batches = chunks(scope, self.data, images, decoding).map(|chunk| ImageBatch {
                images: chunk.images,
                pixels: chunk.pixels,
            });
            self.encoder.run(&readouts, batches, |images, rows| {
                if is_network {
                    sink.encoded += images.read.len();
                }
                sink.take(&images, &rows);
                Ok(())
            })
        })
    }

    /// Where the rows of each readout are kept; nothing without a cache.
    fn shelves(&self, readouts: &[Readout]) -> Result<Vec<Shelf>> {
        let (Some(backbone), Some(cache)) = (
            self.encoder.lanes().map(Lanes::backbone),
            &self.settings.cache,
        ) else {
            return Ok(Vec::new());
        };
        let cache = FeatureCache {
            folder: cache.folder.clone(),
            network: cache.network.clone(),
            view: self.settings.view,
            precision: self.settings.precision,
        };
        let (rows, columns) = backbone.grid(self.settings.view.size, self.settings.view.size);

        let mut shelves = Vec::new();
        for readout in readouts {
            let width = readout.width(backbone, rows * columns);
            shelves.push(cache.shelf(self.data, *readout, width)?);
        }
        Ok(shelves)
    }
}
