//! Images in a tar archive, which is read in place.

use std::sync::Arc;

use crate::data::classes::Classes;
use crate::data::dataset::Dataset;
use crate::data::error::DataError;
use crate::data::file_names::{has_image_extension, looked_for};
use crate::data::natural_order::natural_order;
use crate::data::tree::{FileTree, TreeImages};

/// Opens the images of an archive, in natural order of path.
pub fn open(archive: Arc<FileTree>) -> Result<Dataset, DataError> {
    let mut names: Vec<String> = Vec::new();
    for name in archive.archived_files() {
        let is_hidden = name.split('/').any(|part| part.starts_with('.'));
        if has_image_extension(name) && !is_hidden {
            names.push(name.to_owned());
        }
    }
    if names.is_empty() {
        return Err(DataError::Empty {
            path: archive.place().to_owned(),
            looked_for: looked_for(),
        });
    }
    names.sort_by(|a, b| natural_order(a, b));

    let place = archive.place().to_owned();
    let classes = Classes::from_folders(names.iter().map(String::as_str));
    let images = TreeImages {
        tree: archive,
        names,
    };
    Ok(Dataset::new("tar archive", place, classes, images))
}

#[cfg(test)]
mod tests;
