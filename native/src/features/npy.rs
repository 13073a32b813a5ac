//! NumPy's array files.

use anyhow::{Context as _, Result, bail, ensure};

const MAGIC: &[u8] = b"\x93NUMPY";

/// Whether `bytes` start as an array file does.
pub fn is_npy(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// An array of 32-bit floats, row-major.
pub fn write(shape: &[usize], values: &[f32]) -> Vec<u8> {
    let extents: String = shape.iter().map(|extent| format!("{extent},")).collect();
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({extents}), }}");
    // Magic, version, length and header end on a multiple of 64, the header with a line feed.
    let padded = (MAGIC.len() + 4 + header.len() + 1).next_multiple_of(64) - MAGIC.len() - 4;
    header.push_str(&" ".repeat(padded - header.len() - 1));
    header.push('\n');
    let length = (header.len() as u16).to_le_bytes();
    let values = values.iter().flat_map(|value| value.to_le_bytes());
    MAGIC
        .iter()
        .copied()
        .chain([1, 0])
        .chain(length)
        .chain(header.into_bytes())
        .chain(values)
        .collect()
}

/// Shape and values of an array of little-endian floats of 32 or 64 bits, row-major.
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
    let shape = header
        .split_once("'shape': (")
        .and_then(|(_, rest)| rest.split_once(')'))
        .map(|(shape, _)| shape);
    let extents = shape
        .context("the .npy header has no shape")?
        .split(',')
        .map(str::trim)
        .filter(|e| !e.is_empty());
    let shape: Vec<usize> = extents
        .map(str::parse)
        .collect::<Result<_, _>>()
        .context("the .npy header has a shape that is no numbers")?;
    let values: Vec<f32> = if header.contains("'<f4'") {
        data.as_chunks()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect()
    } else if header.contains("'<f8'") {
        data.as_chunks()
            .0
            .iter()
            .map(|bytes| f64::from_le_bytes(*bytes) as f32)
            .collect()
    } else {
        bail!("the array is not of little-endian floats; save it with .astype('float32')");
    };
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
