//! A folder `images/` beside a folder `masks/` with a PNG file of the same name for each image.

use std::collections::BTreeSet;

use super::images::{MaskedFile, MaskedFiles};
use super::numbers::{BORDER, MaskNumbers};
use crate::data::error::DataError;
use crate::data::masks::decode_mask;
use crate::data::tree::FileTree;

/// A name a line, the first for number 0.
const NAMES: &str = "classes.txt";

pub fn find(tree: &FileTree, split: Option<&str>) -> Result<Option<MaskedFiles>, DataError> {
    let Some(root) = tree.root_of("masks") else {
        return Ok(None);
    };
    let (images, masks) = (format!("{root}images"), format!("{root}masks"));
    if !tree.has_folder(&images) {
        return Ok(None);
    }
    let inner = split.map_or(String::new(), |split| format!("/{split}"));
    let folder = format!("{images}{inner}");
    let files = MaskedFile::in_folder(tree, &folder, &format!("{masks}{inner}"), true)?;

    let names = format!("{root}{NAMES}");
    let (numbers, classes) = if tree.contains(&names) {
        let classes = named(tree, &names)?;
        let numbers = MaskNumbers::counted(0, classes.len(), BORDER);
        (numbers, classes)
    } else {
        // All masks, whichever part of the images is opened: parts then have the same classes.
        let all = MaskedFile::in_folder(tree, &images, &masks, true)?;
        MaskNumbers::found(&numbers_in(tree, &all))
    };
    Ok(Some(MaskedFiles {
        kind: "images and masks",
        folder,
        files,
        classes,
        numbers,
    }))
}

fn named(tree: &FileTree, file: &str) -> Result<Vec<String>, DataError> {
    let text = tree.annotation(file)?;
    let text = String::from_utf8_lossy(&text);
    let names = text.trim_end().lines();
    Ok(names.map(|name| name.trim().to_owned()).collect())
}

/// The numbers in all masks that can be read; the others are named when they are asked for.
fn numbers_in(tree: &FileTree, files: &[MaskedFile]) -> BTreeSet<usize> {
    let mut numbers = BTreeSet::new();
    for file in files {
        let Ok(bytes) = tree.read(&file.mask) else {
            continue;
        };
        if let Ok(mask) = decode_mask(&bytes) {
            numbers.extend(mask.cells());
        }
    }
    numbers
}
