//! Image files with what is known of all of them together.

use std::any::Any;
use std::borrow::Cow;

use ibot_core::image::RgbImage;

use crate::data::dataset::{FileStamp, ImageSource};
use crate::data::error::LoadCause;
use crate::data::tree::TreeImages;

/// Image files of an official layout, and the annotation that an evaluation asks for.
pub struct AnnotatedFiles<T> {
    pub files: TreeImages,
    pub annotation: T,
}

impl<T: Any + Send + Sync> ImageSource for AnnotatedFiles<T> {
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
        Some(&self.annotation)
    }
}
