//! Principal components of patch tokens, of many images together.

use nalgebra::{DMatrix, SymmetricEigen};

use crate::analysis::rows::{Rows, RowsError};

/// Rows multiplied at a time.
const BLOCK: usize = 512;
// Share of the largest variance; a direction below it is rounding noise.
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
    /// The covariance divides by the number of rows. The element of largest magnitude of a
    /// component is positive.
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
        // `SymmetricEigen::new` would go on without end where nothing converges.
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
                // In f64, as values far from zero cancel.
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

fn covariance(rows: &Rows<'_>, mean: &[f64]) -> DMatrix<f64> {
    let dim = rows.dim();
    let mut sum = DMatrix::<f64>::zeros(dim, dim);
    let mut product = DMatrix::<f32>::zeros(dim, dim);
    // Products are summed in f32 within a block and in f64 across blocks, where rounding adds up.
    for from in (0..rows.count()).step_by(BLOCK) {
        let block = rows.centered(from, BLOCK, mean);
        product.gemm(1.0, &block, &block.transpose(), 0.0);
        sum.zip_apply(&product, |total, value| *total += f64::from(value));
    }
    sum / rows.count() as f64
}

/// `vector` with the sign that makes its element of largest magnitude positive.
fn signed(vector: &[f64]) -> Vec<f32> {
    // An eigenvector has no sign of its own, and colors would flip between runs.
    let largest = vector.iter().fold(0.0, |max: f64, v| max.max(v.abs()));
    let leading = vector
        .iter()
        // The first of nearly equal ones, or rounding would choose the sign.
        .find(|v| v.abs() >= largest * (1.0 - 1e-6))
        .copied()
        .unwrap_or(1.0);
    vector
        .iter()
        .map(|v| (v * leading.signum()) as f32)
        .collect()
}

#[cfg(test)]
mod tests;
