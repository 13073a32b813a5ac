//! The settings that tell runs apart.

use std::collections::{BTreeMap, BTreeSet};

use super::listed_run::ListedRun;

/// Keeps of each run's settings those in which the runs that have settings differ.
pub fn keep_differences(runs: &mut [ListedRun]) {
    let readable = runs.iter().filter(|run| !run.settings.is_empty()).count();
    let mut values: BTreeMap<&str, (usize, BTreeSet<String>)> = BTreeMap::new();
    for run in runs.iter() {
        for (key, value) in &run.settings {
            let (count, different) = values.entry(key).or_default();
            *count += 1;
            different.insert(value.to_string());
        }
    }

    let mut differing: BTreeSet<String> = BTreeSet::new();
    for (key, (count, different)) in values {
        // A key that some runs lack tells them apart, too.
        if different.len() > 1 || count < readable {
            differing.insert(key.to_owned());
        }
    }
    for run in runs {
        run.settings.retain(|(key, _)| differing.contains(key));
    }
}
