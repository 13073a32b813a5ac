//! The ground truth of retrieval in the form of Revisited Oxford and Paris (arXiv 1803.11285): which
//! images of a list show what a query shows.

use serde::Deserialize;

use crate::pickle::{Pickle, PickleError, PlainValue};

/// A list of images, and what queries are to find in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RetrievalTruth {
    /// Names of the images to search, without the ending of their files.
    pub images: Vec<String>,
    /// What is searched for; at least one.
    pub queries: Vec<RetrievalQuery>,
}

/// A query. Images are indices into the list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RetrievalQuery {
    /// Its name, without the ending of its file.
    pub name: String,
    /// Images that show the same, easy to see.
    pub easy: Vec<usize>,
    /// Images that show the same, hard to see.
    pub hard: Vec<usize>,
    /// Images that count neither as right nor as wrong.
    pub junk: Vec<usize>,
    /// Where the query shows it, in pixels: left, top, right, bottom.
    pub bounds: Option<[f64; 4]>,
}

/// Why a ground truth cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant has its message")]
pub enum TruthError {
    #[error(
        "{0}; a pickle of protocol 0 or 1 has to be written again, or as JSON with the same keys"
    )]
    Pickle(#[from] PickleError),
    #[error("not the JSON of a ground truth: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{place} is missing or not {expected}")]
    Content {
        place: String,
        expected: &'static str,
    },
    #[error("`qimlist` names no query, so that there is nothing to search for")]
    NoQuery,
    #[error("`imlist` names no image, so that there is nothing to search in")]
    NoImage,
    #[error("`qimlist` has {queries} names, but `gnd` is of {truths} queries")]
    Lengths { queries: usize, truths: usize },
    #[error(
        "query `{query}`: `{key}` holds {index}, but the {images} images have the indices from 0"
    )]
    Index {
        query: String,
        key: &'static str,
        index: f64,
        images: usize,
    },
    #[error("its lists are longer than the file: some are shared by many queries")]
    TooMuch,
}

/// The JSON form: the keys of the pickle.
#[derive(Deserialize)]
struct JsonTruth {
    imlist: Vec<String>,
    qimlist: Vec<String>,
    gnd: Vec<JsonQuery>,
}

#[derive(Deserialize)]
struct JsonQuery {
    easy: Vec<f64>,
    hard: Vec<f64>,
    #[serde(default)]
    junk: Vec<f64>,
    #[serde(default)]
    bbx: Option<Vec<f64>>,
}

impl RetrievalTruth {
    /// Reads a ground truth from the bytes of its file: a pickle, or JSON with the same keys.
    ///
    /// # Errors
    /// If the bytes are neither, a part is missing, there is no query or no image, or an index lies
    /// outside of the list.
    pub fn read(bytes: &[u8]) -> Result<Self, TruthError> {
        match bytes {
            // Every pickle of protocol 2 or later begins so, and no JSON.
            [0x80, ..] => Self::from_pickle(bytes),
            _ => Self::from_json(bytes),
        }
    }

    fn from_json(bytes: &[u8]) -> Result<Self, TruthError> {
        let JsonTruth {
            imlist,
            qimlist,
            gnd,
        } = serde_json::from_slice(bytes)?;
        let lists = gnd.into_iter().map(|query| QueryLists {
            easy: query.easy,
            hard: query.hard,
            junk: query.junk,
            bounds: query.bbx,
        });
        Self::checked(imlist, qimlist, lists.collect())
    }

    fn from_pickle(bytes: &[u8]) -> Result<Self, TruthError> {
        let pickle = Pickle::parse(bytes)?;
        let root = pickle.root();
        let images = names(root, "imlist", bytes.len())?;
        let queries = names(root, "qimlist", bytes.len())?;

        let truths = root.get("gnd").and_then(PlainValue::items);
        let truths = truths.ok_or_else(|| missing("`gnd`", "a list"))?;
        let mut lists = Vec::new();
        // Every number of an honest file takes a byte at least, while one list may stand in many
        // places of a hostile one.
        let mut budget = bytes.len();
        for (number, truth) in truths.enumerate() {
            if number == queries.len() {
                return Err(TruthError::Lengths {
                    queries: number,
                    truths: number + 1,
                });
            }
            lists.push(QueryLists {
                easy: indices(truth, number, "easy", &mut budget)?,
                hard: indices(truth, number, "hard", &mut budget)?,
                junk: match truth.get("junk") {
                    Some(_) => indices(truth, number, "junk", &mut budget)?,
                    None => Vec::new(),
                },
                bounds: truth.get("bbx").and_then(|bounds| bounds.numbers(4)),
            });
        }
        Self::checked(images, queries, lists)
    }

