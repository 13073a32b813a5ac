//! The largest eigenvalues of a large symmetric operator: Lanczos iteration with full
//! re-orthogonalisation.

use nalgebra::{DMatrix, DVector, SymmetricEigen};
use rand::RngExt as _;

use crate::rng::{Purpose, stream};

#[derive(Clone, Copy, Debug)]
pub(crate) struct StopRule {
    /// Largest residual `|A x - value x|` of an eigenpair.
    pub tolerance: f64,
    /// Most steps of one Krylov space; each costs one product and keeps one vector.
    pub steps: usize,
}

/// An eigenvalue and its eigenvector of length 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Eigenpair {
    pub value: f64,
    pub vector: DVector<f64>,
}

/// The iteration ran out of steps.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("the eigenvectors did not converge in {steps} Lanczos steps (residual {residual:.1e})")]
#[allow(missing_docs)]
pub struct LanczosError {
    pub steps: usize,
    pub residual: f64,
}

/// The `count` largest eigenvalues, with multiplicity, of the operator that `apply` multiplies by,
/// among the vectors orthogonal to the eigenvectors `known`; from the largest down. Fewer come back
/// only if the space has fewer dimensions.
pub(crate) fn largest(
    known: &[DVector<f64>],
    dim: usize,
    count: usize,
    stop: StopRule,
    mut apply: impl FnMut(&DVector<f64>) -> DVector<f64>,
) -> Result<Vec<Eigenpair>, LanczosError> {
    let mut locked = known.to_vec();
    let mut found: Vec<Eigenpair> = Vec::new();
    // A Krylov space holds one vector of each eigenspace only. So further spaces are searched,
    // orthogonal to all that was found, until one has nothing larger.
    while locked.len() < dim && (found.len() < count || count > 1) {
        let missing = count.saturating_sub(found.len()).max(1);
        let pairs = krylov(&locked, dim, missing, stop, &mut apply)?;

        // Nothing larger than what was found: a further space holds only smaller ones.
        let smallest = found.last().map_or(f64::NEG_INFINITY, |pair| pair.value);
        let larger = pairs
            .iter()
            .any(|pair| pair.value > smallest + stop.tolerance);
        if found.len() >= count && !larger {
            break;
        }

        locked.extend(pairs.iter().map(|pair| pair.vector.clone()));
        found.extend(pairs);
        found.sort_by(|a, b| b.value.total_cmp(&a.value));
        found.truncate(count);
    }
    Ok(found)
}

/// At most `count` of the largest eigenpairs that one Krylov space orthogonal to `locked` holds; at
/// least one.
fn krylov(
    locked: &[DVector<f64>],
    dim: usize,
    count: usize,
    stop: StopRule,
    apply: &mut impl FnMut(&DVector<f64>) -> DVector<f64>,
) -> Result<Vec<Eigenpair>, LanczosError> {
    let mut basis: Vec<DVector<f64>> = Vec::new();
    let (mut diagonal, mut off) = (Vec::new(), Vec::new());
    let mut next = start(locked, dim);
    let room = dim - locked.len();
    let mut check = 2;
    let mut residual = f64::INFINITY;

    while basis.len() < room.min(stop.steps) {
        let mut image = apply(&next);
        diagonal.push(image.dot(&next));
        basis.push(next);

        let before = image.norm();
        orthogonalize(&mut image, locked, &basis);
        let length = image.norm();
        // A remainder at rounding level means that the space is invariant: its eigenvalues are
        // exact.
        let ended = basis.len() == room
            || length <= 1e-14 * before.max(f64::MIN_POSITIVE)
            || length < 1e-150;
        off.push(if ended { 0.0 } else { length });

        if ended || basis.len() >= check.min(stop.steps) {
            let failed = LanczosError {
                steps: basis.len(),
                residual,
            };
            let eigen = tridiagonal(&diagonal, &off[..off.len() - 1]).ok_or(failed)?;
            let mut order: Vec<usize> = (0..basis.len()).collect();
            order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
            order.truncate(count);
            let last = basis.len() - 1;
            // The residual of a pair is the last off-diagonal value times its last element, so that
            // no vector has to be made.
            let residuals = order
                .iter()
                .map(|i| (off[last] * eigen.eigenvectors[(last, *i)]).abs());
            residual = residuals.fold(0.0, f64::max);
            if ended || (order.len() == count && residual <= stop.tolerance) {
                return Ok(order.into_iter().map(|i| ritz(&basis, &eigen, i)).collect());
            }
            // Checking costs the cube of the number of steps, so it becomes rarer.
            check = basis.len() + (basis.len() / 4).max(4);
        }

        next = image / length;
    }
    Err(LanczosError {
        steps: basis.len(),
        residual,
    })
}

