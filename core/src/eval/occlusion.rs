//! Occlusion: patches of an image are hidden before the network sees it (paper figure 9, table 8).

use rand::seq::SliceRandom;

use crate::rng::Rng;

/// `count` of `patches` patches, drawn at random: whether each is one of them.
pub fn random_patches(patches: usize, count: usize, rng: &mut Rng) -> Vec<bool> {
    let mut chosen: Vec<bool> = (0..patches).map(|patch| patch < count).collect();
    chosen.shuffle(rng);
    chosen
}

/// The patches that hold the share `lambda` of the `attention`: whether each is one of them.
///
/// It is a share of attention and not of patches. In ascending order of their attention, those are
/// chosen at which the sum from the lowest on, divided by the whole, exceeds `1 - lambda`.
pub fn salient_patches(attention: &[f32], lambda: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..attention.len()).collect();
    order.sort_by(|a, b| attention[*a].total_cmp(&attention[*b]));

    let total: f64 = attention.iter().map(|share| f64::from(*share)).sum();
    let mut chosen = vec![false; attention.len()];
    let mut sum = 0.0;
    for patch in order {
        sum += f64::from(attention[patch]);
        chosen[patch] = sum / total > 1.0 - lambda;
    }
    chosen
}

/// Sets the patches `hidden` of a normalised image to 0, which is ImageNet's mean color. `pixels`
/// are three planes of `side` x `side` values, `hidden` a square grid of patches, row by row.
pub fn hide_patches(pixels: &mut [f32], side: usize, hidden: &[bool]) {
    let grid = hidden.len().isqrt().max(1);
    let patch = side / grid;
    for plane in pixels.chunks_exact_mut(side * side) {
        for (y, line) in plane.chunks_exact_mut(side).take(patch * grid).enumerate() {
            let row = &hidden[y / patch * grid..][..grid];
            for (cell, values) in line.chunks_exact_mut(patch).take(grid).enumerate() {
                if row[cell] {
                    values.fill(0.0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::test;

    const FIXTURE: &str = include_str!("../../../tests/fixtures/eval/robustness.json");

    #[derive(Deserialize)]
    struct Fixture {
        salient: Vec<Salient>,
    }

    #[derive(Deserialize)]
    struct Salient {
        attention: Vec<f32>,
        lambda: f64,
        chosen: Vec<bool>,
    }

    #[test]
    fn salient_patches_are_those_of_the_official_rule() {
        let fixture: Fixture = serde_json::from_str(FIXTURE).expect("the fixture");
        assert!(fixture.salient.len() > 10);
        for case in fixture.salient {
            let chosen = salient_patches(&case.attention, case.lambda);
            assert_eq!(chosen, case.chosen, "lambda {}", case.lambda);
        }
        let hand = salient_patches(&[0.1, 0.2, 0.3, 0.4], 0.5);
        assert_eq!(hand, [false, false, true, true]);
    }

    #[test]
    fn as_many_patches_are_drawn_as_asked_for() {
        let mut seen = [0; 16];
        for draw in 0..400 {
            let chosen = random_patches(16, 4, &mut stream(1, Purpose::Perturb, 0, draw));
            assert_eq!(chosen.iter().filter(|chosen| **chosen).count(), 4);
            for (seen, chosen) in seen.iter_mut().zip(chosen) {
                *seen += usize::from(chosen);
            }
        }
        // Each is drawn 100 times on average, with a standard deviation of 8.7.
        assert!(
            seen.iter().all(|count| (60..140).contains(count)),
            "{seen:?}"
        );
        let rng = &mut stream(1, Purpose::Perturb, 0, 0);
        assert_eq!(random_patches(3, 0, rng), [false; 3]);
        assert_eq!(random_patches(3, 3, rng), [true; 3]);
    }

    #[test]
    fn hidden_patches_are_zero_and_others_stay() {
        let mut pixels: Vec<f32> = (1..=3 * 16).map(|value| value as f32).collect();
        let before = pixels.clone();
        hide_patches(&mut pixels, 4, &[false, true, false, false]);
        for (at, (now, then)) in pixels.iter().zip(&before).enumerate() {
            let (x, y) = (at % 4, at / 4 % 4);
            let expected = if x >= 2 && y < 2 { 0.0 } else { *then };
            assert_eq!(*now, expected, "pixel {x}, {y}");
        }
    }
}
