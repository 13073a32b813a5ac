//! Brightness, contrast, saturation, hue, grayscale and solarization, as PIL computes them through
//! torchvision.

use crate::image::RgbImage;
use crate::image::augment::hue;
use crate::image::augment::pixel::{byte, floor};

/// One color operation with its strength.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ColorOp {
    /// Scales all channels by this factor (`adjust_brightness`).
    Brightness(f32),
    /// Moves all channels away from (above 1) or toward (below 1) the mean gray of the image
    /// (`adjust_contrast`).
    Contrast(f32),
    /// Moves every pixel away from or toward its own gray (`adjust_saturation`).
    Saturation(f32),
    /// Turns the color wheel by this part of a full turn, -0.5 to 0.5 (`adjust_hue`).
    Hue(f32),
    /// Replaces every pixel by its gray (`to_grayscale`).
    Grayscale,
}

/// Applies `ops` one after the other, in place, with as few passes over the image as contrast
/// allows.
pub fn apply(image: &mut RgbImage, ops: &[ColorOp]) {
    let mut pending = Vec::with_capacity(ops.len());
    for op in ops {
        let step = match *op {
            ColorOp::Brightness(factor) => ColorStep::TowardConstant {
                constant: 0.0,
                factor,
            },
            ColorOp::Contrast(factor) => {
                // The mean is that of an image on which all earlier operations have run.
                let constant = mean_gray_after(image, &pending);
                pending.clear();
                ColorStep::TowardConstant { constant, factor }
            }
            ColorOp::Saturation(factor) => ColorStep::TowardGray { factor },
            // torchvision cuts the shift to whole steps of the 8-bit wheel; negative ones wrap.
            ColorOp::Hue(turn) => ColorStep::Hue {
                steps: (f64::from(turn) * 255.0) as i32 as u8,
            },
            ColorOp::Grayscale => ColorStep::TowardGray { factor: 0.0 },
        };
        pending.push(step);
    }

    if !pending.is_empty() {
        sweep(image, &pending, |_, _| ());
    }
}

/// Inverts every value of 128 or more (PIL's `solarize` with its default threshold), in place.
pub fn solarize(image: &mut RgbImage) {
    for value in image.pixels_mut() {
        *value = if *value >= 128 { !*value } else { *value };
    }
}

// A multiple of the widest vector, small enough for the cache nearest to the core.
const BLOCK: usize = 128;
const BLOCK_BYTES: usize = BLOCK * 3;

/// A color operation with all that it needs to know of the image.
#[derive(Clone, Copy)]
enum ColorStep {
    TowardConstant { constant: f32, factor: f32 },
    TowardGray { factor: f32 },
    Hue { steps: u8 },
}

// With the channels apart, the loops are plain enough for the compiler to use vector instructions,
// and a block stays in the nearest cache while several operations pass over it.
struct PixelBlock {
    red: [u8; BLOCK],
    green: [u8; BLOCK],
    blue: [u8; BLOCK],
}

impl PixelBlock {
    #[inline]
    fn load(bytes: &[u8; BLOCK_BYTES]) -> Self {
        let mut block = Self {
            red: [0; BLOCK],
            green: [0; BLOCK],
            blue: [0; BLOCK],
        };
        let channels = block
            .red
            .iter_mut()
            .zip(&mut block.green)
            .zip(&mut block.blue);
        for (&[r, g, b], ((red, green), blue)) in bytes.as_chunks::<3>().0.iter().zip(channels) {
            (*red, *green, *blue) = (r, g, b);
        }
        block
    }

    #[inline]
    fn store(&self, bytes: &mut [u8; BLOCK_BYTES]) {
        let channels = self.red.iter().zip(&self.green).zip(&self.blue);
        for (pixel, ((red, green), blue)) in bytes.as_chunks_mut::<3>().0.iter_mut().zip(channels) {
            *pixel = [*red, *green, *blue];
        }
    }

    #[inline]
    fn run(mut self, steps: &[ColorStep]) -> Self {
        for step in steps {
            match *step {
                ColorStep::TowardConstant { constant, factor } => {
                    for channel in [&mut self.red, &mut self.green, &mut self.blue] {
                        for value in channel {
                            *value = blend(constant, f32::from(*value), factor);
                        }
                    }
                }
                ColorStep::TowardGray { factor } => {
                    let gray = self.gray();
                    for channel in [&mut self.red, &mut self.green, &mut self.blue] {
                        for (value, gray) in channel.iter_mut().zip(&gray) {
                            *value = blend(f32::from(*gray), f32::from(*value), factor);
                        }
                    }
                }
                ColorStep::Hue { steps } => {
                    hue::shift(&mut self.red, &mut self.green, &mut self.blue, steps)
                }
            }
        }
        self
    }

