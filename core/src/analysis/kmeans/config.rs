//! Settings and result of k-means.

/// How rows and centroids are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Squared Euclidean distance; a centroid is the mean of its rows.
    Euclidean,
    /// One minus the cosine, "spherical k-means"; a centroid is the direction of the mean of its
    /// rows' directions.
    Cosine,
}

/// How to cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct KMeansConfig {
    /// Number of clusters K.
    pub clusters: usize,
    /// How rows and centroids are compared.
    pub metric: Metric,
    /// Most iterations of a restart.
    pub max_iterations: usize,
    /// Runs from different first centroids, of which the best is kept.
    pub restarts: usize,
    /// Seed of the first centroids.
    pub seed: u64,
}

impl KMeansConfig {
    /// `clusters` clusters by cosine: at most 100 iterations, best of 3 restarts, seed 0.
    pub fn new(clusters: usize) -> Self {
        Self {
            clusters,
            metric: Metric::Cosine,
            max_iterations: 100,
            restarts: 3,
            seed: 0,
        }
    }
}

/// A partition of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct KMeans {
    /// Centroids, row-major `[K, D]`; of length 1 for [`Metric::Cosine`].
    pub centroids: Vec<f32>,
    /// The nearest centroid of each row; of equally near ones the first.
    pub labels: Vec<usize>,
    /// Distance of each row to its centroid, in the metric.
    pub distances: Vec<f32>,
    /// Sum of the distances.
    pub inertia: f64,
    /// Iterations of the restart that was kept.
    pub iterations: usize,
    /// Whether the labels of that restart stopped changing.
    pub converged: bool,
    /// Number of rows of each cluster; 0 occurs only if there are fewer different rows than
    /// clusters.
    pub sizes: Vec<usize>,
}
