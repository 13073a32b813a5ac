//! How often predictions of masked patches name the teacher's prototype.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::metrics::accuracy::top_k;
use crate::model::Mask;

/// Shares of masked patches whose prototype by the teacher was named, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// By the first guess.
    pub top1: f64,
    /// Among the first five guesses.
    pub top5: f64,
}

impl Agreement {
    /// The shares of `ranks`, each how many guesses come before the right one; at least one.
    pub fn of(ranks: &[usize]) -> Self {
        Self {
            top1: top_k(ranks, 1),
            top5: top_k(ranks, 5),
        }
    }

    /// The shares of a constant guess: the most frequent prototypes of the visible patches, of
    /// equals the lower first. `choices` holds the teacher's prototype of every patch.
    pub fn of_most_frequent(choices: &[usize], mask: &Mask) -> Self {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for patch in mask.patches(false) {
            *counts.entry(choices[patch]).or_default() += 1;
        }
        let mut guesses: Vec<usize> = counts.keys().copied().collect();
        // A stable sort of ascending keys keeps the lower of equals first.
        guesses.sort_by_key(|guess| Reverse(counts[guess]));

        let mut ranks = Vec::new();
        for patch in mask.patches(true) {
            let rank = guesses.iter().position(|guess| *guess == choices[patch]);
            // A prototype that no visible patch has is never guessed.
            ranks.push(rank.unwrap_or(usize::MAX));
        }
        Self::of(&ranks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn guesses_count_by_their_rank() {
        assert_eq!(
            Agreement::of(&[0, 4, 5, 0, 2, 90, 1, 6]),
            Agreement {
                top1: 0.25,
                top5: 0.625
            }
        );
    }

    #[test]
    fn the_baseline_names_what_is_most_frequent_in_sight() {
        // Visible: 7 three times, 2 and 5 twice, 1, 3 and 4 once, of which 4 is the sixth.
        let choices = [7, 7, 7, 5, 5, 2, 2, 4, 3, 1, /* masked */ 7, 5, 4, 9];
        let mask = Mask::new(1, 14, (0..14).map(|patch| patch >= 10).collect());
        assert_eq!(
            Agreement::of_most_frequent(&choices, &mask),
            Agreement {
                top1: 0.25,
                top5: 0.5
            }
        );
        let all = Mask::new(1, 14, vec![true; 14]);
        assert_eq!(
            Agreement::of_most_frequent(&choices, &all),
            Agreement {
                top1: 0.0,
                top5: 0.0
            }
        );
    }
}
