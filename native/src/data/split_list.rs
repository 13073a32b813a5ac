//! The images of a set that a text file lists: a part of ImageNet with few labels, as SimCLR
//! published them.
//!
//! A line is the name of a file, such as `n01440764_10026.JPEG`, or its path in the set. Blank lines
//! and lines that start with `#` are skipped.

use std::collections::HashMap;
use std::path::Path;

use super::dataset::Dataset;
use super::error::DataError;
use super::examples::examples;
use super::text::read_text;

/// Whether what stands behind a colon is the path of a list, and not the name of a part.
pub fn is_list(part: &str) -> bool {
    let ending = Path::new(part).extension().unwrap_or_default();
    ending.eq_ignore_ascii_case("txt") || ending.eq_ignore_ascii_case("lst")
}

/// The images of `data` that `list` names, in the order of `data`. Classes keep their numbers.
///
/// # Errors
/// If the list cannot be read or is empty, or it names images that are not there or not unique.
pub fn select(data: Dataset, list: &Path) -> Result<Dataset, DataError> {
    if !list.exists() {
        return Err(DataError::Missing {
            path: list.to_owned(),
            hint: "; a list behind a colon is looked for in the working directory".to_owned(),
        });
    }
    let text = read_text(list)?;
    let mut wanted: HashMap<&str, ListedName> = HashMap::new();
    for (line, name) in (1..).zip(text.lines()) {
        let name = name.trim();
        if !name.is_empty() && !name.starts_with('#') {
            wanted
                .entry(name)
                .or_insert(ListedName { line, index: None });
        }
    }
    if wanted.is_empty() {
        return Err(DataError::Empty {
            path: list.to_owned(),
            looked_for: "one file name a line, such as n01440764_10026.JPEG".to_owned(),
        });
    }

    let mut indices = Vec::with_capacity(wanted.len());
    for index in 0..data.len() {
        let path = data.name(index);
        let file = path.rsplit(['/', '\\']).next().unwrap_or(&path);
        let mut is_listed = false;
        for name in [&*path, file] {
            let Some(found) = wanted.get_mut(name) else {
                continue;
            };
            if let Some(earlier) = found.index
                && earlier != index
            {
                let problem = format!(
                    "{name} is the name of several images of {}: {} and {path}; write the path of the one that is meant",
                    data.place().display(),
                    data.name(earlier)
                );
                return Err(DataError::list(list, found.line, problem));
            }
            found.index = Some(index);
            is_listed = true;
        }
        if is_listed {
            indices.push(index);
        }
    }

    check_found(&wanted, &data, list)?;
    let place = format!("{}:{}", data.place().display(), list.display());
    Ok(data.selected(indices, place))
}

/// An image that a list names.
struct ListedName {
    /// Counted from 1.
    line: usize,
    /// Its place in the set.
    index: Option<usize>,
}

fn check_found(
    wanted: &HashMap<&str, ListedName>,
    data: &Dataset,
    list: &Path,
) -> Result<(), DataError> {
    let mut missing: Vec<(usize, &str)> = Vec::new();
    for (&name, image) in wanted {
        if image.index.is_none() {
            missing.push((image.line, name));
        }
    }
    missing.sort_unstable();
    let Some(&(line, _)) = missing.first() else {
        return Ok(());
    };

    let names: Vec<&str> = missing.iter().map(|&(_, name)| name).collect();
    let problem = format!(
        "{} of the {} images that the list names are not in {}: {}; add them, or take them out of the list",
        names.len(),
        wanted.len(),
        data.place().display(),
        examples(&names)
    );
    Err(DataError::list(list, line, problem))
}

#[cfg(test)]
mod tests {
    use crate::data::testing::{class_names, gzip, names, open, shades, spec, tar_of, tree, write};

    const FILES: [&str; 5] = [
        "n01/n01_1.JPEG",
        "n01/n01_2.JPEG",
        "n02/n02_1.JPEG",
        "n03/n03_1.JPEG",
        "n03/n03_2.JPEG",
    ];

    #[test]
    fn the_images_of_a_list_keep_the_classes_of_all() {
        let folder = tree(&FILES);
        let elsewhere = tree(&[]);
        let list = elsewhere.path().join("1percent.txt");
        write(
            &list,
            "n03_1.JPEG\n\n# a comment\nn01/n01_2.JPEG\r\nn03_1.JPEG\n",
        );
        let archive = elsewhere.path().join("train.tar.gz");
        write(&archive, gzip(&tar_of(folder.path())));

        for place in [folder.path(), &archive] {
            let named = format!("{}:{}", spec(place), spec(&list));
            let data = open(&named).expect("a good list");
            assert_eq!(names(&data), ["n01/n01_2.JPEG", "n03/n03_1.JPEG"]);
            assert_eq!(shades(&data), [1, 3]);
            assert_eq!(data.classes(), ["n01", "n02", "n03"]);
            assert_eq!(class_names(&data), [Some("n01"), Some("n03")]);
            assert!(data.description().contains(": 2 images, 3 classes"));
            assert_ne!(data.digest(), open(place).expect("all images").digest());
        }
    }

    #[test]
    fn images_that_are_not_there_are_counted_and_named() {
        let folder = tree(&FILES);
        let list = folder.path().join("list.txt");
        let named = format!("{}:{}", spec(folder.path()), spec(&list));
        let refused = |text: &str| {
            write(&list, text);
            let error = open(&named).expect_err("a list that does not fit");
            error.to_string()
        };

        let message = refused("n01_1.JPEG\nn09_5.JPEG\nn09_4.JPEG\nn09_3.JPEG\nn09_2.JPEG\n");
        assert!(message.contains("line 2: 4 of the 5 images"), "{message}");
        assert!(
            message.contains(": n09_5.JPEG, n09_4.JPEG, n09_3.JPEG, ...;"),
            "{message}"
        );
        assert!(refused("\n# nothing\n").contains("one file name a line"));
        assert!(refused("../n01_1.JPEG").contains("1 of the 1 images"));

        write(folder.path().join("n02/n01_1.JPEG"), [0]);
        let message = refused("n01_1.JPEG");
        assert!(
            message.contains("n01/n01_1.JPEG and n02/n01_1.JPEG"),
            "{message}"
        );
        assert!(open(&named).is_err());
        write(&list, "n02/n01_1.JPEG");
        assert_eq!(open(&named).expect("a path").len(), 1);

        let absent = format!("{}:absent.txt", spec(folder.path()));
        let message = open(&absent).expect_err("no list").to_string();
        assert!(message.contains("absent.txt"), "{message}");
    }
}
