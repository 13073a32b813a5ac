//! Images to train on and to evaluate with, wherever they lie: the builtin scenes, folders, tar
//! archives, lists and IDX files, opened by one text.
//!
//! ```no_run
//! use ibot_native::data::Dataset;
//!
//! let data = Dataset::open("imagenet/train.tar")?;
//! println!("{}", data.description());
//! let image = data.load(0)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod archive;
mod builtin;
mod decode;
mod error;
mod folder;
mod idx;
mod labels;
mod list;
mod positioned;
mod spec;
#[cfg(test)]
mod testing;

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use ibot_core::annotation::labels::LabelMap;
use ibot_core::image::RgbImage;

pub use self::decode::{DecodeError, MAX_BYTES, MAX_SIDE, decode};
pub use self::error::{DataError, ImageLoadError, LoadCause};
use self::labels::Labels;

/// Where images come from. Indices are below `len`; [`Dataset`] sees to that.
trait Source: Send + Sync {
    fn len(&self) -> usize;
    fn name(&self, index: usize) -> Cow<'_, str>;
    fn load(&self, index: usize) -> Result<RgbImage, LoadCause>;

    /// What each pixel shows, where that is known.
    fn parts(&self, _index: usize) -> Option<LabelMap> {
        None
    }
}

/// A fixed, ordered collection of at least one image, with a class for each of them or without
/// classes.
///
/// Threads can load from one dataset at the same time. Opening finds the images; loading reads and
/// decodes one.
pub struct Dataset {
    kind: &'static str,
    place: PathBuf,
    labels: Labels,
    source: Box<dyn Source>,
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
    /// Opens what `spec` names:
    ///
    /// - `builtin`, `builtin:train` or `builtin:val`: scenes drawn by the program.
    /// - A folder of images (jpg, jpeg, png, webp, bmp, gif, tif, tiff) at any depth, in natural
    ///   order of path. If all are in sub-folders, the first folder of each is its class. Hidden
    ///   files are skipped, links followed.
    /// - A `.tar` of such a folder, read in place.
    /// - A `.txt`, `.lst` or `.csv` with one path a line, relative to the list's folder, and a
    ///   label on all lines or none: after a tab or comma, or after a space if the path has none.
    ///   Labels that are all numbers are class numbers.
    /// - The images file of the MNIST family (IDX), or a folder of its files, with `:test` after it
    ///   for the `t10k` ones. The labels file beside it is used if there is one.
    ///
    /// # Errors
    /// If there is no such dataset, it is damaged as a whole, or it has no images. Single images
    /// are not looked at.
    pub fn open(spec: &str) -> Result<Self, DataError> {
        spec::open(spec)
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
        let plural =
            |count: usize, one, many| format!("{count} {}", if count == 1 { one } else { many });
        let images = plural(self.len(), "image", "images");
        let classes = match self.classes().len() {
            0 => "no labels".to_owned(),
            count => plural(count, "class", "classes"),
        };
        format!(
            "{} {}: {images}, {classes}",
            self.kind,
            self.place.display()
        )
    }

    /// The names of the classes, by number; empty without labels.
    pub fn classes(&self) -> &[String] {
        &self.labels.classes
    }

