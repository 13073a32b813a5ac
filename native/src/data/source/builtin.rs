//! The scenes the program draws itself: a dataset that needs no download.

use std::borrow::Cow;

use ibot_core::annotation::labels::LabelMap;
use ibot_core::eval::backgrounds::{Variant, blackened, bounding_box, paste, tiled};
use ibot_core::image::RgbImage;
use ibot_core::image::resize::CropBox;
use ibot_core::rng::{Purpose, stream};
use ibot_core::scenes;
use ibot_core::scenes::{Layers, Split};
use rand::RngExt as _;

use crate::data::classes::Classes;
use crate::data::dataset::{Dataset, ImageSource};
use crate::data::error::LoadCause;
use crate::data::pixel_labels::PixelLabels;

// The class of a scene does not depend on its size, and one pixel is painted fast.
const PROBE_SIZE: usize = 1;

struct Scenes {
    split: Split,
    name: &'static str,
    /// Names of the parts of objects, that of the background first.
    parts: Vec<String>,
}

/// Scenes whose objects lie on other backgrounds.
struct ChangedScenes {
    split: Split,
    name: String,
    variant: Variant,
}

pub fn open(split: Split, name: &'static str) -> Dataset {
    let scenes = Scenes {
        split,
        name,
        parts: scenes::PARTS.map(str::to_owned).to_vec(),
    };
    Dataset::new("scenes", name, classes(split), scenes)
}

fn classes(split: Split) -> Classes {
    let of_images = (0..scenes::len(split))
        .map(|index| scenes::scene(split, index, PROBE_SIZE).class as u32)
        .collect();
    Classes {
        names: scenes::CLASSES.map(str::to_owned).to_vec(),
        of_images,
    }
}

impl ImageSource for Scenes {
    fn len(&self) -> usize {
        scenes::len(self.split)
    }

    fn name(&self, index: usize) -> Cow<'_, str> {
        Cow::Owned(format!("{}#{index}", self.name))
    }

    fn load(&self, index: usize) -> Result<RgbImage, LoadCause> {
        Ok(scenes::scene(self.split, index, scenes::SIZE).image)
    }

    fn pixel_labels(&self) -> Option<&dyn PixelLabels> {
        Some(self)
    }

    fn with_background(&self, variant: Variant) -> Option<Dataset> {
        let name = format!("{} {}", self.name, variant.name());
        let changed = ChangedScenes {
            split: self.split,
            name: name.clone(),
            variant,
        };
        Some(Dataset::new("scenes", name, classes(self.split), changed))
    }
}

impl PixelLabels for Scenes {
    fn classes(&self) -> &[String] {
        &self.parts
    }

    fn load(&self, index: usize) -> Result<LabelMap, LoadCause> {
        let parts = scenes::scene(self.split, index, scenes::SIZE).parts;
        Ok(LabelMap::from_fn(scenes::SIZE, scenes::SIZE, |pixel| {
            usize::from(parts[pixel])
        }))
    }
}

impl ChangedScenes {
    /// The scene whose background takes the place of that of scene `index`: another one of the
    /// class that the variant asks for.
    fn other(&self, index: usize) -> Layers {
        let classes = scenes::CLASSES.len();
        let rng = &mut stream(0, Purpose::Perturb, self.variant as u64, index as u64);
        let class = match self.variant {
            Variant::MixedNext => (index + 1) % classes,
            Variant::MixedRandom => rng.random_range(0..classes),
            _ => index % classes,
        };

        // Classes alternate: those of one class are `classes` apart.
        let groups = scenes::len(self.split) / classes;
        let own = index / classes;
        let group = (own + rng.random_range(1..groups)) % groups;
        Layers::of(self.split, group * classes + class, scenes::SIZE)
    }
}

impl ImageSource for ChangedScenes {
    fn len(&self) -> usize {
        scenes::len(self.split)
    }

    fn name(&self, index: usize) -> Cow<'_, str> {
        Cow::Owned(format!("{}#{index}", self.name))
    }

    fn load(&self, index: usize) -> Result<RgbImage, LoadCause> {
        let layers = Layers::of(self.split, index, scenes::SIZE);
        let image = layers.scene().image;
        let mask = layers.mask();
        let nothing = CropBox {
            left: 0,
            top: 0,
            width: 0,
            height: 0,
        };
        let place = bounding_box(&mask, scenes::SIZE).unwrap_or(nothing);
        let black = RgbImage::from_fn(scenes::SIZE, scenes::SIZE, |_, _| [0; 3]);
        Ok(match self.variant {
            Variant::Original => image,
            Variant::OnlyForeground => layers.object(),
            Variant::NoForeground => paste(&image, &black, &mask),
            Variant::OnlyBackgroundBlack => blackened(&image, place),
            Variant::OnlyBackgroundTiled => tiled(&image, place),
            Variant::MixedSame | Variant::MixedRandom | Variant::MixedNext => {
                layers.on(&self.other(index))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_change_what_they_say() {
        let data = open(Split::Val, "builtin:val");
        let load = |variant, index| {
            let changed = data.with_background(variant).expect("known backgrounds");
            assert_eq!(changed.label(index), data.label(index));
            changed.load(index).expect("a scene")
        };
        for index in [3, 250, 499] {
            let scene = data.load(index).expect("a scene");
            assert_eq!(load(Variant::Original, index), scene);
            for variant in Variant::ALL.into_iter().skip(1) {
                assert_ne!(load(variant, index), scene, "{variant:?}");
            }
        }

        for (variant, class) in [(Variant::MixedSame, 3), (Variant::MixedNext, 4)] {
            let changed = ChangedScenes {
                split: Split::Val,
                name: String::new(),
                variant,
            };
            assert_eq!(changed.other(13).scene().class, class);
            let own = Layers::of(Split::Val, 13, scenes::SIZE);
            assert_ne!(changed.other(13).background(), own.background());
        }
    }
}
