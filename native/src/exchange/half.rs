//! Sums of vectors that travel in 16 bits and are added up in 32.

use half::f16;
use half::slice::{HalfBitsSliceExt as _, HalfFloatSliceExt as _};

use super::error::ExchangeError;
use super::operations::Exchange;

// Half of the largest f16, so that rounding cannot overflow.
const LARGEST: f32 = 32_768.0;
/// Words before a message's values: its scale.
const HEADER: usize = 2;

/// As [`Exchange::all_reduce`] with half the bytes: every worker receives one piece of all vectors,
/// adds it up and sends the sum to all.
pub fn all_reduce(exchange: &mut dyn Exchange, values: &[f32]) -> Result<Vec<f32>, ExchangeError> {
    // All pieces have the same length; the last ones may be padded.
    let piece = values.len().div_ceil(exchange.size());
    let mut words = Vec::with_capacity((HEADER + piece) * exchange.size());
    for rank in 0..exchange.size() {
        let values = values.get(rank * piece..).unwrap_or_default();
        words.extend(encode(values, piece));
    }
    let received = exchange.all_to_all(words)?;

    let mut sum = vec![0.0; piece];
    for message in received.chunks_exact(HEADER + piece) {
        for (sum, value) in sum.iter_mut().zip(decode(message)) {
            *sum += value;
        }
    }

    let gathered = exchange.all_gather(encode(&sum, piece))?;
    let mut sums: Vec<f32> = gathered
        .chunks_exact(HEADER + piece)
        .flat_map(decode)
        .collect();
    sums.truncate(values.len());
    Ok(sums)
}

/// The first `length` of the values, padded with zeros, behind the power of two that they were
/// multiplied with.
fn encode(values: &[f32], length: usize) -> Vec<u16> {
    let values = &values[..length.min(values.len())];
    let largest = values
        .iter()
        .fold(0.0f32, |largest, value| largest.max(value.abs()));

    // Each message has a scale of its own, so small gradients are as exact as large ones. A value
    // that is not finite stays so under any scale, and the step is skipped.
    let usable = largest.is_normal() && (LARGEST / largest).is_finite();
    let scale = if usable {
        (LARGEST / largest).log2().floor().exp2()
    } else {
        1.0
    };

    let scaled: Vec<f32> = values.iter().map(|value| value * scale).collect();
    let mut halves = vec![f16::ZERO; scaled.len()];
    halves.convert_from_f32_slice(&scaled);

    let bits = scale.to_bits();
    let mut words = vec![bits as u16, (bits >> 16) as u16];
    words.extend_from_slice(halves.reinterpret_cast());
    words.resize(HEADER + length, 0);
    words
}

fn decode(message: &[u16]) -> Vec<f32> {
    let mut values = vec![0.0; message.len() - HEADER];
    message[HEADER..]
        .reinterpret_cast::<f16>()
        .convert_to_f32_slice(&mut values);

    // The scale is a power of two: multiplying with its inverse is exact.
    let scale = f32::from_bits(u32::from(message[0]) | u32::from(message[1]) << 16);
    let inverse = 1.0 / scale;
    for value in &mut values {
        *value *= inverse;
    }
    values
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::exchange::local::Local;

    fn of_three(values: impl Fn(usize) -> Vec<f32> + Sync) -> Vec<f32> {
        thread::scope(|scope| {
            let values = &values;
            let group = Local::group(3, Duration::from_secs(60)).into_iter();
            let threads: Vec<_> = group
                .map(|mut member| {
                    scope.spawn(move || {
                        let values = values(member.rank());
                        all_reduce(&mut member, &values)
                    })
                })
                .collect();
            let sums: Vec<_> = threads
                .into_iter()
                .map(|t| t.join().expect("no panic").expect("all are there"))
                .collect();
            assert!(sums.iter().all(|sum| {
                sum.iter()
                    .map(|v| v.to_bits())
                    .eq(sums[0].iter().map(|v| v.to_bits()))
            }));
            sums.into_iter().next().expect("three sums")
        })
    }

    #[test]
    fn sums_are_as_exact_as_halves_allow_at_any_magnitude() {
        for magnitude in [1e-30f32, 1e-7, 1.0, 1e20] {
            for length in [0, 1, 2, 10, 1000] {
                let value =
                    |rank: usize, i: usize| magnitude * ((rank * 37 + i * 17) % 101 + 1) as f32;
                let sums = of_three(|rank| (0..length).map(|i| value(rank, i)).collect());
                assert_eq!(sums.len(), length);
                for (i, sum) in sums.iter().enumerate() {
                    let exact: f64 = (0..3).map(|rank| f64::from(value(rank, i))).sum();
                    let error = (f64::from(*sum) - exact).abs() / exact;
                    assert!(
                        error < 2.0 / 2048.0,
                        "{error} at {magnitude}, {i} of {length}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_not_finite_stays_so() {
        for bad in [f32::NAN, f32::INFINITY, 1e38] {
            let sums = of_three(|rank| vec![if rank == 1 { bad } else { 3e38 }, 1.0]);
            assert!(!sums[0].is_finite(), "{bad}: {sums:?}");
        }
    }
}
