//! The assignment of largest total weight (the Hungarian method).

use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;

/// Pairs rows with columns, each at most once, so that the sum of their `weights` (row-major
/// `[rows, columns]`) is largest. Returns the pairs (row, column), as many as the shorter side has,
/// in order.
pub(super) fn max_assignment(weights: &[u64], rows: usize, columns: usize) -> Vec<(usize, usize)> {
    if weights.is_empty() {
        return Vec::new();
    }
    // In 128 bits the sums of weights and their negatives are exact.
    let exact = weights.iter().map(|weight| i128::from(*weight)).collect();
    let matrix = Matrix::from_vec(rows, columns, exact).expect("one weight a pair");

    // The library assigns every row, so that the rows must be the shorter side.
    if rows <= columns {
        let (_, found) = kuhn_munkres(&matrix);
        return found.into_iter().enumerate().collect();
    }
    let (_, found) = kuhn_munkres(&matrix.transposed());
    let mut pairs: Vec<(usize, usize)> = found
        .into_iter()
        .enumerate()
        .map(|(column, row)| (row, column))
        .collect();
    // In the order of the rows, as from the other side.
    pairs.sort_unstable();
    pairs
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;

    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::test;

    /// The largest total over all ways to give the rows from `row` on different free columns, or
    /// none.
    fn best(weights: &[u64], columns: usize, row: usize, free: &mut Vec<bool>) -> u64 {
        if row * columns == weights.len() {
            return 0;
        }
        let mut most = best(weights, columns, row + 1, free);
        for column in 0..columns {
            if std::mem::replace(&mut free[column], false) {
                most = most
                    .max(weights[row * columns + column] + best(weights, columns, row + 1, free));
                free[column] = true;
            }
        }
        most
    }

    #[test]
    fn totals_equal_those_of_all_permutations() {
        let mut rng = stream(1, Purpose::Cluster, 0, 2);
        for (rows, columns) in (1..=6).flat_map(|rows| (1..=6).map(move |columns| (rows, columns)))
        {
            for most in [1, 3, 1000] {
                let weights: Vec<u64> = (0..rows * columns)
                    .map(|_| rng.random_range(0..=most))
                    .collect();
                let found = max_assignment(&weights, rows, columns);
                assert_eq!(found.len(), rows.min(columns), "{found:?}");
                for (n, pair) in found.iter().enumerate() {
                    assert!(
                        found[..n]
                            .iter()
                            .all(|other| other.0 != pair.0 && other.1 != pair.1),
                        "{found:?}"
                    );
                }
                let total: u64 = found.iter().map(|(r, c)| weights[r * columns + c]).sum();
                assert_eq!(
                    total,
                    best(&weights, columns, 0, &mut vec![true; columns]),
                    "{rows} x {columns}: {weights:?}"
                );
            }
        }
    }

    #[test]
    fn a_greedy_choice_can_be_wrong() {
        // Taking 10 first leaves 0; 9 and 8 are better.
        assert_eq!(max_assignment(&[10, 9, 8, 0], 2, 2), [(0, 1), (1, 0)]);
        assert_eq!(max_assignment(&[1, 5, 3], 3, 1), [(1, 0)]);
        assert_eq!(
            max_assignment(&[u64::MAX, 0, 0, u64::MAX], 2, 2),
            [(0, 0), (1, 1)]
        );
        assert!(max_assignment(&[], 0, 3).is_empty());
        assert!(max_assignment(&[], 2, 0).is_empty());
    }
}
