//! A whole MAT file: a header, then variables, each compressed or not.

use std::borrow::Cow;
use std::io::Read as _;

use flate2::read::ZlibDecoder;

use super::array::ArrayReader;
use super::element::{COMPRESSED, MatElement, MatElements};
use super::error::{Fault, MatError};
use super::value::MatValue;

const HEADER: usize = 128;
/// Most bytes of all variables together, decompressed.
const MAX_BYTES: usize = 32 << 20;

/// The variables of a MAT file.
#[derive(Debug)]
pub struct MatFile {
    variables: Vec<(String, MatValue)>,
}

impl MatFile {
    /// Reads a file from its bytes.
    ///
    /// # Errors
    /// If they are no MAT file of version 5, or are damaged or too large.
    pub fn read(bytes: &[u8]) -> Result<Self, MatError> {
        let Some((header, content)) = bytes.split_at_checked(HEADER) else {
            return Err(MatError::Short(bytes.len()));
        };
        let big_endian = match &header[124..] {
            [0x00, 0x01, b'I', b'M'] => false,
            [0x01, 0x00, b'M', b'I'] => true,
            _ => return Err(MatError::Version),
        };

        let mut variables = Vec::new();
        let mut elements = MatElements::new(content, HEADER, big_endian);
        let mut allowed = MAX_BYTES;
        for number in 1.. {
            let element = elements.read().map_err(|fault| fault.in_variable(number))?;
            let Some(element) = element else { break };

            let content = content_of(&element, number, allowed)?;
            allowed = allowed
                .checked_sub(content.len())
                .ok_or_else(|| too_large(number))?;
            let variable = match element.kind {
                COMPRESSED => compressed_variable(&content, big_endian),
                _ => ArrayReader::default().read(&element),
            };
            variables.push(variable.map_err(|fault| fault.in_variable(number))?);
        }
        Ok(Self { variables })
    }

    /// The variable `name`.
    pub fn get(&self, name: &str) -> Option<&MatValue> {
        let found = self.variables.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value)
    }
}

/// The bytes of a variable, decompressed.
fn content_of<'a>(
    element: &MatElement<'a>,
    number: usize,
    allowed: usize,
) -> Result<Cow<'a, [u8]>, MatError> {
    if element.kind != COMPRESSED {
        return Ok(Cow::Borrowed(element.bytes));
    }
    let mut bytes = Vec::new();
    ZlibDecoder::new(element.bytes)
        .take(allowed as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| {
            let problem = format!("it cannot be decompressed ({error})");
            Fault::new(bytes.len(), problem).in_variable(number)
        })?;
    Ok(Cow::Owned(bytes))
}

fn compressed_variable(content: &[u8], big_endian: bool) -> Result<(String, MatValue), Fault> {
    let element = MatElements::new(content, 0, big_endian).required("an array")?;
    ArrayReader::default().read(&element)
}

fn too_large(variable: usize) -> MatError {
    MatError::TooLarge {
        variable,
        limit: MAX_BYTES >> 20,
    }
}
