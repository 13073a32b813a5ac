//! Which patches of an image go into a memory of limited size (appendix of the paper: rare classes
//! are preferred).

use std::collections::BTreeMap;

use rand::RngExt as _;

use crate::annotation::shares::PatchShares;
use crate::rng::Rng;

/// Chooses `count` patches of an image with labels (all, if there are fewer), in ascending order.
///
/// A patch scores the number of patches of the image that have its class, added up over its classes,
/// times a random number below 1; those with the lowest scores are chosen.
pub fn sample(shares: &PatchShares, count: usize, rng: &mut Rng) -> Vec<usize> {
    let mut frequency: BTreeMap<usize, usize> = BTreeMap::new();
    for of_patch in shares.iter() {
        for (class, _) in of_patch {
            *frequency.entry(*class).or_default() += 1;
        }
    }

    let mut scored = Vec::with_capacity(shares.len());
    for (patch, of_patch) in shares.iter().enumerate() {
        if of_patch.is_empty() {
            continue;
        }
        let mut score = 0;
        for (class, _) in of_patch {
            score += frequency[class];
        }
        scored.push((score as f64 * rng.random_range(0.0..1.0), patch));
    }
    scored.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    scored.truncate(count);

    let mut chosen: Vec<usize> = scored.into_iter().map(|(_, patch)| patch).collect();
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::test;

    #[test]
    fn rare_classes_are_preferred_and_ignored_patches_left_out() {
        let mut shares = PatchShares::default();
        // One patch of class 5 among 40 of class 0, and one without labels.
        for patch in 0..42 {
            match patch {
                7 => shares.push([(5, 1.0)]),
                11 => shares.push([]),
                _ => shares.push([(0, 1.0)]),
            }
        }

        let mut rare = 0;
        for seed in 0..100 {
            let rng = &mut stream(seed, Purpose::Perturb, 0, 0);
            let chosen = sample(&shares, 10, rng);
            assert_eq!(chosen.len(), 10);
            assert!(chosen.is_sorted() && !chosen.contains(&11));
            rare += usize::from(chosen.contains(&7));
        }
        // A fair choice would take it in a quarter of the draws.
        assert!(rare > 95, "{rare}");

        let rng = &mut stream(0, Purpose::Perturb, 0, 0);
        assert_eq!(sample(&shares, 99, rng).len(), 41);
    }
}
