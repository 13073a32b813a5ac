//! From which cosine on two images are near duplicates.

use anyhow::Result;
use ibot_core::eval::retrieval::normalize;
use serde::Serialize;

use crate::data::Dataset;
use crate::eval::{Edit, copy_features};
use crate::features::{FeatureRows, FeatureStore};

/// Images of which copies are made.
const SAMPLE: usize = 64;
/// What people and programs do to a picture without making another one of it.
const EDITS: [Edit; 4] = [
    Edit::Jpeg(20),
    Edit::Scale(50),
    Edit::Crop(10),
    Edit::Blur(1),
];
/// The share of such copies that are found.
const FOUND: f64 = 0.95;

/// A threshold and how it was found.
#[derive(Debug, Serialize)]
pub struct Measured {
    pub threshold: f32,
    /// Copies that were made.
    pub copies: usize,
    /// The share of them that are as near to their image or nearer.
    pub found: f64,
    /// The share of pairs of different images of the sample that are as near.
    pub different: f64,
}

/// The threshold that finds nearly all mild copies of `data`: it depends on the model and on the
/// images. `rows` are the normalised features of the images.
pub fn measure(data: &Dataset, rows: &FeatureRows, features: &FeatureStore) -> Result<Measured> {
    let count = SAMPLE.min(rows.indices.len());
    let sample: Vec<usize> = (0..count)
        .map(|number| number * rows.indices.len() / count)
        .collect();
    let mut copies = copy_features(features, count * EDITS.len(), |number| {
        let index = rows.indices[sample[number / EDITS.len()]];
        let image = data.load(index)?;
        EDITS[number % EDITS.len()].of(&image, index)
    })?;
    normalize(&mut copies.values, copies.width);

    let row = |number: usize| &rows.values[sample[number] * rows.width..][..rows.width];
    let mut of_copies = Vec::new();
    for (number, copy) in copies
        .indices
        .iter()
        .zip(copies.values.chunks(copies.width))
    {
        of_copies.push(dot(row(number / EDITS.len()), copy));
    }
    of_copies.sort_by(f32::total_cmp);
    // All but the least similar few copies reach this cosine.
    let place = ((1.0 - FOUND) * of_copies.len() as f64) as usize;
    let threshold = of_copies[place];

    let mut pairs = 0;
    let mut near = 0;
    // Two thousand pairs at most: on the host.
    for first in 0..count {
        for second in first + 1..count {
            pairs += 1;
            near += usize::from(dot(row(first), row(second)) >= threshold);
        }
    }
    let found = of_copies.iter().filter(|cosine| **cosine >= threshold);
    Ok(Measured {
        threshold,
        copies: of_copies.len(),
        found: found.count() as f64 / of_copies.len() as f64,
        different: f64::from(near as u32) / f64::from(pairs.max(1)),
    })
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
