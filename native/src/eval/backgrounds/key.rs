//! Which answers are right.

use anyhow::Result;
use ibot_core::eval::backgrounds::{IN9_CLASSES, in9_class};
use ibot_core::eval::imagenet;

use crate::data::Dataset;
use crate::eval::judge::Judge;

pub struct Key {
    /// By class of the images: the class of the head, or for a head of ImageNet the super-class.
    expected: Vec<usize>,
    is_imagenet: bool,
}

impl Key {
    /// The key for images of `data`.
    ///
    /// # Errors
    /// If the head does not know a class.
    pub fn new(judge: &Judge, data: &Dataset) -> Result<Self> {
        let numbers = in9_numbers(data.classes());
        // A head of ImageNet knows no super-classes: several of its classes make up one.
        if judge.classes() == imagenet::CLASSES
            && let Some(expected) = numbers
        {
            return Ok(Self {
                expected,
                is_imagenet: true,
            });
        }
        Ok(Self {
            expected: judge.places_of(data)?,
            is_imagenet: false,
        })
    }

    /// Whether class `found` of the head is right for an image of class `label`.
    pub fn is_right(&self, found: usize, label: usize) -> bool {
        let expected = self.expected.get(label).copied();
        if self.is_imagenet {
            return in9_class(found).is_some_and(|class| Some(class) == expected);
        }
        Some(found) == expected
    }
}

/// The numbers of the super-classes that folders such as `04_carnivore` are named by; `None` if one
/// is not named so.
fn in9_numbers(classes: &[String]) -> Option<Vec<usize>> {
    let number = |class: &String| {
        let (number, _) = class.split_once('_')?;
        let number = number.parse().ok()?;
        (number < IN9_CLASSES).then_some(number)
    };
    classes.iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_answer_is_right_for_one_of_nine_classes() {
        let key = Key {
            expected: (0..9).collect(),
            is_imagenet: true,
        };
        // A balanced set, and a model that always says `cock`.
        let right = (0..90).filter(|image| key.is_right(7, image % 9)).count();
        assert_eq!(right, 10);
        // A class of no super-class is never right.
        assert!((0..9).all(|label| !key.is_right(999, label)));
    }

    #[test]
    fn super_classes_are_numbered_by_their_folders() {
        let names = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        let found = in9_numbers(&names(&["00_dog", "08_fish"]));
        assert_eq!(found, Some(vec![0, 8]));
        for wrong in ["dog", "09_cow", "x_dog"] {
            assert_eq!(in9_numbers(&names(&["00_dog", wrong])), None);
        }
    }
}
