//! Top-k accuracy.

/// The share of `ranks` below `k`: how often the right class is among the first k guesses. A rank
/// is the number of guesses before the right one. 0 without ranks.
pub fn top_k(ranks: &[usize], k: usize) -> f64 {
    let hits = ranks.iter().filter(|rank| **rank < k).count();
    // Without ranks 0 over 1, not a NaN, which no report could hold.
    hits as f64 / ranks.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn guesses_count_by_their_rank() {
        let ranks = [0, 4, 5, 0, 2, 90, 1, 6];
        assert_eq!((top_k(&ranks, 1), top_k(&ranks, 5)), (0.25, 0.625));
        assert_eq!(top_k(&[usize::MAX], 5), 0.0);
    }
}
