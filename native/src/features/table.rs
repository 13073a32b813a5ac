//! Rows of numbers, one an image, in memory.

use std::collections::HashMap;

/// Rows of one width by the images they belong to.
#[derive(Default)]
pub(super) struct Table {
    width: usize,
    values: Vec<f32>,
    places: HashMap<usize, usize>,
}

impl Table {
    pub fn contains(&self, image: usize) -> bool {
        self.places.contains_key(&image)
    }

    /// Adds the row of an image; all rows are equally wide. Whether the image had none before: a
    /// row that is there stays.
    pub fn add(&mut self, image: usize, row: &[f32]) -> bool {
        if self.contains(image) {
            return false;
        }
        debug_assert!(self.places.is_empty() || row.len() == self.width);
        self.width = row.len();
        self.places.insert(image, self.places.len());
        self.values.extend_from_slice(row);
        true
    }

    /// Numbers in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    pub fn row(&self, image: usize) -> Option<&[f32]> {
        let start = self.places.get(&image)? * self.width;
        self.values.get(start..start + self.width)
    }
}
