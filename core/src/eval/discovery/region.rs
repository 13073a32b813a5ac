//! A region of patches that hang together, and the box around it.

use crate::analysis::affinity::Affinity;
use crate::analysis::ncut::CutError;
use crate::annotation::boxes::BoundingBox;
use crate::features::TokenGrid;
use crate::grid::{Grid, GridShape};

/// The object of a normalised cut, as TokenCut finds it (arXiv 2202.11539, section 3): the patches
/// that hang together with the one whose value in the second eigenvector is largest. `tau` is the
/// cosine above which two patches are connected.
///
/// # Errors
/// If all patches are alike, there are too few or too many, or the eigenvector does not converge.
pub fn cut_region(tokens: &TokenGrid, tau: f32) -> Result<Grid<bool>, CutError> {
    let cut = Affinity::of_tokens(tokens, tau)?.bipartition()?;
    Ok(region_of(tokens.shape(), &cut.foreground, cut.seed))
}

/// The cells of `inside` that hang together with the cell `seed` over their sides; none if the seed
/// is not inside. `inside` holds a value for each cell.
pub fn region_of(shape: GridShape, inside: &[bool], seed: usize) -> Grid<bool> {
    let mut region = vec![false; shape.count()];
    let mut open = vec![seed];
    while let Some(cell) = open.pop() {
        if region[cell] || !inside[cell] {
            continue;
        }
        region[cell] = true;
        let (row, column) = shape.position(cell);
        if row > 0 {
            open.push(cell - shape.columns);
        }
        if row + 1 < shape.rows {
            open.push(cell + shape.columns);
        }
        if column > 0 {
            open.push(cell - 1);
        }
        if column + 1 < shape.columns {
            open.push(cell + 1);
        }
    }
    Grid::from_fn(shape.rows, shape.columns, |cell| region[cell])
}

/// The smallest box around `region` when its cells are stretched over an image of `width` x `height`
/// pixels; `None` if it is empty.
pub fn bounds_of_region(
    region: &Grid<bool>,
    (width, height): (usize, usize),
) -> Option<BoundingBox> {
    let shape = region.shape();
    let cells = BoundingBox::of_cells(region.cells().iter().copied(), shape.columns);

    let across = width as f64 / shape.columns as f64;
    let down = height as f64 / shape.rows as f64;
    cells.map(|cells| BoundingBox {
        left: cells.left * across,
        top: cells.top * down,
        right: cells.right * across,
        bottom: cells.bottom * down,
    })
}
