//! An image that a list names.

pub struct ListEntry {
    /// Counted from 1.
    pub line: usize,
    pub path: String,
    pub label: Option<String>,
}
