//! Where the CLS token looks: its attention to the patches, head by head (the official
//! `visualize_attention.py`).

/// Share of the attention that the official masks keep.
pub const MASS: f64 = 0.6;

/// Attention of the CLS token to the patches of one image in one block: `[heads, rows * columns]`,
/// on the host. It is the CLS row of the softmax without its CLS column, so a head sums to at most
/// 1.
#[derive(Clone, Debug, PartialEq)]
pub struct ClsAttention {
    heads: usize,
    rows: usize,
    columns: usize,
    values: Vec<f32>,
}

/// Values that are not an attention map.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("attention of {heads} heads to {rows} x {columns} patches cannot have {actual} values")]
pub struct AttentionError {
    /// Attention heads.
    pub heads: usize,
    /// Rows of patches.
    pub rows: usize,
    /// Columns of patches.
    pub columns: usize,
    /// Values given.
    pub actual: usize,
}

impl ClsAttention {
    /// Attention of `heads` heads to `rows * columns` patches, head by head, row by row.
    ///
    /// # Errors
    /// If a dimension is zero or the values are of another number.
    pub fn new(
        heads: usize,
        rows: usize,
        columns: usize,
        values: Vec<f32>,
    ) -> Result<Self, AttentionError> {
        let fits =
            heads.checked_mul(rows).and_then(|n| n.checked_mul(columns)) == Some(values.len());
        if !fits || values.is_empty() {
            return Err(AttentionError {
                heads,
                rows,
                columns,
                actual: values.len(),
            });
        }
        Ok(Self {
            heads,
            rows,
            columns,
            values,
        })
    }

    /// Number of heads; never zero.
    pub fn heads(&self) -> usize {
        self.heads
    }

    /// Rows of patches.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of patches.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The maps of the heads in order, one value a patch.
    pub fn maps(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.rows * self.columns)
    }

    /// The mean over heads, one value a patch.
    pub fn mean(&self) -> Vec<f32> {
        let mut mean = vec![0.0; self.rows * self.columns];
        for map in self.maps() {
            mean.iter_mut()
                .zip(map)
                .for_each(|(sum, value)| *sum += value);
        }
        mean.iter_mut().for_each(|sum| *sum /= self.heads as f32);
        mean
    }
}

/// The smallest set of patches that holds `share` of the attention of one head, the strongest
/// first; of equal patches the first ones.
///
/// As in the official code, a patch is kept if the attention of it and all weaker ones together
/// exceeds `1 - share` of the sum, in single precision. A `share` of 1 keeps all that have any
/// attention, 0 keeps nothing. If the sum is not positive and finite, as with NaN, nothing is kept.
pub fn mass_mask(attention: &[f32], share: f64) -> Vec<bool> {
    let mut mask = vec![false; attention.len()];
    let sum = attention.iter().map(|value| f64::from(*value)).sum::<f64>() as f32;
    if !(sum > 0.0 && sum.is_finite()) {
        return mask;
    }
    let mut ascending: Vec<usize> = (0..attention.len()).collect();
    ascending.sort_by(|a, b| attention[*a].total_cmp(&attention[*b]).then(b.cmp(a)));
    // The official sums run in double precision and are kept in single. In double alone, ten equal
    // patches and a share of 0.6 would keep six or seven depending on the rounding of the last bit.
    let dropped = (1.0 - share) as f32;
    let mut cumulative = 0.0;
    for patch in ascending {
        cumulative += f64::from(attention[patch] / sum);
        mask[patch] = cumulative as f32 > dropped;
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn kept(attention: &[f32], share: f64) -> Vec<usize> {
        let mask = mass_mask(attention, share);
        (0..mask.len()).filter(|patch| mask[*patch]).collect()
    }

    #[test]
    fn the_mask_is_the_smallest_set_with_its_share() {
        // Ascending 1, 2, 3, 4 of 10: cumulative .1, .3, .6, 1. To keep .6, drop what stays at or
        // below .4.
        assert_eq!(kept(&[0.3, 0.1, 0.4, 0.2], 0.6), [0, 2]);
        assert_eq!(
            kept(&[0.3, 0.1, 0.4, 0.2], 0.3),
            [2],
            "cumulative .6 does not exceed .7"
        );
        assert_eq!(kept(&[0.3, 0.1, 0.4, 0.2], 0.75), [0, 2, 3]);
        assert_eq!(
            kept(&[3.0, 1.0, 4.0, 2.0], 0.6),
            [0, 2],
            "attention need not sum to 1"
        );
    }

    #[test]
    fn ties_keep_the_first_patches_and_the_boundary_is_exclusive() {
        assert_eq!(kept(&[0.1; 10], 0.6), [0, 1, 2, 3, 4, 5]);
        assert_eq!(kept(&[0.25; 4], 0.5), [0, 1]);
        assert_eq!(kept(&[0.1, 0.4, 0.1, 0.4], 0.7), [1, 3]);
        assert_eq!(kept(&[0.4, 0.1, 0.1, 0.4], 0.85), [0, 1, 3]);
    }

    #[test]
    fn the_extremes_keep_all_or_nothing() {
        assert_eq!(kept(&[0.5, 0.0, 0.5], 1.0), [0, 2]);
        assert!(kept(&[0.5, 0.1, 0.4], 0.0).is_empty());
        assert!(kept(&[0.0; 3], 0.6).is_empty());
        assert!(kept(&[0.5, f32::NAN, 0.4], 0.6).is_empty());
        assert!(kept(&[0.5, f32::INFINITY], 0.6).is_empty());
        assert!(kept(&[], 0.6).is_empty());
    }

    #[test]
    fn the_mean_is_over_heads() {
        let attention = ClsAttention::new(2, 1, 3, vec![0.1, 0.2, 0.3, 0.5, 0.2, 0.1])
            .expect("2 x 1 x 3 values");
        let expected = [0.3, 0.2, 0.2];
        assert!(
            attention
                .mean()
                .iter()
                .zip(expected)
                .all(|(mean, value)| (mean - value).abs() < 1e-7)
        );
    }

    #[test]
    fn refuses_what_is_not_a_map() {
        assert!(ClsAttention::new(6, 14, 14, vec![0.0; 6 * 196]).is_ok());
        let error = ClsAttention::new(6, 14, 14, vec![0.0; 6 * 197])
            .expect_err("the CLS column is not a patch");
        assert_eq!(
            error.to_string(),
            "attention of 6 heads to 14 x 14 patches cannot have 1182 values"
        );
        assert!(ClsAttention::new(0, 14, 14, vec![]).is_err());
    }
}
