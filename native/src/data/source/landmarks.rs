//! The layout of Revisited Oxford and Paris: photographs in `jpg/` and a ground truth.

use std::path::Path;
use std::sync::Arc;

use ibot_core::annotation::retrieval::RetrievalTruth;

use super::annotated::AnnotatedFiles;
use crate::data::classes::Classes;
use crate::data::dataset::Dataset;
use crate::data::error::DataError;
use crate::data::tree::{FileTree, TreeImages};

const IMAGES: &str = "jpg";

/// Opens the folder or archive `root`: the images to search, then the queries. `None` if it has no
/// ground truth.
pub fn open(root: &Path) -> Result<Option<Dataset>, DataError> {
    let Some(tree) = FileTree::open(root)? else {
        return Ok(None);
    };
    let Some(file) = truth_file(&tree)? else {
        return Ok(None);
    };
    let at_fault = |problem| DataError::layout(&tree.path_of(&file), problem);
    let truth = RetrievalTruth::read(&tree.annotation(&file)?);
    let truth = truth.map_err(|error| at_fault(error.to_string()))?;

    let mut names = Vec::new();
    let queries = truth.queries.iter().map(|query| &query.name);
    for name in truth.images.iter().chain(queries) {
        if name.contains(['/', '\\']) || name.starts_with('.') {
            let problem = format!("`{name}` is not the name of an image in {IMAGES}/");
            return Err(at_fault(problem));
        }
        names.push(format!("{IMAGES}/{name}.jpg"));
    }
    check_files(&tree, &names).map_err(at_fault)?;

    let source = AnnotatedFiles {
        files: TreeImages {
            tree: Arc::new(tree),
            names,
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

/// The file `gnd_*.pkl` or `gnd_*.json`: of several that of the set's name.
fn truth_file(tree: &FileTree) -> Result<Option<String>, DataError> {
    let mut found = tree.files_in("")?;
    found.retain(|name| {
        let is_truth = name.ends_with(".pkl") || name.ends_with(".json");
        name.starts_with("gnd_") && is_truth
    });
    if found.len() < 2 {
        return Ok(found.pop());
    }

    let set = tree.place().file_stem().unwrap_or_default();
    let set = set.to_string_lossy();
    for ending in ["pkl", "json"] {
        let own = format!("gnd_{set}.{ending}");
        if found.contains(&own) {
            return Ok(Some(own));
        }
    }
    let problem = format!("several files gnd_*, none of them gnd_{set}.pkl; leave one there");
    Err(DataError::layout(tree.place(), problem))
}

/// Says which images are missing.
fn check_files(tree: &FileTree, names: &[String]) -> Result<(), String> {
    let mut missing = names.iter().filter(|name| !tree.contains(name));
    let Some(first) = missing.next() else {
        return Ok(());
    };
    let count = 1 + missing.count();
    Err(format!(
        "{count} of the {} images that it names are missing, the first is {}; unpack the photographs into {IMAGES}/",
        names.len(),
        tree.path_of(first).display()
    ))
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
        assert_eq!(names(&data), ["jpg/b.jpg", "jpg/a.jpg", "jpg/q.jpg"]);
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
