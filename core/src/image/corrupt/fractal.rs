//! Clouds by the diamond-square algorithm.

use super::draws::Draws;
use super::plane::Plane;

/// A map of `side` x `side` values from 0 to 1 that wraps around; `side` is a power of two. At half
/// the scale, changes are smaller by `decay`.
pub fn plasma(side: usize, decay: f64, draws: &mut impl Draws) -> Plane {
    let mut map = Plane {
        width: side,
        height: side,
        values: vec![0.0; side * side],
    };
    let mut step = side;
    let mut wobble = 100.0;
    while step >= 2 {
        let half = step / 2;
        // Middles of squares, then the middles of their upper and of their left sides: each is the
        // mean of its four neighbours, which lie diagonally only for the first.
        fill(
            &mut map,
            step,
            [half, half],
            [[half, half], [half, side - half]],
            wobble,
            draws,
        );
        fill(
            &mut map,
            step,
            [half, 0],
            [[half, 0], [0, half]],
            wobble,
            draws,
        );
        fill(
            &mut map,
            step,
            [0, half],
            [[half, 0], [0, half]],
            wobble,
            draws,
        );
        step = half;
        wobble /= decay;
    }

    let least = map.values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = map.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = (most - least).max(f64::MIN_POSITIVE);
    map.map(|value| (value - least) / range)
}

/// Sets every pixel that is `step` apart from `first` (x, y) to the mean of its neighbours, two of
/// which are given and two lie opposite, and a random change.
fn fill(
    map: &mut Plane,
    step: usize,
    first: [usize; 2],
    neighbours: [[usize; 2]; 2],
    wobble: f64,
    draws: &mut impl Draws,
) {
    let side = map.width;
    for y in (first[1]..side).step_by(step) {
        for x in (first[0]..side).step_by(step) {
            let mut sum = 0.0;
            for [dx, dy] in neighbours {
                sum += map.at((x + dx) % side, (y + dy) % side);
                sum += map.at((x + side - dx) % side, (y + side - dy) % side);
            }
            map.values[y * side + x] = sum / 4.0 + wobble * draws.between(-wobble, wobble);
        }
    }
}
