//! The classes of ImageNet-1k in their usual order, that of WordNet's numbers.

use std::sync::LazyLock;

/// Number of classes.
pub const CLASSES: usize = 1000;

static WNIDS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    include_str!("imagenet/wnids.txt")
        .split_whitespace()
        .collect()
});

/// The number of the class `wnid`, such as `n01440764`; `None` if ImageNet-1k has no such class.
pub fn place(wnid: &str) -> Option<usize> {
    // The classes are in the order of their numbers.
    WNIDS.binary_search(&wnid).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn classes_are_ascending_numbers() {
        assert_eq!(WNIDS.len(), CLASSES);
        assert!(WNIDS.is_sorted_by(|a, b| a < b));
        let is_number = |wnid: &&str| wnid.len() == 9 && wnid.starts_with('n');
        assert!(WNIDS.iter().all(is_number));
        assert_eq!(place("n01440764"), Some(0));
        assert_eq!(place("n15075141"), Some(999));
        assert_eq!(place("n00000000"), None);
    }
}
