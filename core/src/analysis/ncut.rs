//! Normalised cuts (Shi and Malik 2000) of the graph of one image's patches: into object and
//! background as in TokenCut (Wang et al. 2022), or into k segments.

use crate::analysis::affinity::{Affinity, AffinityError};
use crate::analysis::kmeans::{KMeansConfig, KMeansError, kmeans};
use crate::analysis::lanczos::{LanczosError, StopRule, largest};
use crate::analysis::rows::{Rows, RowsError};

// Groups that hang together by unconnected pairs alone have eigenvalues some 1e-5 apart, which the
// residual resolves. Images with groups of like patches need some tens of steps.
const STOP: StopRule = StopRule {
    tolerance: 1e-8,
    steps: 600,
};
// A second eigenvalue of at most this means that no two groups stand out. It is 0 if all weights
// are equal, and negative only for complete graphs without loops.
const SIGNIFICANT: f64 = 1e-6;

/// An image cut in two.
#[derive(Clone, Debug, PartialEq)]
pub struct Bipartition {
    /// Whether each patch belongs to the object.
    pub foreground: Vec<bool>,
    /// The second smallest generalised eigenvector of `(D - W, D)`, `[N]`, of any length; the
    /// object is the side of its largest element.
    pub eigenvector: Vec<f64>,
    /// Its eigenvalue, between 0 and 2: the smaller, the better the cut.
    pub eigenvalue: f64,
    /// The patch where the eigenvector is largest, a point of the object.
    pub seed: usize,
}

/// Why a graph was not cut.
#[derive(Debug, thiserror::Error, PartialEq)]
#[allow(missing_docs)]
pub enum CutError {
    #[error("{patches} patches cannot form {segments} segments")]
    Segments { patches: usize, segments: usize },
    #[error(transparent)]
    Affinity(#[from] AffinityError),
    #[error(
        "the patches are all alike, so that no cut is better than another; use another image or connect patches from a higher cosine on"
    )]
    Uniform,
    #[error(transparent)]
    Eigenvectors(#[from] LanczosError),
    #[error(transparent)]
    Rows(#[from] RowsError),
    #[error(transparent)]
    Clusters(#[from] KMeansError),
}

impl Affinity {
    /// Cuts the graph in two, as TokenCut does: at the mean of the second smallest eigenvector of
    /// `(D - W, D)`. The side of the patch with the largest magnitude is the object.
    ///
    /// # Errors
    /// If all patches are alike or the eigenvector does not converge.
    pub fn bipartition(&self) -> Result<Bipartition, CutError> {
        let trivial = self.trivial();
        let known = std::slice::from_ref(&trivial);
        let pairs = largest(known, self.patches(), 1, STOP, |x| self.product(x))?;
        let second = pairs
            .first()
            .filter(|pair| pair.value > SIGNIFICANT)
            .ok_or(CutError::Uniform)?;

        // Dividing by the roots of the degrees turns an eigenvector of the normalised weights into
        // a generalised one.
        let mut eigenvector: Vec<f64> = second.vector.component_div(&trivial).as_slice().to_vec();
        let mean = eigenvector.iter().sum::<f64>() / eigenvector.len() as f64;
        let most = eigenvector
            .iter()
            .fold(0.0, |most: f64, v| most.max(v.abs()));
        // Of patches that are equal up to rounding the first counts.
        let seed = eigenvector
            .iter()
            .position(|v| v.abs() >= most * (1.0 - 1e-6))
            .unwrap_or(0);

        // An eigenvector has no sign of its own.
        let sign = if eigenvector[seed] > mean { 1.0 } else { -1.0 };
        eigenvector.iter_mut().for_each(|v| *v *= sign);
        // Turned over, so is the mean.
        let foreground = eigenvector.iter().map(|v| *v > sign * mean).collect();
        Ok(Bipartition {
            foreground,
            eigenvector,
            eigenvalue: 1.0 - second.value,
            seed,
        })
    }

    /// Cuts the graph into `segments` parts at once: spherical k-means on the patches' coordinates
    /// in the smallest eigenvectors (Ng, Jordan and Weiss 2001). Returns the segment of each patch.
    ///
    /// # Errors
    /// If there are fewer patches than `segments`, all patches are alike, or the eigenvectors do
    /// not converge.
    pub fn segments(&self, segments: usize, seed: u64) -> Result<Vec<usize>, CutError> {
        let patches = self.patches();
        if segments == 0 || segments > patches {
            return Err(CutError::Segments { patches, segments });
        }
        if segments == 1 {
            return Ok(vec![0; patches]);
        }

        // One set of eigenvectors serves all cuts; a recursion of cuts in two needs a stopping
        // rule.
        let trivial = self.trivial();
        let known = std::slice::from_ref(&trivial);
        let pairs = largest(known, patches, segments - 1, STOP, |x| self.product(x))?;
        if pairs.first().is_none_or(|pair| pair.value <= SIGNIFICANT) {
            return Err(CutError::Uniform);
        }

        let mut values = Vec::with_capacity(patches * segments);
        for patch in 0..patches {
            values.push(trivial[patch] as f32);
            values.extend(pairs.iter().map(|pair| pair.vector[patch] as f32));
        }
        // By cosine, because a row is the longer the more its patch is connected.
        let config = KMeansConfig {
            seed,
            // Ten, as a few bad first centroids cost little here and much in the picture.
            restarts: 10,
            ..KMeansConfig::new(segments)
        };
        Ok(kmeans(&Rows::new(&values, segments)?, &config)?.labels)
    }
}

#[cfg(test)]
mod tests;
