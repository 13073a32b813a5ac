//! Keypoints: are the patches of a point in two images of one kind nearest neighbours? Scored as in
//! SPair-71k (arXiv 1908.10543).

use crate::analysis::nearest::nearest;
use crate::analysis::similarity::WidthError;
use crate::features::TokenGrid;
use crate::grid::{PatchGeometry, ShapeError};
use crate::image::taps::{Taps, cell_at};
use crate::metrics::pck::{Accuracy, PckPoint, accuracies};

/// Tolerances as shares of the longer side of the target's box.
pub const ALPHAS: [f64; 3] = [0.05, 0.1, 0.15];

/// An image as its network sees it.
#[derive(Clone, Debug)]
pub struct KeypointView {
    /// Its patch tokens.
    pub tokens: TokenGrid,
    /// Where they lie.
    pub places: PatchGeometry,
}

/// Why points were not matched.
#[derive(Debug, thiserror::Error, PartialEq)]
#[allow(missing_docs, reason = "each variant has its message")]
pub enum KeypointError {
    #[error(transparent)]
    Width(#[from] WidthError),
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

impl KeypointView {
    /// The tokens of an image of `size`, width and height.
    pub fn new(tokens: TokenGrid, size: (usize, usize)) -> Self {
        let places = PatchGeometry::stretched(tokens.shape(), size);
        Self { tokens, places }
    }

    /// For each of `points` of this image, `(x, y)` in pixels, the patch of `target` with the most
    /// similar token by cosine; `None` if tokens are not finite. The token of a point is
    /// interpolated between the centres of the patches around it.
    ///
    /// # Errors
    /// If tokens have different widths, or there is no point.
    pub fn matches(
        &self,
        points: &[(f64, f64)],
        target: &Self,
    ) -> Result<Vec<Option<usize>>, KeypointError> {
        let mut values = Vec::with_capacity(points.len() * self.tokens.dim());
        for point in points {
            values.extend(self.token_at(*point));
        }
        let queries = TokenGrid::new(1, points.len(), self.tokens.dim(), values)?;
        let found = nearest(&queries, &target.tokens)?.forward;
        let patches = found.into_iter().map(|near| near.map(|near| near.patch));
        Ok(patches.collect())
    }

    /// For each of `points` the patch of `target` on the same place of its image: what a guess
    /// without a network finds.
    pub fn same_places(&self, points: &[(f64, f64)], target: &Self) -> Vec<Option<usize>> {
        let across = target.places.width() as f64 / self.places.width() as f64;
        let down = target.places.height() as f64 / self.places.height() as f64;
        let mut patches = Vec::with_capacity(points.len());
        for (x, y) in points {
            // Centres of pixels lie at whole numbers.
            let scaled = ((x + 0.5) * across - 0.5, (y + 0.5) * down - 0.5);
            patches.push(target.places.patch_at(scaled.0, scaled.1).ok());
        }
        patches
    }

    /// The token at a point, bilinear between centres of patches; beyond the outer ones theirs.
    fn token_at(&self, (x, y): (f64, f64)) -> Vec<f32> {
        let shape = self.tokens.shape();
        let (columns, rows) = (shape.columns, shape.rows);
        let across = Taps::around(cell_at(x, columns, self.places.width()), columns);
        let down = Taps::around(cell_at(y, rows, self.places.height()), rows);
        let mut token = vec![0.0; self.tokens.dim()];
        for (row, weight_down) in down.weighted() {
            for (column, weight_across) in across.weighted() {
                let weight = weight_down * weight_across;
                let near = self.tokens.token(row * columns + column);
                for (sum, value) in token.iter_mut().zip(near) {
                    *sum += weight * value;
                }
            }
        }
        token
    }
}

/// How good the matches of one pair of images are, at each of [`ALPHAS`]. `side` is the longer side
/// of the box around the target's object, and `truths` are the true places of the points.
pub fn pair_accuracies(
    matched: &[Option<usize>],
    truths: &[(f64, f64)],
    target: &PatchGeometry,
    side: f64,
) -> Vec<Accuracy> {
    let mut points = Vec::with_capacity(truths.len());
    for (patch, (matched, truth)) in matched.iter().zip(truths).enumerate() {
        points.push(PckPoint::new(patch, *matched, *truth, target));
    }
    accuracies(&points, target, side, &ALPHAS)
}

/// Scores of many pairs at each of [`ALPHAS`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeypointScore {
    /// Pairs of images.
    pub pairs: usize,
    /// Points of all pairs.
    pub points: usize,
    /// Sums over pairs of the share of points that are correct.
    shares: [f64; ALPHAS.len()],
    /// Points that are correct.
    correct: [usize; ALPHAS.len()],
    /// Points that some patch of the grid would be correct for.
    reachable: [f64; ALPHAS.len()],
}

impl KeypointScore {
    /// Adds a pair of `points` points.
    pub fn add(&mut self, points: usize, accuracies: &[Accuracy]) {
        self.pairs += 1;
        self.points += points;
        for (number, at) in accuracies.iter().enumerate().take(ALPHAS.len()) {
            self.shares[number] += at.pck;
            self.correct[number] += at.correct;
            self.reachable[number] += at.ceiling * points as f64;
        }
    }

