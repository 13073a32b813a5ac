//! Propagation of masks from frame to frame, by the similarity of patch tokens.

use std::collections::VecDeque;

use nalgebra::DMatrix;

use super::neighbours::{Largest, NeighbourRow, Tile};
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
