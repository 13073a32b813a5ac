//! Propagation of masks from frame to frame, by the similarity of patch tokens.

use std::collections::VecDeque;
use std::ops::Range;

use nalgebra::DMatrix;

use super::soft_mask::SoftMask;
use crate::features::TokenGrid;
use crate::grid::GridShape;
use crate::kernels::for_each_chunk;

// One matrix product serves the patches of a tile. In larger tiles it would compute more cosines
// of patches that are too far apart.
const TILE: (usize, usize) = (4, 16);

/// How the mask of a frame comes from those of earlier frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Propagation {
    /// Earlier frames that a frame looks at, beside the first one.
    pub last_frames: usize,
    /// How far a neighbour may lie from the place of a patch, in patches along each axis; 0 looks
    /// everywhere.
    pub radius: usize,
    /// Neighbours of a patch.
    pub neighbours: usize,
    /// Neighbours weigh exp(cosine / temperature).
    pub temperature: f32,
}

impl Default for Propagation {
    /// The settings of the official code.
    fn default() -> Self {
        Self {
            last_frames: 7,
            radius: 12,
            neighbours: 5,
            temperature: 0.1,
        }
    }
}

/// Why masks cannot be propagated.
#[derive(Debug, thiserror::Error, PartialEq)]
#[allow(missing_docs)]
pub enum PropagationError {
    #[error("a patch needs at least one neighbour, not 0")]
    Neighbours,
    #[error("the temperature is {0}; give a number above 0")]
    Temperature(f32),
    #[error(
        "a frame has {rows} x {columns} tokens of width {dim}, the first one {first_rows} x {first_columns} of width {first_dim}"
    )]
    Shape {
        rows: usize,
        columns: usize,
        dim: usize,
        first_rows: usize,
        first_columns: usize,
        first_dim: usize,
    },
}

/// Follows objects through a sequence. Of all frames it holds the first and the last few.
pub struct Propagator {
    settings: Propagation,
    first: Reference,
    recent: VecDeque<Reference>,
}

/// A frame that others look at.
struct Reference {
    /// Tokens of length 1 as rows, `[N, D]`.
    keys: DMatrix<f32>,
    mask: SoftMask,
}

impl Propagator {
    /// Starts from the tokens of the first frame and its mask, which is on the same grid.
    ///
    /// # Errors
    /// If the settings make no sense, or tokens and mask differ in shape.
    pub fn new(
        settings: Propagation,
        tokens: TokenGrid,
        mask: SoftMask,
    ) -> Result<Self, PropagationError> {
        if settings.neighbours == 0 {
            return Err(PropagationError::Neighbours);
        }
        let temperature = settings.temperature;
        if !(temperature > 0.0 && temperature.is_finite()) {
            return Err(PropagationError::Temperature(temperature));
        }
        check_shape(&tokens, mask.shape(), tokens.dim())?;
        Ok(Self {
            settings,
            first: Reference {
                keys: keys(&tokens.normalized()),
                mask,
            },
            recent: VecDeque::new(),
        })
    }

    /// The mask of the next frame, from its tokens.
    ///
    /// # Errors
    /// If they differ in shape from those of the first frame.
    pub fn next(&mut self, tokens: TokenGrid) -> Result<SoftMask, PropagationError> {
        let shape = self.first.mask.shape();
        check_shape(&tokens, shape, self.first.keys.ncols())?;
        let tokens = tokens.normalized();

        let mut mask = SoftMask::empty(shape, self.first.mask.classes());
        let strip = TILE.0 * shape.columns * mask.classes();
        for_each_chunk(mask.values_mut(), strip, |number, values| {
            self.fill_strip(&tokens, number * TILE.0, values);
        });

        if self.settings.last_frames > 0 {
            if self.recent.len() == self.settings.last_frames {
                self.recent.pop_front();
            }
            self.recent.push_back(Reference {
                keys: keys(&tokens),
                mask: mask.clone(),
            });
        }
        Ok(mask)
    }

    /// Fills the shares of a few rows of patches from row `first` on.
    fn fill_strip(&self, tokens: &TokenGrid, first: usize, values: &mut [f32]) {
        let (columns, classes) = (tokens.columns(), self.first.mask.classes());
        let rows = values.len() / (columns * classes);
        for start in (0..columns).step_by(TILE.1) {
            let tile = Tile {
                shape: tokens.shape(),
                radius: self.settings.radius,
                rows: first..first + rows,
                columns: start..(start + TILE.1).min(columns),
            };
            let cosines = self.cosines(tokens, &tile);
            for (place, cosines) in cosines.column_iter().enumerate() {
                let width = tile.columns.len();
                let (row, column) = (first + place / width, start + place % width);
                let at = (row - first) * columns + column;
                let shares = &mut values[at * classes..][..classes];
                self.fill_patch(&tile, (row, column), cosines.as_slice(), shares);
            }
        }
    }

    fn references(&self) -> impl Iterator<Item = &Reference> {
        std::iter::once(&self.first).chain(&self.recent)
    }

