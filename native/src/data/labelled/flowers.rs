//! Flowers-102: photographs in `jpg/`, the class of each in `imagelabels.mat`, and which are to
//! train on and to test with in `setid.mat`.

use std::sync::Arc;

use super::check::{check_images, check_labels};
use super::matlab::Annotations;
use super::parts::{TRAIN, chosen};
use crate::data::classes::Classes;
use crate::data::dataset::Dataset;
use crate::data::error::DataError;
use crate::data::mat::MatValue;
use crate::data::tree::{FileTree, TreeImages};

const KIND: &str = "Flowers-102";
const LABELS: &str = "imagelabels.mat";
const SETS: &str = "setid.mat";
/// The parts, the usual ones first: `train` are the first two lists of the file together.
const PARTS: [&str; 5] = [TRAIN, "test", "trnid", "valid", "tstid"];

/// Opens a part of the set whose files lie behind `root`; `None` if there is no such set.
pub fn open(
    tree: &Arc<FileTree>,
    root: &str,
    part: Option<&str>,
) -> Result<Option<Dataset>, DataError> {
    let (labels, sets) = (format!("{root}{LABELS}"), format!("{root}{SETS}"));
    if !tree.contains(&labels) || !tree.contains(&sets) {
        return Ok(None);
    }
    let part = chosen(tree, KIND, &PARTS, part)?;

    let labels = Annotations::read(tree, labels)?;
    let classes = labels.variable("labels", "the numbers of classes", MatValue::counts)?;
    if let Some(image) = classes.iter().position(|&class| class == 0) {
        let problem = format!("image {} has class 0, but classes count from 1", image + 1);
        return Err(labels.fault(problem));
    }

    let count = classes.iter().max().copied().unwrap_or_default();
    if count > classes.len() {
        let problem = format!("there are {} images, but a class {count}", classes.len());
        return Err(labels.fault(problem));
    }

    // Images, too, count from 1.
    let path = |image: usize| format!("{root}jpg/image_{image:05}.jpg");
    let all: Vec<String> = (1..=classes.len()).map(path).collect();
    check_labels(tree, &format!("{root}jpg"), &all, labels.name())?;

    let mut names = Vec::new();
    let mut of_images = Vec::new();
    for image in images_of(tree, sets, part, classes.len())? {
        names.push(all[image - 1].clone());
        of_images.push((classes[image - 1] - 1) as u32);
    }
    check_images(tree, &names, labels.name())?;

    let classes = Classes {
        // Those of all images, of which a part may lack some.
        names: (1..=count).map(|class| class.to_string()).collect(),
        of_images,
    };
    let images = TreeImages {
        tree: Arc::clone(tree),
        names,
    };
    let place = format!("{}:{part}", tree.place().display());
    Ok(Some(Dataset::new(KIND, place, classes, images)))
}

/// The numbers of the images of a part, from 1 to `count`.
fn images_of(
    tree: &FileTree,
    sets: String,
    part: &str,
    count: usize,
) -> Result<Vec<usize>, DataError> {
    let lists: &[&str] = match part {
        TRAIN => &["trnid", "valid"],
        "test" => &["tstid"],
        own => &[own],
    };
    let sets = Annotations::read(tree, sets)?;
    let mut images = Vec::new();
    for list in lists {
        images.extend(sets.variable(list, "the numbers of images", MatValue::counts)?);
    }

    let unlabelled = images.iter().filter(|&&image| image == 0 || image > count);
    if let Some(first) = unlabelled.clone().next() {
        return Err(sets.fault(format!(
            "{} of its images have no label: {LABELS} has those of images 1 to {count}, the first without is {first}",
            unlabelled.count()
        )));
    }
    if images.is_empty() {
        return Err(sets.fault(format!("part `{part}` has no image")));
    }
    Ok(images)
}
