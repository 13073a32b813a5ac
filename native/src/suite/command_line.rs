//! The command that carries out one evaluation of a suite again.

use serde_json::{Map, Value};

use super::config::SuiteEntry;
use crate::eval::Evaluation;

/// What every evaluation of a suite is given.
#[derive(Clone, Debug)]
pub struct CommandInputs {
    pub model: String,
    pub data: String,
    pub val: Option<String>,
    /// Side of the central crop, where it was given.
    pub size: Option<usize>,
}

/// A command that gives the same figures as `entry`.
pub fn command_line(entry: &SuiteEntry, inputs: &CommandInputs) -> String {
    let task = entry.evaluation.task();
    let mut words = vec!["ibot eval".to_owned(), task.name().to_owned()];
    words.push(format!("--data {}", quoted(&inputs.data)));
    if let Some(val) = &inputs.val {
        words.push(format!("--val {}", quoted(val)));
    }
    words.push(format!("--model {}", quoted(&inputs.model)));
    if let Some(size) = entry.size.or(inputs.size) {
        words.push(format!("--size {size}"));
    }
    words.extend(options(&entry.evaluation));
    words.join(" ")
}

/// The settings that are not the usual ones, as options.
pub fn options(evaluation: &Evaluation) -> Vec<String> {
    let usual = Evaluation::of_command(evaluation.task().name());
    let usual = usual.as_ref().map(settings).unwrap_or_default();

    let mut options = Vec::new();
    for (key, value) in settings(evaluation) {
        if usual.get(&key) == Some(&value) {
            continue;
        }
        let option = format!("--{}", key.replace('_', "-"));
        match value {
            Value::Bool(true) => options.push(option),
            // What is off or missing is the usual, which no option says.
            Value::Bool(false) | Value::Null => {}
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(plain).collect();
                options.push(format!("{option} {}", items.join(",")));
            }
            value => options.push(format!("{option} {}", quoted(&plain(&value)))),
        }
    }
    options
}

fn settings(evaluation: &Evaluation) -> Map<String, Value> {
    match serde_json::to_value(evaluation) {
        Ok(Value::Object(mut settings)) => {
            settings.remove("kind");
            settings
        }
        _ => Map::new(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// `word` as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,+=@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        // A quote cannot stand within quotes: it ends them, stands escaped, and begins them again.
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::Knn;

    #[test]
    fn a_command_has_what_is_not_usual() {
        let entry = SuiteEntry {
            evaluation: Evaluation::Knn(Knn {
                bank: Some(50),
                ..Knn::default()
            }),
            size: Some(64),
            resize: None,
        };
        let inputs = CommandInputs {
            model: "my runs/it's".to_owned(),
            data: "builtin".to_owned(),
            val: Some("builtin:val".to_owned()),
            size: Some(32),
        };
        assert_eq!(
            command_line(&entry, &inputs),
            "ibot eval knn --data builtin --val builtin:val --model 'my runs/it'\\''s' --size 64 --bank 50"
        );
    }
}
