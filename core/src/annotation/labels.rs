//! What each pixel of an image truly shows, and what each of its patches therefore does.

use std::collections::BTreeMap;

/// A label for every pixel of an image; by convention 0 is the background.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelMap {
    width: usize,
    height: usize,
    labels: Vec<usize>,
}

/// Labels that do not make a map.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a label map of {width} x {height} pixels needs one label each, got {actual}")]
pub struct LabelMapError {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Labels given.
    pub actual: usize,
}

impl LabelMap {
    /// A map of `width * height` labels, row-major.
    ///
    /// # Errors
    /// If there are none, or of another number.
    pub fn new(width: usize, height: usize, labels: Vec<usize>) -> Result<Self, LabelMapError> {
        if labels.is_empty() || width.checked_mul(height) != Some(labels.len()) {
            return Err(LabelMapError {
                width,
                height,
                actual: labels.len(),
            });
        }
        Ok(Self {
            width,
            height,
            labels,
        })
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// All labels, row-major.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The most frequent label in each patch of a grid stretched over the map, row-major; the
    /// smallest of equally frequent ones. A patch that covers no pixel takes the nearest one.
    pub fn majority(&self, rows: usize, columns: usize) -> Vec<usize> {
        let span = |index: usize, parts: usize, length: usize| {
            let start = index * length / parts;
            start..((index + 1) * length / parts).max(start + 1)
        };
        let patch = |patch: usize| {
            let mut counts = BTreeMap::new();
            for y in span(patch / columns, rows, self.height) {
                for x in span(patch % columns, columns, self.width) {
                    *counts
                        .entry(self.labels[y * self.width + x])
                        .or_insert(0usize) += 1;
                }
            }
            let most = counts
                .into_iter()
                .max_by_key(|(label, count)| (*count, std::cmp::Reverse(*label)));
            most.map_or(0, |(label, _)| label)
        };
        (0..rows * columns).map(patch).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn patches_show_what_most_of_their_pixels_do() {
        let labels = vec![
            1, 1, 0, 5, //
            1, 0, 5, 0, //
            2, 2, 3, 3,
        ];
        let map = LabelMap::new(4, 3, labels).expect("12 labels");
        // Row 0 of two covers pixel row 0, row 1 the other two: 1 0 | 2 2 and 5 0 | 3 3.
        assert_eq!(map.majority(2, 2), [1, 0, 2, 3]);
        assert_eq!(
            map.majority(1, 1),
            [0],
            "of three ones, three zeros and others the smallest"
        );
        assert_eq!(map.majority(6, 8).len(), 48);
        assert!(LabelMap::new(2, 2, vec![0; 3]).is_err() && LabelMap::new(0, 0, vec![]).is_err());
    }
}