    /// The cosines of a tile's patches with all patches that one of them may look at: a column for
    /// each patch, and in it reference after reference, row after row.
    fn cosines(&self, tokens: &TokenGrid, tile: &Tile) -> DMatrix<f32> {
        let (dim, width) = (tokens.dim(), tile.columns.len());
        let mut queries = Vec::with_capacity(dim * width * tile.rows.len());
        for row in tile.rows.clone() {
            let start = (row * tokens.columns() + tile.columns.start) * dim;
            queries.extend_from_slice(&tokens.values()[start..][..width * dim]);
        }
        let count = queries.len() / dim;
        let queries = DMatrix::from_vec(dim, count, queries);

        let (rows, columns) = tile.reach();
        let references = 1 + self.recent.len();
        let mut cosines = DMatrix::zeros(references * rows.len() * columns.len(), count);
        let mut place = 0;
        for reference in self.references() {
            for row in rows.clone() {
                let start = row * tokens.columns() + columns.start;
                let keys = reference.keys.rows(start, columns.len());
                let mut part = cosines.rows_mut(place, columns.len());
                part.gemm(1.0, &keys, &queries, 0.0);
                place += columns.len();
            }
        }
        cosines
    }

    /// The shares of one patch, from its `cosines` with what its tile may look at.
    fn fill_patch(
        &self,
        tile: &Tile,
        (row, column): (usize, usize),
        cosines: &[f32],
        shares: &mut [f32],
    ) {
        let (tile_rows, tile_columns) = tile.reach();
        let rows = tile.reach_of(row, tile.shape.rows);
        let columns = tile.reach_of(column, tile.shape.columns);
        let from = columns.start - tile_columns.start;

        let mut windows = Vec::with_capacity((1 + self.recent.len()) * rows.len());
        for (number, reference) in self.references().enumerate() {
            for row in rows.clone() {
                let line = number * tile_rows.len() + row - tile_rows.start;
                let start = line * tile_columns.len() + from;
                windows.push(NeighbourRow {
                    mask: &reference.mask,
                    first: row * tile.shape.columns + columns.start,
                    cosines: &cosines[start..][..columns.len()],
                });
            }
        }

        let mut largest = Largest::new(self.settings.neighbours);
        for window in &windows {
            window
                .cosines
                .iter()
                .for_each(|cosine| largest.offer(*cosine));
        }
        let Some((most, least)) = largest.range() else {
            return;
        };

        let mut sum = 0.0;
        for window in &windows {
            for (place, cosine) in window.cosines.iter().enumerate() {
                // All of several equal ones count.
                if *cosine >= least {
                    // Beside the largest, so that no temperature overflows.
                    let weight = ((cosine - most) / self.settings.temperature).exp();
                    window.add(place, weight, shares);
                    sum += weight;
                }
            }
        }
        shares.iter_mut().for_each(|share| *share /= sum);
    }
}

/// Tokens as rows.
fn keys(tokens: &TokenGrid) -> DMatrix<f32> {
    DMatrix::from_row_slice(tokens.count(), tokens.dim(), tokens.values())
}

fn check_shape(tokens: &TokenGrid, first: GridShape, dim: usize) -> Result<(), PropagationError> {
    if tokens.shape() == first && tokens.dim() == dim {
        return Ok(());
    }
    Err(PropagationError::Shape {
        rows: tokens.rows(),
        columns: tokens.columns(),
        dim: tokens.dim(),
        first_rows: first.rows,
        first_columns: first.columns,
        first_dim: dim,
    })
}

/// Patches that look for neighbours together.
struct Tile {
    /// The grid that they are of.
    shape: GridShape,
    radius: usize,
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Tile {
    /// Rows and columns that any of the patches may look at.
    fn reach(&self) -> (Range<usize>, Range<usize>) {
        (
            self.reach_along(&self.rows, self.shape.rows),
            self.reach_along(&self.columns, self.shape.columns),
        )
    }

    /// What a patch at `place` of an axis of `length` patches may look at.
    fn reach_of(&self, place: usize, length: usize) -> Range<usize> {
        self.reach_along(&(place..place + 1), length)
    }

    fn reach_along(&self, span: &Range<usize>, length: usize) -> Range<usize> {
        match self.radius {
            0 => 0..length,
            radius => {
                let end = span.end.saturating_add(radius).min(length);
                span.start.saturating_sub(radius)..end
            }
        }
    }
}

/// Neighbouring patches of a reference in one row.
struct NeighbourRow<'a> {
    mask: &'a SoftMask,
    /// The first of the patches.
    first: usize,
    cosines: &'a [f32],
}

impl NeighbourRow<'_> {
    /// Adds what patch number `place` of the window belongs to.
    fn add(&self, place: usize, weight: f32, shares: &mut [f32]) {
        let classes = shares.len();
        let own = &self.mask.values()[(self.first + place) * classes..][..classes];
        for (share, own) in shares.iter_mut().zip(own) {
            *share += weight * own;
        }
    }
}

/// The few largest numbers of many, in descending order.
struct Largest {
    values: Vec<f32>,
    count: usize,
}

impl Largest {
    fn new(count: usize) -> Self {
        Self {
            values: Vec::with_capacity(count.min(64) + 1),
            count,
        }
    }

    /// Takes a number; those that are none are left out.
    fn offer(&mut self, value: f32) {
        let is_full = self.values.len() == self.count;
        let is_larger = self.values.last().is_none_or(|last| value > *last);
        if value.is_nan() || is_full && !is_larger {
            return;
        }
        let place = self.values.partition_point(|other| *other >= value);
        self.values.insert(place, value);
        self.values.truncate(self.count);
    }

    /// The largest number and the last that was kept.
    fn range(&self) -> Option<(f32, f32)> {
        Some((*self.values.first()?, *self.values.last()?))
    }
}
