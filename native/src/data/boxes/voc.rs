//! The layout of Pascal VOC: `JPEGImages/`, `Annotations/*.xml` and lists of a split's images in
//! `ImageSets/Main/`.

use std::collections::BTreeMap;
use std::sync::Arc;

use ibot_core::annotation::voc::VocImage;

use super::objects::{BoxedImage, ObjectBox, ObjectBoxes};
use super::source::BoxedFiles;
use crate::data::dataset::Dataset;
use crate::data::error::DataError;
use crate::data::tree::{FileTree, TreeImages};

const IMAGES: &str = "JPEGImages";
const ANNOTATIONS: &str = "Annotations";
const LISTS: &str = "ImageSets/Main";
/// The split that is taken if none is asked for, where it exists.
const USUAL: &str = "trainval";

/// Opens a split of `tree`; `None` if it is not in this layout.
pub fn open_layout(
    tree: &Arc<FileTree>,
    split: Option<&str>,
    spec: &str,
) -> Result<Option<Dataset>, DataError> {
    let Some(root) = tree.root_of(ANNOTATIONS) else {
        return Ok(None);
    };
    if !tree.has_folder(&format!("{root}{IMAGES}")) {
        return Ok(None);
    }

    let list = format!("{root}{LISTS}/{}.txt", split.unwrap_or(USUAL));
    let (names, at) = if tree.contains(&list) {
        (listed(tree, &list)?, list)
    } else if split.is_none() {
        let folder = format!("{root}{ANNOTATIONS}");
        let mut names = tree.files_in(&folder)?;
        names.retain(|name| name.ends_with(".xml"));
        for name in &mut names {
            name.truncate(name.len() - ".xml".len());
        }
        (names, folder)
    } else {
        let path = tree.path_of(&list);
        let problem = "there is no such split; the names of its images would stand there";
        return Err(DataError::layout(&path, problem));
    };

    let mut source = BoxedFiles {
        files: TreeImages {
            tree: Arc::clone(tree),
            names: Vec::new(),
        },
        objects: ObjectBoxes::default(),
        pixel_classes: Vec::new(),
    };
    let mut images = Vec::new();
    for name in names {
        match read(
            tree,
            &format!("{root}{ANNOTATIONS}/{name}.xml"),
            &mut source,
        ) {
            Ok(image) => images.push((image_file(tree, &root, &name), image)),
            Err(error) => source
                .objects
                .problems
                .push(format!("{error}; its image is left out")),
        }
    }
    add(&mut source, images);

    let spec = match split {
        Some(_) => spec.to_owned(),
        None if at.ends_with(".txt") => format!("{spec}:{USUAL}"),
        None => spec.to_owned(),
    };
    source
        .into_dataset("VOC", &spec, tree.path_of(&at))
        .map(Some)
}

/// The images that a list names: the first word of each line.
fn listed(tree: &FileTree, list: &str) -> Result<Vec<String>, DataError> {
    let bytes = tree.annotation(list)?;
    let text = String::from_utf8_lossy(&bytes);
    let words = text
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    Ok(words.map(str::to_owned).collect())
}

/// What an XML file says; what is wrong with single objects is noted in `source`.
fn read(tree: &FileTree, xml: &str, source: &mut BoxedFiles) -> Result<VocImage, DataError> {
    let bytes = tree.annotation(xml)?;
    let path = tree.path_of(xml);
    let image = VocImage::read(&String::from_utf8_lossy(&bytes));
    let mut image = image.map_err(|error| DataError::layout(&path, error.to_string()))?;
    for (number, problem) in image.problems.drain(..) {
        source.objects.problems.push(format!(
            "{}: object {number} is left out: {problem}",
            path.display()
        ));
    }
    Ok(image)
}

/// The file of an image, as its split names it.
fn image_file(tree: &FileTree, root: &str, name: &str) -> String {
    let file = |ending: &str| format!("{root}{IMAGES}/{name}.{ending}");
    let others = ["jpeg", "png"].map(file);
    let found = others.into_iter().find(|other| tree.contains(other));
    match found {
        Some(other) if !tree.contains(&file("jpg")) => other,
        _ => file("jpg"),
    }
}

/// Adds images with their objects, whose classes are in the order of their names.
fn add(source: &mut BoxedFiles, images: Vec<(String, VocImage)>) {
    let mut numbers = BTreeMap::new();
    for (_, image) in &images {
        for object in &image.objects {
            numbers.insert(object.class.clone(), 0);
        }
    }
    for (number, place) in numbers.values_mut().enumerate() {
        *place = number;
    }

    for (file, image) in images {
        let mut objects = Vec::with_capacity(image.objects.len());
        for object in image.objects {
            objects.push(ObjectBox {
                bounds: object.bounds,
                class: numbers[&object.class],
                crowd: false,
                difficult: object.difficult,
                truncated: object.truncated,
                region: None,
            });
        }
        let size = image.size;
        source.add(file, BoxedImage { size, objects });
    }
    source.objects.classes = numbers.into_keys().collect();
}
