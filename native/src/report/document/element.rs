//! What a report consists of.

use crate::report::curves::Chart;

#[derive(Clone, Debug, Default)]
pub struct Document {
    pub title: String,
    pub elements: Vec<Element>,
}

#[derive(Clone, Debug)]
pub enum Element {
    Heading(String),
    Text(String),
    /// What went wrong.
    Problem(String),
    /// A command line to type.
    Command(String),
    Table(TextTable),
    Charts(Vec<Chart>),
    Picture(ReportPicture),
}

/// A table. Every row has a cell for each column.
#[derive(Clone, Debug, Default)]
pub struct TextTable {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<String>>,
}

#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    /// Whether the cells are numbers, which stand at the right.
    pub is_number: bool,
}

#[derive(Clone, Debug)]
pub struct ReportPicture {
    /// What it shows, in a sentence.
    pub caption: String,
    /// The content of a PNG file.
    pub png: Vec<u8>,
}

impl TextTable {
    /// A table without rows, whose first `texts` columns hold text and whose others hold numbers.
    pub fn new(texts: usize, names: &[String]) -> Self {
        let mut columns = Vec::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            columns.push(Column {
                name: name.clone(),
                is_number: index >= texts,
            });
        }
        Self {
            columns,
            rows: Vec::new(),
        }
    }
}
