//! How well a ranked list puts the right images first: average precision and precision among the
//! first k, with images that do not count.

use std::collections::HashSet;

/// What a query is to find in a list. Images are indices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// The right ones.
    pub positives: Vec<usize>,
    /// Those that count neither as right nor as wrong: they are taken out of the list.
    pub junk: Vec<usize>,
}

/// How good a ranked list is.
#[derive(Clone, Debug, PartialEq)]
pub struct RankingScore {
    /// Average precision: the area under the curve of precision over recall, by trapezoids.
    pub average_precision: f64,
    /// For each k, the share of right images among the first k, or up to the last right one if
    /// that comes earlier.
    pub precision: Vec<f64>,
}

/// The means over queries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MeanScore {
    /// Mean average precision, mAP.
    pub mean_average_precision: f64,
    /// Mean precision for each k.
    pub precision: Vec<f64>,
    /// Queries that were counted.
    pub queries: usize,
    /// Queries with nothing to find, which were left out.
    pub empty: usize,
}

impl RankingScore {
    /// The score of `ranked`, images with the best first. It may have fewer images than there are;
    /// a positive that it lacks is not found. `None` without positives.
    pub fn of(ranked: &[usize], wanted: &Wanted, ks: &[usize]) -> Option<Self> {
        let count = wanted.positives.len();
        if count == 0 {
            return None;
        }

        let places = places(ranked, wanted);
        let mut precision = Vec::with_capacity(ks.len());
        for k in ks {
            precision.push(precision_at(&places, *k));
        }
        Some(Self {
            average_precision: average_precision(&places, count),
            precision,
        })
    }
}

impl MeanScore {
    /// The means of `scores`, of which those of queries without positives are `None`. All are 0 if
    /// none is left.
    pub fn of(scores: &[Option<RankingScore>], ks: &[usize]) -> Self {
        let mut mean = Self {
            precision: vec![0.0; ks.len()],
            ..Self::default()
        };
        for score in scores {
            let Some(score) = score else {
                mean.empty += 1;
                continue;
            };
            mean.queries += 1;
            mean.mean_average_precision += score.average_precision;
            for (sum, precision) in mean.precision.iter_mut().zip(&score.precision) {
                *sum += precision;
            }
        }

        let queries = mean.queries.max(1) as f64;
        mean.mean_average_precision /= queries;
        mean.precision.iter_mut().for_each(|sum| *sum /= queries);
        mean
    }
}

/// The places of the positives, counted from 0 without the junk before them.
fn places(ranked: &[usize], wanted: &Wanted) -> Vec<usize> {
    let positives: HashSet<usize> = wanted.positives.iter().copied().collect();
    let junk: HashSet<usize> = wanted.junk.iter().copied().collect();

    let mut places = Vec::with_capacity(positives.len());
    let mut skipped = 0;
    for (place, image) in ranked.iter().enumerate() {
        if positives.contains(image) {
            places.push(place - skipped);
        }
        // What is both is counted first, as by the official code.
        if junk.contains(image) {
            skipped += 1;
        }
    }
    places
}

/// Average precision of `count` positives, of which those at `places` are found.
fn average_precision(places: &[usize], count: usize) -> f64 {
    let mut sum = 0.0;
    for (before, place) in places.iter().enumerate() {
        let here = (before + 1) as f64 / (place + 1) as f64;
        // Before the first image precision is taken as 1, as the official code of Oxford buildings
        // has it.
        let left = match place {
            0 => 1.0,
            _ => before as f64 / *place as f64,
        };
        sum += (left + here) / 2.0;
    }
    sum / count as f64
}

fn precision_at(places: &[usize], k: usize) -> f64 {
    let Some(last) = places.last() else {
        // No right image is found: nothing at any k.
        return 0.0;
    };
    let first = k.min(last + 1);
    let hits = places.iter().filter(|place| **place < first).count();
    hits as f64 / first.max(1) as f64
}

#[cfg(test)]
mod tests;
