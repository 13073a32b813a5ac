//! How alike patches are: cosines of one token with all tokens of an image.

use crate::features::TokenGrid;

/// A patch and how similar it is to the one in question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// Index of the patch, `row * columns + column`.
    pub patch: usize,
    /// Where tokens are compared their cosine, from -1 to 1; larger is more alike.
    pub similarity: f32,
}

/// Tokens of different widths, which come from different networks.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "tokens of width {first} cannot be compared with tokens of width {second}: use one network for both"
)]
#[allow(missing_docs)]
pub struct WidthError {
    pub first: usize,
    pub second: usize,
}

/// The cosine of `token` with each token of `grid`, one value a patch.
///
/// A token of zeros has cosine 0 with everything, one that is not finite has NaN.
///
/// # Errors
/// If the widths differ.
pub fn cosines(token: &[f32], grid: &TokenGrid) -> Result<Vec<f32>, WidthError> {
    if token.len() != grid.dim() {
        return Err(WidthError {
            first: token.len(),
            second: grid.dim(),
        });
    }
    let norm = dot(token, token).sqrt().max(1e-12);
    // The bound of PyTorch's `normalize`: a token of zeros gets cosine 0 in place of NaN.
    let unit: Vec<f32> = token.iter().map(|value| value / norm).collect();

    let mut cosines = Vec::with_capacity(grid.count());
    // Not `normalized`, which would copy the grid.
    for other in grid.tokens() {
        let cosine = dot(&unit, other) / dot(other, other).sqrt().max(1e-12);
        // Rounding may carry a cosine beyond its bounds.
        cosines.push(cosine.clamp(-1.0, 1.0));
    }
    Ok(cosines)
}

/// The `k` most similar patches of a grid with `columns` columns, the best first, no two of them
/// within `radius` patches of each other (Euclidean, non-maximum suppression); with radius 0 simply
/// the `k` best.
///
/// The lower index comes first among equals. Patches without a finite similarity are left out, so
/// there may be fewer than `k`.
pub fn best_patches(similarities: &[f32], columns: usize, k: usize, radius: f64) -> Vec<Neighbour> {
    let mut order: Vec<usize> = (0..similarities.len())
        .filter(|patch| similarities[*patch].is_finite())
        .collect();
    order.sort_by(|a, b| similarities[*b].total_cmp(&similarities[*a]).then(a.cmp(b)));

    let columns = columns.max(1);
    let mut best: Vec<Neighbour> = Vec::with_capacity(k.min(order.len()));
    for patch in order {
        if best.len() == k {
            break;
        }
        if best
            .iter()
            .all(|kept| square_distance(kept.patch, patch, columns) > radius * radius)
        {
            best.push(Neighbour {
                patch,
                similarity: similarities[patch],
            });
        }
    }
    best
}

fn square_distance(a: usize, b: usize, columns: usize) -> f64 {
    let down = (a / columns).abs_diff(b / columns);
    let right = (a % columns).abs_diff(b % columns);
    (down * down + right * right) as f64
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn patches(best: &[Neighbour]) -> Vec<usize> {
        best.iter().map(|neighbour| neighbour.patch).collect()
    }

    #[test]
    fn cosines_ignore_lengths() {
        let grid = TokenGrid::new(
            1,
            5,
            2,
            vec![5.0, 0.0, 0.0, 0.1, 3.0, 4.0, -1.0, 0.0, 0.0, 0.0],
        )
        .expect("5 x 2 values");
        let values = cosines(&[7.0, 0.0], &grid).expect("equal widths");
        for (value, expected) in values.iter().zip([1.0, 0.0, 0.6, -1.0, 0.0]) {
            assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
        }
        assert_eq!(
            cosines(&[1.0], &grid),
            Err(WidthError {
                first: 1,
                second: 2
            })
        );
    }

    #[test]
    fn what_is_not_finite_is_similar_to_nothing() {
        let grid = TokenGrid::new(1, 3, 1, vec![f32::NAN, 1.0, f32::INFINITY]).expect("3 values");
        let values = cosines(&[2.0], &grid).expect("equal widths");
        assert!(values[0].is_nan() && values[1] == 1.0 && values[2].is_nan());
        assert_eq!(patches(&best_patches(&values, 3, 3, 0.0)), [1]);
        assert!(
            cosines(&[f32::NAN], &grid)
                .expect("equal widths")
                .iter()
                .all(|value| value.is_nan())
        );
        assert!(
            cosines(&[f32::INFINITY], &grid)
                .expect("equal widths")
                .iter()
                .all(|value| value.is_nan())
        );
    }

    #[test]
    fn the_best_come_first_and_the_lower_index_among_equals() {
        let similarities = [0.1, 0.9, 0.5, 0.9, -0.2, 0.5];
        assert_eq!(
            patches(&best_patches(&similarities, 3, 4, 0.0)),
            [1, 3, 2, 5]
        );
        assert_eq!(best_patches(&similarities, 3, 99, 0.0).len(), 6);
        assert!(best_patches(&similarities, 3, 0, 0.0).is_empty());
    }

    #[test]
    fn neighbours_of_a_kept_patch_are_suppressed() {
        // 3 x 3 with the values falling along the rows: 0 suppresses 1 and 3 at distance 1, and 4
        // at sqrt 2.
        let similarities: Vec<f32> = (0..9).map(|i| 1.0 - i as f32 / 10.0).collect();
        assert_eq!(
            patches(&best_patches(&similarities, 3, 9, 1.0)),
            [0, 2, 4, 6, 8]
        );
        assert_eq!(
            patches(&best_patches(&similarities, 3, 9, 1.5)),
            [0, 2, 6, 8]
        );
        assert_eq!(
            patches(&best_patches(&similarities, 3, 9, 2.0)),
            [0, 5],
            "7 is sqrt 2 from 5"
        );
    }
}
