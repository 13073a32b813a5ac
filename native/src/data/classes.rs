//! The classes of a dataset, from folders, names or numbers.

use std::collections::BTreeMap;

/// The classes of a dataset and the class of each image; both empty without labels.
#[derive(Clone, Debug, Default)]
pub(super) struct Classes {
    /// By number.
    pub(super) names: Vec<String>,
    pub(super) of_images: Vec<u32>,
}

impl Classes {
    /// The class of each image is the first folder of its name; none if an image is in no folder.
    pub(super) fn from_folders<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Self {
        if names.clone().any(|name| !name.contains('/')) {
            return Self::default();
        }
        Self::from_names(names.filter_map(|name| name.split('/').next()))
    }

    /// One class name for each image.
    pub(super) fn from_names<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Self {
        // In plain byte order, in which torchvision's `ImageFolder` numbers classes.
        let mut numbers: BTreeMap<&str, u32> = names.clone().map(|name| (name, 0)).collect();
        for (number, entry) in (0..).zip(numbers.values_mut()) {
            *entry = number;
        }
        let of_images = names
            .filter_map(|name| numbers.get(name).copied())
            .collect();
        Self {
            names: numbers.into_keys().map(str::to_owned).collect(),
            of_images,
        }
    }

    /// One class number for each image; the numbers up to the highest are the names, too.
    pub(super) fn from_numbers(of_images: Vec<u32>) -> Self {
        let count = of_images.iter().max().map_or(0, |&highest| highest + 1);
        Self {
            names: (0..count).map(|class| class.to_string()).collect(),
            of_images,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_classes_only_if_all_images_are_in_one() {
        let classes = Classes::from_folders(["b/1", "a/x/2", "b/y/3"].into_iter());
        assert_eq!(
            (classes.names, classes.of_images),
            (vec!["a".to_owned(), "b".to_owned()], vec![1, 0, 1])
        );
        let classes = Classes::from_folders(["b/1", "2"].into_iter());
        assert_eq!((classes.names, classes.of_images), (vec![], vec![]));
    }
}
