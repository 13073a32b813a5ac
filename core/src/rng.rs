//! Random streams derived from what they are for, so that no result depends on thread count, order
//! or a restart.

use rand::SeedableRng;
pub use rand_chacha::ChaCha8Rng as Rng;

/// What a stream of random numbers decides. Streams of different purposes never overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights.
    Init,
    /// The order of the images in an epoch.
    Order,
    /// Crops and color augmentations.
    Augment,
    /// Masked-patch patterns.
    Mask,
    /// Stochastic depth.
    DropPath,
    /// The builtin scenes.
    Scene,
    /// First centroids of clusters and start vectors of eigenvalue iterations.
    Cluster,
    /// Which images are put aside for validation.
    Split,
    /// How an evaluation changes images: hidden patches, shuffled cells, other backgrounds.
    Perturb,
    /// Noise, weather and other corruptions of images.
    Corrupt,
    /// Mixup and CutMix of a batch.
    Mix,
    /// Which crops of a batch are masked more than others.
    Strata,
}

/// The stream of `purpose` for the position `(a, b)` of a run with `seed`.
///
/// What `a` and `b` mean is up to the purpose, usually epoch and image.
///
/// ```
/// use ibot_core::rng::{stream, Purpose};
/// assert_eq!(stream(7, Purpose::Mask, 0, 3), stream(7, Purpose::Mask, 0, 3));
/// assert_ne!(stream(7, Purpose::Mask, 0, 3), stream(7, Purpose::Mask, 1, 3));
/// ```
pub fn stream(seed: u64, purpose: Purpose, a: u64, b: u64) -> Rng {
    // The tuple is the key itself and no hash of it: two positions share a stream only if they are
    // equal.
    let mut key = [0u8; 32];
    for (slot, value) in key.chunks_exact_mut(8).zip([seed, purpose as u64, a, b]) {
        slot.copy_from_slice(&value.to_le_bytes());
    }
    Rng::from_seed(key)
}

/// The stream of `purpose` for one crop of an image in an epoch.
pub fn crop_stream(seed: u64, purpose: Purpose, epoch: usize, image: usize, crop: usize) -> Rng {
    // 256 crops an image are as many as a configuration may ask for.
    stream(
        seed,
        purpose,
        epoch as u64,
        (image as u64) << 8 | crop as u64,
    )
}