fn start(locked: &[DVector<f64>], dim: usize) -> DVector<f64> {
    // Fixed, so that an image always gives the same eigenvectors.
    let mut rng = stream(0, Purpose::Cluster, dim as u64, locked.len() as u64);
    let mut vector = DVector::from_fn(dim, |_, _| rng.random_range(-1.0..1.0));
    orthogonalize(&mut vector, locked, &[]);
    let length = vector.norm();
    vector / length
}

fn orthogonalize(vector: &mut DVector<f64>, locked: &[DVector<f64>], basis: &[DVector<f64>]) {
    // Twice, because the first pass leaves rounding errors.
    for _ in 0..2 {
        for other in locked.iter().chain(basis) {
            let shared = vector.dot(other);
            vector.axpy(-shared, other, 1.0);
        }
    }
}

fn tridiagonal(diagonal: &[f64], off: &[f64]) -> Option<SymmetricEigen<f64, nalgebra::Dyn>> {
    let mut matrix = DMatrix::from_diagonal(&DVector::from_column_slice(diagonal));
    for (i, value) in off.iter().enumerate() {
        matrix[(i, i + 1)] = *value;
        matrix[(i + 1, i)] = *value;
    }
    // `SymmetricEigen::new` would go on without end where nothing converges.
    SymmetricEigen::try_new(matrix, f64::EPSILON, 100 * diagonal.len() + 100)
}

fn ritz(
    basis: &[DVector<f64>],
    eigen: &SymmetricEigen<f64, nalgebra::Dyn>,
    index: usize,
) -> Eigenpair {
    let mut vector = DVector::zeros(basis[0].len());
    for (member, weight) in basis.iter().zip(eigen.eigenvectors.column(index).iter()) {
        vector.axpy(*weight, member, 1.0);
    }
    let length = vector.norm();
    Eigenpair {
        value: eigen.eigenvalues[index],
        vector: vector / length,
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;
    use crate::testing::test;

    const STOP: StopRule = StopRule {
        tolerance: 1e-10,
        steps: 100,
    };

    fn values(matrix: &DMatrix<f64>, count: usize) -> Vec<f64> {
        let found = largest(&[], matrix.nrows(), count, STOP, |x| matrix * x)
            .expect("small matrices converge");
        for (i, pair) in found.iter().enumerate() {
            assert!(
                (matrix * &pair.vector - pair.value * &pair.vector).norm() < 1e-9,
                "pair {i} is no eigenpair"
            );
            for (j, other) in found.iter().enumerate() {
                let expected = f64::from(u8::from(i == j));
                assert!(
                    (pair.vector.dot(&other.vector) - expected).abs() < 1e-9,
                    "pairs {i} and {j}"
                );
            }
        }
        found.iter().map(|pair| pair.value).collect()
    }

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len(), "{found:?} {expected:?}");
        assert!(
            found
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 1e-9),
            "{found:?} is not {expected:?}"
        );
    }

    /// The adjacency of n points in a row, or in a ring.
    fn neighbours(n: usize, ring: bool) -> DMatrix<f64> {
        let adjacent = |i: usize, j: usize| i.abs_diff(j) == 1 || (ring && i.abs_diff(j) == n - 1);
        DMatrix::from_fn(n, n, |i, j| f64::from(u8::from(adjacent(i, j))))
    }

    #[test]
    fn a_path_has_the_known_eigenvalues() {
        let expected: Vec<f64> = (1..=5)
            .map(|k| 2.0 * (PI * k as f64 / 61.0).cos())
            .collect();
        close(&values(&neighbours(60, false), 5), &expected);
    }

    #[test]
    fn eigenvalues_come_with_their_multiplicity() {
        // A ring has 2, then each 2 cos(2 pi k / n) twice.
        let cosine = |k: f64| 2.0 * (2.0 * PI * k / 40.0).cos();
        let expected = [
            2.0,
            cosine(1.0),
            cosine(1.0),
            cosine(2.0),
            cosine(2.0),
            cosine(3.0),
        ];
        close(&values(&neighbours(40, true), 6), &expected);
        let identity = DMatrix::<f64>::identity(5, 5);
        close(&values(&identity, 3), &[1.0; 3]);
        close(&values(&identity, 9), &[1.0; 5]);
        close(&values(&DMatrix::zeros(4, 4), 2), &[0.0; 2]);
    }

    #[test]
    fn known_eigenvectors_are_left_out() {
        let ring = neighbours(12, true);
        let constant = DVector::from_element(12, 1.0 / 12f64.sqrt());
        let found = largest(&[constant], 12, 1, STOP, |x| &ring * x).expect("converges");
        assert!(
            (found[0].value - 3f64.sqrt()).abs() < 1e-9,
            "2 cos(pi / 6), not 2"
        );
    }

    #[test]
    fn what_does_not_converge_is_an_error() {
        // The largest eigenvalues of a long path lie close together.
        let path = neighbours(400, false);
        let found = largest(&[], 400, 1, STOP, |x| &path * x);
        assert!(
            matches!(found, Err(LanczosError { steps: 100, residual }) if residual > 1e-10),
            "{found:?}"
        );
    }
}
