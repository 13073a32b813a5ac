//! The layout of ADE20K: `images/` and `annotations/`, each with `training/` and `validation/`.

use super::images::{MaskedFile, MaskedFiles};
use super::numbers::MaskNumbers;
use crate::data::error::DataError;
use crate::data::tree::FileTree;

/// Numbers 1 to 150 are classes; 0 is everything else.
const CLASSES: usize = 150;
const NAMES: &str = "objectInfo150.txt";

pub fn find(tree: &FileTree, split: Option<&str>) -> Result<Option<MaskedFiles>, DataError> {
    let split = match split {
        None | Some("train") => "training",
        Some("val") => "validation",
        Some(other) => other,
    };
    let folder = format!("annotations/{split}");
    let Some(root) = tree.root_of(&folder) else {
        return Ok(None);
    };

    let images = format!("{root}images/{split}");
    Ok(Some(MaskedFiles {
        kind: "ADE20K",
        files: MaskedFile::in_folder(tree, &images, &format!("{root}{folder}"), true)?,
        folder: images,
        classes: names(tree, &format!("{root}{NAMES}"))?,
        numbers: MaskNumbers::counted(1, CLASSES, 0),
    }))
}

/// The names in the last column of the table of classes, or the numbers of the classes.
fn names(tree: &FileTree, table: &str) -> Result<Vec<String>, DataError> {
    let mut names: Vec<String> = (1..=CLASSES).map(|number| number.to_string()).collect();
    if !tree.contains(table) {
        return Ok(names);
    }

    let text = tree.annotation(table)?;
    for line in String::from_utf8_lossy(&text).lines() {
        let mut columns = line.split('\t');
        let number: Option<usize> = columns.next().and_then(|first| first.trim().parse().ok());
        let name = columns.next_back().and_then(|last| last.split(',').next());
        if let (Some(number @ 1..=CLASSES), Some(name)) = (number, name) {
            names[number - 1] = name.trim().to_owned();
        }
    }
    Ok(names)
}
