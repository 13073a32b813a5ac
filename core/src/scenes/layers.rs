//! A scene whose object and background can be had apart.

use rand::RngExt;

use super::background::Background;
use super::objects::{self, CLASSES};
use super::painting::{Finish, Painting, Pose};
use super::palette::{Palette, mix, vivid};
use super::pen::Piece;
use super::{Scene, Split};
use crate::image::RgbImage;
use crate::rng::{Purpose, Rng, stream};

/// The seed of the dataset; another one would be another dataset.
const SEED: u64 = 0x1b07;

/// What a scene is painted of.
pub struct Layers {
    size: usize,
    class: usize,
    /// The background with the small things on it.
    background: Painting,
    /// The pieces of the object, back to front.
    object: Vec<Piece>,
    pose: Pose,
    finish: Finish,
    /// Where the noise begins.
    noise: Rng,
}

impl Layers {
    /// The layers of scene `index` of a split with `size` pixels a side (at least one). See
    /// [`scene`](super::scene).
    pub fn of(split: Split, index: usize, size: usize) -> Self {
        let class = index % CLASSES.len();
        let size = size.max(1);
        let rng = &mut stream(SEED, Purpose::Scene, split as u64, index as u64);
        let palette = Palette::random(rng, class);
        let background = Background::random(rng, palette.backdrop);
        let finish = Finish::random(rng);
        let mut painting = Painting::new(size, |point| background.color(point));

        // Small things before the object, which covers them: they never tell the class.
        for _ in 0..rng.random_range(0..3) {
            let paint = mix(palette.backdrop[0], vivid(rng), rng.random_range(0.2..0.6));
            let pose = Pose::random_small(rng);
            painting.paint(&objects::distractor(paint, rng), &pose, &finish);
        }

        let pose = Pose::random(rng);
        let object = objects::object(class, palette.paints, rng);
        Self {
            size,
            class,
            background: painting,
            object,
            pose,
            finish,
            noise: rng.clone(),
        }
    }

    /// The scene: the object on its own background.
    pub fn scene(&self) -> Scene {
        let (image, parts) = self.painted(self.background.clone());
        Scene {
            image,
            class: self.class,
            parts,
        }
    }

    /// The object on the background of `other`, which is of the same size.
    pub fn on(&self, other: &Self) -> RgbImage {
        self.painted(other.background.clone()).0
    }

    /// The background alone. It differs from the scene only in the pixels of the [mask](Self::mask).
    pub fn background(&self) -> RgbImage {
        // A clone of the stream: every picture of the scene has the same noise.
        self.background.clone().finish(&mut self.noise.clone()).0
    }

    /// The object alone, on black.
    pub fn object(&self) -> RgbImage {
        let (mut image, _) = self.painted(self.nothing());
        // The noise would leave black not black.
        let (pixels, _) = image.pixels_mut().as_chunks_mut::<3>();
        for (pixel, covered) in pixels.iter_mut().zip(self.mask()) {
            if !covered {
                *pixel = [0; 3];
            }
        }
        image
    }

    /// For every pixel, row by row, whether the object covers some of it.
    pub fn mask(&self) -> Vec<bool> {
        self.with_object(self.nothing()).touched()
    }

    fn nothing(&self) -> Painting {
        Painting::new(self.size, |_| [0.0; 3])
    }

    fn with_object(&self, mut painting: Painting) -> Painting {
        for piece in &self.object {
            painting.paint(piece, &self.pose, &self.finish);
        }
        painting
    }

    fn painted(&self, painting: Painting) -> (RgbImage, Vec<u8>) {
        self.with_object(painting).finish(&mut self.noise.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    const SIDE: usize = 48;

    #[test]
    fn object_and_background_make_the_scene_again() {
        for index in 0..30 {
            let layers = Layers::of(Split::Val, index, SIDE);
            let scene = layers.scene();
            assert_eq!(layers.on(&layers), scene.image, "scene {index}");

            // Outside of the mask scene and background are equal, inside the object is seen.
            let (background, mask) = (layers.background(), layers.mask());
            let recomposed = RgbImage::from_fn(SIDE, SIDE, |x, y| match mask[y * SIDE + x] {
                true => scene.image.pixel(x, y),
                false => background.pixel(x, y),
            });
            assert_eq!(recomposed, scene.image, "scene {index}");
            assert_ne!(background, scene.image, "scene {index}");
            let parts = scene.parts.iter().zip(&mask);
            assert!(parts.clone().all(|(part, covered)| *part == 0 || *covered));
        }
    }

    #[test]
    fn an_object_keeps_its_pixels_on_another_background() {
        let (fish, tree) = (
            Layers::of(Split::Val, 3, SIDE),
            Layers::of(Split::Val, 1, SIDE),
        );
        let (mixed, alone) = (fish.on(&tree), fish.object());
        let (own, mask) = (fish.scene(), fish.mask());

        let mut same = 0;
        for (at, covered) in mask.iter().enumerate() {
            let (x, y) = (at % SIDE, at / SIDE);
            if !covered {
                assert_eq!(alone.pixel(x, y), [0; 3]);
            } else if mixed.pixel(x, y) == own.image.pixel(x, y) {
                same += 1;
            }
        }
        // All but the soft edge.
        let covered = mask.iter().filter(|covered| **covered).count();
        assert!(same * 10 > covered * 6, "{same} of {covered}");
        assert_ne!(mixed, own.image);
    }
}
