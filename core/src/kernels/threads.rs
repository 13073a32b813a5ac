//! Work on rayon's threads, as burn's own operations on the CPU do it. In a browser there is one
//! thread.

#[cfg(not(target_family = "wasm"))]
use rayon::prelude::*;

/// Runs `work` on each chunk of `length` values, the last one may be shorter, and its number; on
/// several threads where there are.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn for_each_chunk(
    values: &mut [f32],
    length: usize,
    work: impl Fn(usize, &mut [f32]) + Send + Sync,
) {
    values
        .par_chunks_mut(length)
        .enumerate()
        .for_each(|(number, chunk)| work(number, chunk));
}

#[cfg(target_family = "wasm")]
pub(crate) fn for_each_chunk(
    values: &mut [f32],
    length: usize,
    work: impl Fn(usize, &mut [f32]) + Send + Sync,
) {
    for (number, chunk) in values.chunks_mut(length).enumerate() {
        work(number, chunk);
    }
}

#[cfg(not(target_family = "wasm"))]
pub(super) fn count() -> usize {
    rayon::current_num_threads()
}

#[cfg(target_family = "wasm")]
pub(super) fn count() -> usize {
    1
}
