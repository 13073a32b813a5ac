//! First centroids of k-means (k-means++, Arthur and Vassilvitskii 2007).

use nalgebra::DMatrix;
use rand::RngExt as _;

use crate::rng::Rng;

/// First centroids `[K, D]`: each a row drawn with a probability proportional to its squared
/// distance from those before it.
pub(super) fn plus_plus(data: &DMatrix<f32>, clusters: usize, rng: &mut Rng) -> DMatrix<f32> {
    let mut nearest = vec![f32::INFINITY; data.ncols()];
    let mut chosen = vec![rng.random_range(0..data.ncols())];
    while chosen.len() < clusters {
        let last = data.column(chosen[chosen.len() - 1]);
        // Only the last chosen row can be nearer than those before it.
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
        let last_other = || nearest.iter().rposition(|d| *d > 0.0);
        chosen.push(drawn.or_else(last_other).unwrap_or(0));
    }
    data.select_columns(&chosen).transpose()
}

pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    let (b_lanes, b_rest) = b.as_chunks::<LANES>();

    // The compiler may not reorder a sum of floats, so one sum would be added value by value.
    let mut sums = [0.0; LANES];
    for (x, y) in a_lanes.iter().zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += (x[lane] - y[lane]) * (x[lane] - y[lane]);
        }
    }
    let rest: f32 = a_rest
        .iter()
        .zip(b_rest)
        .map(|(x, y)| (x - y) * (x - y))
        .sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::test;

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
