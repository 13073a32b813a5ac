//! Pairs of images with keypoints: the layout of SPair-71k, or a JSON list beside images.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ibot_core::annotation::boxes::BoundingBox;
use ibot_core::annotation::keypoints::{KeypointImage, KeypointPair, PointMatch};

use super::classes::Classes;
use super::dataset::Dataset;
use super::error::DataError;
use super::source::annotated::AnnotatedFiles;
use super::split::place_and_split;
use super::tree::{FileTree, TreeImages};

const PAIRS: &str = "PairAnnotation";
const IMAGES: &str = "JPEGImages";
/// The split that is taken if none is asked for.
const USUAL: &str = "test";

/// Pairs of a dataset's images.
#[derive(Debug, Default)]
pub struct KeypointPairs {
    /// Names of categories.
    pub categories: Vec<String>,
    /// Sorted by category.
    pub pairs: Vec<ImagePair>,
    /// For each image its width and height as its pairs say, where they do.
    pub sizes: Vec<Option<(usize, usize)>>,
    /// Pairs that were left out, one a line, with the reason.
    pub problems: Vec<String>,
}

/// Two images with points that belong together, by their index.
#[derive(Debug)]
pub struct ImagePair {
    pub source: usize,
    pub target: usize,
    /// By place in [`KeypointPairs::categories`].
    pub category: usize,
    /// The box around the object in the target, if it is known.
    pub target_box: Option<BoundingBox>,
    pub points: Vec<PointMatch>,
}

type PairedFiles = AnnotatedFiles<KeypointPairs>;

/// Opens what `spec` names; `None` if it is neither.
pub(super) fn open(spec: &str) -> Result<Option<Dataset>, DataError> {
    let whole = Path::new(spec);
    let (place, split) = place_and_split(spec);
    let split = split.unwrap_or(USUAL);
    let is_json = place.extension().is_some_and(|ending| ending == "json");
    if is_json && place.is_file() {
        return open_list(place, spec);
    }
    let Some(tree) = FileTree::open(place)? else {
        return Ok(None);
    };
    let Some(root) = tree.root_of(PAIRS) else {
        return Ok(None);
    };
    let spec = match place == whole {
        true => format!("{spec}:{USUAL}"),
        false => spec.to_owned(),
    };
    open_layout(tree, &root, split, &spec).map(Some)
}

fn open_layout(tree: FileTree, root: &str, split: &str, spec: &str) -> Result<Dataset, DataError> {
    let folder = format!("{root}{PAIRS}/{split}");
    let at = tree.path_of(&folder);
    let mut pairs = Vec::new();
    let mut problems = Vec::new();
    for name in tree.files_in(&folder)? {
        if !name.ends_with(".json") {
            continue;
        }
        let file = format!("{folder}/{name}");
        let pair = KeypointPair::of_spair(&tree.annotation(&file)?);
        match pair {
            Ok(mut pair) => {
                let category = pair.category.clone().unwrap_or_default();
                for image in [&mut pair.source, &mut pair.target] {
                    image.file = format!("{root}{IMAGES}/{category}/{}", image.file);
                }
                pairs.push((tree.path_of(&file).display().to_string(), pair));
            }
            Err(error) => {
                let file = tree.path_of(&file);
                problems.push(format!("{} is left out: {error}", file.display()));
            }
        }
    }
    dataset(tree, pairs, problems, spec, at)
}

fn open_list(json: &Path, spec: &str) -> Result<Option<Dataset>, DataError> {
    let folder = match json.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let Some(tree) = FileTree::open(folder)? else {
        return Ok(None);
    };
    let name = json.file_name().unwrap_or_default().to_string_lossy();
    let list = KeypointPair::list(&tree.annotation(&name)?);
    let list = list.map_err(|error| DataError::layout(json, error.to_string()))?;

    let mut pairs = Vec::new();
    let mut problems = Vec::new();
    for (number, pair) in (1..).zip(list) {
        let entry = format!("entry {number} of {}", json.display());
        match pair {
            Ok(pair) => pairs.push((entry, pair)),
            Err(error) => problems.push(format!("{entry} is left out: {error}")),
        }
    }
    dataset(tree, pairs, problems, spec, json.to_owned()).map(Some)
}

