//! Runs in the order of a figure.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use super::best::headline;
use super::listed_run::ListedRun;

const LESS_IS_BETTER: [&str; 1] = ["loss"];

/// Sorts by `key`, best first: `step`, `loss`, an evaluation such as `knn`, or one of its measures
/// such as `top1_k20` or `knn.top1_k20`. Runs without it come last, in their old order.
///
/// # Errors
/// If no run has such a figure.
pub fn sort_runs(runs: &mut [ListedRun], key: &str) -> Result<()> {
    let is_known = runs.iter().any(|run| figure(run, key).is_some());
    ensure!(
        is_known,
        "no run has `{key}`; there are {}",
        known_keys(runs).join(", ")
    );

    let less_is_better = LESS_IS_BETTER.contains(&key);
    runs.sort_by(|a, b| match (figure(a, key), figure(b, key)) {
        (Some(a), Some(b)) if less_is_better => a.total_cmp(&b),
        (Some(a), Some(b)) => b.total_cmp(&a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    });
    Ok(())
}

fn figure(run: &ListedRun, key: &str) -> Option<f64> {
    match key {
        "step" => return Some(run.step as f64),
        "loss" => return run.loss,
        _ => {}
    }
    if let Some(measures) = run.best.get(key) {
        return measures.get(headline(key, measures)?);
    }
    if let Some((task, measure)) = key.split_once('.') {
        return run.best.get(task)?.get(measure);
    }
    run.best.values().find_map(|measures| measures.get(key))
}

fn known_keys(runs: &[ListedRun]) -> Vec<String> {
    let mut keys: BTreeSet<String> = BTreeSet::new();
    for run in runs {
        for (task, measures) in &run.best {
            keys.insert(task.clone());
            keys.extend(measures.iter().map(|(name, _)| format!("{task}.{name}")));
        }
    }
    let always = ["step", "loss"].map(str::to_owned);
    always.into_iter().chain(keys).collect()
}
