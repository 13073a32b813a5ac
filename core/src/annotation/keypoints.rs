//! Pairs of images with points that belong together: the JSON of SPair-71k (arXiv 1908.10543), and a
//! plain list.

use serde::Deserialize;
use serde_json::Value;

use super::boxes::BoundingBox;

/// Points of one image, and where they are in another of the same kind.
#[derive(Clone, Debug, PartialEq)]
pub struct KeypointPair {
    /// The image whose points are given.
    pub source: KeypointImage,
    /// The image in which they are looked for.
    pub target: KeypointImage,
    /// What both show, if that is known.
    pub category: Option<String>,
    /// Points `(x, y)` in pixels, `(0, 0)` the centre of the first: in the source, and the same in
    /// the target; at least one.
    pub points: Vec<PointMatch>,
}

/// An image of a pair.
#[derive(Clone, Debug, PartialEq)]
pub struct KeypointImage {
    /// Its file.
    pub file: String,
    /// Width and height, if they are known.
    pub size: Option<(usize, usize)>,
    /// The box around the object, if it is known.
    pub bounds: Option<BoundingBox>,
}

/// A point in two images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointMatch {
    /// In the source image.
    pub source: (f64, f64),
    /// In the target image.
    pub target: (f64, f64),
}

/// Why an entry is no pair.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant has its message")]
pub enum PairError {
    #[error("it is not the JSON of a pair of images: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it has {source_points} points in its first image and {target_points} in its second")]
    Lengths {
        source_points: usize,
        target_points: usize,
    },
    #[error("it has no points")]
    NoPoint,
}

#[derive(Deserialize)]
struct SpairPair {
    src_imname: String,
    trg_imname: String,
    /// Width, height, channels.
    #[serde(default)]
    src_imsize: Vec<usize>,
    #[serde(default)]
    trg_imsize: Vec<usize>,
    src_bndbox: [f64; 4],
    trg_bndbox: [f64; 4],
    category: String,
    src_kps: Vec<[f64; 2]>,
    trg_kps: Vec<[f64; 2]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListedPair {
    source: String,
    target: String,
    #[serde(default)]
    category: Option<String>,
    source_points: Vec<[f64; 2]>,
    target_points: Vec<[f64; 2]>,
    /// Left, top, right, bottom.
    #[serde(default)]
    target_box: Option<[f64; 4]>,
}

impl KeypointPair {
    /// Reads a file of SPair's `PairAnnotation/`. Files are names in the folder of the category.
    ///
    /// # Errors
    /// If it is something else, or points do not belong to each other.
    pub fn of_spair(text: &[u8]) -> Result<Self, PairError> {
        let pair: SpairPair = serde_json::from_slice(text)?;
        let image = |file, size: &[usize], bounds| KeypointImage {
            // The third number is that of channels.
            file,
            size: size.first().copied().zip(size.get(1).copied()),
            bounds: Some(bounding_box(bounds)),
        };
        Ok(Self {
            source: image(pair.src_imname, &pair.src_imsize, pair.src_bndbox),
            target: image(pair.trg_imname, &pair.trg_imsize, pair.trg_bndbox),
            category: Some(pair.category),
            points: matches(&pair.src_kps, &pair.trg_kps)?,
        })
    }

    /// Reads a JSON list of objects with the keys `source`, `target` (files), `source_points`,
    /// `target_points` (lists of `[x, y]`), and if they are known `category` and `target_box`
    /// (left, top, right, bottom). An entry that is no pair has the reason in its place.
    ///
    /// # Errors
    /// If it is no JSON list.
    pub fn list(text: &[u8]) -> Result<Vec<Result<Self, PairError>>, PairError> {
        let entries: Vec<Value> = serde_json::from_slice(text)?;
        Ok(entries.into_iter().map(Self::of_entry).collect())
    }

