//! The layout of COCO: images in folders, and their objects in `annotations/instances_*.json`.

use std::path::Path;
use std::sync::Arc;

use ibot_core::annotation::coco::{CocoImage, CocoSet};

use super::objects::{BoxedImage, ObjectBox, ObjectBoxes};
use super::source::BoxedFiles;
use crate::data::dataset::Dataset;
use crate::data::error::DataError;
use crate::data::tree::{FileTree, TreeImages};

const ANNOTATIONS: &str = "annotations";
const PREFIX: &str = "instances_";
const ENDING: &str = ".json";
/// The split that is taken of several if none is asked for, by how its name begins.
const USUAL: &str = "val";

/// Opens a split of `tree`; `None` if it is not in this layout.
pub fn open_layout(
    tree: &Arc<FileTree>,
    split: Option<&str>,
    spec: &str,
) -> Result<Option<Dataset>, DataError> {
    let Some(root) = tree.root_of(ANNOTATIONS) else {
        return Ok(None);
    };
    let folder = format!("{root}{ANNOTATIONS}");
    let files = tree.files_in(&folder)?;
    let splits: Vec<&str> = files.iter().filter_map(|file| split_of(file)).collect();
    if splits.is_empty() {
        return Ok(None);
    }

    let Some(chosen) = choose(&splits, split) else {
        let asked = split.map_or(String::new(), |split| format!("there is no `{split}`; "));
        let problem = format!(
            "{asked}put a split after it, such as `:{}`",
            splits.join("` or `:")
        );
        return Err(DataError::layout(tree.place(), problem));
    };
    let json = format!("{folder}/{PREFIX}{chosen}{ENDING}");
    let folders = [
        format!("{root}{chosen}/"),
        format!("{root}images/{chosen}/"),
        format!("{root}images/"),
        root.clone(),
    ];
    let text = tree.annotation(&json)?;
    let spec = match split {
        Some(_) => spec.to_owned(),
        None => format!("{spec}:{chosen}"),
    };
    read(tree, &json, &text, &folders, &spec).map(Some)
}

/// Opens a JSON file with its images beside it, or where the layout has them.
pub fn open_file(json: &Path, spec: &str) -> Result<Option<Dataset>, DataError> {
    let absolute = json.canonicalize().map_err(DataError::read(json))?;
    let name = absolute.file_name().unwrap_or_default().to_string_lossy();
    let (Some(folder), Some(above)) = (absolute.parent(), absolute.parent().and_then(Path::parent))
    else {
        return Ok(None);
    };
    let Some(tree) = FileTree::open(above)? else {
        return Ok(None);
    };
    let own = folder.file_name().unwrap_or_default().to_string_lossy();
    let inside = format!("{own}/{name}");
    let text = tree.annotation(&inside)?;

    let mut folders = vec![format!("{own}/"), format!("{own}/images/"), String::new()];
    if let Some(split) = split_of(&name) {
        folders.insert(0, format!("{split}/"));
        folders.insert(1, format!("images/{split}/"));
    }
    folders.push("images/".to_owned());
    read(&Arc::new(tree), &inside, &text, &folders, spec).map(Some)
}

/// The split of a file such as `instances_val2017.json`.
fn split_of(file: &str) -> Option<&str> {
    file.strip_prefix(PREFIX)?.strip_suffix(ENDING)
}

/// The split that is asked for, by its name or its beginning, or the usual one.
fn choose<'a>(splits: &[&'a str], asked: Option<&str>) -> Option<&'a str> {
    if let ([only], None) = (splits, asked) {
        return Some(only);
    }
    let asked = asked.unwrap_or(USUAL);
    let exact = splits.iter().find(|split| **split == asked);
    let mut near = splits.iter().filter(|split| split.starts_with(asked));
    let first = near.next();
    let alone = first.filter(|_| near.next().is_none());
    exact.or(alone).copied()
}

/// The images that `text`, of the file `json`, lists: they lie in one of `folders`.
fn read(
    tree: &Arc<FileTree>,
    json: &str,
    text: &[u8],
    folders: &[String],
    spec: &str,
) -> Result<Dataset, DataError> {
    let path = tree.path_of(json);
    let set = CocoSet::read(text);
    let set = set.map_err(|error| DataError::layout(&path, error.to_string()))?;
    let has_image = |folder: &&String| {
        let mut images = set.images.iter();
        images.any(|image| tree.contains(&format!("{folder}{}", image.file)))
    };
    let Some(folder) = folders.iter().find(has_image) else {
        let problem = format!(
            "none of its {} images is there; the first, {}, was looked for in {}",
            set.images.len(),
            set.images[0].file,
            shown(tree, folders)
        );
        return Err(DataError::layout(&path, problem));
    };

    let mut problems = Vec::with_capacity(set.problems.len());
    for problem in &set.problems {
        problems.push(format!("{}: {problem}", path.display()));
    }
    let classes: Vec<String> = set.categories.into_iter().map(|kind| kind.name).collect();
    let mut source = BoxedFiles {
        pixel_classes: [&["background".to_owned()], &classes[..]].concat(),
        files: TreeImages {
            tree: Arc::clone(tree),
            names: Vec::new(),
        },
        objects: ObjectBoxes {
            classes,
            images: Vec::new(),
            problems,
        },
    };
    for image in set.images {
        source.add(format!("{folder}{}", image.file), boxed(image));
    }
    source.into_dataset("COCO", spec, path)
}

fn shown(tree: &FileTree, folders: &[String]) -> String {
    let paths = folders.iter().map(|folder| tree.path_of(folder));
    let shown: Vec<String> = paths.map(|path| path.display().to_string()).collect();
    shown.join(", ")
}

fn boxed(image: CocoImage) -> BoxedImage {
    let mut objects = Vec::with_capacity(image.objects.len());
    for object in image.objects {
        objects.push(ObjectBox {
            bounds: object.bounds,
            class: object.category,
            crowd: object.crowd,
            difficult: false,
            truncated: false,
            region: object.region,
        });
    }
    BoxedImage {
        size: Some((image.width, image.height)),
        objects,
    }
}
