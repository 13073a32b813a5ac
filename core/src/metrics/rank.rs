//! RankMe, the effective rank of features (Garrido et al. 2023, arXiv 2210.02885).

use nalgebra::DMatrix;

// What the paper adds to each share of the spectrum.
const EPSILON: f64 = 1e-7;
/// Rows that are converted to `f64` at a time.
const BLOCK: usize = 1024;

/// RankMe of `rows`, row-major `[N, dim]`: `exp(- sum of p_k ln p_k)` over the min(N, dim) singular
/// values `s_k`, with `p_k = s_k / (sum of s) + 1e-7`. It counts the directions that the features
/// use: 1 if all lie on a line, at most min(N, dim). Features are taken as they are, with their
/// mean. 0 if there is none, or all are zero; `None` if a value is not finite.
///
/// Singular values come from products of features in `f64`: those below 1e-8 of the largest are
/// lost.
///
/// # Panics
/// If the values are no whole number of rows.
pub fn rankme(rows: &[f32], dim: usize) -> Option<f64> {
    if rows.is_empty() {
        return Some(0.0);
    }
    // Iterations towards eigenvalues that are not numbers would not end.
    if rows.iter().any(|value| !value.is_finite()) {
        return None;
    }
    assert!(rows.len().is_multiple_of(dim), "whole rows of width {dim}");

    // Both products have the same eigenvalues but zeros: the smaller one.
    let products = if rows.len() / dim < dim {
        products_of_rows(rows, dim)
    } else {
        products_of_columns(rows, dim)
    };
    let mut singular = Vec::with_capacity(products.nrows());
    for eigenvalue in products.symmetric_eigenvalues().iter() {
        // Rounding leaves tiny negative eigenvalues.
        singular.push(eigenvalue.max(0.0).sqrt());
    }

    let sum: f64 = singular.iter().sum();
    if sum == 0.0 {
        return Some(0.0);
    }
    let mut entropy = 0.0;
    for value in singular {
        let share = value / sum + EPSILON;
        entropy -= share * share.ln();
    }
    Some(entropy.exp())
}

/// `[dim, dim]`.
fn products_of_columns(rows: &[f32], dim: usize) -> DMatrix<f64> {
    let mut products = DMatrix::zeros(dim, dim);
    for block in rows.chunks(BLOCK * dim) {
        let values = block.iter().map(|value| f64::from(*value));
        let block = DMatrix::from_iterator(dim, block.len() / dim, values);
        products.gemm(1.0, &block, &block.transpose(), 1.0);
    }
    products
}

/// `[N, N]`, for fewer rows than columns.
fn products_of_rows(rows: &[f32], dim: usize) -> DMatrix<f64> {
    let values = rows.iter().map(|value| f64::from(*value));
    let columns = DMatrix::from_iterator(dim, rows.len() / dim, values);
    columns.transpose() * columns
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::testing::test;

    /// What scripts/make_eval_rank_fixtures.py wrote.
    const FIXTURE: &str = include_str!("../../../tests/fixtures/eval/rank.json");

    #[derive(Deserialize)]
    struct Fixture {
        ranks: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        name: String,
        dim: usize,
        rows: Vec<f32>,
        rankme: f64,
    }

    #[test]
    fn ranks_equal_those_of_a_singular_value_decomposition() {
        let fixture: Fixture = serde_json::from_str(FIXTURE).expect("the fixture");
        assert_eq!(fixture.ranks.len(), 4);
        for case in fixture.ranks {
            let found = rankme(&case.rows, case.dim).expect("finite");
            let difference = (found - case.rankme).abs();
            let (name, expected) = (case.name, case.rankme);
            assert!(
                difference < 2e-6 * expected,
                "{name}: {found}, not {expected}"
            );
        }
    }

    #[test]
    fn the_rank_counts_directions() {
        let orthogonal = [2.0, 0.0, 0.0, 0.0, -2.0, 0.0];
        assert!((rankme(&orthogonal, 3).expect("finite") - 2.0).abs() < 1e-4);
        // Collapsed features: all the same.
        assert!((rankme(&[0.3; 40], 4).expect("finite") - 1.0).abs() < 1e-4);
        assert_eq!(rankme(&[0.0; 40], 4), Some(0.0));
        assert_eq!(rankme(&[], 4), Some(0.0));
        assert_eq!(rankme(&[1.0, f32::NAN], 2), None);
    }

    #[test]
    fn more_rows_than_a_block_are_all_used() {
        let mut rows = vec![0.0f32; 3 * 1500];
        for (i, row) in rows.chunks_mut(3).enumerate() {
            row[usize::from(i >= 1100)] = 1.0;
        }
        // Two orthogonal directions with singular values of sqrt(1100) and 20.
        let (a, b) = (1100f64.sqrt(), 20.0);
        let (p, q) = (a / (a + b), b / (a + b));
        let expected = (-p * p.ln() - q * q.ln()).exp();
        assert!((rankme(&rows, 3).expect("finite") - expected).abs() < 1e-4);
    }
}
