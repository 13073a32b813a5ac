//! Where the rows of a pass go.

use ibot_core::features::Readout;

use super::cache::Shelf;
use super::decode::ChunkImages;
use super::memory::RowMemory;
use super::progress::PassProgress;

/// Takes the rows of one dataset: into memory, and into the cache if there is one.
pub(super) struct Sink<'a> {
    pub memory: &'a mut RowMemory,
    /// The description of the dataset.
    pub data: String,
    pub readouts: Vec<Readout>,
    /// One for each readout, or none without a cache.
    pub shelves: Vec<Shelf>,
    pub progress: PassProgress,
    pub names_unreadable: bool,
    /// Images that went through the network.
    pub encoded: usize,
}

impl Sink<'_> {
    /// Takes the rows of `images`, one vector a readout with a row after the other.
    pub fn take(&mut self, images: &ChunkImages, rows: &[Vec<f32>]) {
        for image in &images.unreadable {
            if self.names_unreadable {
                self.progress.warn(&format!("{} (skipped)", image.problem));
            }
            self.memory.note_unreadable(&self.data, image.index);
        }
        let images = &images.read;
        if images.is_empty() {
            return;
        }

        for (number, values) in rows.iter().enumerate() {
            let table = self.memory.table_mut(&self.data, self.readouts[number]);
            let width = values.len() / images.len();
            // All rows go to memory, even if the cache takes one of them no more.
            let mut result = Ok(());
            for (image, row) in images.iter().zip(values.chunks_exact(width)) {
                let is_new = table.add(*image, row);
                if let (true, Some(shelf)) = (is_new, self.shelves.get_mut(number)) {
                    result = result.and(shelf.add(*image, row));
                }
            }
            self.note(result);
        }
        self.progress.add(images.len());
    }

    /// Writes what waits.
    pub fn finish(&mut self) {
        let mut result = Ok(());
        for shelf in &mut self.shelves {
            result = result.and(shelf.write());
        }
        self.note(result);
    }

    // An evaluation does not end because its features cannot be kept.
    fn note(&mut self, result: anyhow::Result<()>) {
        if let Err(error) = result {
            let warning = format!("{error:#}; the features of this pass are no longer kept");
            self.progress.warn(&warning);
            self.shelves.clear();
        }
    }
}
