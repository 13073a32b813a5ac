//! One run of k-means: Lloyd's algorithm from k-means++ centroids.

use nalgebra::DMatrix;

use super::config::{KMeans, KMeansConfig, Metric};
use super::seeding::{plus_plus, squared_distance};
use crate::rng::Rng;

/// Rows compared with all centroids at a time.
const BLOCK: usize = 512;

/// One restart on rows prepared as the columns of `data`: around their mean, or of length 1.
pub(super) struct Lloyd<'a> {
    data: &'a DMatrix<f32>,
    /// `[K, D]`, which nalgebra stores column by column.
    centroids: DMatrix<f32>,
    labels: Vec<usize>,
    distances: Vec<f32>,
    /// Sum of the squared distances of the rows to their centroids.
    pub(super) inertia: f64,
    iterations: usize,
    converged: bool,
}

impl<'a> Lloyd<'a> {
    /// Iterates until no label changes or `max_iterations` are done.
    pub(super) fn run(data: &'a DMatrix<f32>, config: &KMeansConfig, rng: &mut Rng) -> Self {
        let count = data.ncols();
        let centroids = plus_plus(data, config.clusters, rng);
        let mut state = Self {
            data,
            centroids,
            labels: vec![usize::MAX; count],
            distances: vec![0.0; count],
            inertia: 0.0,
            iterations: 0,
            converged: false,
        };

        loop {
            // `|` and not `||`: empty clusters are refilled whatever `assign` returns.
            let changed = state.assign() | state.refill();
            state.inertia = state.distances.iter().map(|d| f64::from(*d)).sum();
            state.iterations += 1;
            state.converged = !changed;
            // Stopping between assignment and update leaves labels, distances and centroids in
            // agreement.
            if state.converged || state.iterations == config.max_iterations {
                return state;
            }
            state.update(config.metric);
        }
    }

    fn assign(&mut self) -> bool {
        // Between unit vectors the squared distance is twice one minus the cosine, so both metrics
        // share this.
        let squares: Vec<f32> = self
            .centroids
            .row_iter()
            .map(|centroid| centroid.norm_squared())
            .collect();
        let own: DMatrix<f32> = self.centroids.transpose();
        let mut changed = false;

        for from in (0..self.data.ncols()).step_by(BLOCK) {
            let block = self.data.columns(from, BLOCK.min(self.data.ncols() - from));
            let products = &self.centroids * block;
            for (offset, (row, products)) in
                block.column_iter().zip(products.column_iter()).enumerate()
            {
                let label = nearest_centroid(&squares, products.as_slice());
                changed |= std::mem::replace(&mut self.labels[from + offset], label) != label;
                // Computed anew, because a difference of large squares loses a small distance.
                self.distances[from + offset] =
                    squared_distance(row.as_slice(), own.column(label).as_slice());
            }
        }
        changed
    }

    /// Gives each empty cluster the row farthest from its centroid; whether there was one to give.
    fn refill(&mut self) -> bool {
        let mut refilled = false;
        let mut sizes = self.sizes();
        for cluster in 0..sizes.len() {
            if sizes[cluster] > 0 {
                continue;
            }
            let Some(row) = self.farthest_row(&sizes) else {
                continue;
            };

            sizes[self.labels[row]] -= 1;
            sizes[cluster] = 1;
            self.labels[row] = cluster;
            self.distances[row] = 0.0;
            self.centroids
                .row_mut(cluster)
                .tr_copy_from(&self.data.column(row));
            refilled = true;
        }
        refilled
    }

    /// The row farthest from its centroid among clusters that keep another row.
    fn farthest_row(&self, sizes: &[usize]) -> Option<usize> {
        let mut farthest = None;
        let mut most = 0.0;
        // `>`, so that a row on its centroid is none, and of equals the first wins.
        for (row, distance) in self.distances.iter().enumerate() {
            if sizes[self.labels[row]] > 1 && *distance > most {
                farthest = Some(row);
                most = *distance;
            }
        }
        farthest
    }

    fn update(&mut self, metric: Metric) {
        let mut sums = DMatrix::<f64>::zeros(self.data.nrows(), self.centroids.nrows());
        for (row, label) in self.data.column_iter().zip(&self.labels) {
            // In f64: sums of thousands of rows lose digits in f32.
            sums.column_mut(*label)
                .zip_apply(&row, |sum, value| *sum += f64::from(value));
        }

        for (cluster, size) in self.sizes().into_iter().enumerate() {
            let sum = sums.column(cluster);
            let length = match metric {
                Metric::Euclidean => size as f64,
                Metric::Cosine => sum.norm(),
            };
            // Without rows there is no middle, and of directions that cancel out rounding is all
            // that is left.
            if length > 1e-9 * size as f64 {
                let middle = (sum / length).map(|v| v as f32);
                self.centroids.row_mut(cluster).tr_copy_from(&middle);
            }
        }
    }

    fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.centroids.nrows()];
        self.labels.iter().for_each(|label| sizes[*label] += 1);
        sizes
    }

    /// The partition in the metric, with centroids among the rows as they were given, not around
    /// `mean`.
    pub(super) fn finish(self, mean: &[f64], metric: Metric) -> KMeans {
        // Squared distances of unit vectors are twice their cosine distances.
        let scale = if metric == Metric::Cosine { 0.5 } else { 1.0 };
        let sizes = self.sizes();
        let mut centroids = Vec::with_capacity(self.centroids.len());
        for centroid in self.centroids.row_iter() {
            for (value, mean) in centroid.iter().zip(mean) {
                centroids.push((f64::from(*value) + mean) as f32);
            }
        }

        KMeans {
            centroids,
            labels: self.labels,
            distances: self.distances.into_iter().map(|d| d * scale).collect(),
            inertia: self.inertia * f64::from(scale),
            iterations: self.iterations,
            converged: self.converged,
            sizes,
        }
    }
}

fn nearest_centroid(squares: &[f32], products: &[f32]) -> usize {
    let mut nearest = 0;
    let mut least = f32::INFINITY;
    for (centroid, (square, product)) in squares.iter().zip(products).enumerate() {
        // Without the square of the row, which is the same for all.
        let cost = square - 2.0 * product;
        if cost < least {
            nearest = centroid;
            least = cost;
        }
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn state<'a>(data: &'a DMatrix<f32>, centroids: &[f32]) -> Lloyd<'a> {
        let centroids = DMatrix::from_row_slice(centroids.len(), 1, centroids);
        Lloyd {
            data,
            centroids,
            labels: vec![0; data.ncols()],
            distances: vec![0.0; data.ncols()],
            inertia: 0.0,
            iterations: 0,
            converged: false,
        }
    }

    #[test]
    fn an_empty_cluster_gets_the_farthest_row() {
        let data = DMatrix::from_row_slice(1, 4, &[0.0, 1.0, 2.0, 10.0]);
        let mut two_empty = state(&data, &[1.0, -50.0, 70.0]);
        assert!(!two_empty.assign() && two_empty.refill());
        assert_eq!(
            (&two_empty.labels[..], &two_empty.distances[..]),
            (&[2, 0, 0, 1][..], &[0.0, 0.0, 1.0, 0.0][..])
        );
        assert_eq!(two_empty.centroids.as_slice(), [1.0, 10.0, 0.0]);
        // The farthest row is the only one of its cluster, which would then be empty itself.
        let mut one_empty = state(&data, &[1.0, 14.0, -50.0]);
        assert!(one_empty.assign() && one_empty.refill());
        assert_eq!(one_empty.labels, [2, 0, 0, 1]);
    }
}
