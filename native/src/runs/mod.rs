//! The runs in a folder, as a list: what tells them apart, where they stand and how good they are.

mod best;
mod differences;
mod find;
mod flat;
mod list;
mod listed_run;
mod sort;
mod table;

pub use self::list::{RunList, list_runs};
pub use self::listed_run::{ListedRun, ListedState};
pub use self::sort::sort_runs;
pub use self::table::table;
