//! Masks at other sizes.

use crate::annotation::labels::LabelMap;

/// Which places of an axis of `length` places stand for `wanted` ones: Pillow's nearest neighbour.
pub(super) fn nearest_places(length: usize, wanted: usize) -> Vec<usize> {
    let step = length as f64 / wanted as f64;
    // Pillow adds the steps up, and their rounding decides where a centre lies between two places.
    let mut source = 0.5 * step;
    let mut places = Vec::with_capacity(wanted);
    for _ in 0..wanted {
        places.push((source as usize).min(length - 1));
        source += step;
    }
    places
}

/// A mask at another size, with the label of the nearest pixel everywhere.
pub(super) fn nearest(labels: &LabelMap, rows: usize, columns: usize) -> LabelMap {
    let from_rows = nearest_places(labels.rows(), rows);
    let from_columns = nearest_places(labels.columns(), columns);
    LabelMap::from_fn(rows, columns, |cell| {
        let (row, column) = (from_rows[cell / columns], from_columns[cell % columns]);
        labels.cells()[row * labels.columns() + column]
    })
}
