//! The official multi-crop augmentation with PIL and torchvision semantics on 8-bit pixels.
//!
//! Every view is made in two steps: [`ViewParams::draw`] decides (crop box, flip, color factors,
//! blur radius), and [`ViewParams::apply`] computes. Nothing here reads files or starts threads,
//! and the same generator gives the same view again.

pub mod blur;
pub mod color;
mod config;
mod draw;
mod hue;
mod pixel;
pub mod probe;
pub mod supervised;
pub mod view;

use crate::image::RgbImage;
use crate::rng::Rng;
pub use color::ColorOp;
pub use config::{AugmentConfig, CropsConfig};
pub use view::{Role, ViewParams};

/// The views of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crops {
    /// Global views, `global_size` pixels a side.
    pub globals: Vec<RgbImage>,
    /// Local views, `local_size` pixels a side.
    pub locals: Vec<RgbImage>,
}

/// Draws and computes all views of `image`.
///
/// Views are numbered with the globals first. `rng_of_crop` gives the generator of each, so that no
/// view depends on how many others there are or how much randomness they used.
pub fn multi_crop(
    image: &RgbImage,
    crops: &CropsConfig,
    augment: &AugmentConfig,
    mut rng_of_crop: impl FnMut(usize) -> Rng,
) -> Crops {
    let (width, height) = (image.width(), image.height());

    let mut globals = Vec::with_capacity(crops.global_crops_number);
    for number in 0..crops.global_crops_number {
        let role = if number == 0 {
            Role::FirstGlobal
        } else {
            Role::OtherGlobal
        };
        let rng = &mut rng_of_crop(number);
        let view = ViewParams::draw(width, height, role, crops.global_crops_scale, augment, rng);
        globals.push(view.apply(image, crops.global_size));
    }

    let mut locals = Vec::with_capacity(crops.local_crops_number);
    for number in 0..crops.local_crops_number {
        let rng = &mut rng_of_crop(crops.global_crops_number + number);
        let scale = crops.local_crops_scale;
        let view = ViewParams::draw(width, height, Role::Local, scale, augment, rng);
        locals.push(view.apply(image, crops.local_size));
    }
    Crops { globals, locals }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::test;

    fn ten_locals() -> CropsConfig {
        CropsConfig {
            local_crops_number: 10,
            ..CropsConfig::default()
        }
    }

    fn gradient(width: usize, height: usize) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            [(x * 3) as u8, (y * 5) as u8, (x * y) as u8]
        })
    }

    #[test]
    fn makes_the_asked_views() {
        let crops = multi_crop(
            &gradient(90, 70),
            &ten_locals(),
            &AugmentConfig::default(),
            |n| stream(1, Purpose::Augment, 0, n as u64),
        );
        assert_eq!((crops.globals.len(), crops.locals.len()), (2, 10));
        assert!(
            crops
                .globals
                .iter()
                .all(|view| (view.width(), view.height()) == (224, 224))
        );
        assert!(
            crops
                .locals
                .iter()
                .all(|view| (view.width(), view.height()) == (96, 96))
        );
    }

    #[test]
    fn views_do_not_depend_on_one_another() {
        let image = gradient(90, 70);
        let rng = |n: usize| stream(1, Purpose::Augment, 0, n as u64);
        let many = multi_crop(&image, &ten_locals(), &AugmentConfig::default(), rng);
        let few = CropsConfig {
            local_crops_number: 3,
            ..CropsConfig::default()
        };
        let few = multi_crop(&image, &few, &AugmentConfig::default(), rng);
        assert_eq!(many.globals, few.globals);
        assert_eq!(many.locals[..3], few.locals[..]);
        assert_ne!(many.locals[0], many.locals[1]);
    }

    #[test]
    fn takes_images_of_any_size() {
        let sizes = CropsConfig {
            global_size: 7,
            local_size: 1,
            ..ten_locals()
        };
        for (width, height) in [(1, 1), (1, 500), (500, 1), (2, 3), (3, 2), (31, 1)] {
            let image = gradient(width, height);
            for seed in 0..20 {
                let crops = multi_crop(&image, &sizes, &AugmentConfig::default(), |n| {
                    stream(seed, Purpose::Augment, 0, n as u64)
                });
                assert_eq!(crops.globals[0].pixels().len(), 7 * 7 * 3);
                assert_eq!(crops.locals[9].pixels().len(), 3);
            }
        }
    }
}
