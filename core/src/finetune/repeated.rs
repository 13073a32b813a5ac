//! Repeated augmentation (arXiv 1902.05509): an epoch shows several augmented copies of a part of the
//! images, instead of one of each.

/// A use of an image in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepeatedImage {
    /// Index of the image.
    pub image: usize,
    /// Which copy this is; each is augmented by a random stream of its own.
    pub copy: usize,
}

/// Samples of process number `rank` of `world` in an epoch, as in DeiT's `RASampler`.
///
/// Every image of `order` stands in a list `repeats` times in a row, and the processes take entries
/// of this list in turn, so that copies of an image lie in one batch of all processes. `length`
/// samples are taken. With one process and as many samples as images, an epoch shows
/// `1 / repeats` of the images.
pub fn repeated_order(
    order: &[usize],
    repeats: usize,
    rank: usize,
    world: usize,
    length: usize,
) -> Vec<RepeatedImage> {
    let repeats = repeats.max(1);
    if order.is_empty() {
        return Vec::new();
    }

    (0..length)
        .map(|sample| repeated_image(order, repeats, rank + sample * world))
        .collect()
}

/// Entry number `entry` of the list in which every image of `order`, which is not empty, stands
/// `repeats` times in a row. After its end the list begins again.
pub fn repeated_image(order: &[usize], repeats: usize, entry: usize) -> RepeatedImage {
    RepeatedImage {
        image: order[entry / repeats % order.len()],
        copy: entry % repeats + entry / (repeats * order.len()) * repeats,
    }
}

/// Samples of a process in an epoch of the official sampler: `images` cut to a multiple of 256 and
/// shared by `world` processes. With fewer than 256 images an official epoch is empty; here it has
/// all of them.
pub fn official_length(images: usize, world: usize) -> usize {
    let used = if images < 256 {
        images
    } else {
        images / 256 * 256
    };
    used / world.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::fixture::{float_series, floats};
    use crate::testing::test;

    const FILE: &[u8] = include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/finetune/sampler.safetensors"
    ));

    #[test]
    fn processes_take_what_the_official_sampler_gives_them() {
        // Indices below 2^24 are exact in 32-bit floats.
        let indices = |values: &[f32]| values.iter().map(|v| *v as usize).collect::<Vec<_>>();
        for (numbers, expected) in float_series(FILE, "sampler") {
            let [epoch, world, rank] = numbers[..] else {
                panic!("three numbers, not {numbers:?}");
            };
            let order = indices(&floats(FILE, &format!("permutation/{epoch}")));
            let (world, rank) = (world as usize, rank as usize);

            let length = official_length(order.len(), world);
            let ours = repeated_order(&order, 3, rank, world, length);
            let images: Vec<usize> = ours.iter().map(|sample| sample.image).collect();
            assert_eq!(images, indices(&expected), "{numbers:?}");
        }
    }

    #[test]
    fn copies_of_an_image_are_told_apart() {
        let order = [4, 9];
        let samples = repeated_order(&order, 3, 0, 1, 8);
        let images: Vec<usize> = samples.iter().map(|sample| sample.image).collect();
        assert_eq!(images, [4, 4, 4, 9, 9, 9, 4, 4]);
        let copies: Vec<usize> = samples.iter().map(|sample| sample.copy).collect();
        assert_eq!(copies, [0, 1, 2, 0, 1, 2, 3, 4]);

        // Three processes have one copy each at the same step.
        let second = |rank| repeated_order(&order, 3, rank, 3, 2)[1];
        assert_eq!(
            [second(0), second(1), second(2)],
            [0, 1, 2].map(|copy| RepeatedImage { image: 9, copy })
        );
    }

    #[test]
    fn small_sets_have_epochs_too() {
        assert_eq!(official_length(1000, 2), 384);
        assert_eq!(official_length(200, 2), 100);
        assert_eq!(repeated_order(&[], 3, 0, 1, 5), []);
        let once = repeated_order(&[2, 0, 1], 1, 0, 1, 3);
        assert!(once.iter().all(|sample| sample.copy == 0));
    }
}
