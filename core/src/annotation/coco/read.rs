//! From the JSON text to images and objects.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::Value;

use super::polygon::Polygon;
use super::problem::{EntryProblem, ProblemCause};
use super::rle::RunLengths;
use super::set::{CocoCategory, CocoImage, CocoObject, CocoSet, Region};
use crate::annotation::boxes::BoundingBox;

/// Why a file is none of COCO's.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant has its message")]
pub enum CocoError {
    #[error("not the JSON of COCO's objects: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it lists no image that can be used")]
    NoImage,
}

enum MaybeEntry<T> {
    Read(T),
    Broken(String),
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for MaybeEntry<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // An entry of another form must not cost the others.
        let value = Value::deserialize(deserializer)?;
        Ok(match T::deserialize(value) {
            Ok(entry) => Self::Read(entry),
            Err(error) => Self::Broken(error.to_string()),
        })
    }
}

#[derive(Deserialize)]
struct JsonSet {
    images: Vec<MaybeEntry<JsonImage>>,
    annotations: Vec<MaybeEntry<JsonObject>>,
    categories: Vec<MaybeEntry<JsonCategory>>,
}

#[derive(Deserialize)]
struct JsonCategory {
    id: u64,
    name: String,
}

#[derive(Deserialize)]
struct JsonImage {
    id: u64,
    file_name: String,
    width: usize,
    height: usize,
}

#[derive(Deserialize)]
struct JsonObject {
    id: u64,
    image_id: u64,
    category_id: u64,
    /// Left, top, width, height.
    bbox: [f64; 4],
    #[serde(default)]
    area: Option<f64>,
    #[serde(default)]
    iscrowd: u8,
    #[serde(default)]
    segmentation: Option<JsonRegion>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a segmentation that is no list of polygons and no run lengths"
)]
enum JsonRegion {
    Polygons(Vec<Vec<f64>>),
    Runs {
        /// Height and width.
        size: [usize; 2],
        counts: JsonRuns,
    },
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "run lengths that are neither a list nor a text")]
enum JsonRuns {
    Plain(Vec<u32>),
    Compressed(String),
}

impl CocoSet {
    /// Reads the text of a file such as `instances_val2017.json`. Entries that are wrong are left
    /// out and named.
    ///
    /// # Errors
    /// If it is no JSON, has not the three lists, or has no image.
    pub fn read(text: &[u8]) -> Result<Self, CocoError> {
        let lists: JsonSet = serde_json::from_slice(text)?;
        let mut reader = Reader::default();
        // Objects last: they name categories and images by their ids.
        for (number, category) in (1..).zip(lists.categories) {
            reader.category(number, category);
        }
        for (number, image) in (1..).zip(lists.images) {
            reader.image(number, image);
        }
        for (number, object) in (1..).zip(lists.annotations) {
            reader.object(number, object);
        }
        match reader.set.images.is_empty() {
            true => Err(CocoError::NoImage),
            false => Ok(reader.set),
        }
    }
}

#[derive(Default)]
struct Reader {
    set: CocoSet,
    /// Places in the lists, by id.
    categories: HashMap<u64, usize>,
    images: HashMap<u64, usize>,
}

impl Reader {
    fn problem(&mut self, entry: String, cause: ProblemCause) {
        self.set.problems.push(EntryProblem { entry, cause });
    }

    fn category(&mut self, number: usize, entry: MaybeEntry<JsonCategory>) {
        let place = self.set.categories.len();
        match entry {
            MaybeEntry::Broken(error) => {
                self.problem(
                    format!("category number {number}"),
                    ProblemCause::Fields(error),
                );
            }
            MaybeEntry::Read(JsonCategory { id, .. }) if self.categories.contains_key(&id) => {
                self.problem(format!("category {id}"), ProblemCause::Repeated);
            }
            MaybeEntry::Read(JsonCategory { id, name }) => {
                self.categories.insert(id, place);
                self.set.categories.push(CocoCategory { id, name });
            }
        }
    }

