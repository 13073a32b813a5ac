//! Shared by the kernels: tensors as slices, loops on the widest vectors of the processor, the
//! exponential.

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{Shape, TensorData};
use pulp::Arch;

/// The tensor with its values one after another, row-major, and no others beside them. Copies only
/// if they are not.
pub(super) fn contiguous(tensor: FloatTensor<Flex>) -> FloatTensor<Flex> {
    tensor.to_contiguous()
}

pub(super) fn values(tensor: &FloatTensor<Flex>) -> &[f32] {
    tensor
        .as_slice()
        .expect("a contiguous tensor, of f32 because `platform::has_kernels` lets no other through")
}

/// The tensor changed by `change`: in place if nothing else holds its values, otherwise a copy.
pub(super) fn changed(
    tensor: FloatTensor<Flex>,
    change: impl FnOnce(&mut [f32]),
) -> FloatTensor<Flex> {
    let mut tensor = contiguous(tensor);
    change(tensor.storage_mut());
    tensor
}

pub(super) fn new(values: Vec<f32>, shape: impl Into<Shape>) -> FloatTensor<Flex> {
    FloatTensor::<Flex>::from_data(TensorData::new(values, shape.into()))
}

/// Length of a tensor's last dimension.
pub(super) fn columns(tensor: &FloatTensor<Flex>) -> usize {
    let shape = tensor.layout().shape();
    shape[shape.num_dims() - 1]
}

/// Compiles `loops` for several generations of processors and runs those for the one at hand.
///
/// The compiler makes vector instructions of `loops` if everything that they call is inlined, and
/// if no element of a group of [`LANES`] depends on another one.
#[inline(always)]
pub(super) fn vectorize<R>(loops: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(loops)
}

// Elements that are computed side by side: the widest vector of a processor, four of the
// narrowest.
pub(super) const LANES: usize = 16;

/// The sum of `of(i)` over `0..count`, in [`LANES`] sums of their own and hence not in order.
#[inline(always)]
pub(super) fn sum(count: usize, of: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let whole = count - count % LANES;
    for start in (0..whole).step_by(LANES) {
        for (lane, total) in lanes.iter_mut().enumerate() {
            *total += of(start + lane);
        }
    }
    // Lanes first: the order of a sum is the same on every processor.
    lanes.iter().sum::<f32>() + (whole..count).map(of).sum::<f32>()
}

/// The larger number; NaN if the first is NaN.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b || a.is_nan() { a } else { b }
}

/// The largest of `values`; NaN if one is.
#[inline(always)]
pub(super) fn max(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, *value);
        }
    }
    lanes
        .iter()
        .chain(rest)
        .copied()
        .fold(f32::NEG_INFINITY, larger)
}

/// eˣ to 2 units in the last place; 0 below -87, where floats run out of exponents, and e⁸⁸ above
/// 88.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Adding and subtracting it rounds to an integer, where the processor has no instruction for
    // that.
    const ROUNDER: f32 = 1.5 * (1 << 23) as f32;
    // ln 2 in two parts; products of the first with small integers are exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;

    // Within what the exponent of a float holds.
    let clamped = x.clamp(-87.0, 88.0);
    let rounded = clamped * std::f32::consts::LOG2_E + ROUNDER;
    let exponent = rounded - ROUNDER;
    let r = clamped - exponent * LN2_HIGH - exponent * LN2_LOW;

    // Minimax polynomial of eʳ on [-ln 2 / 2, ln 2 / 2] (Cephes).
    let tail = ((((1.987_569_1e-4 * r + 1.398_199_9e-3) * r + 8.333_452e-3) * r + 4.166_579_6e-2)
        * r
        + 0.166_666_65)
        * r
        + 0.5;
    let fraction = tail * r * r + r + 1.0;

    // The low bits of `rounded` are the integer; shifted, they are a float's exponent.
    let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    if x < -87.0 { 0.0 } else { fraction * power }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn the_exponential_is_exact_to_rounding() {
        let worst = (-8700..=8800)
            .map(|i| i as f32 / 100.0)
            .map(|x| ((f64::from(exp(x)) / f64::from(x).exp()) - 1.0).abs())
            .fold(0.0, f64::max);
        assert!(worst < 2.0 * f64::from(f32::EPSILON), "{worst:e}");
        assert_eq!(exp(-88.0), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn sums_and_maxima_take_every_element_once() {
        for count in [0, 1, 15, 16, 17, 50] {
            assert_eq!(
                sum(count, |i| (i + 1) as f32),
                (count * (count + 1) / 2) as f32
            );
            for largest in 0..count {
                let values: Vec<f32> = (0..count)
                    .map(|i| if i == largest { -1.0 } else { -2.0 - i as f32 })
                    .collect();
                assert_eq!(max(&values), -1.0);
                let values: Vec<f32> = (0..count)
                    .map(|i| if i == largest { f32::NAN } else { i as f32 })
                    .collect();
                assert!(max(&values).is_nan(), "{largest} of {count}");
            }
        }
    }
}
