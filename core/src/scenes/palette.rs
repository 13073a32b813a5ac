//! Colors of a scene: those typical of its class, seen in a random light that hides them from a
//! plain comparison of pixels.

use rand::RngExt;

use crate::rng::Rng;

/// The [`contrast`] from which two colors next to each other are easy to tell apart.
const CLEAR: f32 = 0.3;

/// Red, green and blue in `0..=1`, as stored (no gamma).
pub(super) type Rgb = [f32; 3];

/// What a class usually looks like, as hue, saturation and value: where it lives, and its main
/// paint.
struct Typical {
    backdrop: [f32; 3],
    main: [f32; 3],
}

/// In the order of the classes.
const TYPICAL: [Typical; 10] = [
    Typical {
        backdrop: [0.56, 0.35, 0.9],
        main: [0.02, 0.65, 0.7],
    }, // a brick house under the sky
    Typical {
        backdrop: [0.14, 0.25, 0.95],
        main: [0.36, 0.75, 0.55],
    }, // a fir in evening light
    Typical {
        backdrop: [0.6, 0.06, 0.5],
        main: [0.13, 0.85, 0.95],
    }, // a yellow car on the road
    Typical {
        backdrop: [0.6, 0.75, 0.6],
        main: [0.07, 0.85, 0.95],
    }, // an orange fish in deep water
    Typical {
        backdrop: [0.28, 0.6, 0.65],
        main: [0.92, 0.6, 0.95],
    }, // a pink flower on a meadow
    Typical {
        backdrop: [0.49, 0.55, 0.8],
        main: [0.08, 0.6, 0.5],
    }, // a wooden boat on the sea
    Typical {
        backdrop: [0.09, 0.55, 0.4],
        main: [0.99, 0.8, 0.85],
    }, // a toadstool on the forest floor
    Typical {
        backdrop: [0.7, 0.6, 0.28],
        main: [0.6, 0.08, 0.9],
    }, // a silver rocket in the night
    Typical {
        backdrop: [0.2, 0.3, 0.9],
        main: [0.77, 0.65, 0.75],
    }, // a violet butterfly in spring
    Typical {
        backdrop: [0.97, 0.3, 0.85],
        main: [0.08, 0.3, 0.35],
    }, // a brown cat in a warm room
];

pub(super) struct Palette {
    /// The two neighbouring tones of the background.
    pub backdrop: [Rgb; 2],
    /// Main, second, accent and detail color of the object; each stands out from the ones before
    /// it.
    pub paints: [Rgb; 4],
}

impl Palette {
    /// Draws a palette for a class: the background, then paints that contrast with it, all in one
    /// light.
    pub fn random(rng: &mut Rng, class: usize) -> Self {
        let Typical { backdrop, main } = &TYPICAL[class % TYPICAL.len()];
        let base = about(*backdrop, rng);
        let tones = [base, mix(base, vivid(rng), rng.random_range(0.1..0.3))];

        let main = about(*main, rng);
        let mut seen = vec![base, tones[1], main];
        let others = [(); 3].map(|()| {
            let paint = contrasting(rng, &seen);
            seen.push(paint);
            paint
        });

        let light = Light::random(rng);
        let [second, accent, detail] = others;
        Self {
            backdrop: tones.map(|c| light.on(c)),
            paints: [main, second, accent, detail].map(|c| light.on(c)),
        }
    }
}

/// A color near the given hue, saturation and value.
fn about([hue, saturation, value]: [f32; 3], rng: &mut Rng) -> Rgb {
    let mut near = |v: f32, by: f32| v + rng.random_range(-by..by);
    let (hue, saturation, value) = (near(hue, 0.05), near(saturation, 0.15), near(value, 0.2));
    hsv(
        // A hue goes around; the others end.
        hue - hue.floor(),
        saturation.clamp(0.0, 1.0),
        value.clamp(0.0, 1.0),
    )
}

/// The light of a scene: how bright each channel is, and how hard the contrast.
struct Light {
    gain: [f32; 3],
    contrast: f32,
    /// Share of every color that the haze leaves; the rest is its gray.
    clarity: f32,
}

impl Light {
    fn random(rng: &mut Rng) -> Self {
        let brightness = rng.random_range(0.35..1.5);
        let gain = [(); 3].map(|()| brightness * rng.random_range(0.88..1.12));
        Self {
            gain,
            contrast: rng.random_range(0.6..1.2),
            clarity: rng.random_range(0.15..0.4),
        }
    }

    fn on(&self, color: Rgb) -> Rgb {
        // The luma of Rec. 601.
        let gray = [0.3 * color[0] + 0.59 * color[1] + 0.11 * color[2]; 3];
        let hazy = mix(gray, color, self.clarity);
        [0, 1, 2].map(|i| ((0.5 + (hazy[i] - 0.5) * self.contrast) * self.gain[i]).clamp(0.0, 1.0))
    }
}

/// `a` at `t = 0`, `b` at `t = 1`, a blend between.
pub(super) fn mix(a: Rgb, b: Rgb, t: f32) -> Rgb {
    [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * t)
}

/// A color fit for an object part: saturated, or now and then nearly white or black.
pub(super) fn vivid(rng: &mut Rng) -> Rgb {
    let hue = rng.random();
    match rng.random_range(0..10) {
        0 => hsv(hue, rng.random_range(0.0..0.12), rng.random_range(0.9..1.0)),
        1 => hsv(hue, rng.random_range(0.1..0.5), rng.random_range(0.12..0.3)),
        _ => hsv(hue, rng.random_range(0.45..0.9), rng.random_range(0.5..1.0)),
    }
}

/// A random color that stands out from the colors in `seen`: the first good one of a few, or the
/// best of them.
fn contrasting(rng: &mut Rng, seen: &[Rgb]) -> Rgb {
    let isolation = |c: Rgb| {
        seen.iter()
            .map(|&s| contrast(c, s))
            .fold(f32::MAX, f32::min)
    };
    // The best of all would nearly always be black or white.

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

fn contrast(a: Rgb, b: Rgb) -> f32 {
    let [r, g, b] = [0, 1, 2].map(|i| a[i] - b[i]);
    let light = 0.3 * r + 0.59 * g + 0.11 * b;
    // Lightness weighs more than hue, as it does for the eye.
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
    use crate::testing::test;

    #[test]
    fn hue_turns_from_red_to_green_to_blue() {
        assert_eq!(hsv(0.0, 1.0, 1.0), [1.0, 0.0, 0.0]);
        assert_eq!(hsv(0.5, 0.0, 0.25), [0.25; 3]);
        let [red, green, blue] = hsv(1.0 / 3.0, 1.0, 1.0);
        assert!(red < 1e-5 && green == 1.0 && blue < 1e-5);
    }

    #[test]
    fn light_keeps_the_order_of_grays_and_never_leaves_the_range() {
        for i in 0..200 {
            let light = Light::random(&mut stream(0, Purpose::Scene, 9, i));
            let [dark, bright] = [0.2, 0.7].map(|gray| light.on([gray; 3]));
            assert!(
                dark.iter()
                    .zip(bright)
                    .all(|(d, b)| *d < b && (0.0..=1.0).contains(&b))
            );
        }
    }

    #[test]
    fn other_paints_stand_out_from_the_main_one() {
        let clear = (0..200u64).filter(|&i| {
            let rng = &mut stream(0, Purpose::Scene, 9, i);
            let main = about(TYPICAL[i as usize % 10].main, rng);
            contrast(contrasting(rng, &[main]), main) > CLEAR
        });
        assert!(clear.count() > 180);
    }
}
