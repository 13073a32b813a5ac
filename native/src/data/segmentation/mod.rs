//! Images whose pixels have labels: the layouts of ADE20K, PASCAL VOC and DAVIS, and a folder of
//! images beside one of masks.

mod ade20k;
mod davis;
mod images;
mod numbers;
mod pairs;
mod voc;

use std::path::Path;

use super::dataset::Dataset;
use super::error::DataError;
use super::tree::FileTree;

/// Opens a set of one of the layouts; `None` if `spec` is something else.
pub fn open(spec: &str) -> Result<Option<Dataset>, DataError> {
    let (path, split) = match spec.rsplit_once(':') {
        Some((path, split)) if !Path::new(spec).exists() => (path, Some(split)),
        _ => (spec, None),
    };
    if path == "builtin" {
        return Ok(None);
    }
    let Some(tree) = FileTree::open(Path::new(path))? else {
        return Ok(None);
    };

    let found = ade20k::find(&tree, split)?
        .or(voc::find(&tree, split)?)
        .or(davis::find(&tree, split)?)
        .or(pairs::find(&tree, split)?);
    found.map(|found| found.open(tree, spec)).transpose()
}

#[cfg(test)]
mod tests;