    fn checked(
        images: Vec<String>,
        names: Vec<String>,
        lists: Vec<QueryLists>,
    ) -> Result<Self, TruthError> {
        if images.is_empty() {
            return Err(TruthError::NoImage);
        }
        if names.is_empty() {
            return Err(TruthError::NoQuery);
        }
        if names.len() != lists.len() {
            return Err(TruthError::Lengths {
                queries: names.len(),
                truths: lists.len(),
            });
        }

        let mut queries = Vec::with_capacity(names.len());
        for (name, list) in names.into_iter().zip(lists) {
            let bounds = list.bounds.map(<[f64; 4]>::try_from);
            let bounds = bounds.transpose().map_err(|_| {
                missing(format!("`bbx` of query `{name}`"), "four numbers of pixels")
            })?;
            queries.push(RetrievalQuery {
                easy: within(&name, "easy", &list.easy, images.len())?,
                hard: within(&name, "hard", &list.hard, images.len())?,
                junk: within(&name, "junk", &list.junk, images.len())?,
                bounds,
                name,
            });
        }
        Ok(Self { images, queries })
    }
}

struct QueryLists {
    easy: Vec<f64>,
    hard: Vec<f64>,
    junk: Vec<f64>,
    bounds: Option<Vec<f64>>,
}

fn missing(place: impl Into<String>, expected: &'static str) -> TruthError {
    TruthError::Content {
        place: place.into(),
        expected,
    }
}

/// The names under `key`, together no longer than 64 times the `size` of the file.
fn names(root: PlainValue, key: &str, size: usize) -> Result<Vec<String>, TruthError> {
    let expected = "a list of names";
    let items = root.get(key).and_then(PlainValue::items);
    let items = items.ok_or_else(|| missing(format!("`{key}`"), expected))?;

    let mut names = Vec::new();
    let mut total = 0;
    for (place, item) in items.enumerate() {
        let name = item.text();
        let name = name.ok_or_else(|| missing(format!("`{key}[{place}]`"), "a name"))?;
        total += name.len();
        // One name may stand in a pickle many times, at two bytes each.
        if total > 64 * size {
            return Err(TruthError::TooMuch);
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

fn indices(
    truth: PlainValue,
    query: usize,
    key: &'static str,
    budget: &mut usize,
) -> Result<Vec<f64>, TruthError> {
    let list = truth.get(key);
    let list = list.ok_or_else(|| missing(format!("`gnd[{query}].{key}`"), "a list of indices"))?;
    match list.numbers(*budget) {
        Some(numbers) => {
            *budget -= numbers.len();
            Ok(numbers)
        }
        None if list.numbers(usize::MAX).is_some() => Err(TruthError::TooMuch),
        None => Err(missing(
            format!("`gnd[{query}].{key}`"),
            "a list of indices",
        )),
    }
}

/// The numbers as indices below `images`.
fn within(
    query: &str,
    key: &'static str,
    numbers: &[f64],
    images: usize,
) -> Result<Vec<usize>, TruthError> {
    let mut indices = Vec::with_capacity(numbers.len());
    for number in numbers {
        // Numbers of a pickle and of JSON may be fractions, negative or not numbers.
        let is_index = number.fract() == 0.0 && (0.0..images as f64).contains(number);
        if !is_index {
            return Err(TruthError::Index {
                query: query.to_owned(),
                key,
                index: *number,
                images,
            });
        }
        indices.push(*number as usize);
    }
    Ok(indices)
}

#[cfg(test)]
mod tests;