    /// The class of an image; `None` without labels or beyond the last image.
    pub fn label(&self, index: usize) -> Option<usize> {
        self.labels.of.get(index).map(|&label| label as usize)
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

    /// Reads and decodes an image.
    ///
    /// # Errors
    /// If the image is damaged, of a format this program does not take, too large, gone, or `index`
    /// is out of range.
    pub fn load(&self, index: usize) -> Result<RgbImage, ImageLoadError> {
        let len = self.len();
        let loaded = if index < len {
            self.source.load(index)
        } else {
            Err(LoadCause::Range { len })
        };
        loaded.map_err(|cause| {
            let name = format!(
                "{} of {} {}",
                self.name(index),
                self.kind,
                self.place.display()
            );
            ImageLoadError { name, cause }
        })
    }

    /// The part of an object that each pixel of an image shows, 0 for none; `None` where that is
    /// not known. Only the builtin scenes know.
    pub fn parts(&self, index: usize) -> Option<LabelMap> {
        self.source.parts(index)
    }

    /// The indices of `n` images (all, if there are fewer), spread evenly over the dataset and its
    /// classes, ascending.
    ///
    /// The images are put in order of class (of position, without labels), cut into `n` runs whose
    /// lengths differ by at most one, and one image is taken from each run, so a class with a share
    /// `s` of the images has a share `s` of the subset, up to one image at either end. `skip`
    /// chooses which image of each run: for equal `n`, the subsets of any `len / n` (rounded down)
    /// consecutive values of `skip` are pairwise disjoint; after that they repeat. For different
    /// `n`, nothing is promised.
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
        let start = |run: usize| (run as u128 * len as u128 / n as u128) as usize;
        let mut chosen: Vec<usize> = (0..n).map(|run| order[start(run) + skip]).collect();
        chosen.sort_unstable();
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{names, open, tree, write};
    use super::*;

    #[test]
    fn is_shared_between_threads() {
        fn shareable<T: Send + Sync>() {}
        shareable::<Dataset>();
    }

    #[test]
    fn the_builtin_scenes_are_a_dataset() {
        use ibot_core::scenes;
        use ibot_core::scenes::Split;
        let train = Dataset::open("builtin").expect("builtin scenes");
        let val = Dataset::open("builtin:val").expect("builtin scenes");
        assert_eq!(
            (train.len(), val.len()),
            (scenes::len(Split::Train), scenes::len(Split::Val))
        );
        assert_eq!(train.classes(), scenes::CLASSES);
        let scene = scenes::scene(Split::Val, 13, scenes::SIZE);
        assert_eq!(val.load(13).expect("a scene"), scene.image);
        assert_eq!(val.label(13), Some(scene.class));
        assert_eq!(train.name(13), "builtin:train#13");
        assert_ne!(train.load(13).expect("a scene"), scene.image);
        assert_eq!(
            format!(
                "{:?}",
                Dataset::open("builtin:train").expect("builtin scenes")
            ),
            format!("{train:?}")
        );
    }

    #[test]
    fn descriptions_count_images_and_classes() {
        let folder = tree(&["a/1.png", "a/2.png", "b/1.png"]);
        let described = |path: PathBuf| open(path).expect("a folder of images").description();
        let root = folder.path().display();
        assert_eq!(
            described(folder.path().into()),
            format!("folder {root}: 3 images, 2 classes")
        );
        assert_eq!(
            described(folder.path().join("b")),
            format!("folder {root}/b: 1 image, no labels")
        );
    }

    #[test]
    fn there_is_nothing_beyond_the_last_image() {
        let folder = tree(&["a/1.png"]);
        let data = open(folder.path()).expect("a folder of images");
        assert!(!data.is_empty());
        assert_eq!((data.label(0), data.label(1)), (Some(0), None));
        let error = data.load(1).expect_err("no such image");
        assert!(matches!(error.cause, LoadCause::Range { len: 1 }));
        assert!(error.to_string().contains("image 1"), "{error}");
    }

    /// A list that cycles through `classes` classes.
    fn cycling(images: usize, classes: usize) -> Dataset {
        let folder = tree(&["x.png"]);
        let text: String = (0..images)
            .map(|index| format!("x.png,{}\n", index % classes))
            .collect();
        write(folder.path().join("list.txt"), text);
        let data = open(folder.path().join("list.txt")).expect("a good list");
        assert_eq!(names(&data).len(), images);
        data
    }

    #[test]
    fn subsets_are_ascending_disjoint_and_of_the_size_asked_for() {
        let data = cycling(103, 10);
        for n in [1, 7, 10, 34, 51, 52, 103] {
            let mut seen = std::collections::HashSet::new();
            for skip in 5..5 + 103 / n {
                let subset = data.subset(n, skip);
                assert_eq!(subset.len(), n);
                assert!(
                    subset.is_sorted_by(|a, b| a < b) && subset.iter().all(|&index| index < 103)
                );
                assert!(
                    subset.iter().all(|&index| seen.insert(index)),
                    "{n} images at {skip} overlap"
                );
            }
            assert_eq!(data.subset(n, 2), data.subset(n, 2 + 103 / n));
        }
        assert_eq!(data.subset(1000, 9), (0..103).collect::<Vec<_>>());
        assert!(data.subset(0, 1).is_empty());
    }

    #[test]
    fn subsets_hold_each_class_by_its_share() {
        let data = cycling(100, 10);
        for skip in 0..5 {
            let mut counts = [0; 10];
            for index in data.subset(20, skip) {
                counts[data.label(index).expect("a label")] += 1;
            }
            assert_eq!(counts, [2; 10]);
        }
    }

    #[test]
    fn subsets_without_labels_are_spread_over_the_order() {
        let folder = tree(&[
            "0.png", "1.png", "2.png", "3.png", "4.png", "5.png", "6.png",
        ]);
        let data = open(folder.path()).expect("a folder of images");
        assert_eq!(data.subset(3, 0), [0, 2, 4]);
        assert_eq!(data.subset(3, 1), [1, 3, 5]);
    }
}
