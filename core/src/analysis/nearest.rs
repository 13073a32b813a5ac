//! The most similar patch in another image, for every patch of two images at once.

use nalgebra::DMatrix;

use crate::analysis::similarity::{Neighbour, WidthError};
use crate::features::TokenGrid;

/// Tokens of the first image that are compared with all of the second at a time.
const BLOCK: usize = 512;

/// The nearest neighbour of every patch, in both directions; `None` for a token that is not finite,
/// or if the other image has no token that is.
#[derive(Clone, Debug, PartialEq)]
pub struct Nearest {
    /// For each patch of the first image the most similar one of the second.
    pub forward: Vec<Option<Neighbour>>,
    /// For each patch of the second image the most similar one of the first.
    pub backward: Vec<Option<Neighbour>>,
}

/// Finds the most similar patch, by the cosine of the tokens, of `b` for each patch of `a` and of
/// `a` for each of `b`; the lower index among equals. Tokens of zeros have cosine 0 with all.
///
/// Takes `a.count() * b.count() * a.dim()` multiplications on one thread and memory for a few
/// copies of both grids.
///
/// # Errors
/// If the tokens have different widths.
pub fn nearest(a: &TokenGrid, b: &TokenGrid) -> Result<Nearest, WidthError> {
    if a.dim() != b.dim() {
        return Err(WidthError {
            first: a.dim(),
            second: b.dim(),
        });
    }
    let first = units(a);
    let second = units(b).transpose();
    let mut forward = vec![None; a.count()];
    let mut backward = vec![None; b.count()];

    // A pair of large images has tens of millions of cosines, too many to keep.
    for start in (0..a.count()).step_by(BLOCK) {
        let block = first.columns(start, BLOCK.min(a.count() - start));
        let cosines = &second * block;
        for (offset, of_token) in cosines.column_iter().enumerate() {
            let token = start + offset;
            for (other, cosine) in of_token.iter().enumerate() {
                keep_better(&mut forward[token], other, *cosine);
                keep_better(&mut backward[other], token, *cosine);
            }
        }
    }
    Ok(Nearest { forward, backward })
}

/// The tokens at length 1 as columns, `[D, N]`.
fn units(grid: &TokenGrid) -> DMatrix<f32> {
    let unit = grid.clone().normalized();
    DMatrix::from_column_slice(grid.dim(), grid.count(), unit.values())
}