/// The images of named pairs in the order in which they first occur. Pairs that miss an image are
/// left out.
fn dataset(
    tree: FileTree,
    mut named: Vec<(String, KeypointPair)>,
    problems: Vec<String>,
    spec: &str,
    at: PathBuf,
) -> Result<Dataset, DataError> {
    named.sort_by(|(_, a), (_, b)| a.category.cmp(&b.category));
    let mut source = PairedFiles {
        files: TreeImages {
            tree: Arc::new(tree),
            names: Vec::new(),
        },
        annotation: KeypointPairs {
            problems,
            ..KeypointPairs::default()
        },
    };
    let mut images = HashMap::new();
    let mut categories = BTreeMap::new();
    for (name, pair) in named {
        let tree = &source.files.tree;
        let files = [&pair.source.file, &pair.target.file];
        if let Some(missing) = files.into_iter().find(|file| !tree.contains(file)) {
            let missing = tree.path_of(missing);
            let problem = format!("{name} is left out: {} is missing", missing.display());
            source.annotation.problems.push(problem);
            continue;
        }

        let category = pair.category.unwrap_or_default();
        let next = categories.len();
        let pair = ImagePair {
            category: *categories.entry(category).or_insert(next),
            target_box: pair.target.bounds,
            source: source.place(pair.source, &mut images),
            target: source.place(pair.target, &mut images),
            points: pair.points,
        };
        source.annotation.pairs.push(pair);
    }

    if source.annotation.pairs.is_empty() {
        let first = source.annotation.problems.first();
        let problem = first.map_or("there is no pair of images", String::as_str);
        return Err(DataError::layout(&at, problem));
    }
    // Pairs came sorted, so that numbers are in the order of names.
    source.annotation.categories = categories.into_keys().collect();
    Ok(Dataset::new("keypoints", spec, Classes::default(), source))
}

impl PairedFiles {
    /// The index of an image, which is added if it is new.
    fn place(&mut self, image: KeypointImage, known: &mut HashMap<String, usize>) -> usize {
        let next = self.files.names.len();
        let place = *known.entry(image.file.clone()).or_insert(next);
        if place == next {
            self.files.names.push(image.file);
            self.annotation.sizes.push(image.size);
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::{names, spec, tree, write};

    fn pair(source: &str, target: &str, category: &str) -> String {
        format!(
            r#"{{"src_imname": "{source}", "trg_imname": "{target}", "src_imsize": [3, 2, 3], "trg_imsize": [3, 2, 3],
            "src_bndbox": [0, 0, 2, 2], "trg_bndbox": [0, 0, 3, 1], "category": "{category}",
            "src_kps": [[0, 1]], "trg_kps": [[2, 0]]}}"#
        )
    }

    fn pairs(spec: &str) -> (Vec<String>, Dataset) {
        let data = open(spec).expect("sound").expect("pairs");
        (names(&data), data)
    }

    #[test]
    fn pairs_of_spair_share_their_images() {
        let root = "SPair-71k";
        let images = ["cat/a.png", "cat/b.png", "bus/a.png", "bus/c.png"];
        let images = images.map(|name| format!("{root}/{IMAGES}/{name}"));
        let folder = tree(&images.each_ref().map(String::as_str));
        let file = |name: &str| folder.path().join(root).join(PAIRS).join("test").join(name);
        write(file("1-a-b:cat.json"), pair("a.png", "b.png", "cat"));
        write(file("2-b-a:cat.json"), pair("b.png", "a.png", "cat"));
        write(file("3-a-c:bus.json"), pair("a.png", "c.png", "bus"));
        write(file("4-a-d:bus.json"), pair("a.png", "d.png", "bus"));
        write(file("5-broken:bus.json"), "{}");

        let (names, data) = pairs(&spec(folder.path()));
        let [a, b, c, d] = images;
        assert_eq!(names, [c, d, a, b]);
        let found: &KeypointPairs = data.annotation().expect("pairs");
        assert_eq!(found.categories, ["bus", "cat"]);
        let places: Vec<_> = found
            .pairs
            .iter()
            .map(|pair| (pair.category, pair.source, pair.target))
            .collect();
        assert_eq!(places, [(0, 0, 1), (1, 2, 3), (1, 3, 2)]);
        assert_eq!(found.sizes, [Some((3, 2)); 4]);
        assert_eq!(found.problems.len(), 2);
        assert!(found.problems[0].contains("5-broken:bus.json"));
        assert!(found.problems[1].contains("d.png is missing"));

        let message = open(&format!("{}:val", spec(folder.path()))).expect_err("no split");
        let message = message.to_string();
        assert!(message.contains("val: there is no pair"), "{message}");
    }

    #[test]
    fn a_list_names_its_images_beside_it() {
        let folder = tree(&["a.png", "b.png"]);
        let json = folder.path().join("pairs.json");
        let sound = r#"{"source": "a.png", "target": "b.png", "source_points": [[1, 1]], "target_points": [[2, 1]]}"#;
        let outside = sound.replace("b.png", "../b.png");
        write(&json, format!("[{sound}, {outside}, {{}}]"));
        let (names, data) = pairs(&spec(&json));
        assert_eq!(names, ["a.png", "b.png"]);
        let found: &KeypointPairs = data.annotation().expect("pairs");
        assert_eq!(found.pairs.len(), 1);
        assert!(found.problems[0].contains("entry 3 of"));
        assert!(found.problems[1].contains("entry 2 of"));

        write(&json, "[]");
        let message = open(&spec(&json)).expect_err("empty").to_string();
        assert!(message.contains("no pair of images"), "{message}");
        write(&json, "{");
        assert!(open(&spec(&json)).is_err());
        assert!(open(&spec(folder.path())).expect("readable").is_none());
    }
}
