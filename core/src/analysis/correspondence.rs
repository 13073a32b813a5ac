//! Sparse correspondences between two images (the official `visualize_correspondence.py`).

use crate::analysis::nearest::Nearest;

/// Correspondences that the official pictures draw.
pub const MATCHES: usize = 12;

/// Two patches that correspond.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// Patch of the first image.
    pub from: usize,
    /// Patch of the second image.
    pub to: usize,
    /// Cosine of the tokens, from -1 to 1.
    pub similarity: f32,
    /// By which matches are ranked. Meaningful only within one pair of images.
    pub score: f32,
}

/// Attention that does not fit the patches.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "the {image} image has {patches} patches, its attention {actual} values: give one value a patch"
)]
#[allow(missing_docs)]
pub struct WeightError {
    pub image: &'static str,
    pub patches: usize,
    pub actual: usize,
}

/// The `k` best pairs of patches that are each other's nearest neighbour, best first.
///
/// A pair scores its cosine times the attention to both patches (`weights`, of the first and the
/// second image, mean over heads), so that pairs on the subjects of both images come first; weights
/// of 1 rank by cosine alone. The lower patch of the first image comes first among equals; a pair
/// whose score is not finite is left out.
///
/// # Errors
/// If the weights are not one a patch.
pub fn mutual_matches(
    nearest: &Nearest,
    weights: (&[f32], &[f32]),
    k: usize,
) -> Result<Vec<Match>, WeightError> {
    check("first", nearest.forward.len(), weights.0)?;
    check("second", nearest.backward.len(), weights.1)?;

    let mut mutual = Vec::new();
    for (from, neighbour) in nearest.forward.iter().enumerate() {
        let Some(there) = neighbour else { continue };
        let back = nearest.backward.get(there.patch).copied().flatten();
        if back.is_some_and(|back| back.patch == from) {
            mutual.push(Match {
                from,
                to: there.patch,
                similarity: there.similarity,
                score: there.similarity * weights.0[from] * weights.1[there.patch],
            });
        }
    }
    Ok(best(mutual, k))
}

/// The official choice: the `k` patches of the first image with the most attention (mean over
/// heads), each with its nearest neighbour in the second, whether or not that agrees. The score is
/// the attention.
///
/// Two differences remain: the official code takes the attention from a DINO ViT-B/8 for every
/// network that it compares, and ranks neighbours by the dot product of tokens after the final
/// layer norm, not by the cosine.
///
/// # Errors
/// If the attention is not one value a patch.
pub fn attended_matches(
    nearest: &Nearest,
    attention: &[f32],
    k: usize,
) -> Result<Vec<Match>, WeightError> {
    check("first", nearest.forward.len(), attention)?;

    let mut matches = Vec::new();
    for (from, neighbour) in nearest.forward.iter().enumerate() {
        if let Some(there) = neighbour {
            matches.push(Match {
                from,
                to: there.patch,
                similarity: there.similarity,
                score: attention[from],
            });
        }
    }
    Ok(best(matches, k))
}

fn check(image: &'static str, patches: usize, weights: &[f32]) -> Result<(), WeightError> {
    if weights.len() == patches {
        Ok(())
    } else {
        Err(WeightError {
            image,
            patches,
            actual: weights.len(),
        })
    }
}

