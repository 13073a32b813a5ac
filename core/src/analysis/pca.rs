//! Principal components of patch tokens, of many images together.

use nalgebra::{DMatrix, SymmetricEigen};

use crate::analysis::rows::{Rows, RowsError};

/// Rows multiplied at a time: products are summed in `f32` within a block and in `f64` across
/// blocks.
const BLOCK: usize = 512;
/// Share of the largest variance below which a direction is rounding noise.
const NOISE: f64 = 1e-6;

/// The directions of largest variance.
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    mean: Vec<f64>,
    components: Vec<f32>,
    variances: Vec<f64>,
    total: f64,
}

/// Why there are no principal components.
#[derive(Debug, thiserror::Error, PartialEq)]
#[allow(missing_docs)]
pub enum PcaError {
    #[error(transparent)]
    Rows(#[from] RowsError),
    #[error("0 principal components were asked for; ask for at least 1")]
    NoComponents,
    #[error(
        "all {rows} tokens are equal, so they have no principal components; use more or other images"
    )]
    NoVariance { rows: usize },
    #[error("tokens of width {actual} cannot be projected on components of width {expected}")]
    Width { expected: usize, actual: usize },
    #[error("the eigenvectors of a covariance of width {dim} did not converge")]
    NotConverged { dim: usize },
}

impl Pca {
    /// The `count` principal components of `rows`, fewer where the rows vary in fewer directions.
    ///
    /// The covariance divides by the number of rows. A component's sign is such that its element of
    /// largest magnitude is positive, so that colors made from projections do not flip between
    /// runs.
    ///
    /// # Errors
    /// If `count` is 0 or all rows are equal.
    pub fn fit(rows: &Rows<'_>, count: usize) -> Result<Self, PcaError> {
        if count == 0 {
            return Err(PcaError::NoComponents);
        }
        let mean = rows.mean();
        let covariance = covariance(rows, &mean);
        let total = covariance.trace();
        // The mean of equal `f32` is exact in `f64`, so nothing is left of them.
        if total == 0.0 {
            return Err(PcaError::NoVariance { rows: rows.count() });
        }
        let dim = rows.dim();

        // Solved at trace 1: the solver compares some values with absolute constants.
        let eigen = SymmetricEigen::try_new(covariance / total, f64::EPSILON, 100 * dim + 100)
            .ok_or(PcaError::NotConverged { dim })?;
        let mut order: Vec<usize> = (0..dim).collect();
        order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
        let floor = NOISE * eigen.eigenvalues[order[0]];
        order.truncate(count);
        order.retain(|i| eigen.eigenvalues[*i] > floor);

        let mut components = Vec::with_capacity(order.len() * dim);
        let mut variances = Vec::with_capacity(order.len());
        for i in order {
            components.extend(signed(eigen.eigenvectors.column(i).as_slice()));
            variances.push(eigen.eigenvalues[i] * total);
        }
        Ok(Self {
            mean,
            components,
            variances,
            total,
        })
    }

    /// Number of components.
    pub fn count(&self) -> usize {
        self.variances.len()
    }

    /// The mean row, `[D]`.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The components, each of length 1 and width D, from the largest variance to the smallest.
    pub fn components(&self) -> std::slice::ChunksExact<'_, f32> {
        self.components.chunks_exact(self.mean.len())
    }

    /// Variance along each component.
    pub fn variances(&self) -> &[f64] {
        &self.variances
    }

    /// Share of the whole variance along each component.
    pub fn variance_shares(&self) -> Vec<f64> {
        self.variances
            .iter()
            .map(|variance| variance / self.total)
            .collect()
    }

    /// Coordinates of `rows` along the components, row-major `[N, count]`.
    ///
    /// # Errors
    /// If the rows are not as wide as the components.
    pub fn project(&self, rows: &Rows<'_>) -> Result<Vec<f32>, PcaError> {
        if rows.dim() != self.mean.len() {
            return Err(PcaError::Width {
                expected: self.mean.len(),
                actual: rows.dim(),
            });
        }

        let mut coordinates = Vec::with_capacity(rows.count() * self.count());
        for row in rows.iter() {
            for component in self.components() {
                let mut along = 0.0;
                for (i, value) in row.iter().enumerate() {
                    along += (f64::from(*value) - self.mean[i]) * f64::from(component[i]);
                }
                coordinates.push(along as f32);
            }
        }
        Ok(coordinates)
    }
}

/// The covariance `[D, D]` of `rows` around `mean`.
fn covariance(rows: &Rows<'_>, mean: &[f64]) -> DMatrix<f64> {
    let dim = rows.dim();
    let mut sum = DMatrix::<f64>::zeros(dim, dim);
    let mut product = DMatrix::<f32>::zeros(dim, dim);
    for from in (0..rows.count()).step_by(BLOCK) {
        let block = rows.centered(from, BLOCK, mean);
        product.gemm(1.0, &block, &block.transpose(), 0.0);
        sum.zip_apply(&product, |total, value| *total += f64::from(value));
    }
    sum / rows.count() as f64
}

