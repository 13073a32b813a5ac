//! The layout of DAVIS: frames of videos in `JPEGImages/`, masks of the same names in
//! `Annotations/`.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ibot_core::annotation::labels::LabelMap;

use super::annotated::AnnotatedFiles;
use crate::data::classes::Classes;
use crate::data::dataset::Dataset;
use crate::data::davis_lists::{no_list, sequences_in};
use crate::data::error::DataError;
use crate::data::file_names::has_image_extension;
use crate::data::masks::decode_mask;
use crate::data::tree::{FileTree, TreeImages};

const FRAMES: &str = "JPEGImages";
const MASKS: &str = "Annotations";
/// Folders of both with a size of frames each.
const SIZES: [&str; 2] = ["480p", "Full-Resolution"];
/// The list that is taken if there is one and none was asked for.
const USUAL: &str = "val";

/// The videos of a data set.
pub struct Videos {
    tree: Arc<FileTree>,
    pub sequences: Vec<VideoSequence>,
}

/// A video.
pub struct VideoSequence {
    pub name: String,
    /// Its images in the data set, in order.
    pub frames: Range<usize>,
    /// Path of the mask of each frame, whether or not there is such a file.
    masks: Vec<String>,
}

impl VideoSequence {
    /// The name of a frame without its ending, counted from 0; empty beyond the last.
    pub fn frame_stem(&self, frame: usize) -> &str {
        let mask = self.masks.get(frame).map_or("", String::as_str);
        stem(mask.rsplit('/').next().unwrap_or(mask))
    }
}

impl Videos {
    /// Where the mask of a frame is, or would be.
    pub fn mask_path(&self, sequence: &VideoSequence, frame: usize) -> PathBuf {
        let mask = sequence.masks.get(frame).map_or("", String::as_str);
        self.tree.path_of(mask)
    }

    /// The mask of a frame of a sequence, counted from 0; `None` if there is none.
    pub fn mask(
        &self,
        sequence: &VideoSequence,
        frame: usize,
    ) -> Result<Option<LabelMap>, DataError> {
        let Some(name) = sequence.masks.get(frame) else {
            return Ok(None);
        };
        if !self.tree.contains(name) {
            return Ok(None);
        }
        let mask = decode_mask(&self.tree.annotation(name)?);
        let at_fault = |error| DataError::layout(&self.tree.path_of(name), format!("{error}"));
        Ok(Some(mask.map_err(at_fault)?))
    }
}

/// Opens the folder or archive `root`, of which the list `split` names the sequences; without it
/// the usual list if there is one, or else all. `None` if there are no folders of frames and masks.
pub fn open(root: &Path, split: Option<&str>) -> Result<Option<Dataset>, DataError> {
    let Some(tree) = FileTree::open(root)? else {
        return Ok(None);
    };
    let Some(top) = tree.root_of(FRAMES) else {
        return Ok(None);
    };
    if !tree.has_folder(&format!("{top}{MASKS}")) {
        return Ok(None);
    }
    let has_size = |size: &&&str| tree.has_folder(&format!("{top}{FRAMES}/{size}"));
    let size = SIZES.iter().find(has_size);
    let size = size.map_or(String::new(), |size| format!("/{size}"));
    let frames = format!("{top}{FRAMES}{size}");
    let folders = tree.folders_in(&frames)?;
    if folders.is_empty() {
        return Ok(None);
    }

    let listed = sequences_in(&tree, &top, split.unwrap_or(USUAL))?;
    if let (None, Some(split)) = (&listed, split) {
        return Err(no_list(&tree, &top, split, &[]));
    }
    let mut names = Vec::new();
    let mut sequences = Vec::new();
    for name in listed.unwrap_or(folders) {
        let start = names.len();
        let mut masks = Vec::new();
        for file in tree.files_in(&format!("{frames}/{name}"))? {
            if has_image_extension(&file) {
                masks.push(format!("{top}{MASKS}{size}/{name}/{}.png", stem(&file)));
                names.push(format!("{frames}/{name}/{file}"));
            }
        }
        sequences.push(VideoSequence {
            name,
            frames: start..names.len(),
            masks,
        });
    }
    if names.is_empty() {
        return Err(DataError::Empty {
            path: tree.path_of(&frames),
            looked_for: "a folder of frames for each sequence".to_owned(),
        });
    }

    let tree = Arc::new(tree);
    let source = AnnotatedFiles {
        annotation: Videos {
            tree: Arc::clone(&tree),
            sequences,
        },
        files: TreeImages { tree, names },
    };
    Ok(Some(Dataset::new(
        "videos",
        root,
        Classes::default(),
        source,
    )))
}

