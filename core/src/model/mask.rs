//! Which patches of an image a network does not see.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::grid::Grid;

/// A mask over the patch grid of one crop; `true` is masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask(Grid<bool>);

impl Mask {
    /// A mask from its cells, row by row. Missing cells are visible.
    pub fn new(rows: usize, columns: usize, mut cells: Vec<bool>) -> Self {
        cells.resize(rows * columns, false);
        // Only a grid without cells is refused.
        Self(Grid::new(rows, columns, cells).unwrap_or_else(|_| Grid::from_fn(1, 1, |_| false)))
    }

    /// A mask that hides nothing.
    pub fn empty(rows: usize, columns: usize) -> Self {
        Self::new(rows, columns, Vec::new())
    }

    /// Rows of the patch grid.
    pub fn rows(&self) -> usize {
        self.0.rows()
    }

    /// Columns of the patch grid.
    pub fn columns(&self) -> usize {
        self.0.columns()
    }

    /// All cells, row by row.
    pub fn cells(&self) -> &[bool] {
        self.0.cells()
    }

    /// Indices of the patches that are `masked`, or visible, in order.
    pub fn patches(&self, masked: bool) -> impl Iterator<Item = usize> {
        self.cells()
            .iter()
            .enumerate()
            .filter(move |(_, cell)| **cell == masked)
            .map(|(patch, _)| patch)
    }

    /// How many patches are masked.
    pub fn count(&self) -> usize {
        self.cells().iter().filter(|masked| **masked).count()
    }
}

/// Whether each patch of `grid` (rows, columns) is masked, image by image: 1 or 0. A cell of a mask
/// covers `cell` by `cell` patches; those at the lower and the right edge may be cut off.
pub(super) fn masked_cells(masks: &[Mask], cell: usize, grid: (usize, usize)) -> Vec<f32> {
    let (rows, columns) = grid;
    let mut masked = Vec::with_capacity(masks.len() * rows * columns);
    for mask in masks {
        for row in 0..rows {
            let own = &mask.cells()[row / cell * mask.columns()..][..mask.columns()];
            masked.extend((0..columns).map(|column| f32::from(own[column / cell])));
        }
    }
    masked
}

/// `patches` `[B, N, D]`, of which those that `masked` `[B * N]` marks with 1 are `token` `[1, D]`.
pub(super) fn with_mask_token(patches: Tensor<3>, token: Tensor<2>, masked: Vec<f32>) -> Tensor<3> {
    let [b, n, _] = patches.dims();
    let mask = Tensor::<3>::from_data(TensorData::new(masked, [b, n, 1]), &patches.device());
    patches * (1.0 - mask.clone()) + token.unsqueeze::<3>() * mask
}

/// Rows of the masked patches among all tokens of the crops, each crop's patches behind `prefix`
/// other tokens; `None` if nothing is masked.
pub(crate) fn masked_rows(
    masks: &[Mask],
    prefix: usize,
    device: &Device,
) -> Option<Tensor<1, Int>> {
    let mut rows = Vec::new();
    let mut start = 0;
    for mask in masks {
        for patch in mask.patches(true) {
            rows.push((start + prefix + patch) as i32);
        }
        // Masks of crops of other sizes have other numbers of patches.
        start += prefix + mask.cells().len();
    }

    let count = rows.len();
    (count > 0).then(|| Tensor::from_data(TensorData::new(rows, [count]), device))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn cells_cover_squares_of_patches() {
        let mask = Mask::new(2, 2, vec![true, false, false, true]);
        // The last row and column of cells are cut off.
        let masked = masked_cells(&[mask], 2, (3, 4));
        let expected = [1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0];
        assert_eq!(masked, expected);
    }
}
