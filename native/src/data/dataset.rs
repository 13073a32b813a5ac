//! A fixed, ordered collection of images, with a class for each of them or without classes.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::UNIX_EPOCH;

use ibot_core::annotation::labels::LabelMap;
use ibot_core::eval::backgrounds::Variant;
use ibot_core::image::RgbImage;
use sha2::{Digest as _, Sha256};

use super::change::ImageChange;
use super::classes::Classes;
use super::error::{ImageLoadError, LoadCause};
use super::pixel_labels::PixelLabels;
use crate::digest::hex;

/// Where images come from. [`Dataset`] checks that indices are below `len`.
pub(super) trait ImageSource: Send + Sync {
    fn len(&self) -> usize;
    fn name(&self, index: usize) -> Cow<'_, str>;
    fn load(&self, index: usize) -> Result<RgbImage, LoadCause>;

    /// When the file of an image was changed and how long it is, where an image is a file.
    fn stamp(&self, _index: usize) -> Option<FileStamp> {
        None
    }

    /// The labels of pixels, where they are known.
    fn pixel_labels(&self) -> Option<&dyn PixelLabels> {
        None
    }

    /// What an official layout says of its images as a whole.
    fn annotation(&self) -> Option<&dyn Any> {
        None
    }

    /// The same images with another background, where objects are known.
    fn with_background(&self, _variant: Variant) -> Option<Dataset> {
        None
    }
}

/// Images of another source that are changed when they are loaded.
struct ChangedImages {
    source: Arc<dyn ImageSource>,
    change: ImageChange,
}

impl ImageSource for ChangedImages {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn name(&self, index: usize) -> Cow<'_, str> {
        self.source.name(index)
    }

    fn load(&self, index: usize) -> Result<RgbImage, LoadCause> {
        let image = self.source.load(index)?;
        self.change.apply(&image, index).map_err(LoadCause::Corrupt)
    }

    fn stamp(&self, index: usize) -> Option<FileStamp> {
        self.source.stamp(index)
    }
}

/// Some images of another source.
struct SelectedImages {
    source: Arc<dyn ImageSource>,
    indices: Vec<usize>,
}

impl ImageSource for SelectedImages {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn name(&self, index: usize) -> Cow<'_, str> {
        self.source.name(self.indices[index])
    }

    fn load(&self, index: usize) -> Result<RgbImage, LoadCause> {
        self.source.load(self.indices[index])
    }

    fn stamp(&self, index: usize) -> Option<FileStamp> {
        self.source.stamp(self.indices[index])
    }
}

/// What changes when a file is written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileStamp {
    pub bytes: u64,
    /// Nanoseconds since 1970; 0 where the system does not say.
    pub modified: u128,
}

/// A fixed, ordered collection of at least one image, with a class for each of them or without
/// classes.
///
/// Threads can load from one dataset at the same time. Opening finds the images; loading reads and
/// decodes one.
pub struct Dataset {
    kind: &'static str,
    place: PathBuf,
    classes: Classes,
    source: Arc<dyn ImageSource>,
    digest: OnceLock<String>,
}

impl FileStamp {
    /// The stamp of `file`, if there is such a file.
    pub fn of(file: &Path) -> Option<Self> {
        let metadata = file.metadata().ok().filter(Metadata::is_file)?;
        let modified = metadata.modified().ok();
        let modified = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Some(Self {
            bytes: metadata.len(),
            modified: modified.map_or(0, |time| time.as_nanos()),
        })
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Dataset")
            .field(&self.description())
            .finish()
    }
}

impl Dataset {
    /// `place` is what was opened, for messages.
    pub(super) fn new(
        kind: &'static str,
        place: impl Into<PathBuf>,
        classes: Classes,
        source: impl ImageSource + 'static,
    ) -> Self {
        Self {
            kind,
            place: place.into(),
            classes,
            source: Arc::new(source),
            digest: OnceLock::new(),
        }
    }

    /// The same images as `change` makes them; what makes one change another must be in its text.
    pub fn changed(&self, change: ImageChange) -> Self {
        let note = format!(" ({change})");
        let mut place = self.place.clone().into_os_string();
        place.push(&note);

        // The path is none that could be resolved, and files that are in one archive have no stamp.
        let mut hasher = Sha256::new();
        hasher.update(self.digest());
        hasher.update(&note);
        Self {
            kind: self.kind,
            place: place.into(),
            classes: self.classes.clone(),
            source: Arc::new(ChangedImages {
                source: Arc::clone(&self.source),
                change,
            }),
            digest: OnceLock::from(hex(hasher)),
        }
    }

    /// The images at `indices`, at least one, with the same classes, as a set that is called `place`.
    pub(super) fn selected(self, indices: Vec<usize>, place: impl Into<PathBuf>) -> Self {
        let mut classes = self.classes;
        if !classes.of_images.is_empty() {
            let of_images = indices.iter().map(|&index| classes.of_images[index]);
            classes.of_images = of_images.collect();
        }
        Self {
            kind: self.kind,
            place: place.into(),
            classes,
            source: Arc::new(SelectedImages {
                source: self.source,
                indices,
            }),
            digest: OnceLock::new(),
        }
    }

