//! The assignment of largest total weight: the Hungarian method with shortest augmenting paths
//! (Jonker and Volgenant 1987), exact on integers.

/// Pairs rows with columns, each at most once, so that the sum of their `weights` (row-major
/// `[rows, columns]`) is largest. Returns the column of each row; as many rows have one as there
/// are of the shorter side. Takes time in proportion to the square of the shorter side times the
/// longer.
///
/// # Panics
/// If there are not `rows * columns` weights.
pub(crate) fn max_assignment(weights: &[u64], rows: usize, columns: usize) -> Vec<Option<usize>> {
    assert_eq!(
        weights.len(),
        rows * columns,
        "one weight for each pair of a row and a column"
    );
    if rows <= columns {
        return assign(rows, columns, |row, column| {
            -i128::from(weights[row * columns + column])
        });
    }
    let mut found = vec![None; rows];
    let transposed = assign(columns, rows, |column, row| {
        -i128::from(weights[row * columns + column])
    });
    for (column, row) in transposed.into_iter().enumerate() {
        if let Some(row) = row {
            found[row] = Some(column);
        }
    }
    found
}

/// The assignment of least cost, for `rows <= columns`.
fn assign(rows: usize, columns: usize, cost: impl Fn(usize, usize) -> i128) -> Vec<Option<usize>> {
    // Potentials keep all reduced costs `cost - row_potential - column_potential` at 0 or above.
    // Column `columns` is where the path of each new row starts.
    let mut row_potential = vec![0; rows];
    let mut column_potential = vec![0; columns + 1];
    let mut owner: Vec<Option<usize>> = vec![None; columns + 1];
    for row in 0..rows {
        owner[columns] = Some(row);
        let mut distance = vec![i128::MAX; columns];
        let mut previous = vec![columns; columns];
        let mut visited = vec![false; columns + 1];
        let mut at = columns;
        while let Some(current) = owner[at] {
            visited[at] = true;
            let (mut step, mut next) = (i128::MAX, columns);
            for column in (0..columns).filter(|column| !visited[*column]) {
                let reduced =
                    cost(current, column) - row_potential[current] - column_potential[column];
                if reduced < distance[column] {
                    (distance[column], previous[column]) = (reduced, at);
                }
                if distance[column] < step {
                    (step, next) = (distance[column], column);
                }
            }
            for column in 0..=columns {
                if visited[column] {
                    column_potential[column] -= step;
                    if let Some(owner) = owner[column] {
                        row_potential[owner] += step;
                    }
                } else if column < columns {
                    distance[column] -= step;
                }
            }
            at = next;
        }
        while at != columns {
            owner[at] = owner[previous[at]];
            at = previous[at];
        }
    }
    let mut found = vec![None; rows];
    for (column, owner) in owner[..columns].iter().enumerate() {
        if let Some(row) = owner {
            found[*row] = Some(column);
        }
    }
    found
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
                let mut used: Vec<usize> = found.iter().flatten().copied().collect();
                let count = used.len();
                used.sort_unstable();
                used.dedup();
                assert!(
                    used.len() == count && count == rows.min(columns),
                    "{found:?}"
                );
                let total: u64 = found
                    .iter()
                    .enumerate()
                    .filter_map(|(r, c)| Some(weights[r * columns + (*c)?]))
                    .sum();
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
        assert_eq!(max_assignment(&[10, 9, 8, 0], 2, 2), [Some(1), Some(0)]);
        assert_eq!(max_assignment(&[1, 5, 3], 3, 1), [None, Some(0), None]);
        assert_eq!(
            max_assignment(&[u64::MAX, 0, 0, u64::MAX], 2, 2),
            [Some(0), Some(1)]
        );
        assert!(max_assignment(&[], 0, 3).is_empty());
        assert_eq!(max_assignment(&[], 2, 0), [None, None]);
    }
}
