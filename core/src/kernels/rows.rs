//! Rows of tokens in another order, with rows of zeros between them.

use std::sync::Arc;

/// Where there is no row.
const NONE: u32 = u32::MAX;

/// Where the rows of a result come from. Each row of the input has at most one place in it.
#[derive(Clone, Debug)]
pub struct Rearrangement {
    /// For each row of the result its row in the input, [`NONE`] for zeros.
    sources: Arc<[u32]>,
    /// For each row of the input its place in the result, [`NONE`] if it has none.
    places: Arc<[u32]>,
}

impl Rearrangement {
    /// The order in which row `i` of the result is row `sources[i]` of `count` rows, or zeros.
    pub fn new(sources: Vec<Option<usize>>, count: usize) -> Self {
        let mut places = vec![NONE; count];
        for (place, source) in sources.iter().enumerate() {
            if let Some(source) = source {
                places[*source] = place as u32;
            }
        }

        let sources = sources.iter();
        Self {
            sources: sources
                .map(|source| source.map_or(NONE, |row| row as u32))
                .collect(),
            places: places.into(),
        }
    }

    /// The way back: zeros disappear, and what had no place becomes zeros. It is also the gradient.
    pub fn inverse(&self) -> Self {
        Self {
            sources: Arc::clone(&self.places),
            places: Arc::clone(&self.sources),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.sources.len()
    }

    /// For each row of the result its row in the input, `zeros` where it has none.
    pub fn sources_or(&self, zeros: usize) -> Vec<i32> {
        let row = |source: &u32| match *source {
            NONE => zeros as i32,
            row => row as i32,
        };
        self.sources.iter().map(row).collect()
    }

    /// Whether some rows of the result are zeros.
    pub fn has_zeros(&self) -> bool {
        self.sources.contains(&NONE)
    }
}

/// The rows of each image of `x`, `[B, rows, columns]`, in the order of `order`.
pub(super) fn forward(x: &[f32], columns: usize, order: &Rearrangement) -> Vec<f32> {
    let rows = order.places.len();
    // Chunks of no values would panic.
    let images = x.chunks_exact((rows * columns).max(1));
    let mut moved = Vec::with_capacity(images.len() * order.count() * columns);

    for image in images {
        for source in order.sources.iter() {
            match *source {
                NONE => moved.resize(moved.len() + columns, 0.0),
                row => moved.extend_from_slice(&image[row as usize * columns..][..columns]),
            }
        }
    }
    moved
}
