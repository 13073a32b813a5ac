//! The patches that hold most of the attention (the official `visualize_attention.py`).

/// Share of the attention that the official masks keep.
pub const MASS: f64 = 0.6;

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
    // Of equal patches the last is dropped first.
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
}
