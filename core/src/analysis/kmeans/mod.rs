//! k-means on patch tokens: Lloyd's algorithm from k-means++ centroids (Arthur and Vassilvitskii
//! 2007).

mod config;
mod lloyd;
mod seeding;

pub use config::{KMeans, KMeansConfig, Metric};

use nalgebra::DMatrix;

use crate::analysis::rows::{Rows, RowsError};
use crate::rng::{Purpose, stream};
use lloyd::Lloyd;

/// Why rows were not clustered.
#[derive(Debug, thiserror::Error, PartialEq)]
#[allow(missing_docs)]
pub enum KMeansError {
    #[error(transparent)]
    Rows(#[from] RowsError),
    #[error(
        "k-means needs clusters, iterations and restarts of at least 1, got {clusters}, {iterations}, {restarts}"
    )]
    Settings {
        clusters: usize,
        iterations: usize,
        restarts: usize,
    },
    #[error(
        "{rows} tokens cannot form {clusters} clusters; ask for fewer clusters or give more images"
    )]
    TooFewRows { rows: usize, clusters: usize },
    #[error(
        "token {row} is all zeros and has no cosine with anything; use the Euclidean metric or leave it out"
    )]
    NoDirection { row: usize },
}

/// Clusters `rows`. The result depends on nothing but the rows and `config`. Holds one copy of the
/// rows.
///
/// A cluster that loses its last row is given the row that is farthest from its own centroid.
///
/// # Errors
/// If a setting is 0, there are fewer rows than clusters, or a row of zeros meets
/// [`Metric::Cosine`].
pub fn kmeans(rows: &Rows<'_>, config: &KMeansConfig) -> Result<KMeans, KMeansError> {
    let &KMeansConfig {
        clusters,
        max_iterations: iterations,
        restarts,
        ..
    } = config;
    if clusters == 0 || iterations == 0 || restarts == 0 {
        return Err(KMeansError::Settings {
            clusters,
            iterations,
            restarts,
        });
    }
    if rows.count() < clusters {
        return Err(KMeansError::TooFewRows {
            rows: rows.count(),
            clusters,
        });
    }

    // Around the mean, products of centroids and rows lose least to rounding.
    let mean = match config.metric {
        Metric::Euclidean => rows.mean(),
        Metric::Cosine => vec![0.0; rows.dim()],
    };
    let data = match config.metric {
        Metric::Euclidean => rows.centered(0, rows.count(), &mean),
        Metric::Cosine => rows.unit(),
    };
    let zeros = data
        .column_iter()
        .position(|column| column.iter().all(|v| *v == 0.0));
    if let (Metric::Cosine, Some(row)) = (config.metric, zeros) {
        return Err(KMeansError::NoDirection { row });
    }

    // Of equally good restarts the first is kept.
    let mut best = restart(&data, config, 0);
    for number in 1..restarts {
        let next = restart(&data, config, number);
        if next.inertia < best.inertia {
            best = next;
        }
    }
    Ok(best.finish(&mean, config.metric))
}

