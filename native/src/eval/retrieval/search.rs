//! The features of a search, and how good the ranked lists are.

use anyhow::{Context as _, Result, ensure};
use futures_lite::future::block_on;
use ibot_core::eval::retrieval::{best, compare, normalize};
use ibot_core::image::resize::{cut, thumbnail};
use ibot_core::image::{Planes, RgbImage};
use ibot_core::metrics::ranking::{MeanScore, RankingScore};
use ibot_core::model::Backbone;

use super::sets::{QueryPlace, SearchSets, ShownImage};
use crate::features::{FeatureStore, Readout, picture_rows};

/// Precision is measured among so many images.
pub const KS: [usize; 3] = [1, 5, 10];

/// How images are shown.
#[derive(Clone, Copy)]
pub struct SearchView {
    /// Number of scales, each 1/sqrt(2) of the one before.
    pub scales: usize,
    /// Largest side, in pixels.
    pub fit: usize,
}

/// The scores of each setup of `sets`. Images that cannot be read are named: they are not found, and
/// search for nothing.
pub fn search<'a>(
    sets: &SearchSets<'a>,
    view: SearchView,
    features: &FeatureStore,
) -> Result<Vec<(&'static str, MeanScore)>> {
    let count = sets.database.len();
    let mut shown: Vec<&ShownImage> = sets.database.iter().collect();
    let mut places = Vec::with_capacity(sets.queries.len());
    for query in &sets.queries {
        match &query.image {
            QueryPlace::InDatabase(place) => places.push(*place),
            QueryPlace::Other(image) => {
                places.push(shown.len());
                shown.push(image);
            }
        }
    }

    let patch = features.backbone().map(Backbone::stride);
    let square = features.view();
    let load = |place: usize| {
        let ShownImage { data, index, crop } = shown[place];
        let mut image = data.load(*index)?;
        if let Some(crop) = crop {
            image = cut(&image, *crop);
        }
        Ok(match patch {
            Some(patch) => view.pictures(&image, patch),
            // Plain pixels compare only at one size.
            None => vec![Planes::of(&square.cut(&image))],
        })
    };
    let mut rows = picture_rows(features, &[Readout::CLS], shown.len(), load)?;
    normalize(&mut rows.values, rows.width);

    let mut row_of = vec![None; shown.len()];
    for (row, place) in rows.indices.iter().enumerate() {
        row_of[*place] = Some(row);
    }
    // Rows keep the order of places, of which those to search come first.
    let searched = rows.indices.partition_point(|place| *place < count);
    ensure!(searched > 0, "no image to search could be read");
    let database = &rows.values[..searched * rows.width];

    let mut asked = Vec::new();
    let mut values = Vec::new();
    for (query, place) in sets.queries.iter().zip(&places) {
        if let Some(row) = row_of[*place] {
            asked.push(query);
            values.extend_from_slice(&rows.values[row * rows.width..][..rows.width]);
        }
    }
    ensure!(!asked.is_empty(), "no query could be read");

    let mut scores = vec![Vec::new(); sets.setups.len()];
    let comparison = compare(
        database,
        &values,
        rows.width,
        features.device(),
        |query, cosines| {
            // Average precision counts the last right image too, so all are ranked.
            let matches = best(cosines, usize::MAX);
            let ranked: Vec<usize> = matches
                .iter()
                .map(|found| rows.indices[found.index])
                .collect();
            for (scores, wanted) in scores.iter_mut().zip(asked[query].wanted.iter()) {
                scores.push(RankingScore::of(&ranked, wanted, &KS));
            }
        },
    );
    block_on(comparison).context("search on the device")?;

    let means = scores.iter().map(|scores| MeanScore::of(scores, &KS));
    let found: Vec<_> = sets.setups.iter().copied().zip(means).collect();
    ensure!(
        found.iter().any(|(_, score)| score.queries > 0),
        "no query has anything to find: each of {} is without an image of the same kind",
        asked.len()
    );
    Ok(found)
}

impl SearchView {
    /// An image at all scales, in whole patches.
    fn pictures(self, image: &RgbImage, patch: usize) -> Vec<Planes> {
        let whole = Planes::of(&thumbnail(image, self.fit));
        let mut pictures = vec![whole.whole_patches(patch)];
        for number in 1..self.scales {
            let scale = 0.5f64.powf(number as f64 / 2.0);
            pictures.push(whole.scaled(scale).whole_patches(patch));
        }
        pictures
    }
}