fn keep_better(best: &mut Option<Neighbour>, patch: usize, cosine: f32) {
    // Rounding may carry a cosine beyond its bounds.
    let similarity = cosine.clamp(-1.0, 1.0);
    // Patches come in ascending order, so that the first of equals stays.
    if !cosine.is_nan() && best.is_none_or(|best| similarity > best.similarity) {
        *best = Some(Neighbour { patch, similarity });
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;
    use rand::seq::SliceRandom as _;

    use super::*;
    use crate::analysis::similarity::{best_patches, cosines};
    use crate::rng::{Purpose, Rng, stream};
    use crate::testing::test;

    fn rng(index: u64) -> Rng {
        stream(5, Purpose::Scene, 0, index)
    }

    fn random_grid(rows: usize, columns: usize, dim: usize, rng: &mut Rng) -> TokenGrid {
        let values = (0..rows * columns * dim)
            .map(|_| rng.random_range(-1.0..1.0))
            .collect();
        TokenGrid::new(rows, columns, dim, values).expect("as many values as asked for")
    }

    fn patches(neighbours: &[Option<Neighbour>]) -> Vec<Option<usize>> {
        neighbours
            .iter()
            .map(|neighbour| neighbour.map(|n| n.patch))
            .collect()
    }

    #[test]
    fn agrees_with_one_token_at_a_time_at_every_remainder() {
        // Sizes around tiles and blocks: below, at and above.
        for (index, (a_count, b_count, dim)) in [
            (1, 1, 1),
            (3, 7, 5),
            (4, 8, 3),
            (5, 9, 16),
            (127, 17, 33),
            (128, 8, 2),
            (133, 71, 7),
            (259, 3, 12),
        ]
        .into_iter()
        .enumerate()
        {
            let mut rng = rng(index as u64);
            let (a, b) = (
                random_grid(1, a_count, dim, &mut rng),
                random_grid(b_count, 1, dim, &mut rng),
            );
            let found = nearest(&a, &b).expect("equal widths");
            for (from, to, neighbours) in [(&a, &b, &found.forward), (&b, &a, &found.backward)] {
                assert_eq!(neighbours.len(), from.count());
                for (token, neighbour) in from.tokens().zip(neighbours) {
                    let similarities = cosines(token, to).expect("equal widths");
                    let best = best_patches(&similarities, 1, 1, 0.0)[0];
                    let neighbour = neighbour.expect("all tokens are finite");
                    assert!((neighbour.similarity - best.similarity).abs() < 1e-5);
                    assert!((similarities[neighbour.patch] - best.similarity).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn every_patch_finds_itself_in_the_same_image() {
        let grid = random_grid(13, 11, 24, &mut rng(1));
        let found = nearest(&grid, &grid).expect("equal widths");
        let own: Vec<_> = (0..143).map(Some).collect();
        assert_eq!(patches(&found.forward), own);
        assert_eq!(found.forward, found.backward);
        assert!(
            found
                .forward
                .iter()
                .flatten()
                .all(|n| (n.similarity - 1.0).abs() < 1e-5 && n.similarity <= 1.0)
        );
    }

    #[test]
    fn a_permutation_is_recovered_through_noise_and_scale() {
        let mut rng = rng(2);
        let a = random_grid(15, 20, 64, &mut rng);
        let mut order: Vec<usize> = (0..300).collect();
        order.shuffle(&mut rng);
        let mut values = Vec::new();
        for source in &order {
            let scale = rng.random_range(0.1..10.0);
            values.extend(
                a.token(*source)
                    .iter()
                    .map(|value| scale * (value + rng.random_range(-0.2..0.2f32))),
            );
        }
        let b = TokenGrid::new(20, 15, 64, values).expect("300 tokens");
        let found = nearest(&a, &b).expect("equal widths");
        assert_eq!(
            patches(&found.backward),
            order.iter().copied().map(Some).collect::<Vec<_>>()
        );
        assert!((0..300).all(|to| patches(&found.forward)[order[to]] == Some(to)));
    }

    #[test]
    fn the_lowest_index_wins_among_equals() {
        let a = TokenGrid::new(1, 2, 2, vec![1.0, 0.0, 0.0, 1.0]).expect("2 x 2 values");
        // Twenty copies of the same token, so that equals lie in different tiles, then a worse one.
        let b = TokenGrid::new(1, 21, 2, [[3.0, 0.0].repeat(20), vec![1.0, 1.0]].concat())
            .expect("21 x 2 values");
        assert_eq!(
            patches(&nearest(&a, &b).expect("equal widths").forward),
            [Some(0), Some(20)]
        );
        assert_eq!(
            patches(&nearest(&b, &a).expect("equal widths").backward),
            [Some(0), Some(20)]
        );
        let zeros = TokenGrid::new(1, 3, 2, vec![0.0; 6]).expect("3 x 2 values");
        let found = nearest(&zeros, &b).expect("equal widths").forward;
        assert_eq!(
            found,
            vec![
                Some(Neighbour {
                    patch: 0,
                    similarity: 0.0
                });
                3
            ]
        );
    }

    #[test]
    fn padding_is_never_a_neighbour() {
        // All cosines are -1, below the 0 that the zeros of an unfinished panel give.
        let (a, b) = (vec![1.0; 5], vec![-1.0; 9]);
        let (a, b) = (
            TokenGrid::new(1, 5, 1, a).expect("5 values"),
            TokenGrid::new(1, 9, 1, b).expect("9 values"),
        );
        let found = nearest(&a, &b).expect("equal widths");
        assert_eq!(
            found.forward,
            vec![
                Some(Neighbour {
                    patch: 0,
                    similarity: -1.0
                });
                5
            ]
        );
        assert_eq!(
            found.backward,
            vec![
                Some(Neighbour {
                    patch: 0,
                    similarity: -1.0
                });
                9
            ]
        );
    }

    #[test]
    fn tokens_that_are_not_finite_have_no_neighbour_and_are_none() {
        let a = TokenGrid::new(1, 3, 2, vec![f32::NAN, 1.0, 1.0, 0.0, f32::INFINITY, 0.0])
            .expect("3 x 2 values");
        let b = TokenGrid::new(1, 2, 2, vec![1.0, 0.1, f32::NAN, f32::NAN]).expect("2 x 2 values");
        let found = nearest(&a, &b).expect("equal widths");
        assert_eq!(patches(&found.forward), [None, Some(0), None]);
        assert_eq!(patches(&found.backward), [Some(1), None]);
    }

    #[test]
    fn different_widths_are_refused() {
        let mut rng = rng(3);
        let (a, b) = (
            random_grid(1, 1, 384, &mut rng),
            random_grid(1, 1, 768, &mut rng),
        );
        assert_eq!(
            nearest(&a, &b),
            Err(WidthError {
                first: 384,
                second: 768
            })
        );
    }
}
