//! Which images are searched, and which copies search.

use std::path::Path;

use anyhow::{Result, ensure};
use ibot_core::image::RgbImage;

use super::edit::Edit;
use crate::data::{CopyBlock, CopyBlocks, CopyQuery, Dataset};

/// What is done to one's own images; a block each.
const EDITS: [Edit; 11] = [
    Edit::Jpeg(50),
    Edit::Jpeg(20),
    Edit::Jpeg(5),
    Edit::Crop(20),
    Edit::Crop(50),
    Edit::Crop(80),
    Edit::Blur(1),
    Edit::Blur(3),
    Edit::Rotation(5),
    Edit::Rotation(20),
    Edit::Strong,
];

/// Images, the first of which are originals, and blocks of copies of these, all by number.
pub struct CopySets<'a> {
    sources: Vec<CopySource<'a>>,
    /// How many of the images are searched: originals, then distractors.
    pub database: usize,
    pub blocks: Vec<CopyBlock>,
}

struct CopySource<'a> {
    data: &'a Dataset,
    index: usize,
    edit: Option<Edit>,
}

impl<'a> CopySets<'a> {
    /// The copies of an official layout, searched among its originals and `distractors`.
    pub fn official(
        data: &'a Dataset,
        copies: &CopyBlocks,
        distractors: Option<&'a Dataset>,
    ) -> Self {
        let plain = |data, index| CopySource {
            data,
            index,
            edit: None,
        };
        let mut sources = Vec::new();
        for index in 0..copies.originals {
            sources.push(plain(data, index));
        }
        if let Some(distractors) = distractors {
            sources.extend((0..distractors.len()).map(|index| plain(distractors, index)));
        }
        let database = sources.len();
        let moved = database - copies.originals;
        sources.extend((copies.originals..data.len()).map(|index| plain(data, index)));

        let mut blocks = Vec::new();
        for block in &copies.blocks {
            let queries = block.queries.iter().map(|query| CopyQuery {
                // Distractors stand between originals and copies.
                image: match query.image < copies.originals {
                    true => query.image,
                    false => query.image + moved,
                },
                originals: query.originals.clone(),
            });
            blocks.push(CopyBlock {
                name: block.name.clone(),
                queries: queries.collect(),
            });
        }
        Self {
            sources,
            database,
            blocks,
        }
    }

    /// Copies of `originals` images of `data`, searched among at most `images` of it and
    /// `distractors`.
    pub fn made(
        data: &'a Dataset,
        originals: usize,
        images: usize,
        distractors: Option<&'a Dataset>,
    ) -> Result<Self> {
        let chosen = data.subset(images.max(originals), 0);
        let originals = originals.min(chosen.len());
        ensure!(originals > 0, "copies are made of one image at least");
        // True for exactly `originals` of the chosen places, spread evenly over them.
        let is_original = |place: usize| {
            (place + 1) * originals / chosen.len() > place * originals / chosen.len()
        };

        let mut sources = Vec::new();
        // Originals come first, because queries name them by number.
        for wanted in [true, false] {
            for (place, index) in chosen.iter().enumerate() {
                if is_original(place) == wanted {
                    sources.push(CopySource {
                        data,
                        index: *index,
                        edit: None,
                    });
                }
            }
        }
        if let Some(data) = distractors {
            for index in 0..data.len() {
                sources.push(CopySource {
                    data,
                    index,
                    edit: None,
                });
            }
        }

        let database = sources.len();
        let mut blocks = Vec::new();
        for edit in EDITS {
            let mut queries = Vec::new();
            for original in 0..originals {
                queries.push(CopyQuery {
                    image: sources.len(),
                    originals: vec![original],
                });
                sources.push(CopySource {
                    edit: Some(edit),
                    ..sources[original]
                });
            }
            blocks.push(CopyBlock {
                name: edit.to_string(),
                queries,
            });
        }
        Ok(Self {
            sources,
            database,
            blocks,
        })
    }

    /// How many images there are, copies included.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    pub fn load(&self, number: usize) -> Result<RgbImage> {
        let CopySource { data, index, edit } = &self.sources[number];
        let image = data.load(*index)?;
        match edit {
            Some(edit) => edit.of(&image, *index),
            None => Ok(image),
        }
    }
}

/// The images of an option, if it is given.
pub fn optional(spec: Option<&Path>) -> Result<Option<Dataset>> {
    let spec = spec.map(|spec| spec.to_string_lossy());
    Ok(spec.map(|spec| Dataset::open(&spec)).transpose()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn originals_come_first_and_copies_last() {
        let data = Dataset::open("builtin:val").expect("builtin scenes");
        let sets = CopySets::made(&data, 4, 30, None).expect("images");
        assert_eq!((sets.database, sets.len()), (30, 30 + 4 * EDITS.len()));
        let query = &sets.blocks[1].queries[2];
        assert_eq!((query.image, &query.originals[..]), (36, &[2][..]));
        let original = sets.load(2).expect("a scene");
        let copy = EDITS[1]
            .of(&original, sets.sources[2].index)
            .expect("a copy");
        assert_eq!(sets.load(36).expect("a copy"), copy);
        assert!(CopySets::made(&data, 0, 30, None).is_err());
    }

    #[test]
    fn distractors_stand_between_originals_and_copies() {
        let data = Dataset::open("builtin:val").expect("builtin scenes");
        let copies = CopyBlocks {
            originals: 490,
            blocks: vec![CopyBlock {
                name: "strong".to_owned(),
                queries: vec![CopyQuery {
                    image: 495,
                    originals: vec![3],
                }],
            }],
        };
        let sets = CopySets::official(&data, &copies, Some(&data));
        assert_eq!((sets.database, sets.len()), (990, 1000));
        let copy = sets.load(sets.blocks[0].queries[0].image).expect("a scene");
        assert_eq!(copy, data.load(495).expect("a scene"));
    }
}
