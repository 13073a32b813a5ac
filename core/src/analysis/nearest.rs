//! The most similar patch in another image, for every patch of two images at once.
//!
//! All cosines are computed, tile by tile, and forgotten as soon as both images know them: a pair
//! of large images has tens of millions.

use crate::analysis::grid::TokenGrid;
use crate::analysis::similarity::{Neighbour, WidthError};

/// Tokens of the first image in a tile.
const TILE_ROWS: usize = 4;
/// Tokens of the second image in a tile. 4 x 8 sums fill half of the 16 vector registers of SSE and
/// of most wasm engines, which leaves room for the operands.
const TILE_COLUMNS: usize = 8;
/// Tiles of the first image that meet one panel of the second while it is in the fastest cache.
const BLOCK: usize = 32;

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
/// copies of both grids. The result is the same on every machine: each cosine is summed in the
/// order of the components.
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
    let (rows, columns) = (panels::<TILE_ROWS>(a), panels::<TILE_COLUMNS>(b));
    let mut forward = vec![Best::NONE; a.count()];
    let mut backward = vec![Best::NONE; b.count()];

    let blocks = rows
        .chunks(BLOCK * a.dim())
        .zip(forward.chunks_mut(BLOCK * TILE_ROWS));
    for (block, (row_panels, block_bests)) in blocks.enumerate() {
        let column_panels = columns
            .chunks_exact(b.dim())
            .zip(backward.chunks_mut(TILE_COLUMNS));
        for (second, (column_panel, column_bests)) in column_panels.enumerate() {
            let row_panels = row_panels
                .chunks_exact(a.dim())
                .zip(block_bests.chunks_mut(TILE_ROWS));
            for (first, (row_panel, row_bests)) in row_panels.enumerate() {
                let sums = tile(row_panel, column_panel);
                let origin = ((block * BLOCK + first) * TILE_ROWS, second * TILE_COLUMNS);
                record(&sums, origin, row_bests, column_bests);
            }
        }
    }
    let known = |bests: Vec<Best>| bests.into_iter().map(Best::neighbour).collect();
    Ok(Nearest {
        forward: known(forward),
        backward: known(backward),
    })
}

/// The tokens at length 1 in panels of `W`, component by component: `dim` entries a panel, each
/// with the component of `W` tokens. The last panel is filled up with zeros.
fn panels<const W: usize>(grid: &TokenGrid) -> Vec<[f32; W]> {
    let unit = grid.clone().normalized();
    let mut panels = vec![[0.0; W]; grid.count().div_ceil(W) * grid.dim()];
    for (panel, tokens) in panels
        .chunks_exact_mut(grid.dim())
        .zip(unit.values().chunks(W * grid.dim()))
    {
        for (slot, token) in tokens.chunks_exact(grid.dim()).enumerate() {
            panel
                .iter_mut()
                .zip(token)
                .for_each(|(entry, value)| entry[slot] = *value);
        }
    }
    panels
}

/// The cosines of every token of one panel with every token of the other.
#[inline(always)]
fn tile(
    rows: &[[f32; TILE_ROWS]],
    columns: &[[f32; TILE_COLUMNS]],
) -> [[f32; TILE_COLUMNS]; TILE_ROWS] {
    let mut sums = [[0.0; TILE_COLUMNS]; TILE_ROWS];
    for (row, column) in rows.iter().zip(columns) {
        for (sums, x) in sums.iter_mut().zip(row) {
            for (sum, y) in sums.iter_mut().zip(column) {
                *sum += x * y;
            }
        }
    }
    sums
}

/// Lets the patches of a tile with its first cell at `origin` keep what is better than what they
/// have. At the far edges there are fewer patches than sums.
#[inline(always)]
fn record(
    sums: &[[f32; TILE_COLUMNS]; TILE_ROWS],
    origin: (usize, usize),
    row_bests: &mut [Best],
    column_bests: &mut [Best],
) {
    for (i, (row, row_best)) in sums.iter().zip(row_bests).enumerate() {
        for (j, (sum, column_best)) in row.iter().zip(column_bests.iter_mut()).enumerate() {
            row_best.update(origin.1 + j, *sum);
            column_best.update(origin.0 + i, *sum);
        }
    }
}

/// The best patch so far. Patches are offered in ascending order, so that the first of equals
/// stays, and NaN never compares as better.
#[derive(Clone, Copy)]
struct Best {
    patch: usize,
    similarity: f32,
}

impl Best {
    const NONE: Self = Self {
        patch: usize::MAX,
        similarity: f32::NEG_INFINITY,
    };

    fn update(&mut self, patch: usize, similarity: f32) {
        if similarity > self.similarity {
            *self = Self { patch, similarity };
        }
    }

    fn neighbour(self) -> Option<Neighbour> {
        let found = self.patch != usize::MAX;
        found.then(|| Neighbour {
            patch: self.patch,
            similarity: self.similarity.clamp(-1.0, 1.0),
        })
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