fn restart<'a>(data: &'a DMatrix<f32>, config: &KMeansConfig, number: usize) -> Lloyd<'a> {
    // Each restart has a stream of its own: one more changes none before it.
    let mut rng = stream(config.seed, Purpose::Cluster, number as u64, 0);
    Lloyd::run(data, config, &mut rng)
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;

    use super::*;
    use crate::analysis::kmeans::seeding::squared_distance;
    use crate::testing::test;

    /// `per` rows around each of `centers`, at most `spread` away in each dimension; row i belongs
    /// to i % centers.
    fn blobs(centers: &[[f32; 3]], per: usize, spread: f32) -> Vec<f32> {
        let mut rng = stream(9, Purpose::Cluster, 0, 1);
        let mut around = |center: &[f32; 3]| center.map(|c| c + rng.random_range(-spread..spread));
        (0..per * centers.len())
            .flat_map(|i| around(&centers[i % centers.len()]))
            .collect()
    }

    fn config(clusters: usize, metric: Metric, seed: u64) -> KMeansConfig {
        KMeansConfig {
            metric,
            seed,
            ..KMeansConfig::new(clusters)
        }
    }

    #[test]
    fn separated_blobs_are_recovered_whatever_the_seed() {
        // More rows than a block, far from the origin: three blobs 10 apart, of width 2.
        let centers = [[1000.0, 0.0, 0.0], [1010.0, 0.0, 0.0], [1000.0, 10.0, 5.0]];
        let values = blobs(&centers, 400, 1.0);
        let rows = Rows::new(&values, 3).expect("whole rows");
        for seed in 0..20 {
            let found = kmeans(&rows, &config(3, Metric::Euclidean, seed))
                .expect("more rows than clusters");
            assert!(
                found.converged && found.sizes == [400; 3],
                "seed {seed}: {:?}",
                found.sizes
            );
            assert!(
                (0..1200).all(|i| found.labels[i] == found.labels[i % 3]),
                "seed {seed}"
            );
            for (blob, center) in centers.iter().enumerate() {
                let centroid = &found.centroids[3 * found.labels[blob]..][..3];
                assert!(
                    centroid
                        .iter()
                        .zip(center)
                        .all(|(a, b)| (a - b).abs() < 0.2),
                    "{centroid:?}"
                );
            }
            // The variance of a uniform variable of width 2 is 1/3, in each of three dimensions.
            assert!(
                (found.inertia / 1200.0 - 1.0).abs() < 0.05,
                "{}",
                found.inertia
            );
        }
    }

    #[test]
    fn the_cosine_ignores_lengths() {
        // Two directions, lengths from 1 to 100.
        let values: Vec<f32> = (0..40)
            .flat_map(|i| {
                let length = 1.0 + (i / 2 * 5) as f32;
                if i % 2 == 0 {
                    [0.6 * length, 0.8 * length]
                } else {
                    [length, 0.0]
                }
            })
            .collect();
        let rows = Rows::new(&values, 2).expect("whole rows");
        let found = kmeans(&rows, &config(2, Metric::Cosine, 1)).expect("two directions");
        assert!(
            (0..40).all(|i| found.labels[i] == found.labels[i % 2])
                && found.labels[0] != found.labels[1]
        );
        assert!(found.inertia < 1e-6);
        let one = kmeans(&rows, &config(1, Metric::Cosine, 1)).expect("one direction");
        // Halfway between the directions, both at half the angle whose cosine is 0.6.
        let cosine = ((1.0 + 0.6f32) / 2.0).sqrt();
        assert!(
            one.distances
                .iter()
                .all(|d| (d - (1.0 - cosine)).abs() < 1e-6),
            "{:?}",
            one.distances
        );
        assert!((one.inertia - 40.0 * f64::from(1.0 - cosine)).abs() < 1e-4);
        assert!((one.centroids.iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-6);
        let euclidean = kmeans(&rows, &config(2, Metric::Euclidean, 1)).expect("two lengths");
        assert!(
            (0..40).any(|i| euclidean.labels[i] != euclidean.labels[i % 2]),
            "by distance the lengths decide"
        );
    }

    #[test]
    fn stopping_early_leaves_labels_and_centroids_in_agreement() {
        let values = blobs(&[[0.0, 0.0, 0.0]], 300, 1.0);
        let rows = Rows::new(&values, 3).expect("whole rows");
        let settings = KMeansConfig {
            max_iterations: 2,
            restarts: 1,
            ..config(7, Metric::Euclidean, 4)
        };
        let found = kmeans(&rows, &settings).expect("more rows than clusters");
        assert!(!found.converged && found.iterations == 2);
        let distance =
            |row: &[f32], cluster| squared_distance(row, &found.centroids[3 * cluster..][..3]);
        for (row, label) in rows.iter().zip(&found.labels) {
            let least = (0..7)
                .map(|cluster| distance(row, cluster))
                .fold(f32::INFINITY, f32::min);
            assert!((distance(row, *label) - least).abs() < 1e-5);
        }
        let total: f64 = rows
            .iter()
            .zip(&found.labels)
            .map(|(row, label)| f64::from(distance(row, *label)))
            .sum();
        assert!((total - found.inertia).abs() < 1e-3);
        let finished =
            kmeans(&rows, &config(7, Metric::Euclidean, 4)).expect("more rows than clusters");
        assert!(finished.converged && finished.inertia < found.inertia);
        assert_eq!(
            finished,
            kmeans(&rows, &config(7, Metric::Euclidean, 4)).expect("as before")
        );
    }

    #[test]
    fn degenerate_rows_are_refused_or_end() {
        let fit = |values: &[f32], clusters| {
            kmeans(
                &Rows::new(values, 2).expect("rows"),
                &config(clusters, Metric::Cosine, 0),
            )
        };
        assert_eq!(
            fit(&[1.0, 0.0, 0.0, 0.0], 1),
            Err(KMeansError::NoDirection { row: 1 })
        );
        assert_eq!(
            fit(&[1.0, 0.0], 2),
            Err(KMeansError::TooFewRows {
                rows: 1,
                clusters: 2
            })
        );
        assert!(matches!(
            fit(&[1.0, 0.0], 0),
            Err(KMeansError::Settings { clusters: 0, .. })
        ));
        let single = fit(&[3.0, 4.0], 1).expect("one row, one cluster");
        assert_eq!(
            (single.labels, single.sizes, single.converged),
            (vec![0], vec![1], true)
        );
        for metric in [Metric::Euclidean, Metric::Cosine] {
            let constant = [0.7; 20];
            let rows = Rows::new(&constant, 2).expect("rows");
            let found = kmeans(&rows, &config(3, metric, 0)).expect("equal rows share a cluster");
            assert!(found.converged && found.inertia.abs() < 1e-6);
            assert_eq!((found.labels, found.sizes), (vec![0; 10], vec![10, 0, 0]));
            assert!(found.centroids.iter().all(|v| v.is_finite()));
        }
        // Opposite rows cancel: their mean has no direction.
        let opposite = fit(&[1.0, 0.0, -1.0, 0.0], 1).expect("defined");
        assert!((opposite.inertia - 2.0).abs() < 1e-6 && opposite.converged);
    }
}