fn best(mut matches: Vec<Match>, k: usize) -> Vec<Match> {
    matches.retain(|found| found.score.is_finite());
    matches.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.from.cmp(&b.from)));
    matches.truncate(k);
    matches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::nearest::nearest;
    use crate::features::TokenGrid;
    use crate::testing::test;

    fn grid(tokens: &[[f32; 2]]) -> TokenGrid {
        TokenGrid::new(1, tokens.len(), 2, tokens.concat()).expect("one row of tokens of width 2")
    }

    /// Unit tokens at these angles, in degrees.
    fn at_degrees(angles: &[f32]) -> TokenGrid {
        grid(
            &angles
                .iter()
                .map(|angle| [angle.to_radians().cos(), angle.to_radians().sin()])
                .collect::<Vec<_>>(),
        )
    }

    fn pairs(matches: &[Match]) -> Vec<(usize, usize)> {
        matches.iter().map(|found| (found.from, found.to)).collect()
    }

    #[test]
    fn only_mutual_choices_are_matches() {
        // 0 and 1 of the first image both prefer 0 of the second, which prefers 1. Patches 2 and 1
        // agree.
        let (a, b) = (at_degrees(&[0.0, 20.0, 90.0]), at_degrees(&[15.0, 80.0]));
        let found = nearest(&a, &b).expect("equal widths");
        let matches =
            mutual_matches(&found, (&[1.0; 3], &[1.0; 2]), 9).expect("one weight a patch");
        assert_eq!(pairs(&matches), [(1, 0), (2, 1)]);
        assert!((matches[0].similarity - 5f32.to_radians().cos()).abs() < 1e-6);
        assert!((matches[1].similarity - 10f32.to_radians().cos()).abs() < 1e-6);
        let all = attended_matches(&found, &[1.0; 3], 9).expect("one weight a patch");
        assert_eq!(
            pairs(&all),
            [(0, 0), (1, 0), (2, 1)],
            "the official choice keeps one-sided neighbours"
        );
    }

    #[test]
    fn a_translation_by_whole_patches_matches_where_the_images_overlap() {
        // The second image is the first moved two columns to the left; each column has a token of
        // its own.
        let (a, b) = (
            at_degrees(&[0.0, 30.0, 60.0, 90.0, 120.0]),
            at_degrees(&[60.0, 90.0, 120.0, 200.0, 230.0]),
        );
        let found = nearest(&a, &b).expect("equal widths");
        let matches =
            mutual_matches(&found, (&[1.0; 5], &[1.0; 5]), 3).expect("one weight a patch");
        let mut pairs = pairs(&matches);
        pairs.sort_unstable();
        assert_eq!(pairs, [(2, 0), (3, 1), (4, 2)]);
        assert!(
            matches
                .iter()
                .all(|found| (found.similarity - 1.0).abs() < 1e-6)
        );
    }

    #[test]
    fn the_score_is_the_cosine_times_the_attention_to_both() {
        let same = grid(&[[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]);
        let found = nearest(&same, &same).expect("equal widths");
        let matches = mutual_matches(&found, (&[0.5, 0.2, 0.3], &[0.1, 0.4, 0.2]), 2)
            .expect("one weight a patch");
        // Scores .05, .08 and .06.
        assert_eq!(pairs(&matches), [(1, 1), (2, 2)]);
        assert!((matches[0].score - 0.08).abs() < 1e-7);
        let attended = attended_matches(&found, &[0.5, 0.2, 0.3], 2).expect("one weight a patch");
        assert_eq!(pairs(&attended), [(0, 0), (2, 2)]);
    }

    #[test]
    fn equal_scores_keep_the_order_of_patches() {
        let same = grid(&[[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]);
        let found = nearest(&same, &same).expect("equal widths");
        let matches =
            mutual_matches(&found, (&[1.0; 4], &[1.0; 4]), 3).expect("one weight a patch");
        assert_eq!(pairs(&matches), [(0, 0), (1, 1), (2, 2)]);
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        let (a, b) = (
            grid(&[[f32::NAN, 1.0], [0.0, 1.0], [1.0, 0.0]]),
            grid(&[[0.0, 1.0], [1.0, 0.0]]),
        );
        let found = nearest(&a, &b).expect("equal widths");
        let matches =
            mutual_matches(&found, (&[1.0; 3], &[1.0, f32::NAN]), 9).expect("one weight a patch");
        assert_eq!(pairs(&matches), [(1, 0)]);
    }

    #[test]
    fn weights_must_be_one_a_patch() {
        let found =
            nearest(&grid(&[[1.0, 0.0]]), &grid(&[[1.0, 0.0], [0.0, 1.0]])).expect("equal widths");
        let error = mutual_matches(&found, (&[1.0], &[1.0; 3]), 1)
            .expect_err("three weights for two patches");
        assert_eq!(
            error,
            WeightError {
                image: "second",
                patches: 2,
                actual: 3
            }
        );
        assert!(attended_matches(&found, &[], 1).is_err());
    }
}
