//! Images that a command line names: files, folders, archives, lists, and single images of a
//! dataset.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use ibot_core::annotation::labels::LabelMap;
use ibot_core::image::RgbImage;

use crate::data::{Dataset, MaskError, decode, decode_mask, has_image_extension};

/// Images in the order in which they were named.
pub struct Images {
    sets: Vec<Dataset>,
    places: Vec<Location>,
}

enum Location {
    File(PathBuf),
    /// Image of a set, both by index.
    Of(usize, usize),
}

impl Images {
    /// The images that `specs` name: an image file, `DATA#INDEX` for one image of a dataset, or what `pretrain
    /// --data` takes, of which at most `limit` images are taken, spread evenly.
    pub fn open(specs: &[String], limit: usize) -> Result<Self> {
        let mut images = Self {
            sets: Vec::new(),
            places: Vec::new(),
        };
        for spec in specs {
            images.add(spec, limit)?;
        }
        Ok(images)
    }

    fn add(&mut self, spec: &str, limit: usize) -> Result<()> {
        let path = Path::new(spec);
        // By its ending: a file may also be a list or an archive.
        if path.is_file() && is_picture(path) {
            self.places.push(Location::File(path.to_owned()));
            return Ok(());
        }

        let set = self.sets.len();
        // A `#` may be part of a file's name.
        if let (Some((name, index)), false) = (indexed(spec), path.exists()) {
            let data = Dataset::open(name)?;
            ensure!(
                index < data.len(),
                "{spec}: {} has no image {index}",
                data.description()
            );
            self.places.push(Location::Of(set, index));
            self.sets.push(data);
        } else {
            let data = Dataset::open(spec)?;
            for index in data.subset(limit, 0) {
                self.places.push(Location::Of(set, index));
            }
            self.sets.push(data);
        }
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// What to call image `index` in messages and numbers.
    pub fn name(&self, index: usize) -> String {
        match &self.places[index] {
            Location::File(path) => path.display().to_string(),
            Location::Of(set, image) => self.sets[*set].name(*image).into_owned(),
        }
    }

    /// A file name for what is made of image `index`, with its number, so that frames stay in order.
    pub fn file_stem(&self, index: usize) -> String {
        format!("{index:05}-{}", self.own_stem(index))
    }

    /// The same without the number; several images may have it.
    pub fn own_stem(&self, index: usize) -> String {
        let name = self.name(index);
        let stem = Path::new(&name).file_stem().unwrap_or_default();

        let is_safe = |c: char| c.is_alphanumeric() || "-_.".contains(c);
        stem.to_string_lossy().replace(|c| !is_safe(c), "-")
    }

    /// What each pixel of an image shows, from a mask in `folder` or the dataset.
    pub fn labels(&self, index: usize, folder: Option<&Path>) -> Result<Option<LabelMap>> {
        let Some(folder) = folder else {
            return Ok(match &self.places[index] {
                Location::Of(set, image) if !self.sets[*set].pixel_classes().is_empty() => {
                    Some(self.sets[*set].mask(*image)?)
                }
                Location::Of(..) | Location::File(_) => None,
            });
        };

        let name = self.name(index);
        let stem = Path::new(&name).file_stem().unwrap_or_default();
        let file = folder.join(stem).with_extension("png");
        let bytes = fs::read(&file)
            .with_context(|| format!("cannot read {}, the labels of {name}", file.display()))?;
        let labels = match decode_mask(&bytes) {
            Err(MaskError::Colors) => Ok(labels_of_colors(&decode(&bytes)?)),
            other => other,
        };
        let labels = labels.with_context(|| format!("labels {}", file.display()))?;
        Ok(Some(labels))
    }

    pub fn load(&self, index: usize) -> Result<RgbImage> {
        match &self.places[index] {
            Location::File(path) => load_file(path),
            Location::Of(set, image) => Ok(self.sets[*set].load(*image)?),
        }
    }
}

fn indexed(spec: &str) -> Option<(&str, usize)> {
    let (set, index) = spec.rsplit_once('#')?;
    Some((set, index.parse().ok()?))
}

pub fn load_one(spec: &str) -> Result<RgbImage> {
    // Two are enough to see that it is not one.
    let images = Images::open(&[spec.to_owned()], 2)?;
    if images.len() != 1 {
        bail!(
            "{spec} names several images; give one file, or one image of a dataset as {spec}#INDEX"
        );
    }
    images.load(0)
}

pub fn load_file(path: &Path) -> Result<RgbImage> {
    let bytes =
        fs::read(path).with_context(|| format!("cannot read the image {}", path.display()))?;
    decode(&bytes).with_context(|| format!("image {}", path.display()))
}

fn labels_of_colors(picture: &RgbImage) -> LabelMap {
    let (pixels, _) = picture.pixels().as_chunks::<3>();
    let number = |[red, green, blue]: [u8; 3]| u32::from_be_bytes([0, red, green, blue]) as usize;
    LabelMap::from_fn(picture.height(), picture.width(), |at| number(pixels[at]))
}

/// Whether a file is to be decoded rather than opened as a dataset.
fn is_picture(path: &Path) -> bool {
    has_image_extension(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_image_of_a_dataset_is_named_by_its_index() {
        let images = Images::open(&["builtin:val#7".to_owned(), "builtin:val".to_owned()], 20)
            .expect("builtin scenes");
        assert_eq!(images.len(), 21);
        assert_eq!(
            images.load(0).expect("a scene"),
            Dataset::open("builtin:val")
                .expect("scenes")
                .load(7)
                .expect("one")
        );
        assert_eq!(images.file_stem(0), "00000-builtin-val-7");
        assert!(Images::open(&["builtin:val#5000".to_owned()], 1).is_err());
        assert!(
            load_one("builtin:val")
                .expect_err("many")
                .to_string()
                .contains("several")
        );
        assert!(load_one("nothing/here.png").is_err());
    }
}
