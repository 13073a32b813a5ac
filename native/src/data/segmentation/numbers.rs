//! What the numbers in mask files stand for.

use std::collections::BTreeSet;

use ibot_core::annotation::labels::{IGNORED, LabelMap};

/// The number that by convention belongs to no class.
pub const BORDER: usize = 255;

/// The class of each number.
#[derive(Clone, Debug, PartialEq)]
pub enum MaskNumbers {
    /// By number, [`IGNORED`] where it belongs to none; `None` for numbers that masks must not hold.
    Table(Vec<Option<usize>>),
    /// 0 is the background, any other number an object: class 1.
    Object,
}

impl MaskNumbers {
    /// The numbers from `first` on are the `count` classes; `ignored` belongs to none.
    pub fn counted(first: usize, count: usize, ignored: usize) -> Self {
        let mut table = vec![None; (first + count).max(ignored + 1)];
        for class in 0..count {
            table[first + class] = Some(class);
        }
        if table[ignored].is_none() {
            table[ignored] = Some(IGNORED);
        }
        Self::Table(table)
    }

    /// The numbers that occur in masks are the classes, in ascending order. 255 belongs to none,
    /// unless 0 is the only other number: then it is how an object is painted white.
    pub fn found(numbers: &BTreeSet<usize>) -> (Self, Vec<String>) {
        let others = numbers.iter().filter(|number| **number != BORDER);
        let is_border = others.clone().any(|number| *number > 0);
        let mut names = Vec::new();
        let mut table = vec![None; numbers.last().map_or(0, |last| last + 1).max(BORDER + 1)];
        table[BORDER] = Some(IGNORED);
        for number in numbers {
            if !is_border || *number != BORDER {
                table[*number] = Some(names.len());
                names.push(number.to_string());
            }
        }
        (Self::Table(table), names)
    }

    /// The class of each pixel.
    ///
    /// # Errors
    /// If a number belongs to nothing, what is wrong.
    pub fn classes_of(&self, mask: &LabelMap) -> Result<LabelMap, String> {
        let class = |number: usize| match self {
            Self::Table(table) => table.get(number).copied().flatten(),
            Self::Object => Some(usize::from(number > 0)),
        };
        let cells = mask.cells();
        if let Some(unknown) = cells.iter().find(|number| class(**number).is_none()) {
            return Err(format!(
                "it holds the number {unknown}, which is none of the {} classes",
                self.count()
            ));
        }
        let (rows, columns) = (mask.rows(), mask.columns());
        Ok(LabelMap::from_fn(rows, columns, |pixel| {
            class(cells[pixel]).unwrap_or(IGNORED)
        }))
    }

    fn count(&self) -> usize {
        let Self::Table(table) = self else { return 2 };
        let is_class = |class: &&Option<usize>| class.is_some_and(|class| class != IGNORED);
        table.iter().filter(is_class).count()
    }
}
