//! The turn of the color wheel behind `adjust_hue`: PIL's RGB -> HSV -> RGB in 8 bits, without
//! branches.

use crate::image::augment::pixel::{byte, nearest};

/// Turns the hue of every pixel by `steps` of 256, wrapping around.
#[inline]
pub(super) fn shift<const N: usize>(
    red: &mut [u8; N],
    green: &mut [u8; N],
    blue: &mut [u8; N],
    steps: u8,
) {
    let steps = f32::from(steps);
    for ((red, green), blue) in red.iter_mut().zip(green).zip(blue) {
        let [r, g, b] = [*red, *green, *blue].map(f32::from);
        let high = larger(r, larger(g, b));
        let low = smaller(r, smaller(g, b));
        let span = high - low;
        let middle = r + g + b - high - low;
        let nonzero = |value: f32| if value > 0.0 { value } else { 1.0 };
        // PIL divides all three distances from the highest channel by the span. One of them gives 0
        // and one gives 1, so a single quotient is enough and the float roundings stay the same.
        let part = (high - middle) / nonzero(span);
        let sixths = if r == high {
            if b == low { 1.0 - part } else { part - 1.0 }
        } else if g == high {
            if b == low { 1.0 + part } else { 3.0 - part }
        } else if r == low {
            3.0 + part
        } else {
            5.0 - part
        };
        let turn = sixths / 6.0;
        let turn = if turn < 0.0 { turn + 1.0 } else { turn };
        let hue = floor_of_255(turn) + steps;
        let hue = if hue > 255.0 { hue - 256.0 } else { hue };
        let saturation = floor_of_255(span / nonzero(high));

        // In units of 1/510 turn the sectors of the wheel start at multiples of 85. Each channel is
        // the value, less the saturation times a trapezoid around the wheel; all products are
        // integers below 2^24, exact in f32.
        let turn = 2.0 * hue;
        let channel = |weight: f32| {
            let weight = larger(0.0, smaller(weight, 85.0));
            byte(nearest(
                high * (255.0 * 85.0 - saturation * weight) * (1.0 / (255.0 * 85.0)),
            ))
        };
        *red = channel(170.0 - (turn - 255.0).abs());
        *green = channel((turn - 170.0).abs() - 85.0);
        *blue = channel((turn - 340.0).abs() - 85.0);
    }
}

/// The integer part of `value * 255` for a `value` of 0 to 1, as if the product were exact.
#[inline]
fn floor_of_255(value: f32) -> f32 {
    // PIL computes it in f64; a product that rounds up to an integer in f32 would be one too many.
    let nearest = nearest(value * 255.0);
    // Both differences are exact (close operands), so the sign is right.
    if (value * 256.0 - nearest) - value < 0.0 {
        nearest - 1.0
    } else {
        nearest
    }
}

// `f32::max` takes care of NaN at several instructions' cost; bytes have none.
#[inline]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[inline]
fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    /// The conversions of Python's colorsys, with the 8-bit steps and the mix of f32 and f64 that
    /// Pillow gives them.
    fn reference([r, g, b]: [u8; 3], steps: u8) -> [u8; 3] {
        let (high, low) = (r.max(g).max(b), r.min(g).min(b));
        if high == low {
            return [high; 3];
        }
        let span = f32::from(high - low);
        let [rc, gc, bc] = [r, g, b].map(|c| f32::from(high - c) / span);
        let sixths = if r == high {
            bc - gc
        } else if g == high {
            (2.0 + f64::from(rc) - f64::from(bc)) as f32
        } else {
            (4.0 + f64::from(gc) - f64::from(rc)) as f32
        };
        let turn = ((f64::from(sixths) / 6.0 + 1.0) % 1.0) as f32;
        let hue = ((f64::from(turn) * 255.0) as u8).wrapping_add(steps);
        let saturation = (f64::from(span / f32::from(high)) * 255.0) as u8;
        let position = f64::from(hue) * 6.0 / 255.0;
        let rest = f64::from((position - position.floor()) as f32);
        let (value, saturation) = (f64::from(high), f64::from(f32::from(saturation) / 255.0));
        let p = (value * (1.0 - saturation)).round() as u8;
        let q = (value * (1.0 - saturation * rest)).round() as u8;
        let t = (value * (1.0 - saturation * (1.0 - rest))).round() as u8;
        match position as u8 % 6 {
            0 => [high, t, p],
            1 => [q, high, p],
            2 => [p, high, t],
            3 => [p, q, high],
            4 => [t, p, high],
            _ => [high, p, q],
        }
    }

    fn mismatches(red_step: usize, steps: &[u8]) -> usize {
        let mut wrong = 0;
        for &steps in steps {
            for r in (0..256).step_by(red_step) {
                for g in 0..=255u8 {
                    let (mut red, mut green) = ([r as u8; 256], [g; 256]);
                    let mut blue: [u8; 256] = std::array::from_fn(|b| b as u8);
                    shift(&mut red, &mut green, &mut blue, steps);
                    for b in 0..256 {
                        wrong += usize::from(
                            [red[b], green[b], blue[b]] != reference([r as u8, g, b as u8], steps),
                        );
                    }
                }
            }
        }
        wrong
    }

    #[test]
    fn equals_the_formula() {
        assert_eq!(mismatches(15, &[0, 25, 231]), 0);
    }

    #[test]
    #[ignore = "all 16.7 million colors"]
    fn equals_the_formula_for_every_color() {
        assert_eq!(mismatches(1, &[0, 1, 25, 128, 231, 255]), 0);
    }
}
