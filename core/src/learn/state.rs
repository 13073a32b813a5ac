//! Numbers and vectors among named tensors.

use crate::weights::{Weight, Weights, WeightsError, find};

/// A count as a tensor; exact up to 2^24.
pub(crate) fn scalar_weight(value: usize) -> Weight {
    Weight {
        shape: vec![1],
        values: vec![value as f32],
    }
}

pub(crate) fn vector_weight(values: &[f32]) -> Weight {
    Weight {
        shape: vec![values.len()],
        values: values.to_vec(),
    }
}

pub(crate) fn scalar(state: &Weights, name: &str) -> Result<usize, WeightsError> {
    // `as` takes what is no count as the nearest one.
    Ok(vector(state, name, 1)?[0] as usize)
}

pub(crate) fn vector<'a>(
    state: &'a Weights,
    name: &str,
    length: usize,
) -> Result<&'a [f32], WeightsError> {
    Ok(&find(state, name, vec![length])?.values)
}

pub(crate) fn prefixed(prefix: &str, state: Weights) -> impl Iterator<Item = (String, Weight)> {
    state
        .into_iter()
        .map(move |(name, weight)| (format!("{prefix}{name}"), weight))
}

pub(crate) fn part(state: &Weights, prefix: &str) -> Weights {
    let strip = |(name, weight): (&String, &Weight)| {
        Some((name.strip_prefix(prefix)?.to_owned(), weight.clone()))
    };
    state.iter().filter_map(strip).collect()
}
