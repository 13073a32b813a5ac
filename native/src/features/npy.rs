//! NumPy's array files.

use anyhow::{Context as _, Result, bail, ensure};

const MAGIC: &[u8] = b"\x93NUMPY";

/// Whether `bytes` start as an array file does.
pub fn is_npy(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// An array of 32-bit floats, row-major.
pub fn write(shape: &[usize], values: &[f32]) -> Vec<u8> {
    // A comma after each extent: without one, (5) would be a number and no tuple.
    let extents: String = shape.iter().map(|extent| format!("{extent},")).collect();
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({extents}), }}");
    // Magic, version, length and header end on a multiple of 64, the header with a line feed.
    let padded = (MAGIC.len() + 4 + header.len() + 1).next_multiple_of(64) - MAGIC.len() - 4;
    header.push_str(&" ".repeat(padded - header.len() - 1));
    header.push('\n');

    let mut bytes = Vec::with_capacity(MAGIC.len() + 4 + header.len() + 4 * values.len());
    bytes.extend(MAGIC);
    bytes.extend([1, 0]);
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    for value in values {
        bytes.extend(value.to_le_bytes());
    }
    bytes
}

/// Shape and values of an array of little-endian floats of 32 or 64 bits, integers of 64 bits, bytes
/// or truth values, row-major.
///
/// # Errors
/// If the bytes are damaged, or an array of another kind.
pub fn read(bytes: &[u8]) -> Result<(Vec<usize>, Vec<f32>)> {
    let (header, data) =
        header(bytes).context("not a readable .npy file: its header is damaged")?;
    ensure!(
        header.contains("'fortran_order': False"),
        "the array is column-major; save it with numpy.ascontiguousarray"
    );

    let shape = shape(header)?;
    let values = values(header, data)?;
    let count = shape
        .iter()
        .try_fold(1usize, |count, extent| count.checked_mul(*extent));
    ensure!(
        count == Some(values.len()),
        "the array of shape {shape:?} holds {} values: it is cut off",
        values.len()
    );
    Ok((shape, values))
}

fn shape(header: &str) -> Result<Vec<usize>> {
    let extents = header
        .split_once("'shape': (")
        .and_then(|(_, rest)| rest.split_once(')'))
        .map(|(extents, _)| extents)
        .context("the .npy header has no shape")?;

    let mut shape = Vec::new();
    for extent in extents.split(',').map(str::trim) {
        // A shape of one extent ends with a comma.
        if !extent.is_empty() {
            let extent = extent.parse();
            shape.push(extent.context("the .npy header has a shape that is no numbers")?);
        }
    }
    Ok(shape)
}

fn values(header: &str, data: &[u8]) -> Result<Vec<f32>> {
    if header.contains("'<f4'") {
        let (floats, _) = data.as_chunks();
        Ok(floats.iter().map(|f| f32::from_le_bytes(*f)).collect())
    } else if header.contains("'<f8'") {
        let (doubles, _) = data.as_chunks();
        Ok(doubles
            .iter()
            .map(|d| f64::from_le_bytes(*d) as f32)
            .collect())
    } else if header.contains("'<i8'") {
        let (integers, _) = data.as_chunks();
        Ok(integers
            .iter()
            .map(|i| i64::from_le_bytes(*i) as f32)
            .collect())
    } else if header.contains("'|b1'") || header.contains("'|u1'") {
        Ok(data.iter().map(|byte| f32::from(*byte)).collect())
    } else {
        bail!("the array is not of little-endian floats; save it with .astype('float32')");
    }
}

fn header(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (length, start): (usize, usize) = match rest {
        [1, _, a, b, ..] => (usize::from(u16::from_le_bytes([*a, *b])), 4),
        [2 | 3, _, a, b, c, d, ..] => (
            usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).ok()?,
            6,
        ),
        _ => return None,
    };
    let header = rest.get(start..start.checked_add(length)?)?;
    Some((std::str::from_utf8(header).ok()?, &rest[start + length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_survive_a_file() {
        let values: Vec<f32> = (0..6).map(|i| i as f32 - 2.5).collect();
        let bytes = write(&[2, 3], &values);
        assert_eq!(
            bytes.len(),
            128 + 24,
            "NumPy wants the data to start at a multiple of 64"
        );
        assert_eq!(read(&bytes).expect("its own bytes"), (vec![2, 3], values));
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "cut at {end}");
        }
    }
}
