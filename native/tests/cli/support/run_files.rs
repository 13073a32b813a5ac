//! What the folder of a run holds, as tests of whole processes read it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ibot_core::weights::from_safetensors;
use serde_json::Value;

/// The lines of `metrics.jsonl` of one kind.
pub fn records(run: &Path, kind: &str) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    // The last line of a run under way may not be whole yet.
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|record| record["kind"] == kind).collect()
}

/// What the evaluation `name` measured, in order.
pub fn evals(run: &Path, name: &str) -> Vec<Value> {
    let mut evals = records(run, "eval");
    evals.retain(|eval| eval["name"] == name);
    evals
}

/// What `status.json` says.
pub fn status(run: &Path) -> Value {
    serde_json::from_slice(&fs::read(run.join("status.json")).expect("a status")).expect("JSON")
}

/// Every tensor of the newest checkpoint, bit for bit.
pub fn state(run: &Path) -> BTreeMap<String, Vec<u32>> {
    let bytes = fs::read(run.join("checkpoints/last.safetensors")).expect("a checkpoint");
    let (weights, _) = from_safetensors(&bytes).expect("a sound checkpoint");
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect();
    weights
        .into_iter()
        .map(|(name, weight)| (name, bits(weight.values)))
        .collect()
}

/// Panics with a tensor's name unless two runs ended in the same state, bit for bit.
pub fn assert_same_state(expected: &Path, actual: &Path) {
    let (expected, actual) = (state(expected), state(actual));
    assert_eq!(expected.len(), actual.len());
    for (name, bits) in expected {
        assert!(actual[&name] == bits, "{name} differs");
    }
}
