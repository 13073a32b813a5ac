//! The layout of Revisited Oxford and Paris: photographs in `jpg/` and a ground truth.

use std::fs;
use std::path::{Path, PathBuf};

use ibot_core::annotation::retrieval::RetrievalTruth;

use super::annotated::AnnotatedFiles;
use super::folder::ImageFiles;
use crate::data::classes::Classes;
use crate::data::dataset::Dataset;
use crate::data::error::DataError;

const IMAGES: &str = "jpg";

/// Opens the folder `root`: the images to search, then the queries. `None` if it has no ground truth.
pub fn open(root: &Path) -> Result<Option<Dataset>, DataError> {
    if !root.is_dir() {
        return Ok(None);
    }
    let Some(file) = truth_file(root)? else {
        return Ok(None);
    };
    let bytes = fs::read(&file).map_err(DataError::read(&file))?;
    let truth = RetrievalTruth::read(&bytes);
    let truth = truth.map_err(|error| DataError::layout(&file, error.to_string()))?;

    let mut paths = Vec::new();
    let queries = truth.queries.iter().map(|query| &query.name);
    for name in truth.images.iter().chain(queries) {
        // Names come from a file that may lie; they lead to no other folder.
        if name.contains(['/', '\\']) || name.starts_with('.') {
            let problem = format!("`{name}` is not the name of an image in {IMAGES}/");
            return Err(DataError::layout(&file, problem));
        }
        paths.push(PathBuf::from(format!("{name}.jpg")));
    }
    let folder = root.join(IMAGES);
    check_files(&file, &folder, &paths)?;

    let source = AnnotatedFiles {
        files: ImageFiles {
            root: folder,
            paths,
        },
        annotation: truth,
    };
    Ok(Some(Dataset::new(
        "landmarks",
        root,
        Classes::default(),
        source,
    )))
}

/// The file `gnd_*.pkl` or `gnd_*.json`: of several that of the folder's name.
fn truth_file(root: &Path) -> Result<Option<PathBuf>, DataError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).map_err(DataError::read(root))? {
        let path = entry.map_err(DataError::read(root))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_truth = name.ends_with(".pkl") || name.ends_with(".json");
        if name.starts_with("gnd_") && is_truth {
            found.push(path);
        }
    }
    found.sort_unstable();
    if found.len() < 2 {
        return Ok(found.pop());
    }

    let set = root.file_name().unwrap_or_default().to_string_lossy();
    for ending in ["pkl", "json"] {
        let own = root.join(format!("gnd_{set}.{ending}"));
        if found.contains(&own) {
            return Ok(Some(own));
        }
    }
    let problem = format!("several files gnd_*, none of them gnd_{set}.pkl; leave one there");
    Err(DataError::layout(root, problem))
}

fn check_files(truth: &Path, folder: &Path, paths: &[PathBuf]) -> Result<(), DataError> {
    let mut missing = paths.iter().filter(|path| !folder.join(path).is_file());
    let Some(first) = missing.next() else {
        return Ok(());
    };
    let count = 1 + missing.count();
    let problem = format!(
        "{count} of the {} images that it names are missing, the first is {}; unpack the photographs into {IMAGES}/",
        paths.len(),
        folder.join(first).display()
    );
    Err(DataError::layout(truth, problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::{names, tree, write};

    const TRUTH: &str = r#"{"imlist": ["b", "a"], "qimlist": ["q"],
        "gnd": [{"easy": [1], "hard": [], "junk": [0], "bbx": [1, 2, 3, 4]}]}"#;

    #[test]
    fn images_come_in_the_order_of_the_ground_truth() {
        let folder = tree(&["jpg/a.jpg", "jpg/b.jpg", "jpg/q.jpg", "jpg/z.jpg"]);
        assert!(open(folder.path()).expect("a folder").is_none());
        write(folder.path().join("gnd_tiny.json"), TRUTH);
        let data = open(folder.path()).expect("sound").expect("the layout");
        assert_eq!(names(&data), ["b.jpg", "a.jpg", "q.jpg"]);
        let truth: &RetrievalTruth = data.annotation().expect("a ground truth");
        assert_eq!(truth.queries[0].easy, [1]);
        assert!(data.annotation::<String>().is_none());
    }

    #[test]
    fn a_missing_image_and_a_name_that_leads_elsewhere_are_named() {
        let folder = tree(&["jpg/a.jpg", "jpg/q.jpg"]);
        write(folder.path().join("gnd_tiny.json"), TRUTH);
        let message = open(folder.path()).expect_err("b is missing").to_string();
        assert!(message.contains("1 of the 3 images"), "{message}");
        assert!(message.contains("b.jpg"), "{message}");

        let elsewhere = TRUTH.replace("\"b\"", "\"../b\"");
        write(folder.path().join("gnd_tiny.json"), elsewhere);
        let message = open(folder.path()).expect_err("outside").to_string();
        assert!(message.contains("`../b`"), "{message}");

        write(folder.path().join("gnd_tiny.json"), "{");
        let message = open(folder.path()).expect_err("damaged").to_string();
        assert!(message.contains("gnd_tiny.json"), "{message}");
        write(folder.path().join("gnd_other.json"), TRUTH);
        let message = open(folder.path()).expect_err("two").to_string();
        assert!(message.contains("several files"), "{message}");
    }
}
