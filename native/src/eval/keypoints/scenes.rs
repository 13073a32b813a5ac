//! Keypoints of images whose parts are known: the middles of parts that two images of a class share.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use ibot_core::annotation::boxes::BoundingBox;
use ibot_core::annotation::keypoints::PointMatch;
use ibot_core::annotation::labels::{IGNORED, LabelMap};
use ibot_core::eval::discovery::region_of;

use crate::data::{Dataset, ImagePair, KeypointPairs};
use crate::eval::discovery::around_objects;

// Fewer pixels of a part are too few to say where it is.
const FEWEST_PIXELS: usize = 4;
// The share of a part's pixels that its largest piece has at least. Of two wheels it would not be
// known which one is which.
const ONE_PIECE: f64 = 0.8;

struct PartPlaces {
    /// The middle of each part that is in one piece, by its number.
    middles: BTreeMap<usize, (f64, f64)>,
    /// The box around all of them.
    bounds: Option<BoundingBox>,
}

/// Whether images have classes and parts.
pub fn has_parts(data: &Dataset) -> bool {
    !data.classes().is_empty() && !data.pixel_classes().is_empty()
}

/// At most `count` pairs, spread evenly over the classes of `data`: of the images of a class that
/// are taken, each with the next.
///
/// # Errors
/// If a mask cannot be read, or no two images share a part.
pub fn pairs_of_parts(data: &Dataset, count: usize) -> Result<KeypointPairs> {
    let mut of_classes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for index in data.subset(count, 0) {
        if let Some(class) = data.label(index) {
            of_classes.entry(class).or_default().push(index);
        }
    }

    let mut pairs = Vec::new();
    for (class, images) in of_classes {
        for (place, source) in images.iter().enumerate() {
            // The last is paired with the first, so that every image is a source once and a target
            // once.
            let target = images[(place + 1) % images.len()];
            if target == *source {
                continue;
            }
            let before = PartPlaces::of(&data.mask(*source)?);
            let after = PartPlaces::of(&data.mask(target)?);
            let points = before.shared(&after);
            if !points.is_empty() {
                pairs.push(ImagePair {
                    source: *source,
                    target,
                    category: class,
                    target_box: after.bounds,
                    points,
                });
            }
        }
    }
    ensure!(
        !pairs.is_empty(),
        "no two images of {} share a part",
        data.description()
    );
    Ok(KeypointPairs {
        categories: data.classes().to_vec(),
        pairs,
        sizes: vec![None; data.len()],
        problems: Vec::new(),
    })
}

impl PartPlaces {
    fn of(mask: &LabelMap) -> Self {
        let mut pixels: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (pixel, part) in mask.cells().iter().enumerate() {
            if *part != 0 && *part != IGNORED {
                pixels.entry(*part).or_default().push(pixel);
            }
        }

        let mut middles = BTreeMap::new();
        for (part, all) in pixels {
            let piece = largest_piece(mask, part, &all);
            let is_one = piece.len() as f64 >= ONE_PIECE * all.len() as f64;
            if is_one && piece.len() >= FEWEST_PIXELS {
                middles.insert(part, middle(mask, &piece));
            }
        }
        Self {
            middles,
            bounds: around_objects(mask),
        }
    }

    fn shared(&self, other: &Self) -> Vec<PointMatch> {
        let mut points = Vec::new();
        for (part, source) in &self.middles {
            if let Some(target) = other.middles.get(part) {
                points.push(PointMatch {
                    source: *source,
                    target: *target,
                });
            }
        }
        points
    }
}

/// The pixels of the largest piece of a part that hangs together, of `all` its pixels.
fn largest_piece(mask: &LabelMap, part: usize, all: &[usize]) -> Vec<usize> {
    let inside: Vec<bool> = mask.cells().iter().map(|label| *label == part).collect();
    let mut largest = Vec::new();
    let mut left = all.to_vec();
    while let Some(first) = left.first() {
        let region = region_of(mask.shape(), &inside, *first);
        let (piece, others): (Vec<usize>, Vec<usize>) =
            left.iter().partition(|pixel| region.cells()[**pixel]);
        left = others;
        if piece.len() > largest.len() {
            largest = piece;
        }
    }
    largest
}

/// The pixel of `piece` that is nearest to the mean of them, the first of equally near ones: the mean
/// of a wall may lie on its door.
fn middle(mask: &LabelMap, piece: &[usize]) -> (f64, f64) {
    let mut points = Vec::with_capacity(piece.len());
    for pixel in piece {
        let (row, column) = mask.shape().position(*pixel);
        points.push((column as f64, row as f64));
    }
    let count = points.len() as f64;
    let x = points.iter().map(|point| point.0).sum::<f64>() / count;
    let y = points.iter().map(|point| point.1).sum::<f64>() / count;

    let mut nearest = (x, y);
    let mut least = f64::INFINITY;
    for point in points {
        let distance = (point.0 - x).powi(2) + (point.1 - y).powi(2);
        if distance < least {
            least = distance;
            nearest = point;
        }
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_in_one_piece_have_a_middle() {
        let cells = vec![
            4, 1, 1, 1, 4, //
            4, 1, 2, 1, 4, //
            4, 1, 1, 1, 4, //
            3, 3, 3, 3, IGNORED,
        ];
        let places = PartPlaces::of(&LabelMap::new(4, 5, cells).expect("20 labels"));
        // The mean of part 1 is the single pixel of part 2, and part 4 is in two pieces.
        let expected = BTreeMap::from([(1, (2.0, 0.0)), (3, (1.0, 3.0))]);
        assert_eq!(places.middles, expected);
        assert_eq!(places.bounds, Some(BoundingBox::of_image((5, 4))));

        let other = PartPlaces::of(&LabelMap::from_fn(2, 2, |_| 3));
        let point = PointMatch {
            source: (1.0, 3.0),
            target: (0.0, 0.0),
        };
        assert_eq!(places.shared(&other), [point]);
    }

    #[test]
    fn scenes_of_a_class_are_paired() {
        let data = Dataset::open("builtin:val").expect("builtin scenes");
        let found = pairs_of_parts(&data, 40).expect("parts");
        assert!(found.pairs.len() > 30, "{} pairs", found.pairs.len());
        for pair in &found.pairs {
            assert_ne!(pair.source, pair.target);
            assert_eq!(data.label(pair.source), Some(pair.category));
            assert_eq!(data.label(pair.target), Some(pair.category));
            let bounds = pair.target_box.expect("an object");
            for point in &pair.points {
                let (x, y) = point.target;
                assert!(x > bounds.left - 0.5 && x < bounds.right - 0.5);
                assert!(y > bounds.top - 0.5 && y < bounds.bottom - 0.5);
            }
        }
        assert!(pairs_of_parts(&data, 10).is_err(), "one image a class");
    }
}
