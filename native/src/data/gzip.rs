//! Files that gzip compressed. They cannot be read by position, so that they are decompressed once,
//! into memory.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::error::DataError;

const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Most bytes that are decompressed into memory.
const MAX_BYTES: u64 = 4 << 30;
/// No image is packed by more: what claims it would fill the memory with nothing.
const MAX_RATIO: u64 = 100;
/// Small files may be packed by more.
const ALWAYS_ALLOWED: u64 = 16 << 20;

/// Whether a file that starts so was compressed by gzip.
pub fn is_gzip(start: &[u8]) -> bool {
    start.starts_with(&MAGIC)
}

/// The first `len` bytes of what the file at `path` holds, decompressed; fewer if it is shorter.
///
/// # Errors
/// If it cannot be read, or it is compressed and damaged.
pub fn start_of(path: &Path, len: u64) -> Result<Vec<u8>, DataError> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(DataError::read(path))?;
    file.take(len)
        .read_to_end(&mut start)
        .map_err(DataError::read(path))?;
    if !is_gzip(&start) {
        return Ok(start);
    }

    start.clear();
    decoder(path)?
        .take(len)
        .read_to_end(&mut start)
        .map_err(|error| damaged(path, &error))?;
    Ok(start)
}

/// What the compressed file at `path` holds.
///
/// # Errors
/// If it cannot be read, is damaged, or holds more than is kept in memory.
pub fn decompress(path: &Path) -> Result<Vec<u8>, DataError> {
    let compressed = path.metadata().map_err(DataError::read(path))?.len();
    let allowed = compressed
        .saturating_mul(MAX_RATIO)
        .clamp(ALWAYS_ALLOWED, MAX_BYTES);

    let mut bytes = Vec::new();
    decoder(path)?
        .take(allowed + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| damaged(path, &error))?;
    if bytes.len() as u64 > allowed {
        return Err(DataError::Unsupported {
            path: path.to_owned(),
            advice: format!(
                "it holds more than the {} MiB that are decompressed into memory; run `gunzip -k {}` and open the result",
                allowed >> 20,
                path.display()
            ),
        });
    }
    bytes.shrink_to_fit();
    Ok(bytes)
}

fn decoder(path: &Path) -> Result<MultiGzDecoder<BufReader<File>>, DataError> {
    let file = File::open(path).map_err(DataError::read(path))?;
    Ok(MultiGzDecoder::new(BufReader::new(file)))
}

fn damaged(path: &Path, error: &std::io::Error) -> DataError {
    let problem =
        format!("the compressed file is damaged or cut off ({error}); copy or download it again");
    DataError::layout(path, problem)
}
