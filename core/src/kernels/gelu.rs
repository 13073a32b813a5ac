//! GELU and its derivative, from one exponential.

use super::numeric::{exp, vectorize};

// Elements computed before they are stored: their results stay in registers and the nearest cache.
const BLOCK: usize = 64;

/// x Φ(x), in place.
pub(super) fn forward(x: &mut [f32]) {
    vectorize(
        #[inline(always)]
        || x.iter_mut().for_each(|x| *x = value_and_derivative(*x).0),
    );
}

/// x Φ(x), and in place of `x` its derivative Φ(x) + x φ(x).
pub(super) fn forward_and_derivative(x: &mut [f32]) -> Vec<f32> {
    let mut y = Vec::with_capacity(x.len());
    vectorize(
        #[inline(always)]
        || {
            for block in x.chunks_mut(BLOCK) {
                let mut values = [0.0; BLOCK];
                for (x, value) in block.iter_mut().zip(&mut values) {
                    (*value, *x) = value_and_derivative(*x);
                }
                y.extend_from_slice(&values[..block.len()]);
            }
        },
    );
    y
}

/// The gradient of the input, in place of that of the output.
pub(super) fn backward(gradient: &mut [f32], derivative: &[f32]) {
    vectorize(
        #[inline(always)]
        || {
            gradient
                .iter_mut()
                .zip(derivative)
                .for_each(|(gradient, derivative)| *gradient *= derivative)
        },
    );
}

/// x Φ(x) and Φ(x) + x φ(x).
///
/// Φ(-|x|) = exp(-x²/2) q(t) with t = 1 / (1 + 0.35 |x|), where q is fitted to half of erfcx, the
/// scaled complementary error function, with a relative error of 3.2e-8 for |x| up to 14, beyond
/// which floats hold no exp(-x²/2).
#[inline(always)]
fn value_and_derivative(x: f32) -> (f32, f32) {
    const Q: [f32; 9] = [
        0.139_621_4,
        0.139_861_87,
        0.119_832_86,
        0.105_508_04,
        -0.023_109_908,
        0.159_174_26,
        -0.255_714_34,
        0.143_971_73,
        -0.029_145_937,
    ];
    /// 1 / sqrt(2π).
    const DENSITY: f32 = 0.398_942_3;

    let t = 1.0 / (1.0 + 0.35 * x.abs());
    let q = Q
        .iter()
        .rev()
        .fold(0.0, |sum, coefficient| sum * t + coefficient)
        * t;

    // Both tails come from the left one, which does not lose digits next to 1.
    let bell = exp(-0.5 * x * x);
    let tail = bell * q;
    let cdf = if x < 0.0 { tail } else { 1.0 - tail };
    (x * cdf, cdf + x * DENSITY * bell)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    /// Φ by Simpson's rule from far left, in f64: none of the formulas above.
    fn cdf(x: f64) -> f64 {
        let density = |x: f64| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
        let (from, steps) = (-15.0, 4000);
        let h = (x - from) / f64::from(steps);
        let weight = |i: i32| {
            if i == 0 || i == steps {
                1.0
            } else {
                f64::from(2 + 2 * (i % 2))
            }
        };
        (0..=steps)
            .map(|i| weight(i) * density(from + h * f64::from(i)))
            .sum::<f64>()
            * h
            / 3.0
    }

    #[test]
    fn value_and_derivative_are_exact_to_rounding() {
        for i in -900..=900 {
            let x = i as f32 / 100.0;
            let (value, derivative) = value_and_derivative(x);
            let x = f64::from(x);
            let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
            assert!(
                (f64::from(value) - x * cdf(x)).abs() < 5e-7 * x.abs().max(0.1),
                "{x}"
            );
            assert!(
                (f64::from(derivative) - cdf(x) - x * density).abs() < 5e-7,
                "{x}"
            );
        }
        assert!(value_and_derivative(f32::NAN).0.is_nan());
        assert_eq!(value_and_derivative(-40.0).0, 0.0);
        assert_eq!(value_and_derivative(40.0), (40.0, 1.0));
    }

    #[test]
    fn blocks_and_what_is_left_of_them_are_computed_alike() {
        let x: Vec<f32> = (0..2 * BLOCK + 7).map(|i| i as f32 / 50.0 - 1.5).collect();
        let (mut alone, mut derivative) = (x.clone(), x.clone());
        forward(&mut alone);
        let y = forward_and_derivative(&mut derivative);
        assert_eq!((y.len(), &alone), (x.len(), &y));
        for (i, x) in x.into_iter().enumerate() {
            let expected = value_and_derivative(x);
            assert!(
                (y[i] - expected.0).abs() < 1e-6 && (derivative[i] - expected.1).abs() < 1e-6,
                "{i}"
            );
        }
    }
}
