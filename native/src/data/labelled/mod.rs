//! Sets as they are published, whose classes stand in files of their own: CIFAR, Flowers-102,
//! Stanford Cars and iNaturalist.

mod cars;
mod check;
mod cifar;
mod cifar_batch;
mod flowers;
mod inaturalist;
mod inaturalist_json;
mod matlab;
mod parts;

use std::sync::Arc;

use super::dataset::Dataset;
use super::error::DataError;
use super::tree::FileTree;

/// What the layouts are called, for messages.
pub const LAYOUTS: &str = "CIFAR, Flowers-102, Stanford Cars or iNaturalist";

/// Opens `part` of a set in one of the layouts, by default the images to train on; `None` if the tree
/// is something else.
///
/// # Errors
/// If there is no such part, images or labels are missing, or a file is damaged.
pub fn open(tree: &Arc<FileTree>, part: Option<&str>) -> Result<Option<Dataset>, DataError> {
    for root in tree.roots()? {
        for open in [cifar::open, flowers::open, cars::open, inaturalist::open] {
            if let Some(data) = open(tree, &root, part)? {
                return Ok(Some(data));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
