//! One run of k-means: Lloyd's algorithm from k-means++ centroids.

use nalgebra::DMatrix;
use rand::RngExt as _;

use crate::analysis::kmeans::{KMeans, KMeansConfig, Metric};
use crate::rng::Rng;

/// Rows compared with all centroids at a time.
const BLOCK: usize = 512;

/// One restart on rows prepared as the columns of `data`: around their mean, or of length 1.
/// Between unit vectors the squared distance is twice one minus the cosine, so that both metrics
/// share all steps but the update of the centroids.
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
        let (labels, distances) = (vec![usize::MAX; count], vec![0.0; count]);
        let mut state = Self {
            data,
            centroids,
            labels,
            distances,
            inertia: 0.0,
            iterations: 0,
            converged: false,
        };
        loop {
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

    /// Labels each row with its nearest centroid; whether a label changed.
    fn assign(&mut self) -> bool {
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
                // The square of the row is the same for all centroids.
                let costs = squares
                    .iter()
                    .zip(products.iter())
                    .map(|(square, product)| square - 2.0 * product);
                let (label, _) =
                    costs
                        .enumerate()
                        .fold((0, f32::INFINITY), |best, (index, cost)| {
                            if cost < best.1 { (index, cost) } else { best }
                        });
                changed |= std::mem::replace(&mut self.labels[from + offset], label) != label;
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
            let given = self
                .distances
                .iter()
                .enumerate()
                .filter(|(row, _)| sizes[self.labels[*row]] > 1);
            let farthest = given.fold((0, 0.0), |best, (row, distance)| {
                if *distance > best.1 {
                    (row, *distance)
                } else {
                    best
                }
            });
            let (row, distance) = farthest;
            if distance > 0.0 {
                sizes[self.labels[row]] -= 1;
                sizes[cluster] = 1;
                (self.labels[row], self.distances[row]) = (cluster, 0.0);
                self.centroids
                    .row_mut(cluster)
                    .tr_copy_from(&self.data.column(row));
                refilled = true;
            }
        }
        refilled
    }

    /// Moves each centroid to the middle of its rows; one without rows, or whose rows cancel out,
    /// stays.
    fn update(&mut self, metric: Metric) {
        let mut sums = DMatrix::<f64>::zeros(self.data.nrows(), self.centroids.nrows());
        for (row, label) in self.data.column_iter().zip(&self.labels) {
            sums.column_mut(*label)
                .zip_apply(&row, |sum, value| *sum += f64::from(value));
        }
        for (cluster, size) in self.sizes().into_iter().enumerate() {
            let sum = sums.column(cluster);
            let length = match metric {
                Metric::Euclidean => size as f64,
                Metric::Cosine => sum.norm(),
            };
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
        let scale = if metric == Metric::Cosine { 0.5 } else { 1.0 };
        let sizes = self.sizes();
        let own = self.centroids.transpose();
        let shifted = |column: &[f32]| -> Vec<f32> {
            column
                .iter()
                .zip(mean)
                .map(|(v, m)| (f64::from(*v) + m) as f32)
                .collect()
        };
        KMeans {
            centroids: own
                .as_slice()
                .chunks_exact(mean.len())
                .flat_map(shifted)
                .collect(),
            labels: self.labels,
            distances: self.distances.into_iter().map(|d| d * scale).collect(),
            inertia: self.inertia * f64::from(scale),
            iterations: self.iterations,
            converged: self.converged,
            sizes,
        }
    }
}

/// First centroids `[K, D]`: each a row drawn with a probability proportional to its squared
/// distance from those before it.
fn plus_plus(data: &DMatrix<f32>, clusters: usize, rng: &mut Rng) -> DMatrix<f32> {
    let mut nearest = vec![f32::INFINITY; data.ncols()];
    let mut chosen = vec![rng.random_range(0..data.ncols())];
    while chosen.len() < clusters {
        let last = data.column(chosen[chosen.len() - 1]);
        for (nearest, row) in nearest.iter_mut().zip(data.column_iter()) {
            *nearest = nearest.min(squared_distance(row.as_slice(), last.as_slice()));
        }
        let total: f64 = nearest.iter().map(|d| f64::from(*d)).sum();
        let mut left = rng.random::<f64>() * total;
        let drawn = nearest.iter().position(|d| {
            left -= f64::from(*d);
            left < 0.0
        });
        // Rounding may leave a little at the end; and if no row differs from the chosen ones, any
        // will do.
        chosen.push(
            drawn
                .or_else(|| nearest.iter().rposition(|d| *d > 0.0))
                .unwrap_or(0),
        );
    }
    data.select_columns(&chosen).transpose()
}

/// The squared Euclidean distance, in lanes that the compiler maps to vector registers.
pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0; LANES];
    let (a_lanes, b_lanes) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_lanes
        .remainder()
        .iter()
        .zip(b_lanes.remainder())
        .map(|(x, y)| (x - y) * (x - y))
        .sum();
    for (x, y) in a_lanes.zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += (x[lane] - y[lane]) * (x[lane] - y[lane]);
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::test;

    fn state<'a>(data: &'a DMatrix<f32>, centroids: &[f32]) -> Lloyd<'a> {
        let centroids = DMatrix::from_row_slice(centroids.len(), 1, centroids);
        let (labels, distances) = (vec![0; data.ncols()], vec![0.0; data.ncols()]);
        Lloyd {
            data,
            centroids,
            labels,
            distances,
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

    #[test]
    fn first_centroids_are_drawn_by_squared_distance() {
        // After row 0 at 0, the row at 1 is drawn with probability 1/10 and the row at 3 with 9/10.
        let data = DMatrix::from_row_slice(1, 3, &[0.0, 1.0, 3.0]);
        let draws = (0..6000).map(|i| plus_plus(&data, 2, &mut stream(5, Purpose::Cluster, i, 0)));
        let seconds: Vec<f32> = draws
            .filter(|first| first[0] == 0.0)
            .map(|first| first[1])
            .collect();
        let near =
            seconds.iter().filter(|second| **second == 1.0).count() as f64 / seconds.len() as f64;
        assert!(seconds.len() > 1800 && seconds.len() < 2200 && !seconds.contains(&0.0));
        // Four standard deviations of a share of 0.1 in 2000 draws.
        assert!((near - 0.1).abs() < 0.027, "{near}");
    }
}
