//! Arrays: what variables, cells and fields hold.

use super::element::{MATRIX, MatElement, MatElements};
use super::error::Fault;
use super::value::MatValue;

/// How deep cells and structs may lie in each other.
const MAX_DEPTH: usize = 16;
/// How many arrays a variable may consist of.
const MAX_ARRAYS: usize = 1 << 20;
/// How many fields a struct may have.
const MAX_FIELDS: usize = 4096;
/// Least bytes that an array takes in a file: a tag.
const LEAST_BYTES: usize = 8;

const COMPLEX: u64 = 0x0800;

/// The classes of arrays that are read, by their numbers.
mod class {
    pub const CELL: u8 = 1;
    pub const STRUCT: u8 = 2;
    pub const TEXT: u8 = 4;
    pub const FIRST_NUMBER: u8 = 6;
    pub const LAST_NUMBER: u8 = 15;
    pub const OPAQUE: u8 = 17;
}

/// Reads the arrays of one variable.
#[derive(Default)]
pub struct ArrayReader {
    arrays: usize,
    depth: usize,
}

impl ArrayReader {
    /// The name of an array, empty within cells and structs, and its value.
    pub fn read(&mut self, element: &MatElement) -> Result<(String, MatValue), Fault> {
        if element.kind != MATRIX {
            let problem = format!("an array is expected here, not type {}", element.kind);
            return Err(Fault::new(element.at, problem));
        }
        self.arrays += 1;
        if self.arrays > MAX_ARRAYS || self.depth == MAX_DEPTH {
            let problem = format!("more than {MAX_ARRAYS} arrays, or {MAX_DEPTH} in each other");
            return Err(Fault::new(element.at, problem));
        }

        self.depth += 1;
        let read = self.parts(element.inside());
        self.depth -= 1;
        read
    }

    fn parts(&mut self, mut parts: MatElements) -> Result<(String, MatValue), Fault> {
        // A cell or field that was never set has no parts at all.
        let Some(flags) = parts.read()? else {
            return Ok((String::new(), MatValue::Numbers(Vec::new())));
        };
        let flags = flags.numbers()?.first().map_or(0, |&flags| flags as u64);
        let class = flags as u8;
        if class == class::OPAQUE {
            let name = parts.required("the name of a variable")?.text()?;
            return Ok((name, MatValue::Other));
        }

        let (sizes, len) = parts.required("the size of an array")?.dimensions()?;
        let name = parts.required("the name of a variable")?.text()?;
        let value = match class {
            class::CELL => {
                check_count(&parts, len, 1)?;
                MatValue::Cells(self.arrays(&mut parts, len)?)
            }
            class::STRUCT => {
                let names = field_names(&mut parts)?;
                let count = check_count(&parts, len, names.len())?;
                let values = self.arrays(&mut parts, count)?;
                MatValue::Struct { names, values }
            }
            class::TEXT if len == 0 => MatValue::Text(String::new()),
            class::TEXT if sizes[0] == 1 => {
                MatValue::Text(parts.required("the text of an array")?.text()?)
            }
            class::FIRST_NUMBER..=class::LAST_NUMBER if flags & COMPLEX == 0 => {
                let element = parts.required("the numbers of an array")?;
                let numbers = element.numbers()?;
                if numbers.len() != len {
                    let problem = format!("{} numbers in an array of {len}", numbers.len());
                    return Err(Fault::new(element.at, problem));
                }
                MatValue::Numbers(numbers)
            }
            _ => MatValue::Other,
        };
        Ok((name, value))
    }

    fn arrays(&mut self, parts: &mut MatElements, count: usize) -> Result<Vec<MatValue>, Fault> {
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            let element = parts.required("a cell or field")?;
            values.push(self.read(&element)?.1);
        }
        Ok(values)
    }
}

/// The product of two numbers, if so many arrays can follow.
fn check_count(parts: &MatElements, elements: usize, fields: usize) -> Result<usize, Fault> {
    let most = parts.left() / LEAST_BYTES;
    let count = elements.checked_mul(fields);
    count.filter(|&count| count <= most).ok_or_else(|| {
        let problem = format!(
            "{elements} elements of {fields} arrays in {} bytes",
            parts.left()
        );
        Fault::new(parts.at(), problem)
    })
}

/// The names of the fields of a struct: texts of one length, filled with zeros.
fn field_names(parts: &mut MatElements) -> Result<Vec<String>, Fault> {
    let length = parts.required("the length of names of fields")?;
    let names = parts.required("the names of fields")?;
    let width = length.numbers()?.first().map_or(0, |&width| width as usize);
    if names.bytes.is_empty() {
        return Ok(Vec::new());
    }
    let is_whole = width != 0 && names.bytes.len().is_multiple_of(width);
    if !is_whole || names.bytes.len() / width > MAX_FIELDS {
        let problem = format!("{} bytes are no names of {width}", names.bytes.len());
        return Err(Fault::new(names.at, problem));
    }

    let mut found = Vec::new();
    for name in names.bytes.chunks_exact(width) {
        let end = name.iter().position(|&byte| byte == 0).unwrap_or(width);
        found.push(String::from_utf8_lossy(&name[..end]).into_owned());
    }
    Ok(found)
}
