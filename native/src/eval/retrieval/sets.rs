//! What is searched for, where, and what shall be found.

use std::rc::Rc;

use anyhow::{Result, ensure};
use ibot_core::annotation::retrieval::{RetrievalQuery, RetrievalTruth};
use ibot_core::image::resize::CropBox;
use ibot_core::metrics::ranking::Wanted;

use crate::data::Dataset;
use crate::eval::sets::{SetLimits, Sets, Subset};

// The setups of the official protocol.
const EASY: &str = "easy";
const MEDIUM: &str = "medium";
const HARD: &str = "hard";

/// Most images to search and queries, where one set has both and the settings set no limit.
const ONE_SET: (usize, usize) = (10_000, 500);

/// An image that is shown.
pub struct ShownImage<'a> {
    pub data: &'a Dataset,
    pub index: usize,
    /// The part that is shown; all without it.
    pub crop: Option<CropBox>,
}

/// A database, queries, and what these shall find.
pub struct SearchSets<'a> {
    pub database: Vec<ShownImage<'a>>,
    pub queries: Vec<SearchQuery<'a>>,
    /// Names of the ways to judge a query.
    pub setups: Vec<&'static str>,
}

pub struct SearchQuery<'a> {
    pub image: QueryPlace<'a>,
    /// For each setup what is right, by index into the database.
    // Thousands of queries may look for the same thousands of images.
    pub wanted: Rc<[Wanted]>,
}

pub enum QueryPlace<'a> {
    /// One of the database.
    InDatabase(usize),
    Other(ShownImage<'a>),
}

impl<'a> SearchSets<'a> {
    /// The images of `truth`, which come first in `data` and are followed by its queries; these are
    /// cut to their bounds if they are to be.
    pub fn official(data: &'a Dataset, truth: &RetrievalTruth, crop: bool) -> Self {
        let shown = |index, crop| ShownImage { data, index, crop };
        let count = truth.images.len();
        let mut queries = Vec::new();
        for (number, query) in truth.queries.iter().enumerate() {
            let bounds = query.bounds.filter(|_| crop).map(crop_box);
            queries.push(SearchQuery {
                image: QueryPlace::Other(shown(count + number, bounds)),
                wanted: wanted(query).into(),
            });
        }
        Self {
            database: (0..count).map(|index| shown(index, None)).collect(),
            queries,
            setups: vec![EASY, MEDIUM, HARD],
        }
    }

    /// Images with labels, of which those of a query's class are right: queries of `val` in `data`,
    /// or of `data` among the others.
    ///
    /// # Errors
    /// If a set has no labels, the classes differ, or there is no query or no image to search.
    pub fn labelled(
        data: &'a Dataset,
        val: Option<&'a Dataset>,
        images: Option<usize>,
        queries: Option<usize>,
    ) -> Result<Self> {
        let (database, chosen) = match val {
            Some(_) => {
                let limits = SetLimits {
                    train: images,
                    val: queries,
                };
                let sets = Sets::choose(data, val, limits)?;
                (sets.train, Some(sets.val))
            }
            None => {
                let most = images.unwrap_or(ONE_SET.0);
                (Subset::labelled_of(data, most)?, None)
            }
        };
        let labels = database.labels_of(&database.indices);
        let right = |class: usize| {
            let images = 0..labels.len();
            images.filter(|image| labels[*image] == class).collect()
        };

        let mut searched = Vec::new();
        match &chosen {
            Some(chosen) => {
                let mut of_classes: Vec<Rc<[Wanted]>> = Vec::new();
                for class in 0..data.classes().len() {
                    let wanted = Wanted {
                        positives: right(class),
                        junk: Vec::new(),
                    };
                    of_classes.push([wanted].into());
                }
                for index in &chosen.indices {
                    let class = chosen.data.label(*index).unwrap_or_default();
                    let image = ShownImage {
                        data: chosen.data,
                        index: *index,
                        crop: None,
                    };
                    searched.push(SearchQuery {
                        image: QueryPlace::Other(image),
                        wanted: of_classes[class].clone(),
                    });
                }
            }
            None => {
                for place in evenly(&labels, queries.unwrap_or(ONE_SET.1)) {
                    let mut positives: Vec<usize> = right(labels[place]);
                    positives.retain(|image| *image != place);
                    let wanted = Wanted {
                        positives,
                        // A query finds itself first.
                        junk: vec![place],
                    };
                    searched.push(SearchQuery {
                        image: QueryPlace::InDatabase(place),
                        wanted: [wanted].into(),
                    });
                }
            }
        }
        ensure!(
            !searched.is_empty() && !labels.is_empty(),
            "retrieval needs at least one query and one image to search"
        );

        let shown = database.indices.iter().map(|index| ShownImage {
            data: database.data,
            index: *index,
            crop: None,
        });
        Ok(Self {
            database: shown.collect(),
            queries: searched,
            setups: vec![""],
        })
    }
}

