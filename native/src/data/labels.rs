//! Classes, and which of them each image belongs to.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The classes of a dataset and the class of each image; both empty without labels.
#[derive(Debug, Default)]
pub(super) struct Labels {
    pub(super) classes: Vec<String>,
    pub(super) of: Vec<u32>,
}

impl Labels {
    /// The class of each image is the first folder of its name (`class/.../file`). None if an image
    /// is in no folder.
    ///
    /// Classes are in plain byte order, so that their numbers agree with those of torchvision's
    /// `ImageFolder`.
    pub(super) fn from_folders<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Self {
        if names.clone().any(|name| !name.contains('/')) {
            return Self::default();
        }
        Self::from_names(names.filter_map(|name| name.split('/').next()))
    }

    /// One class name for each image.
    pub(super) fn from_names<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Self {
        let mut numbers: BTreeMap<&str, u32> = names.clone().map(|name| (name, 0)).collect();
        for (number, slot) in (0..).zip(numbers.values_mut()) {
            *slot = number;
        }
        let of = names
            .filter_map(|name| numbers.get(name).copied())
            .collect();
        Self {
            classes: numbers.into_keys().map(str::to_owned).collect(),
            of,
        }
    }

    /// One class number for each image; the numbers up to the highest are the names, too.
    pub(super) fn from_numbers(of: Vec<u32>) -> Self {
        let classes = of.iter().max().map_or(0, |&highest| highest + 1);
        Self {
            classes: (0..classes).map(|class| class.to_string()).collect(),
            of,
        }
    }
}

/// Orders paths as a person would: folder by folder, `2.jpg` before `10.jpg`. Equal only for equal
/// text.
pub(super) fn natural_order(a: &str, b: &str) -> Ordering {
    let mut others = b.split('/');
    for part in a.split('/') {
        let Some(other) = others.next() else {
            return Ordering::Greater;
        };
        // Ties such as `1` and `01` are settled folder by folder, or a folder's images would be
        // torn apart.
        let order =
            natural_part_order(part.as_bytes(), other.as_bytes()).then_with(|| part.cmp(other));
        if order.is_ne() {
            return order;
        }
    }
    if others.next().is_some() {
        Ordering::Less
    } else {
        Ordering::Equal
    }
}

fn natural_part_order(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while let (Some(&first), Some(&other)) = (a.first(), b.first()) {
        if first.is_ascii_digit() && other.is_ascii_digit() {
            let (number, after) = split_number(a);
            let (other_number, other_after) = split_number(b);
            // Without leading zeros a longer number is a larger one, whatever its length.
            let order = number
                .len()
                .cmp(&other_number.len())
                .then_with(|| number.cmp(other_number));
            if order.is_ne() {
                return order;
            }
            (a, b) = (after, other_after);
        } else if first != other {
            return first.cmp(&other);
        } else {
            (a, b) = (&a[1..], &b[1..]);
        }
    }
    a.len().cmp(&b.len())
}

/// The leading digits without leading zeros, and what follows.
fn split_number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, after) = text.split_at(end);
    let start = digits
        .iter()
        .position(|&digit| digit != b'0')
        .unwrap_or(digits.len());
    (&digits[start..], after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_ordered_as_a_person_would() {
        let expected = [
            "1.jpg",
            "2.jpg",
            "10.jpg",
            "a/1.jpg",
            "a/b/1.jpg",
            "a-b/1.jpg",
            "a01/3.jpg",
            "a1/1.jpg",
            "a1/9.jpg",
            "b",
            "b2",
            "b02x",
            "c/99999999999999999999999",
            "c/100000000000000000000000",
        ];
        let mut sorted = expected;
        sorted.reverse();
        sorted.sort_by(|a, b| natural_order(a, b));
        assert_eq!(sorted, expected);
        for a in expected {
            for b in expected {
                assert_eq!(
                    natural_order(a, b),
                    natural_order(b, a).reverse(),
                    "{a} and {b}"
                );
                assert_eq!(natural_order(a, b).is_eq(), a == b);
            }
        }
    }

    #[test]
    fn folders_are_classes_only_if_all_images_are_in_one() {
        let labels = Labels::from_folders(["b/1", "a/x/2", "b/y/3"].into_iter());
        assert_eq!(
            (labels.classes, labels.of),
            (vec!["a".to_owned(), "b".to_owned()], vec![1, 0, 1])
        );
        let labels = Labels::from_folders(["b/1", "2"].into_iter());
        assert_eq!((labels.classes, labels.of), (vec![], vec![]));
    }
}
