//! How many images a step takes by default.

// Images of a step in the official evaluation, over all its GPUs.
const OFFICIAL_BATCH: usize = 1024;
/// Steps that an epoch of a smaller set shall have.
const STEPS_PER_EPOCH: usize = 16;

/// The batch size for so many images: the official one, or a smaller power of two for enough steps
/// in an epoch.
pub fn usual_batch(images: usize) -> usize {
    let wanted = (images / STEPS_PER_EPOCH).max(STEPS_PER_EPOCH);
    // The largest power of two that is not above `wanted`.
    let below = (wanted + 1).next_power_of_two() / 2;
    below.min(OFFICIAL_BATCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_official_or_leave_sixteen_steps() {
        let batches = [100_000, 16_384, 10_000, 2_040, 400, 20].map(usual_batch);
        assert_eq!(batches, [1024, 1024, 512, 64, 16, 16]);
    }
}
