//! The few photographs whose pixels somebody has labelled.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use ibot_core::annotation::labels::{IGNORED, LabelMap};
use ibot_core::image::RgbImage;

use crate::commands::images::{Images, load_file};
use crate::data::{check_mask_size, decode_mask, has_image_extension};

/// The number that by convention belongs to no class.
const BORDER: usize = 255;
/// Names of the numbers 0, 1, and so on, a line each.
const NAMES: &str = "classes.txt";

/// Photographs with their masks.
pub struct LabelledPhotographs {
    pub images: Vec<LabelledPhotograph>,
    pub classes: Vec<Class>,
}

pub struct LabelledPhotograph {
    pub image: RgbImage,
    /// For each pixel the place of its class, or [`IGNORED`].
    pub labels: LabelMap,
}

/// A class of pixels.
pub struct Class {
    /// Its number in masks.
    pub number: usize,
    pub name: String,
}

impl LabelledPhotographs {
    /// The masks in `folder`, or in `masks/` inside. The photograph of a mask has its name and lies
    /// beside it, in `images/`, or is one of `photographs`. Masks that do not fit are named and left
    /// out.
    pub fn read(folder: &Path, photographs: &Images) -> Result<Self> {
        let beside = match folder.join("masks").is_dir() {
            true => folder.join("images"),
            false => folder.to_owned(),
        };
        let masks = match folder.join("masks").is_dir() {
            true => folder.join("masks"),
            false => folder.to_owned(),
        };

        let mut pairs = Vec::new();
        for mask in files(&masks)? {
            if mask
                .extension()
                .is_some_and(|end| end.eq_ignore_ascii_case("png"))
            {
                match read(&mask, &beside, photographs) {
                    Ok(pair) => pairs.push(pair),
                    Err(error) => eprintln!("warning: {error:#} (left out)"),
                }
            }
        }
        ensure!(
            !pairs.is_empty(),
            "{} has no mask that can be used: give PNG files with a palette or in gray, each named as its photograph",
            folder.display()
        );

        // Names are optional.
        let names = fs::read_to_string(folder.join(NAMES)).unwrap_or_default();
        let names: Vec<&str> = names.lines().collect();
        let mut classes = Vec::new();
        for number in numbers(&pairs) {
            let name = names.get(number).map(|name| name.trim().to_owned());
            classes.push(Class {
                number,
                // There may be fewer names than numbers.
                name: name.unwrap_or(number.to_string()),
            });
        }
        Ok(Self::of(pairs, classes))
    }

    fn of(pairs: Vec<(RgbImage, LabelMap)>, classes: Vec<Class>) -> Self {
        let place = |number: usize| classes.iter().position(|class| class.number == number);
        let mut images = Vec::with_capacity(pairs.len());
        for (image, mask) in pairs {
            let (rows, columns) = (mask.rows(), mask.columns());
            let labels = LabelMap::from_fn(rows, columns, |pixel| {
                place(mask.cells()[pixel]).unwrap_or(IGNORED)
            });
            images.push(LabelledPhotograph { image, labels });
        }
        Self { images, classes }
    }
}

/// The numbers of all masks, in ascending order. 255 is a class only beside 0 alone: then it is how
/// an object is painted white.
fn numbers(pairs: &[(RgbImage, LabelMap)]) -> BTreeSet<usize> {
    let mut numbers = BTreeSet::new();
    for (_, mask) in pairs {
        numbers.extend(mask.cells());
    }
    if numbers.iter().any(|number| ![0, BORDER].contains(number)) {
        numbers.remove(&BORDER);
    }
    numbers
}

fn read(mask: &Path, beside: &Path, photographs: &Images) -> Result<(RgbImage, LabelMap)> {
    let shown = mask.display();
    let bytes = fs::read(mask).with_context(|| format!("cannot read {shown}"))?;
    let labels = decode_mask(&bytes).with_context(|| format!("mask {shown}"))?;

    let stem = mask.file_stem().unwrap_or_default();
    let mut found = None;
    for file in files(beside)? {
        let is_image = has_image_extension(&file.to_string_lossy()) && file != mask;
        if is_image && file.file_stem() == Some(stem) {
            found = Some(load_file(&file)?);
        }
    }
    for index in 0..photographs.len() {
        let name = photographs.name(index);
        if found.is_none() && Path::new(&name).file_stem() == Some(stem) {
            found = Some(photographs.load(index)?);
        }
    }
    let image = found.with_context(|| {
        format!("there is no photograph for the mask {shown}: put one of the same name beside it")
    })?;
    check_mask_size(&labels, image.width(), image.height())
        .with_context(|| format!("mask {shown}"))?;
    Ok((image, labels))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let shown = folder.display();
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read the folder {shown}"))? {
        files.push(
            entry
                .with_context(|| format!("cannot read {shown}"))?
                .path(),
        );
    }
    files.sort();
    Ok(files)
}
