//! Image files with their objects, as a dataset.

use std::any::Any;
use std::borrow::Cow;
use std::path::PathBuf;

use ibot_core::annotation::coco::region_labels;
use ibot_core::annotation::labels::LabelMap;
use ibot_core::image::RgbImage;

use super::objects::{BoxedImage, ObjectBoxes};
use crate::data::classes::Classes;
use crate::data::dataset::{Dataset, FileStamp, ImageSource};
use crate::data::decode::decoded_size;
use crate::data::error::{DataError, LoadCause};
use crate::data::pixel_labels::PixelLabels;
use crate::data::tree::TreeImages;

/// Images of a tree, and what is marked on them.
pub struct BoxedFiles {
    pub files: TreeImages,
    pub objects: ObjectBoxes,
    /// The background, and the classes of objects; empty if only boxes are known.
    pub pixel_classes: Vec<String>,
}

impl BoxedFiles {
    /// Adds the image file `name`, or notes that there is none.
    pub fn add(&mut self, name: String, image: BoxedImage) {
        if self.files.tree.contains(&name) {
            self.files.names.push(name);
            self.objects.images.push(image);
        } else {
            let file = self.files.tree.path_of(&name);
            let problem = format!("{} is missing; its image is left out", file.display());
            self.objects.problems.push(problem);
        }
    }

    /// The dataset that `spec` names. `kind` is its layout, and `at` what lists the images.
    pub fn into_dataset(
        self,
        kind: &'static str,
        spec: &str,
        at: PathBuf,
    ) -> Result<Dataset, DataError> {
        if self.files.names.is_empty() {
            let first = self.objects.problems.first();
            let problem = first.map_or("it lists no image", String::as_str);
            return Err(DataError::layout(
                &at,
                format!("no image is left: {problem}"),
            ));
        }
        Ok(Dataset::new(kind, spec, Classes::default(), self))
    }
}

impl ImageSource for BoxedFiles {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn name(&self, index: usize) -> Cow<'_, str> {
        self.files.name(index)
    }

    fn stamp(&self, index: usize) -> Option<FileStamp> {
        self.files.stamp(index)
    }

    fn load(&self, index: usize) -> Result<RgbImage, LoadCause> {
        self.files.load(index)
    }

    fn annotation(&self) -> Option<&dyn Any> {
        Some(&self.objects)
    }

    fn pixel_labels(&self) -> Option<&dyn PixelLabels> {
        (!self.pixel_classes.is_empty()).then_some(self)
    }
}

impl PixelLabels for BoxedFiles {
    fn classes(&self) -> &[String] {
        &self.pixel_classes
    }

    fn load(&self, index: usize) -> Result<LabelMap, LoadCause> {
        let image = &self.objects.images[index];
        let of_mask = |problem: String| LoadCause::Mask {
            name: self.files.names[index].clone(),
            problem,
        };
        let size = decoded_size(&self.files.tree.read(&self.files.names[index])?);
        let size = size.map_err(LoadCause::Decode)?;
        if image.size != Some(size) {
            let (width, height) = size;
            let problem = format!("the image has {width} x {height} pixels, its masks other ones");
            return Err(of_mask(problem));
        }
        let regions = image.objects.iter().filter_map(|object| {
            let region = object.region.as_ref()?;
            Some((object.class + 1, region))
        });
        region_labels(size, regions).map_err(|error| of_mask(error.to_string()))
    }
}
