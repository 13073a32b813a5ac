//! The rows that a store keeps.

use std::collections::{HashMap, HashSet};

use ibot_core::features::Readout;

use super::table::Table;

/// Rows by dataset and readout. A dataset is known by its description, which names its place.
#[derive(Default)]
pub(super) struct RowMemory {
    tables: HashMap<(String, Readout), Table>,
    /// Images that cannot be read, by dataset.
    unreadable: HashMap<String, HashSet<usize>>,
}

impl RowMemory {
    /// The images of `indices` that are neither kept nor known as unreadable, each once.
    pub fn missing(&self, data: &str, readout: Readout, indices: &[usize]) -> Vec<usize> {
        let table = self.table(data, readout);
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

    pub fn table(&self, data: &str, readout: Readout) -> Option<&Table> {
        self.tables.get(&(data.to_owned(), readout))
    }

    pub fn table_mut(&mut self, data: &str, readout: Readout) -> &mut Table {
        self.tables.entry((data.to_owned(), readout)).or_default()
    }

    /// Drops all that is kept of a dataset.
    pub fn forget(&mut self, data: &str) {
        self.tables.retain(|(known, _), _| known != data);
        self.unreadable.remove(data);
    }

    pub fn forget_rows(&mut self, data: &str, readout: Readout) {
        self.tables.remove(&(data.to_owned(), readout));
    }

    pub fn note_unreadable(&mut self, data: &str, image: usize) {
        let images = self.unreadable.entry(data.to_owned()).or_default();
        images.insert(image);
    }
}