    fn of_entry(entry: Value) -> Result<Self, PairError> {
        let pair: ListedPair = serde_json::from_value(entry)?;
        let image = |file, bounds: Option<[f64; 4]>| KeypointImage {
            file,
            size: None,
            bounds: bounds.map(bounding_box),
        };
        Ok(Self {
            source: image(pair.source, None),
            target: image(pair.target, pair.target_box),
            category: pair.category,
            points: matches(&pair.source_points, &pair.target_points)?,
        })
    }
}

fn matches(source: &[[f64; 2]], target: &[[f64; 2]]) -> Result<Vec<PointMatch>, PairError> {
    if source.len() != target.len() {
        return Err(PairError::Lengths {
            source_points: source.len(),
            target_points: target.len(),
        });
    }
    if source.is_empty() {
        return Err(PairError::NoPoint);
    }
    let pairs = source.iter().zip(target);
    Ok(pairs
        .map(|(source, target)| PointMatch {
            source: (source[0], source[1]),
            target: (target[0], target[1]),
        })
        .collect())
}

fn bounding_box([left, top, right, bottom]: [f64; 4]) -> BoundingBox {
    BoundingBox {
        left,
        top,
        right,
        bottom,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    const SPAIR: &str = r#"{"filename": "1-a-b:cat", "src_imname": "a.jpg", "trg_imname": "b.jpg",
        "src_imsize": [500, 375, 3], "trg_imsize": [300, 200, 3], "src_bndbox": [10, 20, 110, 220],
        "trg_bndbox": [1, 2, 3, 4], "category": "cat", "src_kps": [[15, 25], [99, 30]],
        "trg_kps": [[2, 3], [4, 5]], "kps_ids": ["0", "4"], "mirror": 1}"#;

    #[test]
    fn pairs_of_spair_have_boxes_and_sizes() {
        let pair = KeypointPair::of_spair(SPAIR.as_bytes()).expect("sound");
        assert_eq!(pair.source.size, Some((500, 375)));
        assert_eq!(
            (pair.target.file.as_str(), pair.category.as_deref()),
            ("b.jpg", Some("cat"))
        );
        assert_eq!(pair.target.bounds.map(|bounds| bounds.height()), Some(2.0));
        let second = PointMatch {
            source: (99.0, 30.0),
            target: (4.0, 5.0),
        };
        assert_eq!(pair.points[1], second);
    }

    #[test]
    fn broken_pairs_are_named() {
        let message = |old: &str, new: &str| {
            assert!(SPAIR.contains(old), "{old}");
            let broken = SPAIR.replace(old, new);
            let error = KeypointPair::of_spair(broken.as_bytes()).expect_err("broken");
            error.to_string()
        };
        assert!(message("[4, 5]", "").contains("not the JSON"));
        assert!(message(", [4, 5]", "").contains("2 points in its first image and 1"));
        let none = SPAIR
            .replace("[15, 25], [99, 30]", "")
            .replace("[2, 3], [4, 5]", "");
        let error = KeypointPair::of_spair(none.as_bytes()).expect_err("no points");
        assert_eq!(error.to_string(), "it has no points");
        assert!(message("\"trg_kps\"", "\"points\"").contains("trg_kps"));
    }

    #[test]
    fn a_list_keeps_the_entries_that_are_sound() {
        let text = r#"[{"source": "a.png", "target": "b.png", "source_points": [[1, 2.5]], "target_points": [[3, 4]]},
            {"source": "a.png", "target": "b.png", "category": "cup", "target_box": [0, 0, 9, 8],
                "source_points": [[1, 2]], "target_points": [[3, 4]]},
            {"source": "a.png"}, 7]"#;
        let list = KeypointPair::list(text.as_bytes()).expect("a list");
        let first = list[0].as_ref().expect("a pair");
        assert_eq!((first.category.as_ref(), first.target.bounds), (None, None));
        assert_eq!(first.points[0].source, (1.0, 2.5));
        let second = list[1].as_ref().expect("a pair");
        assert_eq!(second.target.bounds.map(|bounds| bounds.width()), Some(9.0));
        assert!(list[2].is_err() && list[3].is_err());
        assert!(KeypointPair::list(b"{}").is_err());
    }
}
