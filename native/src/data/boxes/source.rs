//! Image files with their objects, as a dataset.

use std::any::Any;
use std::borrow::Cow;
use std::path::PathBuf;

use ibot_core::image::RgbImage;

use super::objects::{BoxedImage, ObjectBoxes};
use crate::data::classes::Classes;
use crate::data::dataset::{Dataset, FileStamp, ImageSource};
use crate::data::error::{DataError, LoadCause};
use crate::data::tree::TreeImages;

/// Images of a tree, and what is marked on them.
pub struct BoxedFiles {
    pub files: TreeImages,
    pub objects: ObjectBoxes,
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
        let own = self.files.stamp(index);
        // The name of the set has its split in it, which is no path.
        own.or_else(|| FileStamp::of(self.files.tree.place()))
    }

    fn load(&self, index: usize) -> Result<RgbImage, LoadCause> {
        self.files.load(index)
    }

    fn annotation(&self) -> Option<&dyn Any> {
        Some(&self.objects)
    }
}
