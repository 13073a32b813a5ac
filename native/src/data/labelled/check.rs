//! Whether images and labels belong together.

use std::collections::{HashMap, HashSet};

use crate::data::error::DataError;
use crate::data::examples::examples;
use crate::data::file_names::has_image_extension;
use crate::data::tree::FileTree;

/// Checks that all images are there.
///
/// # Errors
/// If some are not: how many, and the first of them. `labels` is the file that names them.
pub fn check_images(tree: &FileTree, names: &[String], labels: &str) -> Result<(), DataError> {
    // A folder is listed once, which is faster than to look for each file where a disk is slow.
    let mut folders: HashMap<&str, HashSet<String>> = HashMap::new();
    let mut missing: Vec<&str> = Vec::new();
    for name in names {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        if !folders.contains_key(folder) {
            folders.insert(folder, tree.files_in(folder)?.into_iter().collect());
        }
        if !folders[folder].contains(file) {
            missing.push(name);
        }
    }

    if missing.is_empty() {
        return Ok(());
    }
    let problem = format!(
        "{} of the {} images that have labels are not in {}: {}; unpack all images there",
        missing.len(),
        names.len(),
        tree.place().display(),
        examples(&missing)
    );
    Err(DataError::layout(&tree.path_of(labels), problem))
}

/// Checks that all images in `folder` have a label: that `names` holds their paths.
///
/// # Errors
/// If some have none: how many, and the first of them. `labels` is the file that should have them.
pub fn check_labels(
    tree: &FileTree,
    folder: &str,
    names: &[String],
    labels: &str,
) -> Result<(), DataError> {
    let labelled: HashSet<&str> = names.iter().map(String::as_str).collect();
    let mut unlabelled: Vec<String> = Vec::new();
    for file in tree.files_in(folder)? {
        let path = format!("{folder}/{file}");
        if has_image_extension(&file) && !labelled.contains(path.as_str()) {
            unlabelled.push(path);
        }
    }
    no_label(tree, &unlabelled, labels)
}

/// Says which images have no label, if there are any.
///
/// # Errors
/// If there are any.
pub fn no_label(tree: &FileTree, unlabelled: &[String], labels: &str) -> Result<(), DataError> {
    if unlabelled.is_empty() {
        return Ok(());
    }
    let count = match unlabelled.len() {
        1 => "1 image has".to_owned(),
        count => format!("{count} images have"),
    };
    let problem = format!(
        "{count} no label in it: {}; add labels, or take the images out",
        examples(unlabelled)
    );
    Err(DataError::layout(&tree.path_of(labels), problem))
}