/// `vector` with the sign that makes its element of largest magnitude positive; of nearly equal
/// ones the first counts.
fn signed(vector: &[f64]) -> Vec<f32> {
    let largest = vector.iter().fold(0.0, |max: f64, v| max.max(v.abs()));
    let leading = vector
        .iter()
        .find(|v| v.abs() >= largest * (1.0 - 1e-6))
        .copied()
        .unwrap_or(1.0);
    vector
        .iter()
        .map(|v| (v * leading.signum()) as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;

    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::test;

    /// Rows at `center` plus and minus each axis times its length: their principal axes are known
    /// exactly.
    fn crosses(center: &[f32], axes: &[(Vec<f32>, f32)]) -> Vec<f32> {
        let point = |(axis, length): &(Vec<f32>, f32), sign: f32| -> Vec<f32> {
            center
                .iter()
                .zip(axis)
                .map(|(c, a)| c + sign * length * a)
                .collect()
        };
        axes.iter()
            .flat_map(|axis| [point(axis, 1.0), point(axis, -1.0)])
            .flatten()
            .collect()
    }

    #[test]
    fn known_principal_axes_are_found() {
        let axes = [
            (vec![0.6, 0.8, 0.0, 0.0], 2.0),
            (vec![-0.8, 0.6, 0.0, 0.0], 3.0),
            (vec![0.0, 0.0, 0.0, -1.0], 1.0),
        ];
        let values = crosses(&[100.0, -50.0, 7.0, 0.25], &axes);
        let rows = Rows::new(&values, 4).expect("six rows");
        let pca = Pca::fit(&rows, 4).expect("three directions vary");
        assert_eq!(pca.count(), 3, "nothing varies along the third dimension");
        // Six rows, two of them at distance l along each axis: the variance is 2 l^2 / 6.
        let expected = [
            ([0.8, -0.6, 0.0, 0.0], 3.0),
            ([0.6, 0.8, 0.0, 0.0], 4.0 / 3.0),
            ([0.0, 0.0, 0.0, 1.0], 1.0 / 3.0),
        ];
        for ((found, variance), (axis, expected)) in
            pca.components().zip(pca.variances()).zip(&expected)
        {
            assert!(
                found.iter().zip(axis).all(|(a, b)| (a - b).abs() < 1e-5),
                "{found:?} is not {axis:?}"
            );
            assert!(
                (variance - expected).abs() < 1e-5,
                "{variance} is not {expected}"
            );
        }
        let shares = pca.variance_shares();
        assert!(
            (shares[0] - 9.0 / 14.0).abs() < 1e-6
                && (shares.iter().sum::<f64>() - 1.0).abs() < 1e-6
        );
        let projected = pca.project(&rows).expect("same width");
        for (found, expected) in projected
            .iter()
            .zip([0.0, 2.0, 0.0, 0.0, -2.0, 0.0, -3.0, 0.0, 0.0])
        {
            assert!((found - expected).abs() < 1e-4, "{projected:?}");
        }
    }

    #[test]
    fn many_blocks_agree_with_a_plain_covariance() {
        let (count, dim) = (3 * BLOCK + 17, 7);
        let mut rng = stream(3, Purpose::Cluster, 0, 0);
        let values: Vec<f32> = (0..count * dim)
            .map(|i| rng.random_range(-1.0..1.0) * (1 + i % dim) as f32 + 40.0)
            .collect();
        let rows = Rows::new(&values, dim).expect("whole rows");
        let mean = rows.mean();
        let found = covariance(&rows, &mean);
        for (i, j) in (0..dim).flat_map(|i| (0..dim).map(move |j| (i, j))) {
            let products = rows
                .iter()
                .map(|row| (f64::from(row[i]) - mean[i]) * (f64::from(row[j]) - mean[j]));
            let plain = products.sum::<f64>() / count as f64;
            assert!(
                (found[(i, j)] - plain).abs() < 1e-5,
                "({i}, {j}): {} is not {plain}",
                found[(i, j)]
            );
        }
    }

    #[test]
    fn scale_does_not_change_the_axes() {
        let axes = [(vec![0.6, 0.8], 2.0), (vec![-0.8, 0.6], 1.0)];
        let values = crosses(&[0.0, 0.0], &axes);
        for scale in [1e-12, 1e12] {
            let scaled: Vec<f32> = values.iter().map(|v| v * scale).collect();
            let pca = Pca::fit(&Rows::new(&scaled, 2).expect("rows"), 2).expect("two directions");
            let first: Vec<f32> = pca.components().flatten().copied().collect();
            assert!(
                first
                    .iter()
                    .zip([0.6, 0.8, 0.8, -0.6])
                    .all(|(a, b)| (a - b).abs() < 1e-5),
                "{scale}: {first:?}"
            );
        }
    }

    #[test]
    fn degenerate_rows_are_refused() {
        let fit = |values: &[f32], count| Pca::fit(&Rows::new(values, 3).expect("rows"), count);
        assert_eq!(
            fit(&[1.0, 2.0, 3.0], 1),
            Err(PcaError::NoVariance { rows: 1 })
        );
        assert_eq!(fit(&[0.0; 12], 1), Err(PcaError::NoVariance { rows: 4 }));
        assert_eq!(
            fit(&[0.1; 3000], 3),
            Err(PcaError::NoVariance { rows: 1000 })
        );
        assert_eq!(
            fit(&[1.0, 0.0, 0.0, 2.0, 0.0, 0.0], 0),
            Err(PcaError::NoComponents)
        );
        let line = fit(&[1.0, 0.0, 0.0, 2.0, 0.0, 0.0], 3).expect("one direction varies");
        assert_eq!(line.count(), 1);
        // A plane in 20 dimensions, not along the axes: rounding is no third direction.
        let wave = |i: usize, j: usize| ((i * j) as f32).sin();
        let plane: Vec<f32> = (0..2000)
            .map(|i| wave(i / 20, 3) * wave(i % 20, 5) + wave(i / 20, 7) * wave(i % 20, 2))
            .collect();
        let found = Pca::fit(&Rows::new(&plane, 20).expect("rows"), 3).expect("a plane");
        assert_eq!(found.count(), 2);
        let wide = [0.0; 4];
        let found = line.project(&Rows::new(&wide, 4).expect("rows"));
        assert_eq!(
            found,
            Err(PcaError::Width {
                expected: 3,
                actual: 4
            })
        );
    }
}
