//! The scenes the program draws itself: a dataset that needs no download.

use std::borrow::Cow;

use ibot_core::annotation::labels::LabelMap;
use ibot_core::image::RgbImage;
use ibot_core::scenes;
use ibot_core::scenes::Split;

use crate::data::classes::Classes;
use crate::data::dataset::{Dataset, ImageSource};
use crate::data::error::LoadCause;

// The class of a scene does not depend on its size, and one pixel is painted fast.
const PROBE_SIZE: usize = 1;

struct Scenes {
    split: Split,
    name: &'static str,
}

pub fn open(split: Split, name: &'static str) -> Dataset {
    let of_images = (0..scenes::len(split))
        .map(|index| scenes::scene(split, index, PROBE_SIZE).class as u32)
        .collect();
    let classes = Classes {
        names: scenes::CLASSES.map(str::to_owned).to_vec(),
        of_images,
    };
    Dataset::new("scenes", name, classes, Scenes { split, name })
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

    fn parts(&self, index: usize) -> Option<LabelMap> {
        let parts = scenes::scene(self.split, index, scenes::SIZE)
            .parts
            .into_iter()
            .map(usize::from)
            .collect();
        LabelMap::new(scenes::SIZE, scenes::SIZE, parts).ok()
    }
}
