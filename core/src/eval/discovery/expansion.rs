//! Seed expansion, the method of LOST (arXiv 2109.14279, section 3).

use nalgebra::DMatrix;

use super::region::region_of;
use crate::analysis::rows::{Rows, RowsError};
use crate::features::TokenGrid;
use crate::grid::Grid;

/// The object around the patch that is like the fewest others, since there are more patches of
/// background: of the `candidates` patches that are like the fewest, those that are like it join it
/// as seeds. The object are the patches with a positive product with the sum of the seeds, as far
/// as they hang together with the first. Patches are alike if their product is positive.
///
/// # Errors
/// If a token holds a value that is not finite.
pub fn expanded_region(tokens: &TokenGrid, candidates: usize) -> Result<Grid<bool>, RowsError> {
    // Only to refuse values that are not finite.
    Rows::new(tokens.values(), tokens.dim())?;
    let count = tokens.count();
    let columns = DMatrix::from_column_slice(tokens.dim(), count, tokens.values());
    let products = columns.transpose() * &columns;

    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|patch| {
        // Every patch is like itself.
        let others = (0..count).filter(|other| other != patch);
        others
            .filter(|other| products[(*patch, *other)] > 0.0)
            .count()
    });
    let first = order[0];

    let mut sum = vec![0.0; count];
    for seed in order.into_iter().take(candidates.max(1)) {
        if products[(first, seed)] > 0.0 {
            for (total, product) in sum.iter_mut().zip(products.column(seed).iter()) {
                *total += product;
            }
        }
    }
    let inside: Vec<bool> = sum.iter().map(|total| *total > 0.0).collect();
    Ok(region_of(tokens.shape(), &inside, first))
}
