//! The classes of pixels of two sets of images.

use anyhow::{Context as _, Result, ensure};
use ibot_core::annotation::labels::{IGNORED, LabelMap};

use crate::data::Dataset;

/// The classes of pixels, and what gives them.
pub struct Truths<'a> {
    pub names: Vec<String>,
    /// Of the images to learn from.
    pub train: PixelTruth<'a>,
    /// Of the images to judge by.
    pub val: PixelTruth<'a>,
}

/// The labels of the pixels of a set's images.
pub struct PixelTruth<'a> {
    data: &'a Dataset,
    /// The number of each of the set's classes of pixels; `None` if pixels have the class of their
    /// image, or none.
    numbers: Option<Vec<usize>>,
}

impl<'a> Truths<'a> {
    /// The classes of `train`, then those that only `val` has. With `objects` a pixel that is not of
    /// class 0, the background, has the class of its image.
    ///
    /// # Errors
    /// If the pixels of a set have no labels, or with `objects` its images.
    pub fn of(train: &'a Dataset, val: &'a Dataset, objects: bool) -> Result<Self> {
        let mut names = Vec::new();
        if objects {
            names.push("background".to_owned());
        }
        let train = PixelTruth::of(train, objects, &mut names)?;
        let val = PixelTruth::of(val, objects, &mut names)?;
        Ok(Self { names, train, val })
    }
}

impl<'a> PixelTruth<'a> {
    fn of(data: &'a Dataset, objects: bool, names: &mut Vec<String>) -> Result<Self> {
        let description = data.description();
        ensure!(
            !data.pixel_classes().is_empty(),
            "{description}: its pixels have no labels, which this evaluation needs; give images/ beside masks/, ADE20K, VOC, DAVIS or builtin"
        );
        let classes = if objects {
            ensure!(
                !data.classes().is_empty(),
                "{description}: its images have no classes, which --objects gives to the pixels of objects"
            );
            data.classes()
        } else {
            data.pixel_classes()
        };

        let mut numbers = Vec::with_capacity(classes.len());
        for class in classes {
            // A class of both sets keeps the number that the first gave it.
            let known = names.iter().position(|name| name == class);
            numbers.push(known.unwrap_or(names.len()));
            if known.is_none() {
                names.push(class.clone());
            }
        }
        Ok(Self {
            data,
            numbers: (!objects).then_some(numbers),
        })
    }

    pub fn load(&self, index: usize) -> Result<LabelMap> {
        let mask = self.data.mask(index)?;
        let cells = mask.cells();
        let class = match self.numbers {
            Some(_) => 0,
            // Class 0 is the background.
            None => 1 + self.data.label(index).context("an image without class")?,
        };
        Ok(LabelMap::from_fn(
            mask.rows(),
            mask.columns(),
            |pixel| match (cells[pixel], &self.numbers) {
                (IGNORED, _) => IGNORED,
                (label, Some(numbers)) => numbers[label],
                (0, None) => 0,
                (_, None) => class,
            },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_have_the_class_of_their_scene() {
        let data = Dataset::open("builtin:val").expect("scenes");
        let truths = Truths::of(&data, &data, true).expect("labels");
        assert_eq!(truths.names.len(), 11);
        let parts = data.mask(13).expect("parts");
        let objects = truths.val.load(13).expect("objects");
        for (part, object) in parts.cells().iter().zip(objects.cells()) {
            assert_eq!(*object, if *part == 0 { 0 } else { 4 });
        }

        let truths = Truths::of(&data, &data, false).expect("labels");
        assert_eq!(truths.names, data.pixel_classes());
        assert_eq!(truths.train.load(13).expect("parts"), parts);
    }
}