/// At most `count` places of `labels`, spread evenly over the classes.
fn evenly(labels: &[usize], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by_key(|place| labels[*place]);
    let count = count.min(order.len());
    let mut places: Vec<usize> = (0..count)
        .map(|number| order[number * order.len() / count])
        .collect();
    places.sort_unstable();
    places
}

/// What is right when easy images are wanted, easy and hard ones, or hard ones; those of the other
/// kind do not count.
fn wanted(query: &RetrievalQuery) -> Vec<Wanted> {
    let join = |a: &[usize], b: &[usize]| [a, b].concat();
    vec![
        Wanted {
            positives: query.easy.clone(),
            junk: join(&query.junk, &query.hard),
        },
        Wanted {
            positives: join(&query.easy, &query.hard),
            junk: query.junk.clone(),
        },
        Wanted {
            positives: query.hard.clone(),
            junk: join(&query.junk, &query.easy),
        },
    ]
}

/// The pixels within bounds: left, top, right, bottom.
fn crop_box(bounds: [f64; 4]) -> CropBox {
    // Casts keep negative numbers at 0.
    let [left, top, right, bottom] = bounds.map(|side| side.round_ties_even() as usize);
    CropBox {
        left,
        top,
        width: right.saturating_sub(left),
        height: bottom.saturating_sub(top),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_of_one_set_look_for_the_others_of_their_class() {
        let data = Dataset::open("builtin:val").expect("builtin scenes");
        let sets = SearchSets::labelled(&data, None, Some(50), Some(20)).expect("labels");
        assert_eq!((sets.database.len(), sets.queries.len()), (50, 20));

        let mut classes = [0; 10];
        for query in &sets.queries {
            let QueryPlace::InDatabase(place) = query.image else {
                panic!("one set")
            };
            let label = |place: usize| data.label(sets.database[place].index).expect("labels");
            classes[label(place)] += 1;
            let wanted = &query.wanted[0];
            assert_eq!((wanted.positives.len(), &wanted.junk), (4, &vec![place]));
            let right = |image: &usize| *image != place && label(*image) == label(place);
            assert!(wanted.positives.iter().all(right));
        }
        assert_eq!(classes, [2; 10], "queries are of all classes");
        assert!(SearchSets::labelled(&data, None, Some(50), Some(0)).is_err());
    }

    #[test]
    fn queries_of_another_set_look_for_all_of_their_class() {
        let open = |spec| Dataset::open(spec).expect("builtin scenes");
        let (data, val) = (open("builtin"), open("builtin:val"));
        let sets = SearchSets::labelled(&data, Some(&val), Some(50), Some(20)).expect("labels");
        assert_eq!((sets.database.len(), sets.queries.len()), (50, 20));

        for query in &sets.queries {
            let QueryPlace::Other(image) = &query.image else {
                panic!("two sets")
            };
            let class = val.label(image.index);
            let wanted = &query.wanted[0];
            assert_eq!((wanted.positives.len(), wanted.junk.len()), (5, 0));
            let label = |place: &usize| data.label(sets.database[*place].index);
            assert!(wanted.positives.iter().all(|place| label(place) == class));
        }
    }

    #[test]
    fn bounds_are_rounded_as_by_python() {
        let crop = crop_box([1.5, -3.0, 4.5, 8.4]);
        let expected = CropBox {
            left: 2,
            top: 0,
            width: 2,
            height: 8,
        };
        assert_eq!(crop, expected);
    }
}
