//! The layout of Copydays: original photographs, and folders of altered copies of them.

use std::path::Path;
use std::sync::Arc;

use super::annotated::AnnotatedFiles;
use crate::data::classes::Classes;
use crate::data::dataset::Dataset;
use crate::data::error::DataError;
use crate::data::tree::{FileTree, TreeImages};

const ORIGINAL: &str = "original";
const STRONG: &str = "strong";
/// Folders with a folder for each degree of a change.
const DEGREES: [&str; 2] = ["jpegqual", "crops"];
/// Characters of a file's name that a strong copy shares with its original.
const SHARED: usize = 4;

/// Which images are copies of which.
#[derive(Debug, Default, PartialEq)]
pub struct CopyBlocks {
    /// The first images are the originals: so many.
    pub originals: usize,
    pub blocks: Vec<CopyBlock>,
}

/// Copies that were made in one way.
#[derive(Debug, PartialEq)]
pub struct CopyBlock {
    /// Such as `strong` or `jpegqual_10`.
    pub name: String,
    pub queries: Vec<CopyQuery>,
}

/// A copy and what it was made of, by index.
#[derive(Debug, PartialEq)]
pub struct CopyQuery {
    pub image: usize,
    pub originals: Vec<usize>,
}

type Copydays = AnnotatedFiles<CopyBlocks>;

/// Opens the folder or archive `root`; `None` if it has no originals, or no copies.
pub fn open(root: &Path) -> Result<Option<Dataset>, DataError> {
    let Some(tree) = FileTree::open(root)? else {
        return Ok(None);
    };
    let has_copies = [STRONG, DEGREES[0], DEGREES[1]]
        .iter()
        .any(|name| tree.has_folder(name));
    if !tree.has_folder(ORIGINAL) || !has_copies {
        return Ok(None);
    }

    let originals = photographs(&tree, ORIGINAL)?;
    if originals.is_empty() {
        return Err(DataError::Empty {
            path: tree.path_of(ORIGINAL),
            looked_for: "files ending in .jpg".to_owned(),
        });
    }
    let mut source = Copydays {
        files: TreeImages {
            tree: Arc::new(tree),
            names: inside(ORIGINAL, &originals),
        },
        annotation: CopyBlocks {
            originals: originals.len(),
            blocks: Vec::new(),
        },
    };
    let own = (0..originals.len()).map(|image| CopyQuery {
        image,
        originals: vec![image],
    });
    source.annotation.blocks.push(CopyBlock {
        name: ORIGINAL.to_owned(),
        queries: own.collect(),
    });

    let tree = source.files.tree.clone();
    if tree.has_folder(STRONG) {
        source.add_strong(&originals)?;
    }
    for kind in DEGREES {
        for degree in tree.folders_in(kind)? {
            source.add_degree(&format!("{kind}/{degree}"))?;
        }
    }
    Ok(Some(Dataset::new(
        "copydays",
        root,
        Classes::default(),
        source,
    )))
}

impl Copydays {
    /// Strong copies, whose names begin as those of their originals.
    fn add_strong(&mut self, originals: &[String]) -> Result<(), DataError> {
        let tree = self.files.tree.clone();
        let names = photographs(&tree, STRONG)?;
        let first = self.files.names.len();
        let mut queries = Vec::new();
        for (place, name) in names.iter().enumerate() {
            let beginning = name.get(..SHARED);
            let same = |original: &String| beginning.is_some_and(|text| original.starts_with(text));
            let found: Vec<usize> = (0..originals.len())
                .filter(|index| same(&originals[*index]))
                .collect();
            if found.is_empty() {
                let problem = format!(
                    "no image of {ORIGINAL}/ begins with the same {SHARED} characters, so that this is a copy of nothing"
                );
                return Err(DataError::layout(&tree.path_of(STRONG).join(name), problem));
            }
            queries.push(CopyQuery {
                image: first + place,
                originals: found,
            });
        }
        self.files.names.extend(inside(STRONG, &names));
        self.annotation.blocks.push(CopyBlock {
            name: STRONG.to_owned(),
            queries,
        });
        Ok(())
    }

    /// Copies of all originals, in the same order.
    fn add_degree(&mut self, folder: &str) -> Result<(), DataError> {
        let tree = self.files.tree.clone();
        let names = photographs(&tree, folder)?;
        let originals = self.annotation.originals;
        if names.len() != originals {
            let problem = format!(
                "{} images ending in .jpg, but {ORIGINAL}/ has {originals}: each has one copy here",
                names.len()
            );
            return Err(DataError::layout(&tree.path_of(folder), problem));
        }

        let first = self.files.names.len();
        let queries = (0..originals).map(|original| CopyQuery {
            image: first + original,
            originals: vec![original],
        });
        self.annotation.blocks.push(CopyBlock {
            name: folder.replace('/', "_"),
            queries: queries.collect(),
        });
        self.files.names.extend(inside(folder, &names));
        Ok(())
    }
}

fn inside(folder: &str, names: &[String]) -> Vec<String> {
    let paths = names.iter().map(|name| format!("{folder}/{name}"));
    paths.collect()
}

/// The names of the photographs in `folder`, in the order of text.
fn photographs(tree: &FileTree, folder: &str) -> Result<Vec<String>, DataError> {
    let mut names = tree.files_in(folder)?;
    names.retain(|name| name.ends_with(".jpg"));
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::tree;

    #[test]
    fn copies_belong_to_originals_by_order_and_by_name() {
        let folder = tree(&[
            "original/200000.jpg",
            "original/200100.jpg",
            "original/notes.txt",
            "strong/200101.jpg",
            "crops/80/200000.jpg",
            "crops/80/200100.jpg",
            "crops/9/200000.jpg",
            "crops/9/200100.jpg",
        ]);
        let data = open(folder.path()).expect("sound").expect("the layout");
        assert_eq!(data.len(), 7);
        let blocks: &CopyBlocks = data.annotation().expect("blocks");
        let names: Vec<&str> = blocks.blocks.iter().map(|b| b.name.as_str()).collect();
        assert_eq!(names, ["original", "strong", "crops_9", "crops_80"]);
        let strong = CopyQuery {
            image: 2,
            originals: vec![1],
        };
        assert_eq!(blocks.blocks[1].queries, [strong]);
        assert_eq!(blocks.blocks[3].queries[1].image, 6);
        assert_eq!(blocks.blocks[3].queries[1].originals, [1]);
    }

    #[test]
    fn copies_of_nothing_are_named() {
        let folder = tree(&["original/200000.jpg", "strong/300000.jpg"]);
        let message = open(folder.path()).expect_err("of nothing").to_string();
        assert!(message.contains("300000.jpg"), "{message}");
        let folder = tree(&["original/1.jpg", "crops/10/1.jpg", "crops/10/2.jpg"]);
        let message = open(folder.path()).expect_err("too many").to_string();
        assert!(message.contains("has 1: each"), "{message}");
        let folder = tree(&["original/1.png", "strong/1.jpg"]);
        assert!(open(folder.path()).is_err());
        let folder = tree(&["original/1.jpg", "a/1.jpg"]);
        assert!(open(folder.path()).expect("a folder").is_none());
    }
}
