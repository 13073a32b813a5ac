//! The values of a MAT file.

/// A value of a variable. What has several dimensions is in the order of the file, by columns.
#[derive(Clone, Debug, PartialEq)]
pub enum MatValue {
    /// Numbers of any type; integers beyond 2^53 are rounded.
    Numbers(Vec<f64>),
    /// One row of characters.
    Text(String),
    Cells(Vec<Self>),
    Struct {
        /// The names of the fields.
        names: Vec<String>,
        /// The fields of the first element, then of the second, and so on.
        values: Vec<Self>,
    },
    /// Something that is not read: complex and sparse numbers, rows of texts, objects, functions.
    Other,
}

impl MatValue {
    /// The numbers of an array.
    pub fn numbers(&self) -> Option<&[f64]> {
        match self {
            Self::Numbers(numbers) => Some(numbers),
            _ => None,
        }
    }

    /// The only number of an array, if it counts something.
    pub fn count(&self) -> Option<usize> {
        let [number] = self.numbers()? else {
            return None;
        };
        is_count(*number).then_some(*number as usize)
    }

    /// The numbers of an array, if all of them count something.
    pub fn counts(&self) -> Option<Vec<usize>> {
        let numbers = self.numbers()?;
        let all_count = numbers.iter().all(|&number| is_count(number));
        all_count.then(|| numbers.iter().map(|&number| number as usize).collect())
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn cells(&self) -> Option<&[Self]> {
        match self {
            Self::Cells(cells) => Some(cells),
            _ => None,
        }
    }

    /// The field `name` of every element of an array of structs.
    pub fn field(&self, name: &str) -> Option<Vec<&Self>> {
        let Self::Struct { names, values } = self else {
            return None;
        };
        let place = names.iter().position(|other| other == name)?;
        let elements = values.chunks_exact(names.len());
        Some(elements.map(|element| &element[place]).collect())
    }
}

/// Whether a number is whole, not negative, and small enough to be exact.
fn is_count(number: f64) -> bool {
    number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number)
}
