//! What the dataset promises: the same scenes everywhere, visible parts, and classes that color
//! does not give away.

use std::collections::HashSet;

use super::*;
use crate::testing::test;

/// How often each part label occurs in a scene.
fn part_counts(scene: &Scene) -> [usize; PARTS.len()] {
    let mut counts = [0; PARTS.len()];
    for &part in &scene.parts {
        counts[usize::from(part)] += 1;
    }
    counts
}

#[test]
fn scenes_are_determined_by_split_and_index() {
    assert_eq!(scene(Split::Val, 17, 32), scene(Split::Val, 17, 32));
    // The mean brightness of the first scenes: if this moves, published results no longer belong to
    // this dataset.
    let images = (0..20).map(|i| scene(Split::Train, i, SIZE).image);
    let sum: f64 = images
        .flat_map(|image| image.pixels().to_vec())
        .map(f64::from)
        .sum();
    let mean = sum / (20 * SIZE * SIZE * 3) as f64;
    assert!((mean - 125.18).abs() < 0.02, "{mean}");
}

#[test]
fn splits_and_indices_share_no_picture() {
    let scenes = [Split::Train, Split::Val]
        .into_iter()
        .flat_map(|split| (0..200).map(move |i| scene(split, i, 8)));
    assert_eq!(
        scenes
            .map(|scene| scene.image.pixels().to_vec())
            .collect::<HashSet<_>>()
            .len(),
        400
    );
}

#[test]
fn any_size_and_index_works() {
    for size in [1, 2, 16, 64, 224] {
        let scene = scene(Split::Train, 5, size);
        assert_eq!(
            (scene.image.width(), scene.image.height(), scene.parts.len()),
            (size, size, size * size)
        );
    }
    assert_eq!(scene(Split::Val, 3, 0).parts.len(), 1);
    assert_eq!(
        scene(Split::Val, usize::MAX, 4).class,
        usize::MAX % CLASSES.len()
    );
}

#[test]
fn classes_are_balanced() {
    for split in [Split::Train, Split::Val] {
        assert_eq!(len(split) % CLASSES.len(), 0);
        for class in 0..CLASSES.len() {
            let count = (0..len(split))
                .filter(|&i| scene(split, i, 1).class == class)
                .count();
            assert_eq!(count, len(split) / CLASSES.len());
        }
    }
}

#[test]
fn every_class_shows_its_parts() {
    const SCENES: usize = 30;
    let mut ever = [false; PARTS.len()];
    for (class, name) in CLASSES.iter().enumerate() {
        let mut shown = [0; PARTS.len()];
        let mut covered = 0;
        for i in 0..SCENES {
            let counts = part_counts(&scene(Split::Train, i * CLASSES.len() + class, SIZE));
            covered += counts[1..].iter().sum::<usize>();
            for part in 0..PARTS.len() {
                shown[part] += usize::from(counts[part] > 0);
                ever[part] |= counts[part] > 0;
            }
        }
        let parts = shown[1..].iter().filter(|&&n| n > 0).count();
        assert!((3..=5).contains(&parts), "{name} has {parts} parts");
        for (part, n) in shown.iter().enumerate().filter(|&(_, &n)| n > 0) {
            assert!(
                n * 10 >= SCENES * 9,
                "{name}: {} is seen {n} times of {SCENES}",
                PARTS[part]
            );
        }
        let share = covered as f64 / (SCENES * SIZE * SIZE) as f64;
        assert!((0.1..0.5).contains(&share), "{name} covers {share}");
    }
    assert!(ever.iter().all(|&seen| seen), "some part is never drawn");
}

#[test]
fn part_masks_agree_at_two_sizes() {
    for index in 0..20 {
        let (small, large) = (
            scene(Split::Val, index, 64).parts,
            scene(Split::Val, index, 224).parts,
        );
        let same = (0..64 * 64).filter(|i| {
            // The pixel of the large picture that holds the centre of the small one's.
            let at = |v: usize| (2 * v + 1) * 224 / 128;
            small[*i] == large[at(i / 64) * 224 + at(i % 64)]
        });
        let share = same.count() as f64 / 4096.0;
        assert!(share > 0.95, "scene {index}: {share}");
    }
}

#[test]
fn masked_pixels_differ_from_the_background() {
    for index in 0..20 {
        let scene = scene(Split::Val, index, SIZE);
        // Sums of color and pixel counts over the background and over the object.
        let mut sums = [[0.0; 4]; 2];
        for (pixel, &part) in scene.image.pixels().chunks_exact(3).zip(&scene.parts) {
            let sum = &mut sums[usize::from(part > 0)];
            (0..3).for_each(|i| sum[i] += f64::from(pixel[i]));
            sum[3] += 1.0;
        }
        let contrast: f64 = (0..3)
            .map(|i| (sums[0][i] / sums[0][3] - sums[1][i] / sums[1][3]).abs())
            .sum();
        assert!(contrast > 15.0, "scene {index}: {contrast}");
    }
}

/// Share of `val` whose nearest neighbour in `train` has the same class, by the distance of the
/// features.
fn nearest_neighbour(
    features: impl Fn(&Scene) -> Vec<f32>,
    size: usize,
    train: usize,
    val: usize,
) -> f64 {
    let describe = |split, n| {
        (0..n)
            .map(|i| scene(split, i, size))
            .map(|s| (s.class, features(&s)))
            .collect::<Vec<_>>()
    };
    let (train, val) = (describe(Split::Train, train), describe(Split::Val, val));
    let distance =
        |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
    let right = val.iter().filter(|(class, probe)| {
        let candidates = train
            .iter()
            .map(|(class, features)| (distance(features, probe), class));
        candidates
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .is_some_and(|(_, found)| found == class)
    });
    right.count() as f64 / val.len() as f64
}

#[test]
fn the_light_hides_much_of_the_class_from_a_comparison_of_pixels() {
    let pixels = |scene: &Scene| {
        scene
            .image
            .pixels()
            .iter()
            .map(|&byte| f32::from(byte))
            .collect()
    };
    let accuracy = nearest_neighbour(pixels, 16, 1000, 300);
    assert!((0.4..0.85).contains(&accuracy), "{accuracy}");
}
