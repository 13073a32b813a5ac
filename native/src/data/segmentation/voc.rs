//! The layout of PASCAL VOC: `JPEGImages/`, `SegmentationClass/` and lists of images in
//! `ImageSets/Segmentation/`.

use super::images::{MaskedFile, MaskedFiles};
use super::numbers::{BORDER, MaskNumbers};
use crate::data::error::DataError;
use crate::data::tree::FileTree;

const CLASSES: [&str; 21] = [
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
];
const MASKS: &str = "SegmentationClass";
/// Where the masks of the larger set, `trainaug`, lie by custom.
const MORE_MASKS: &str = "SegmentationClassAug";

pub fn find(tree: &FileTree, split: Option<&str>) -> Result<Option<MaskedFiles>, DataError> {
    let Some(root) = root(tree)? else {
        return Ok(None);
    };
    let split = split.unwrap_or("train");
    let lists = format!("{root}ImageSets/Segmentation");
    let list = format!("{lists}/{split}.txt");
    if !tree.contains(&list) {
        let known = tree.files_in(&lists)?.join(", ");
        let problem = format!("there is no such list of images; there are: {known}");
        return Err(DataError::layout(&tree.path_of(&list), problem));
    }

    let more = format!("{root}{MORE_MASKS}");
    let masks = match split.contains("aug") && tree.has_folder(&more) {
        true => more,
        false => format!("{root}{MASKS}"),
    };
    let mut files = Vec::new();
    for name in String::from_utf8_lossy(&tree.annotation(&list)?).lines() {
        let name = name.trim();
        if !name.is_empty() {
            files.push(MaskedFile {
                image: format!("{root}JPEGImages/{name}.jpg"),
                mask: format!("{masks}/{name}.png"),
            });
        }
    }
    Ok(Some(MaskedFiles {
        kind: "VOC",
        folder: list,
        files,
        classes: CLASSES.map(str::to_owned).to_vec(),
        numbers: MaskNumbers::counted(0, CLASSES.len(), BORDER),
    }))
}

/// What stands before the names of the layout; the released archive has it in `VOCdevkit/VOC2012/`.
fn root(tree: &FileTree) -> Result<Option<String>, DataError> {
    if let Some(root) = tree.root_of(MASKS) {
        return Ok(Some(root));
    }
    for year in tree.folders_in("VOCdevkit")? {
        let root = format!("VOCdevkit/{year}/");
        if tree.has_folder(&format!("{root}{MASKS}")) {
            return Ok(Some(root));
        }
    }
    Ok(None)
}