    /// PIL's conversion to "L": ITU-R 601-2 in 16-bit fixed point, rounded.
    #[inline]
    fn gray(&self) -> [u8; BLOCK] {
        let mut gray = [0; BLOCK];
        let channels = self.red.iter().zip(&self.green).zip(&self.blue);
        for (gray, ((red, green), blue)) in gray.iter_mut().zip(channels) {
            let [red, green, blue] = [*red, *green, *blue].map(u32::from);
            *gray = ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16) as u8;
        }
        gray
    }
}

/// Runs `steps` on the whole image, and shows `look` every finished block and how many of its
/// pixels are real.
fn sweep(image: &mut RgbImage, steps: &[ColorStep], mut look: impl FnMut(&PixelBlock, usize)) {
    let (blocks, rest) = image.pixels_mut().as_chunks_mut::<BLOCK_BYTES>();
    for bytes in blocks {
        let block = PixelBlock::load(bytes).run(steps);
        look(&block, BLOCK);
        if !steps.is_empty() {
            block.store(bytes);
        }
    }

    // The last pixels are a block too, filled up with black.
    let mut padded = [0; BLOCK_BYTES];
    padded[..rest.len()].copy_from_slice(rest);
    let block = PixelBlock::load(&padded).run(steps);
    look(&block, rest.len() / 3);
    block.store(&mut padded);
    rest.copy_from_slice(&padded[..rest.len()]);
}

/// Runs `steps` and gives the mean gray of the result, rounded as `ImageEnhance.Contrast` does.
fn mean_gray_after(image: &mut RgbImage, steps: &[ColorStep]) -> f32 {
    let count = (image.width() * image.height()) as f64;
    let mut sum = 0;
    sweep(image, steps, |block, pixels| {
        // A block's sum fits in 32 bits, which vectorizes better than 64.
        sum += u64::from(
            block.gray()[..pixels]
                .iter()
                .map(|gray| u32::from(*gray))
                .sum::<u32>(),
        );
    });
    (sum as f64 / count + 0.5).floor() as f32
}

/// PIL's `Image.blend` of one value: from `base` (factor 0) through `value` (factor 1) and beyond,
/// cut to a byte.
#[inline]
pub(super) fn blend(base: f32, value: f32, factor: f32) -> u8 {
    let mixed = base + factor * (value - base);
    // `clamp` would take care of NaN at the cost of several instructions.
    let mixed = if mixed > 0.0 { mixed } else { 0.0 };
    let mixed = if mixed < 255.0 { mixed } else { 255.0 };
    byte(floor(mixed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::fixture::{Fixture, difference};
    use crate::testing::test;

    const FILE: &[u8] = include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/augment/color.safetensors"
    ));

    fn check(operation: &str, op: impl Fn(f32) -> ColorOp) {
        let fixture = Fixture::images(FILE);
        for (numbers, expected) in fixture.series(operation) {
            let mut ours = fixture.get("source");
            apply(&mut ours, &[op(numbers[0] as f32)]);
            assert_eq!(
                difference(&format!("{operation} {numbers:?}"), &ours, &expected),
                (0.0, 0)
            );
        }
    }

    #[test]
    fn jitter_matches_torchvision_exactly() {
        check("brightness", ColorOp::Brightness);
        check("contrast", ColorOp::Contrast);
        check("saturation", ColorOp::Saturation);
        check("hue", ColorOp::Hue);
    }

    #[test]
    fn grayscale_and_solarize_match_exactly() {
        let fixture = Fixture::images(FILE);
        let mut ours = fixture.get("source");
        apply(&mut ours, &[ColorOp::Grayscale]);
        assert_eq!(ours, fixture.get("grayscale"));
        let mut ours = fixture.get("source");
        solarize(&mut ours);
        assert_eq!(ours, fixture.get("solarize"));
        let mut ours = fixture.get("source");
        crate::image::resize::flip(&mut ours);
        assert_eq!(ours, fixture.get("flip"));
    }

    #[test]
    fn operations_together_are_operations_in_turn() {
        let source = Fixture::images(FILE).get("source");
        let ops = [
            ColorOp::Hue(0.06),
            ColorOp::Contrast(1.3),
            ColorOp::Saturation(0.9),
            ColorOp::Brightness(1.2),
            ColorOp::Grayscale,
        ];
        let (mut together, mut in_turn) = (source.clone(), source);
        apply(&mut together, &ops);
        ops.iter().for_each(|op| apply(&mut in_turn, &[*op]));
        assert_eq!(together, in_turn);
    }
}
