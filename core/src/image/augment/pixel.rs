//! Rounding of small numbers to bytes, without calls and branches, so that loops over pixels become
//! vector instructions.

// Adding this to a small number leaves no bits for a fraction, which rounds it without a slow
// rounding call.
const ROUNDER: f32 = (3 << 22) as f32;

/// The integer nearest to `value`, which lies in 0 to 2^21.
#[inline]
pub(super) fn nearest(value: f32) -> f32 {
    (value + ROUNDER) - ROUNDER
}

/// The integer below `value`, which lies in 0 to 2^21.
#[inline]
pub(super) fn floor(value: f32) -> f32 {
    let nearest = nearest(value);
    if nearest > value {
        nearest - 1.0
    } else {
        nearest
    }
}

/// An integer of 0 to 255 as a byte.
#[inline]
pub(super) fn byte(value: f32) -> u8 {
    (value + ROUNDER).to_bits() as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn bytes_are_cut_as_integers() {
        for level in 0..2550u16 {
            let value = f32::from(level) / 10.0;
            assert_eq!(byte(floor(value)), value as u8);
        }
    }
}
