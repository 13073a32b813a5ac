//! The layout of DAVIS: sequences of frames in `JPEGImages/480p/` and their masks in
//! `Annotations/480p/`. All objects of a frame are one class, in front of the background.

use super::images::{MaskedFile, MaskedFiles};
use super::numbers::MaskNumbers;
use crate::data::davis_lists::{no_list, sequences_in};
use crate::data::error::DataError;
use crate::data::tree::FileTree;

const FRAMES: &str = "JPEGImages/480p";
const MASKS: &str = "Annotations/480p";

/// Which frames of each sequence are taken.
#[derive(Clone, Copy, PartialEq)]
enum Frames {
    All,
    First,
    Later,
}

pub fn find(tree: &FileTree, split: Option<&str>) -> Result<Option<MaskedFiles>, DataError> {
    let Some(root) = tree.root_of(MASKS) else {
        return Ok(None);
    };
    let folder = format!("{root}{FRAMES}");
    if !tree.has_folder(&folder) {
        return Ok(None);
    }
    let (frames, listed) = match split {
        None => (Frames::All, None),
        Some("first") => (Frames::First, None),
        Some("later") => (Frames::Later, None),
        Some(split) => {
            let named = sequences_in(tree, &root, split)?;
            let named = named.ok_or_else(|| no_list(tree, &root, split, &["first", "later"]))?;
            (Frames::All, Some(named))
        }
    };

    let mut files = Vec::new();
    for sequence in tree.folders_in(&folder)? {
        if listed
            .as_ref()
            .is_some_and(|names| !names.contains(&sequence))
        {
            continue;
        }
        let masks = format!("{root}{MASKS}/{sequence}");
        let all = MaskedFile::in_folder(tree, &format!("{folder}/{sequence}"), &masks, false)?;
        for (number, file) in all.into_iter().enumerate() {
            if frames == Frames::All || (number == 0) == (frames == Frames::First) {
                files.push(file);
            }
        }
    }
    Ok(Some(MaskedFiles {
        kind: "DAVIS",
        folder,
        files,
        classes: ["background", "object"].map(str::to_owned).to_vec(),
        numbers: MaskNumbers::Object,
    }))
}