fn stem(file: &str) -> &str {
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::masks::encode_mask;
    use crate::data::testing::{names, tree, write};

    fn videos(root: &Path, split: Option<&str>) -> Dataset {
        open(root, split).expect("sound").expect("the layout")
    }

    fn sequences(data: &Dataset) -> Vec<(&str, Range<usize>)> {
        let videos: &Videos = data.annotation().expect("videos");
        let sequences = videos.sequences.iter();
        sequences
            .map(|sequence| (sequence.name.as_str(), sequence.frames.clone()))
            .collect()
    }

    #[test]
    fn lists_of_every_year_name_the_sequences() {
        let folder = tree(&[
            "D/JPEGImages/480p/dog/00001.png",
            "D/JPEGImages/480p/dog/00000.png",
            "D/JPEGImages/480p/camel/00000.png",
            "D/JPEGImages/480p/camel/notes.md",
            "D/Annotations/480p/dog/00000.png",
        ]);
        let root = folder.path();
        let all = videos(root, None);
        assert_eq!(sequences(&all), [("camel", 0..1), ("dog", 1..3)]);

        let lists = root.join("D/ImageSets");
        write(
            lists.join("480p/val.txt"),
            "/JPEGImages/480p/dog/00000.jpg /Annotations/480p/dog/00000.png\n/JPEGImages/480p/dog/00001.jpg /Annotations/480p/dog/00001.png\n",
        );
        let data = videos(root, None);
        assert_eq!(sequences(&data), [("dog", 0..2)]);
        assert_eq!(names(&data)[0], "D/JPEGImages/480p/dog/00000.png");

        write(lists.join("2017/val.txt"), "dog\ngone\n\ncamel\r\n");
        let data = videos(root, None);
        let expected = [("dog", 0..2), ("gone", 2..2), ("camel", 2..3)];
        assert_eq!(sequences(&data), expected);

        let error = open(root, Some("test-dev")).expect_err("no such list");
        let message = error.to_string();
        assert!(message.contains("test-dev.txt"), "{message}");
        assert!(message.contains("there are val"), "{message}");
        write(lists.join("2017/test-dev.txt"), "\n");
        assert!(open(root, Some("test-dev")).is_err());
    }

    #[test]
    fn masks_belong_to_frames_and_may_be_missing() {
        let folder = tree(&["JPEGImages/a/1.png", "JPEGImages/a/2.png"]);
        let root = folder.path();
        assert!(open(root, None).expect("a folder").is_none());

        let mask = LabelMap::from_fn(2, 3, |pixel| pixel);
        let bytes = encode_mask(&mask).expect("a mask");
        write(root.join("Annotations/a/1.png"), bytes);
        let data = videos(root, None);
        let videos: &Videos = data.annotation().expect("videos");
        let sequence = &videos.sequences[0];
        let read = |frame| videos.mask(sequence, frame);
        assert_eq!(read(0).expect("a mask"), Some(mask));
        assert_eq!(read(1).expect("none"), None);
        assert_eq!(read(9).expect("none"), None);
        assert_eq!(sequence.frame_stem(1), "2");

        write(root.join("Annotations/a/2.png"), "no picture");
        let message = read(1).expect_err("damaged").to_string();
        assert!(message.contains("Annotations/a/2.png"), "{message}");
    }

    #[test]
    fn other_layouts_with_the_same_folders_are_no_videos() {
        let folder = tree(&["JPEGImages/1.png", "Annotations/1.png"]);
        assert!(open(folder.path(), None).expect("a folder").is_none());
    }
}
