//! Images with a mask file each.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use ibot_core::annotation::labels::LabelMap;
use ibot_core::image::RgbImage;

use super::numbers::MaskNumbers;
use crate::data::classes::Classes;
use crate::data::dataset::{Dataset, FileStamp, ImageSource};
use crate::data::decode::decoded_size;
use crate::data::error::{DataError, LoadCause};
use crate::data::file_names::has_image_extension;
use crate::data::masks::{check_mask_size, decode_mask};
use crate::data::pixel_labels::PixelLabels;
use crate::data::tree::{FileTree, TreeImages};

/// What a layout holds.
pub struct MaskedFiles {
    /// What people call the layout.
    pub kind: &'static str,
    /// Where its images are looked for, for a message if there are none.
    pub folder: String,
    pub files: Vec<MaskedFile>,
    pub classes: Vec<String>,
    pub numbers: MaskNumbers,
}

/// An image and its mask, by their paths in a tree.
pub struct MaskedFile {
    pub image: String,
    pub mask: String,
}

struct MaskedImages {
    images: TreeImages,
    masks: Vec<String>,
    classes: Vec<String>,
    numbers: MaskNumbers,
}

impl MaskedFiles {
    /// The images as a dataset that is called `place`.
    ///
    /// # Errors
    /// If there are none.
    pub fn open(self, tree: Arc<FileTree>, place: &str) -> Result<Dataset, DataError> {
        if self.files.is_empty() {
            return Err(DataError::Empty {
                path: tree.path_of(&self.folder),
                looked_for: "images with masks".to_owned(),
            });
        }

        let mut names = Vec::with_capacity(self.files.len());
        let mut masks = Vec::with_capacity(self.files.len());
        for file in self.files {
            names.push(file.image);
            masks.push(file.mask);
        }
        let source = MaskedImages {
            images: TreeImages { tree, names },
            masks,
            classes: self.classes,
            numbers: self.numbers,
        };
        Ok(Dataset::new(self.kind, place, Classes::default(), source))
    }
}

impl MaskedFile {
    /// The images of `folder` in natural order, whose masks are the PNG files of the same names in
    /// `masks`; those in folders inside too if `deep`.
    pub fn in_folder(
        tree: &FileTree,
        folder: &str,
        masks: &str,
        deep: bool,
    ) -> Result<Vec<Self>, DataError> {
        let mut files = Vec::new();
        for name in tree.files_in(folder)? {
            if has_image_extension(&name) {
                let mask = Path::new(&name).with_extension("png");
                files.push(Self {
                    mask: format!("{masks}/{}", mask.display()),
                    image: format!("{folder}/{name}"),
                });
            }
        }
        if deep {
            for name in tree.folders_in(folder)? {
                let (inner, beside) = (format!("{folder}/{name}"), format!("{masks}/{name}"));
                files.extend(Self::in_folder(tree, &inner, &beside, deep)?);
            }
        }
        Ok(files)
    }
}

impl ImageSource for MaskedImages {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn name(&self, index: usize) -> Cow<'_, str> {
        self.images.name(index)
    }

    fn stamp(&self, index: usize) -> Option<FileStamp> {
        self.images.stamp(index)
    }

    fn load(&self, index: usize) -> Result<RgbImage, LoadCause> {
        self.images.load(index)
    }

    fn pixel_labels(&self) -> Option<&dyn PixelLabels> {
        Some(self)
    }
}

impl PixelLabels for MaskedImages {
    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn load(&self, index: usize) -> Result<LabelMap, LoadCause> {
        let (tree, name) = (&self.images.tree, &self.masks[index]);
        if !tree.contains(name) {
            return Err(LoadCause::NoMask(name.clone()));
        }
        let of_mask = |problem: String| LoadCause::Mask {
            name: name.clone(),
            problem,
        };

        let mask = decode_mask(&tree.read(name)?).map_err(|error| of_mask(error.to_string()))?;
        let image = tree.read(&self.images.names[index])?;
        let (width, height) = decoded_size(&image).map_err(LoadCause::Decode)?;
        check_mask_size(&mask, width, height).map_err(|error| of_mask(error.to_string()))?;
        self.numbers.classes_of(&mask).map_err(of_mask)
    }
}
