//! Features at mean 0 and variance 1.

/// What makes each number of some features have mean 0 and variance 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Standard {
    means: Vec<f64>,
    /// Standard deviations; 1 for numbers that are always the same.
    scales: Vec<f64>,
}

impl Standard {
    /// The means and deviations of `rows` `[N, dim]`.
    pub fn of(rows: &[f32], dim: usize) -> Self {
        let count = (rows.len() / dim.max(1)).max(1) as f64;
        let mut means = vec![0.0; dim];
        for row in rows.chunks_exact(dim.max(1)) {
            for (sum, value) in means.iter_mut().zip(row) {
                *sum += f64::from(*value);
            }
        }
        means.iter_mut().for_each(|sum| *sum /= count);

        // Not from sums of squares, which would lose digits where the mean is large.
        let mut scales = vec![0.0; dim];
        for row in rows.chunks_exact(dim.max(1)) {
            for (place, value) in row.iter().enumerate() {
                scales[place] += (f64::from(*value) - means[place]).powi(2);
            }
        }
        for scale in &mut scales {
            *scale = match (*scale / count).sqrt() {
                0.0 => 1.0,
                deviation => deviation,
            };
        }
        Self { means, scales }
    }

    /// Standardises rows in place.
    pub fn apply(&self, rows: &mut [f32]) {
        for row in rows.chunks_exact_mut(self.means.len().max(1)) {
            for (place, value) in row.iter_mut().enumerate() {
                let centered = f64::from(*value) - self.means[place];
                *value = (centered / self.scales[place]) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn numbers_have_mean_0_and_variance_1() {
        let mut rows = vec![1.0, 5.0, 1000.0, 3.0, 5.0, 1002.0];
        let standard = Standard::of(&rows, 3);
        standard.apply(&mut rows);
        assert_eq!(rows, [-1.0, 0.0, -1.0, 1.0, 0.0, 1.0]);
        let mut other = vec![2.0, 6.0, 1001.0];
        standard.apply(&mut other);
        assert_eq!(other, [0.0, 1.0, 0.0]);
    }
}
