//! Settings of evaluations as runs wrote them before `[[eval]]`.

use serde_json::{Value, json};

/// Old keys, and what they are called in an entry of `[[eval]]`.
const OLD_KEYS: [(&str, &str); 4] = [
    ("run.knn_every", "every"),
    ("run.knn_bank", "bank"),
    ("run.knn_queries", "queries"),
    ("run.eval_resize", "resize"),
];

/// If `key` is an old one, gives `value` to the first k-NN entry of `[[eval]]` in the tree of
/// settings, and adds the entry if there is none. Returns whether `key` is an old one.
pub fn assign_old(settings: &mut Value, key: &str, value: &Value) -> bool {
    let Some((_, name)) = OLD_KEYS.iter().find(|(old, _)| *old == key) else {
        return false;
    };
    // What is not a list is refused where the settings get their types.
    let Some(entries) = settings.get_mut("eval").and_then(Value::as_array_mut) else {
        return true;
    };
    let index = match entries.iter().position(|entry| entry["kind"] == "knn") {
        Some(index) => index,
        None => {
            // Old runs evaluated never unless they said otherwise.
            entries.push(json!({ "kind": "knn", "every": 0 }));
            entries.len() - 1
        }
    };
    entries[index][*name] = value.clone();
    true
}
