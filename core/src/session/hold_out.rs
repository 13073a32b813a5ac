//! Images to learn from and images held out to validate.

use rand::seq::SliceRandom as _;

use crate::rng::{Purpose, stream};

/// Indices of images, each list in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdout {
    /// Images to learn from.
    pub train: Vec<usize>,
    /// Images to validate with.
    pub validation: Vec<usize>,
}

/// Puts `share` of the images of every class aside for validation, drawn with `seed`. Every class
/// keeps at least one image to learn from; one with two images or more gives at least one away
/// unless `share` is zero.
pub fn hold_out(labels: &[usize], share: f64, seed: u64) -> Holdout {
    let mut parts = Holdout::default();
    for class in 0..labels.iter().max().map_or(0, |last| last + 1) {
        let mut images: Vec<usize> = (0..labels.len())
            .filter(|image| labels[*image] == class)
            .collect();
        // From a stream of its own, so that images added to one class move none of another.
        images.shuffle(&mut stream(seed, Purpose::Split, class as u64, 0));

        let aside = if share > 0.0 {
            ((images.len() as f64 * share).round() as usize).max(1)
        } else {
            0
        };
        // One image at least stays to learn from.
        let kept = images.split_off(aside.min(images.len().saturating_sub(1)));
        parts.validation.extend(images);
        parts.train.extend(kept);
    }
    // In the order of the images, not of the classes.
    parts.train.sort_unstable();
    parts.validation.sort_unstable();
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn every_class_is_split_by_the_share_and_keeps_an_image() {
        // 20 images of class 0, 1 of class 1, 2 of class 3, none of class 2.
        let labels: Vec<usize> = [vec![0; 20], vec![1], vec![3; 2]].concat();
        let parts = hold_out(&labels, 0.15, 7);
        let count =
            |part: &[usize], class| part.iter().filter(|image| labels[**image] == class).count();
        assert_eq!(
            [0, 1, 3].map(|class| count(&parts.validation, class)),
            [3, 0, 1]
        );
        assert_eq!(
            [0, 1, 3].map(|class| count(&parts.train, class)),
            [17, 1, 1]
        );
        let mut all = [parts.train, parts.validation].concat();
        all.sort_unstable();
        assert_eq!(all, (0..23).collect::<Vec<_>>());
        assert_eq!(hold_out(&labels, 0.0, 7).train.len(), 23);
        assert_eq!(hold_out(&labels, 1.0, 7).train.len(), 3);
        assert_eq!(hold_out(&[], 0.5, 7), Holdout::default());
    }

    #[test]
    fn the_seed_decides_and_other_classes_do_not_matter() {
        let labels: Vec<usize> = (0..60).map(|image| image % 2).collect();
        assert_eq!(hold_out(&labels, 0.3, 1), hold_out(&labels, 0.3, 1));
        assert_ne!(hold_out(&labels, 0.3, 1), hold_out(&labels, 0.3, 2));
        let more: Vec<usize> = labels.iter().copied().chain([1; 30]).collect();
        let of_zero = |part: Holdout| {
            part.validation
                .into_iter()
                .filter(|image| *image < 60 && image % 2 == 0)
        };
        assert!(of_zero(hold_out(&labels, 0.3, 1)).eq(of_zero(hold_out(&more, 0.3, 1))));
    }
}
