//! Colours of a scene: random, so that they tell nothing about the class, yet distinct enough to see every part.

use rand::RngExt;

use crate::rng::Rng;

/// The [`contrast`] from which two colours next to each other are easy to tell apart.
const CLEAR: f32 = 0.3;

/// Red, green and blue in `0..=1`, as stored (no gamma).
pub(super) type Rgb = [f32; 3];

/// The colours one scene is painted with.
pub(super) struct Palette {
    /// The two neighbouring tones of the background.
    pub backdrop: [Rgb; 2],
    /// Main, second, accent and detail colour of the object; each stands out from the ones before it.
    pub paints: [Rgb; 4],
}

impl Palette {
    /// Draws a palette: first the background, then paints that contrast with it.
    pub fn random(rng: &mut Rng) -> Self {
        let base = hsv(rng.random(), rng.random_range(0.1..0.6), rng.random_range(0.3..1.0));
        let backdrop = [base, mix(base, vivid(rng), rng.random_range(0.15..0.5))];
        let mut seen = vec![base, backdrop[1]];
        let paints = [(); 4].map(|()| {
            let paint = contrasting(rng, &seen);
            seen.push(paint);
            paint
        });
        Self { backdrop, paints }
    }
}

/// `a` at `t = 0`, `b` at `t = 1`, a blend between.
pub(super) fn mix(a: Rgb, b: Rgb, t: f32) -> Rgb {
    [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * t)
}

/// A colour fit for an object part: saturated, or now and then nearly white or black.
pub(super) fn vivid(rng: &mut Rng) -> Rgb {
    let hue = rng.random();
    match rng.random_range(0..10) {
        0 => hsv(hue, rng.random_range(0.0..0.12), rng.random_range(0.9..1.0)),
        1 => hsv(hue, rng.random_range(0.1..0.5), rng.random_range(0.12..0.3)),
        _ => hsv(hue, rng.random_range(0.45..0.9), rng.random_range(0.5..1.0)),
    }
}

/// A random colour that stands out from the colours in `seen`: the first good one of a few, or the best of them.
///
/// Taking the best straight away would paint nearly everything black or white.
fn contrasting(rng: &mut Rng, seen: &[Rgb]) -> Rgb {
    let isolation = |c: Rgb| seen.iter().map(|&s| contrast(c, s)).fold(f32::MAX, f32::min);
    let mut best = vivid(rng);
    for _ in 0..9 {
        if isolation(best) > CLEAR {
            break;
        }
        let other = vivid(rng);
        if isolation(other) > isolation(best) {
            best = other;
        }
    }
    best
}

/// Squared distance of two colours; lightness weighs more than hue, as it does for the eye.
fn contrast(a: Rgb, b: Rgb) -> f32 {
    let [r, g, b] = [0, 1, 2].map(|i| a[i] - b[i]);
    let light = 0.3 * r + 0.59 * g + 0.11 * b;
    r * r + g * g + b * b + 3.0 * light * light
}

/// Hue, saturation and value (each in `0..=1`) as RGB.
fn hsv(hue: f32, saturation: f32, value: f32) -> Rgb {
    // Each channel is a clipped triangle wave of the hue, a third of a turn apart.
    [0.0, 2.0, 4.0].map(|shift| {
        let turn = hue * 6.0 + 6.0 - shift;
        let wave = ((turn - (turn / 6.0).floor() * 6.0 - 3.0).abs() - 1.0).clamp(0.0, 1.0);
        value * (1.0 - saturation + saturation * wave)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    #[test]
    fn hue_turns_from_red_to_green_to_blue() {
        assert_eq!(hsv(0.0, 1.0, 1.0), [1.0, 0.0, 0.0]);
        assert_eq!(hsv(0.5, 0.0, 0.25), [0.25; 3]);
        let [red, green, blue] = hsv(1.0 / 3.0, 1.0, 1.0);
        assert!(red < 1e-5 && green == 1.0 && blue < 1e-5);
    }

    #[test]
    fn main_paint_stands_out_from_the_background() {
        let clear = (0..200).filter(|&i| {
            let palette = Palette::random(&mut stream(0, Purpose::Scene, 9, i));
            palette.backdrop.iter().all(|&tone| contrast(tone, palette.paints[0]) > CLEAR / 2.0)
        });
        assert!(clear.count() > 190);
    }
}
