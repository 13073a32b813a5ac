//! What an evaluation of a suite is called.

use super::command_line::options;
use super::config::{SuiteConfig, SuiteEntry};

/// The title of the evaluation; where the suite has several of its kind, with the settings that are
/// not the usual ones.
pub fn title(suite: &SuiteConfig, entry: &SuiteEntry) -> String {
    let task = entry.evaluation.task();
    let mut of_kind = 0;
    for other in &suite.entries {
        of_kind += usize::from(other.evaluation.task().name() == task.name());
    }

    let options = options(&entry.evaluation).join(", ");
    // One of its kind needs no more words.
    if of_kind < 2 || options.is_empty() {
        task.title().to_owned()
    } else {
        format!("{} ({})", task.title(), options.replace("--", ""))
    }
}
