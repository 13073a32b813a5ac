//! Which images a step learns from.

use rand::seq::SliceRandom as _;

use crate::rng::{Purpose, stream};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Draw {
    /// Passes over the images before this one.
    pub epoch: usize,
    /// Index of the image.
    pub image: usize,
}

/// The `size` images of step `step`, out of `images` (at least one): pass after pass, each in an
/// order of its own. A batch may reach over the end of a pass, and of few images it takes some more
/// than once.
pub(super) fn batch(seed: u64, images: usize, size: usize, step: usize) -> Vec<Draw> {
    let mut drawn = Vec::with_capacity(size);
    let mut position = step * size;
    while drawn.len() < size {
        let (epoch, within) = (position / images, position % images);
        // Every pass has a stream of its own, so that a step needs nothing but its number.
        // Shuffled anew each step: a page has hundreds of images, and this needs no state.
        let mut order: Vec<usize> = (0..images).collect();
        order.shuffle(&mut stream(seed, Purpose::Order, epoch as u64, 0));
        let taken = order[within..]
            .iter()
            .take(size - drawn.len())
            .map(|image| Draw {
                epoch,
                image: *image,
            });
        drawn.extend(taken);
        position = step * size + drawn.len();
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn every_image_comes_once_a_pass() {
        for (images, size) in [(7, 3), (3, 7), (5, 5), (1, 2)] {
            let drawn: Vec<Draw> = (0..20)
                .flat_map(|step| batch(9, images, size, step))
                .collect();
            assert_eq!(drawn.len(), 20 * size);
            for (epoch, pass) in drawn.chunks_exact(images).enumerate() {
                assert!(pass.iter().all(|draw| draw.epoch == epoch));
                let mut seen: Vec<usize> = pass.iter().map(|draw| draw.image).collect();
                seen.sort_unstable();
                assert_eq!(seen, (0..images).collect::<Vec<_>>());
            }
        }
        assert_ne!(batch(9, 50, 50, 0), batch(9, 50, 50, 1));
        assert_ne!(batch(9, 50, 50, 0), batch(8, 50, 50, 0));
    }
}