    fn image(&mut self, number: usize, entry: MaybeEntry<JsonImage>) {
        let image = match entry {
            MaybeEntry::Read(image) => image,
            MaybeEntry::Broken(error) => {
                return self.problem(
                    format!("image number {number}"),
                    ProblemCause::Fields(error),
                );
            }
        };

        let name = format!("image {}", image.file_name);
        if self.images.contains_key(&image.id) {
            return self.problem(name, ProblemCause::Repeated);
        }
        if image.width == 0 || image.height == 0 {
            let cause = ProblemCause::NoPixel {
                width: image.width,
                height: image.height,
            };
            return self.problem(name, cause);
        }
        self.images.insert(image.id, self.set.images.len());
        self.set.images.push(CocoImage {
            id: image.id,
            file: image.file_name,
            width: image.width,
            height: image.height,
            objects: Vec::new(),
        });
    }

    fn object(&mut self, number: usize, entry: MaybeEntry<JsonObject>) {
        let object = match entry {
            MaybeEntry::Read(object) => object,
            MaybeEntry::Broken(error) => {
                let name = format!("annotation number {number}");
                return self.problem(name, ProblemCause::Fields(error));
            }
        };
        let name = format!("annotation {}", object.id);
        let Some(place) = self.images.get(&object.image_id).copied() else {
            return self.problem(name, ProblemCause::Image(object.image_id));
        };

        let image = &self.set.images[place];
        let name = format!("{name} of {}", image.file);
        let Some(category) = self.categories.get(&object.category_id).copied() else {
            return self.problem(name, ProblemCause::Category(object.category_id));
        };
        let size = (image.width, image.height);
        let bounds = match bounds(object.bbox).on_image(size) {
            Ok(bounds) => bounds,
            Err(error) => return self.problem(name, ProblemCause::Box(error)),
        };

        // Its box is sound, even if its mask is not.
        let region = match object.segmentation.map(|region| region.checked(size)) {
            None => None,
            Some(Ok(region)) => region,
            Some(Err(cause)) => {
                self.problem(name, cause);
                None
            }
        };
        self.set.images[place].objects.push(CocoObject {
            id: object.id,
            category,
            bounds,
            // Lists of detectors have no areas.
            area: object.area.unwrap_or_else(|| bounds.area()),
            crowd: object.iscrowd != 0,
            region,
        });
    }
}

fn bounds([left, top, width, height]: [f64; 4]) -> BoundingBox {
    BoundingBox {
        left,
        top,
        right: left + width,
        bottom: top + height,
    }
}

impl JsonRegion {
    /// The region on an image of `size`, width and height; `None` for an empty list.
    fn checked(self, size: (usize, usize)) -> Result<Option<Region>, ProblemCause> {
        match self {
            Self::Polygons(lists) => {
                let mut polygons = Vec::with_capacity(lists.len());
                for (number, list) in (1..).zip(&lists) {
                    let polygon = Polygon::new(list, size);
                    let polygon =
                        polygon.map_err(|error| ProblemCause::Polygon { number, error })?;
                    polygons.push(polygon);
                }
                // Some tools write an empty list where a mask is unknown.
                Ok((!polygons.is_empty()).then_some(Region::Polygons(polygons)))
            }
            Self::Runs {
                size: [height, width],
                counts,
            } => {
                // A mask of another size would lie elsewhere.
                if (width, height) != size {
                    return Err(ProblemCause::MaskSize {
                        width,
                        height,
                        image: size,
                    });
                }
                let runs = match counts {
                    JsonRuns::Plain(counts) => RunLengths::new(width, height, counts),
                    JsonRuns::Compressed(text) => RunLengths::from_text(width, height, &text),
                };
                Ok(Some(Region::Runs(runs.map_err(ProblemCause::Runs)?)))
            }
        }
    }
}
