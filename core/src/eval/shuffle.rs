//! Shuffling: an image is cut into cells, and these change their places (paper figure 10).

use rand::seq::SliceRandom;

use crate::rng::Rng;

/// The cells into which an image is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cells {
    /// Cells above each other.
    pub rows: usize,
    /// Cells beside each other.
    pub columns: usize,
}

impl Cells {
    /// Those of the official evaluation, from 4 to 256 cells.
    pub const OFFICIAL: [Self; 7] = [
        Self::new(2, 2),
        Self::new(2, 4),
        Self::new(4, 4),
        Self::new(4, 8),
        Self::new(8, 8),
        Self::new(14, 14),
        Self::new(16, 16),
    ];

    /// So many cells above and beside each other.
    pub const fn new(rows: usize, columns: usize) -> Self {
        Self { rows, columns }
    }

    /// Number of cells.
    pub fn count(self) -> usize {
        self.rows * self.columns
    }

    /// Whether they divide an image of `side` x `side` pixels evenly.
    pub fn fit(self, side: usize) -> bool {
        self.count() > 0 && side.is_multiple_of(self.rows) && side.is_multiple_of(self.columns)
    }

    /// An order of the cells, drawn at random.
    pub fn order(self, rng: &mut Rng) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.count()).collect();
        order.shuffle(rng);
        order
    }

    /// The image whose cell `i`, row by row, is cell `order[i]` of `pixels`, which are planes of
    /// `side` x `side` values. The cells must [fit](Self::fit).
    pub fn shuffled(self, pixels: &[f32], side: usize, order: &[usize]) -> Vec<f32> {
        let (height, width) = (side / self.rows, side / self.columns);
        let mut shuffled = Vec::with_capacity(pixels.len());
        for plane in pixels.chunks_exact(side * side) {
            for y in 0..side {
                let (row, inner) = (y / height, y % height);
                for cell in &order[row * self.columns..][..self.columns] {
                    let top = cell / self.columns * height + inner;
                    let left = cell % self.columns * width;
                    shuffled.extend_from_slice(&plane[top * side + left..][..width]);
                }
            }
        }
        shuffled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::test;

    const SIDE: usize = 16;

    fn image() -> Vec<f32> {
        (0..3 * SIDE * SIDE).map(|value| value as f32).collect()
    }

    #[test]
    fn the_identity_changes_nothing_and_the_inverse_restores_the_image() {
        for cells in Cells::OFFICIAL.into_iter().filter(|cells| cells.fit(SIDE)) {
            let identity: Vec<usize> = (0..cells.count()).collect();
            assert_eq!(cells.shuffled(&image(), SIDE, &identity), image());

            let order = cells.order(&mut stream(2, Purpose::Perturb, 0, 0));
            assert_ne!(order, identity);
            let mut inverse = vec![0; order.len()];
            for (to, from) in order.iter().enumerate() {
                inverse[*from] = to;
            }
            let shuffled = cells.shuffled(&image(), SIDE, &order);
            assert_ne!(shuffled, image());
            assert_eq!(
                cells.shuffled(&shuffled, SIDE, &inverse),
                image(),
                "{cells:?}"
            );
        }
    }

    #[test]
    fn cells_move_whole() {
        // One row of two cells that change places.
        let plane = vec![1.0, 2.0, 3.0, 4.0];
        assert_eq!(
            Cells::new(1, 2).shuffled(&plane, 2, &[1, 0]),
            [2.0, 1.0, 4.0, 3.0]
        );
        assert_eq!(
            Cells::new(2, 1).shuffled(&plane, 2, &[1, 0]),
            [3.0, 4.0, 1.0, 2.0]
        );
    }

    #[test]
    fn official_cells_fit_the_official_size() {
        assert!(Cells::OFFICIAL.iter().all(|cells| cells.fit(224)));
        assert!(!Cells::new(14, 14).fit(64) && !Cells::new(0, 2).fit(64));
    }
}
