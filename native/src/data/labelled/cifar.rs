//! CIFAR-10 and CIFAR-100, in python and in binary form, as a folder or as the archive that is
//! downloaded. All images are kept in memory, 3 KiB each.

use std::borrow::Cow;
use std::sync::Arc;

use ibot_core::image::RgbImage;

use super::cifar_batch::{CifarBatch, names_of_pickle, names_of_text};
use super::parts::{TRAIN, chosen};
use crate::data::classes::Classes;
use crate::data::dataset::{Dataset, FileStamp, ImageSource};
use crate::data::error::{DataError, LoadCause};
use crate::data::tree::FileTree;

const PARTS: [&str; 2] = [TRAIN, "test"];

/// One of the four forms.
struct Form {
    kind: &'static str,
    /// The file with the names of the classes.
    names: &'static str,
    train: &'static [&'static str],
    test: &'static str,
    coding: Coding,
}

/// How the files of a form are written.
enum Coding {
    /// Pickles of dictionaries.
    Python {
        /// The key of the labels in a batch.
        labels: &'static str,
        /// The key of the names of classes.
        names: &'static str,
    },
    /// Bytes, and names in a text file.
    Binary {
        /// How many labels an image has; the last counts.
        labels: usize,
    },
}

const FORMS: [Form; 4] = [
    Form {
        kind: "CIFAR-10 (python)",
        names: "batches.meta",
        train: &[
            "data_batch_1",
            "data_batch_2",
            "data_batch_3",
            "data_batch_4",
            "data_batch_5",
        ],
        test: "test_batch",
        coding: Coding::Python {
            labels: "labels",
            names: "label_names",
        },
    },
    Form {
        kind: "CIFAR-10 (binary)",
        names: "batches.meta.txt",
        train: &[
            "data_batch_1.bin",
            "data_batch_2.bin",
            "data_batch_3.bin",
            "data_batch_4.bin",
            "data_batch_5.bin",
        ],
        test: "test_batch.bin",
        coding: Coding::Binary { labels: 1 },
    },
    Form {
        kind: "CIFAR-100 (python)",
        names: "meta",
        train: &["train"],
        test: "test",
        coding: Coding::Python {
            labels: "fine_labels",
            names: "fine_label_names",
        },
    },
    Form {
        kind: "CIFAR-100 (binary)",
        names: "fine_label_names.txt",
        train: &["train.bin"],
        test: "test.bin",
        // The coarse label stands before the fine one.
        coding: Coding::Binary { labels: 2 },
    },
];

/// Opens a part of the set whose files lie behind `root`; `None` if there is no such set.
pub fn open(
    tree: &Arc<FileTree>,
    root: &str,
    part: Option<&str>,
) -> Result<Option<Dataset>, DataError> {
    let Some(form) = FORMS.iter().find(|form| form.is_in(tree, root)) else {
        return Ok(None);
    };
    let part = chosen(tree, form.kind, &PARTS, part)?;
    let files = match part {
        TRAIN => form.train,
        _ => &[form.test],
    };

    let names = form.class_names(tree, &format!("{root}{}", form.names))?;
    let mut images = CifarImages::default();
    let mut of_images = Vec::new();
    for file in files {
        let path = format!("{root}{file}");
        let batch = form.batch(tree, &path)?;
        let unknown = batch
            .labels
            .iter()
            .find(|&&label| label as usize >= names.len());
        if let Some(label) = unknown {
            let problem = format!(
                "label {label} is no class: {} names {}, counted from 0",
                form.names,
                names.len()
            );
            return Err(DataError::layout(&tree.path_of(&path), problem));
        }

        of_images.extend_from_slice(&batch.labels);
        images.add(NamedBatch {
            file: (*file).to_owned(),
            stamp: tree.stamp(&path),
            batch,
        });
    }
    if of_images.is_empty() {
        return Err(DataError::Empty {
            path: tree.place().to_owned(),
            looked_for: format!("images of {}, part `{part}`", form.kind),
        });
    }

    let classes = Classes { names, of_images };
    let place = format!("{}:{part}", tree.place().display());
    Ok(Some(Dataset::new(form.kind, place, classes, images)))
}

impl Form {
    fn is_in(&self, tree: &FileTree, root: &str) -> bool {
        let is_there = |file: &str| tree.contains(&format!("{root}{file}"));
        let has_batch = is_there(self.test) || self.train.iter().any(|file| is_there(file));
        is_there(self.names) && has_batch
    }

    fn class_names(&self, tree: &FileTree, path: &str) -> Result<Vec<String>, DataError> {
        let bytes = tree.annotation(path)?;
        let names = match &self.coding {
            Coding::Python { names, .. } => names_of_pickle(&bytes, names),
            Coding::Binary { .. } => Ok(names_of_text(&bytes)),
        };
        names.map_err(|problem| DataError::layout(&tree.path_of(path), problem))
    }

    fn batch(&self, tree: &FileTree, path: &str) -> Result<CifarBatch, DataError> {
        if !tree.contains(path) {
            let problem = format!("this file of {} is missing; unpack all of them", self.kind);
            return Err(DataError::layout(&tree.path_of(path), problem));
        }
        let bytes = tree.annotation(path)?;
        let batch = match &self.coding {
            Coding::Python { labels, .. } => CifarBatch::from_pickle(&bytes, labels),
            Coding::Binary { labels } => CifarBatch::from_binary(bytes, *labels),
        };
        batch.map_err(|problem| DataError::layout(&tree.path_of(path), problem))
    }
}

struct NamedBatch {
    file: String,
    stamp: Option<FileStamp>,
    batch: CifarBatch,
}

#[derive(Default)]
struct CifarImages {
    batches: Vec<NamedBatch>,
    /// The batch of each image, and its place there.
    places: Vec<(usize, usize)>,
}

impl CifarImages {
    fn add(&mut self, batch: NamedBatch) {
        for place in 0..batch.batch.labels.len() {
            self.places.push((self.batches.len(), place));
        }
        self.batches.push(batch);
    }
}

impl ImageSource for CifarImages {
    fn len(&self) -> usize {
        self.places.len()
    }

    fn name(&self, index: usize) -> Cow<'_, str> {
        let (batch, place) = self.places[index];
        Cow::Owned(format!("{}#{place}", self.batches[batch].file))
    }

    fn load(&self, index: usize) -> Result<RgbImage, LoadCause> {
        let (batch, place) = self.places[index];
        Ok(self.batches[batch].batch.image(place))
    }

    fn stamp(&self, index: usize) -> Option<FileStamp> {
        let (batch, _) = self.places[index];
        self.batches[batch].stamp
    }
}