    /// The number of images, at least 1.
    pub fn len(&self) -> usize {
        self.source.len()
    }

    /// Whether there are no images, which [`Dataset::open`] rules out.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One line for people: what it is, how many images and how many classes.
    pub fn description(&self) -> String {
        let images = match self.len() {
            1 => "1 image".to_owned(),
            count => format!("{count} images"),
        };
        let of_pixels = self.pixel_classes().len();
        let classes = match self.classes().len() {
            0 if of_pixels > 0 => format!("{of_pixels} classes of pixels"),
            0 => "no labels".to_owned(),
            1 => "1 class".to_owned(),
            count => format!("{count} classes"),
        };
        format!(
            "{} {}: {images}, {classes}",
            self.kind,
            self.place.display()
        )
    }

    /// A digest (SHA-256) of what the images are: the kind and resolved path of the set, and the
    /// name, size and time of change of every image's file, or of the one file that holds them all.
    /// No image is read; labels do not count.
    pub fn digest(&self) -> &str {
        self.digest.get_or_init(|| {
            let place = self.place.canonicalize();
            let place = place.unwrap_or_else(|_| self.place.clone());
            let stamp = FileStamp::of(&place);

            let mut hasher = Sha256::new();
            hasher.update(format!("{} {} {stamp:?}", self.kind, place.display()));
            for index in 0..self.len() {
                let stamp = self.source.stamp(index);
                hasher.update(format!("\n{} {stamp:?}", self.name(index)));
            }
            hex(hasher)
        })
    }

    /// The names of the classes, by number; empty without labels.
    pub fn classes(&self) -> &[String] {
        &self.classes.names
    }

    /// The class of an image; `None` without labels or beyond the last image.
    pub fn label(&self, index: usize) -> Option<usize> {
        self.classes
            .of_images
            .get(index)
            .map(|&label| label as usize)
    }

    /// What to call an image in messages: its path within the dataset, or the dataset's name and
    /// the number.
    pub fn name(&self, index: usize) -> Cow<'_, str> {
        if index < self.len() {
            self.source.name(index)
        } else {
            Cow::Owned(format!("image {index}"))
        }
    }

    pub fn load(&self, index: usize) -> Result<RgbImage, ImageLoadError> {
        let len = self.len();

        let loaded = if index < len {
            self.source.load(index)
        } else {
            Err(LoadCause::Range { len })
        };
        loaded.map_err(|cause| ImageLoadError {
            name: self.message_name(index),
            cause,
        })
    }

    fn message_name(&self, index: usize) -> String {
        let (name, place) = (self.name(index), self.place.display());
        format!("{name} of {} {place}", self.kind)
    }

    /// The names of the classes of pixels, by number; empty where pixels have no labels.
    pub fn pixel_classes(&self) -> &[String] {
        self.source
            .pixel_labels()
            .map_or(&[], |labels| labels.classes())
    }

    /// The class of each pixel of an image, or [`IGNORED`](ibot_core::annotation::labels::IGNORED),
    /// at the size of the image. Of the builtin scenes it is the part of the object, 0 for the
    /// background.
    ///
    /// # Errors
    /// If pixels have no labels, or the mask of this image is missing, damaged, of another size or
    /// holds a number that is no class; others may be fine.
    pub fn mask(&self, index: usize) -> Result<LabelMap, ImageLoadError> {
        let len = self.len();
        let loaded = match self.source.pixel_labels() {
            Some(labels) if index < len => labels.load(index),
            Some(_) => Err(LoadCause::Range { len }),
            None => Err(LoadCause::Unlabelled),
        };
        loaded.map_err(|cause| ImageLoadError {
            name: format!("the mask of {}", self.message_name(index)),
            cause,
        })
    }

    /// What an official layout says of its images as a whole, if it is a `T`.
    pub fn annotation<T: Any>(&self) -> Option<&T> {
        self.source.annotation()?.downcast_ref()
    }

    /// The same images, in the same order, with another background; `None` unless objects and
    /// backgrounds are known.
    pub fn with_background(&self, variant: Variant) -> Option<Self> {
        self.source.with_background(variant)
    }

    /// What was opened: a file, a folder, or the name of a builtin set.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// The indices of `n` images (all, if there are fewer), spread evenly over the dataset and its
    /// classes, ascending.
    ///
    /// `skip` chooses among such subsets: for equal `n`, those of any `len / n` (rounded down)
    /// consecutive values of `skip` are pairwise disjoint; after that they repeat.
    pub fn subset(&self, n: usize, skip: usize) -> Vec<usize> {
        let len = self.len();
        let n = n.min(len);
        if n == 0 {
            return Vec::new();
        }

        // Lists may cycle through the classes, and an even stride would then meet the same ones
        // over and over.
        let mut order: Vec<usize> = (0..len).collect();
        order.sort_by_key(|&index| self.label(index));

        let skip = skip % (len / n);
        let mut chosen = Vec::with_capacity(n);
        for run in 0..n {
            // In 128 bits the product of two lengths does not overflow.
            let start = (run as u128 * len as u128 / n as u128) as usize;
            chosen.push(order[start + skip]);
        }
        chosen.sort_unstable();
        chosen
    }
}

#[cfg(test)]
mod tests;