    /// The mean over pairs of the share of points that are correct at tolerance number `alpha`.
    pub fn per_image(&self, alpha: usize) -> f64 {
        self.shares[alpha] / self.pairs as f64
    }

    /// The share of all points that are correct.
    pub fn per_point(&self, alpha: usize) -> f64 {
        self.correct[alpha] as f64 / self.points as f64
    }

    /// The share of all points that the best choice of patches reaches.
    pub fn ceiling(&self, alpha: usize) -> f64 {
        self.reachable[alpha] / self.points as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    /// Tokens of two numbers, row by row.
    fn view(
        rows: usize,
        columns: usize,
        size: (usize, usize),
        tokens: &[[f32; 2]],
    ) -> KeypointView {
        let tokens = TokenGrid::new(rows, columns, 2, tokens.concat()).expect("a grid");
        KeypointView::new(tokens, size)
    }

    #[test]
    fn tokens_are_interpolated_between_centres() {
        // Centres at 1.5 and 5.5 of 8 pixels, in both directions.
        let tokens = [[0.0, 0.0], [4.0, 0.0], [0.0, 8.0], [4.0, 8.0]];
        let image = view(2, 2, (8, 8), &tokens);
        assert_eq!(image.token_at((1.5, 1.5)), [0.0, 0.0]);
        assert_eq!(image.token_at((2.5, 5.5)), [1.0, 8.0]);
        assert_eq!(image.token_at((3.5, 3.5)), [2.0, 4.0]);
        assert_eq!(image.token_at((-3.0, 99.0)), [0.0, 8.0]);
        let single = view(1, 1, (8, 8), &[[3.0, 1.0]]);
        assert_eq!(single.token_at((7.0, 0.0)), [3.0, 1.0]);
    }

    #[test]
    fn points_find_the_most_similar_patch() {
        let source = view(1, 2, (20, 10), &[[1.0, 0.0], [0.0, 1.0]]);
        let target = view(
            2,
            2,
            (40, 40),
            &[[0.0, 3.0], [1.0, 1.0], [5.0, 0.0], [-1.0, 0.0]],
        );
        let points = [(4.5, 1.5), (14.5, 1.5), (9.5, 1.5)];
        let matched = source.matches(&points, &target).expect("one width");
        assert_eq!(matched, [Some(2), Some(0), Some(1)]);
        let same = source.same_places(&points, &target);
        assert_eq!(same, [Some(0), Some(1), Some(1)]);
        assert!(source.matches(&[], &target).is_err());
    }

    #[test]
    fn scores_are_means_of_pairs_and_of_points() {
        // Centres at 9.5 and 29.5 of 40 pixels; a box of 100 pixels tolerates 5, 10 and 15.
        let target = view(2, 2, (40, 40), &[[1.0, 0.0]; 4]);
        let truths = [(9.5, 14.5), (9.5, 20.0), (29.5, 29.5)];
        let matched = [Some(0), Some(0), None];
        let first = pair_accuracies(&matched, &truths, &target.places, 100.0);
        let correct: Vec<usize> = first.iter().map(|at| at.correct).collect();
        assert_eq!(correct, [1, 1, 2], "exactly the tolerance is correct");
        let second = pair_accuracies(&[Some(3)], &[(29.5, 29.5)], &target.places, 100.0);

        let mut score = KeypointScore::default();
        score.add(3, &first);
        score.add(1, &second);
        assert_eq!((score.pairs, score.points), (2, 4));
        assert!((score.per_image(0) - (1.0 / 3.0 + 1.0) / 2.0).abs() < 1e-12);
        assert_eq!(score.per_point(0), 0.5);
        assert_eq!(score.per_point(2), 0.75);
        // (9.5, 20) is 9.5 from the centre below it.
        assert_eq!((score.ceiling(0), score.ceiling(1)), (0.75, 1.0));
    }
}
