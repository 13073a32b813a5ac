//! iNaturalist of 2018 and 2019: photographs, `train2018.json` and `val2018.json`, and
//! `categories.json` with the names of species and of the ranks above.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::check::check_images;
use super::inaturalist_json::{Category, Listing, NumberedClasses};
use super::parts::{TRAIN, chosen};
use crate::data::classes::Classes;
use crate::data::dataset::Dataset;
use crate::data::error::DataError;
use crate::data::tree::{FileTree, TreeImages};

const KIND: &str = "iNaturalist";
const CATEGORIES: &str = "categories.json";
const VAL: &str = "val";
/// The years whose files have this form.
const YEARS: [&str; 3] = ["2017", "2018", "2019"];
/// The field of categories that makes a class.
const SPECIES: &str = "name";

/// Opens a part of the set whose files lie behind `root`; `None` if there is no such set. After a
/// `/` in `part` follows the field of categories whose values are the classes, such as `family`.
pub fn open(
    tree: &Arc<FileTree>,
    root: &str,
    part: Option<&str>,
) -> Result<Option<Dataset>, DataError> {
    let mut years = YEARS.to_vec();
    years.retain(|year| tree.contains(&format!("{root}{TRAIN}{year}.json")));
    if years.is_empty() {
        return Ok(None);
    }
    let asked = AskedPart::of(tree, &years, part)?;

    let train_file = format!("{root}{TRAIN}{}.json", asked.year);
    let train: Listing = read_json(tree, &train_file)?;
    let listed = format!("{root}{CATEGORIES}");
    let own: Option<Vec<Category>> = match tree.contains(&listed) {
        true => Some(read_json(tree, &listed)?),
        false => None,
    };
    let categories = own.as_ref().unwrap_or(&train.categories);
    let classes = NumberedClasses::new(&train.annotations, categories, asked.field)
        .map_err(|problem| DataError::layout(&tree.path_of(&train_file), problem))?;

    let (listing, file) = if asked.name.starts_with(TRAIN) {
        (train, train_file)
    } else {
        let file = format!("{root}{VAL}{}.json", asked.year);
        (read_json(tree, &file)?, file)
    };

    let at_fault = |problem| DataError::layout(&tree.path_of(&file), problem);
    let of_images = classes.of_images(&listing).map_err(at_fault)?;
    let names = paths(tree, root, &listing);
    if names.is_empty() {
        return Err(at_fault("it lists no image".to_owned()));
    }
    check_images(tree, &names, &file)?;

    let place = match asked.field {
        SPECIES => format!("{}:{}", tree.place().display(), asked.name),
        rank => format!("{}:{}/{rank}", tree.place().display(), asked.name),
    };
    let classes = Classes {
        names: classes.names,
        of_images,
    };
    let images = TreeImages {
        tree: Arc::clone(tree),
        names,
    };
    Ok(Some(Dataset::new(KIND, place, classes, images)))
}

/// What stands behind the colon.
struct AskedPart<'a> {
    /// Such as `val` or `val2018`.
    name: String,
    year: &'static str,
    /// The field of categories that makes a class.
    field: &'a str,
}

impl<'a> AskedPart<'a> {
    fn of(
        tree: &FileTree,
        years: &[&'static str],
        part: Option<&'a str>,
    ) -> Result<Self, DataError> {
        let (name, field) = match part.and_then(|part| part.split_once('/')) {
            Some((name, field)) => (Some(name), field),
            None => (part, SPECIES),
        };

        let mut names: Vec<String> = Vec::new();
        if years.len() == 1 {
            names.extend([TRAIN, VAL].map(str::to_owned));
        }
        for year in years {
            names.extend([TRAIN, VAL].map(|part| format!("{part}{year}")));
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let name = chosen(tree, KIND, &names, name)?.to_owned();

        let mut year = years.first().copied().unwrap_or_default();
        for other in years {
            if name.ends_with(other) {
                year = other;
            }
        }
        Ok(Self { name, year, field })
    }
}

/// The paths of the images: as the file has them, or without their second folder, the kingdom or
/// class of the species, if the first lies so.
fn paths(tree: &FileTree, root: &str, listing: &Listing) -> Vec<String> {
    let is_there = |path: &str| tree.contains(&format!("{root}{path}"));
    let first = listing.images.first().map(|image| image.file_name.as_str());
    let is_short =
        first.is_some_and(|first| !is_there(first) && is_there(&without_second_folder(first)));

    let mut paths = Vec::with_capacity(listing.images.len());
    for image in &listing.images {
        let path = match is_short {
            true => without_second_folder(&image.file_name),
            false => image.file_name.clone(),
        };
        paths.push(format!("{root}{path}"));
    }
    paths
}

fn without_second_folder(path: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    if parts.len() > 2 {
        parts.remove(1);
    }
    parts.join("/")
}

fn read_json<T: DeserializeOwned>(tree: &FileTree, file: &str) -> Result<T, DataError> {
    let bytes = tree.annotation(file)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let problem = format!("it is no JSON of {KIND}: {error}; download it again");
        DataError::layout(&tree.path_of(file), problem)
    })
}
