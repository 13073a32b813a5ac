//! Stanford Cars: photographs in `car_ims/`, and `cars_annos.mat` with the path, the class and the
//! part of each, and the names of the 196 classes.

use std::sync::Arc;

use super::check::{check_images, check_labels};
use super::matlab::Annotations;
use super::parts::{TRAIN, chosen};
use crate::data::classes::Classes;
use crate::data::dataset::Dataset;
use crate::data::error::DataError;
use crate::data::mat::MatValue;
use crate::data::tree::{FileTree, TreeImages};

const KIND: &str = "Stanford Cars";
const ANNOTATIONS: &str = "cars_annos.mat";
const IMAGES: &str = "car_ims";
const PARTS: [&str; 2] = [TRAIN, "test"];

/// Opens a part of the set whose files lie behind `root`; `None` if there is no such set.
pub fn open(
    tree: &Arc<FileTree>,
    root: &str,
    part: Option<&str>,
) -> Result<Option<Dataset>, DataError> {
    let name = format!("{root}{ANNOTATIONS}");
    if !tree.contains(&name) {
        return Ok(None);
    }
    let part = chosen(tree, KIND, &PARTS, part)?;

    let file = Annotations::read(tree, name)?;
    let names = file.variable("class_names", "cells of texts", texts)?;
    let images = images(&file, root)?;
    let all: Vec<String> = images.iter().map(|image| image.path.clone()).collect();
    check_labels(tree, &format!("{root}{IMAGES}"), &all, file.name())?;

    let mut paths = Vec::new();
    let mut of_images = Vec::new();
    for (number, image) in (1..).zip(images) {
        if image.class == 0 || image.class > names.len() {
            return Err(file.fault(format!(
                "image {number} ({}) has class {}, but `class_names` has 1 to {}",
                image.path,
                image.class,
                names.len()
            )));
        }
        if image.is_test == (part != TRAIN) {
            // The file counts classes from 1.
            of_images.push((image.class - 1) as u32);
            paths.push(image.path);
        }
    }
    if paths.is_empty() {
        return Err(file.fault(format!("part `{part}` has no image")));
    }
    check_images(tree, &paths, file.name())?;

    let classes = Classes { names, of_images };
    let images = TreeImages {
        tree: Arc::clone(tree),
        names: paths,
    };
    let place = format!("{}:{part}", tree.place().display());
    Ok(Some(Dataset::new(KIND, place, classes, images)))
}

/// An image of either part.
struct CarImage {
    path: String,
    /// Counted from 1.
    class: usize,
    is_test: bool,
}

fn images(file: &Annotations, root: &str) -> Result<Vec<CarImage>, DataError> {
    // By the names of the fields: the official loader takes the fifth for the class, which is the
    // lower side of the box.
    let paths = field(file, "relative_im_path", "a text")?;
    let classes = field(file, "class", "a number")?;
    let parts = field(file, "test", "a number")?;

    let mut images = Vec::with_capacity(paths.len());
    for (number, ((path, class), part)) in (1..).zip(paths.into_iter().zip(classes).zip(parts)) {
        let (Some(path), Some(class), Some(part)) = (path.text(), class.count(), part.count())
        else {
            return Err(file.fault(format!(
                "annotation {number} has no path, class or part that can be read"
            )));
        };
        images.push(CarImage {
            path: format!("{root}{path}"),
            class,
            is_test: part != 0,
        });
    }
    Ok(images)
}

/// The field `name` of every annotation.
fn field<'a>(
    file: &'a Annotations,
    name: &str,
    expected: &str,
) -> Result<Vec<&'a MatValue>, DataError> {
    let expected = format!("structs with {expected} `{name}`");
    file.variable("annotations", &expected, |structs| structs.field(name))
}

fn texts(cells: &MatValue) -> Option<Vec<String>> {
    let texts = cells.cells()?.iter().map(MatValue::text);
    texts.map(|text| text.map(str::to_owned)).collect()
}
