//! A checksum inside a safetensors file, over every byte of it.
//!
//! The format allows nothing after the tensors, so the checksum lies in the header: eight
//! hexadecimal digits, which count as zeros in the sum. Other programs read the file as they read
//! any other.

use std::collections::HashMap;
use std::ops::Range;

use crc32fast::Hasher;

const KEY: &str = "ibot-crc32";
const BLANK: &str = "00000000";

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SealError {
    #[error("it is damaged, or no checkpoint: its header holds no checksum")]
    Missing,
    #[error("it is damaged: its checksum is {found:08x}, not {written} as written")]
    Mismatch { written: String, found: u32 },
}

/// Makes room for a checksum in the header of a file to be written.
pub fn reserve(metadata: &mut HashMap<String, String>) {
    metadata.insert(KEY.to_owned(), BLANK.to_owned());
}

/// Fills in the checksum of a file with room for it.
pub fn seal(bytes: &mut [u8]) -> Result<(), SealError> {
    let place = place(bytes).ok_or(SealError::Missing)?;
    let digits = format!("{:08x}", checksum(bytes, &place));
    bytes[place].copy_from_slice(digits.as_bytes());
    Ok(())
}

/// Checks that a file is what was sealed, to the last bit.
pub fn verify(bytes: &[u8]) -> Result<(), SealError> {
    let place = place(bytes).ok_or(SealError::Missing)?;
    let written = String::from_utf8_lossy(&bytes[place.clone()]).into_owned();
    let found = checksum(bytes, &place);
    if written == format!("{found:08x}") {
        Ok(())
    } else {
        Err(SealError::Mismatch { written, found })
    }
}

fn place(bytes: &[u8]) -> Option<Range<usize>> {
    let length = u64::from_le_bytes(bytes.first_chunk().copied()?);
    let end = usize::try_from(length).ok()?.checked_add(8)?;
    let header = bytes.get(..end)?;
    // No name or value in the header can look like this: quotes inside them are escaped.
    let key = format!("\"{KEY}\":\"");
    let start = header
        .windows(key.len())
        .position(|window| window == key.as_bytes())?
        + key.len();
    let place = start..start + BLANK.len();
    header.get(place.clone()).is_some().then_some(place)
}

fn checksum(bytes: &[u8], place: &Range<usize>) -> u32 {
    let mut hasher = Hasher::new();
    for part in [&bytes[..place.start], BLANK.as_bytes(), &bytes[place.end..]] {
        hasher.update(part);
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use ibot_core::weights::{StoredPrecision, Weight, Weights, from_safetensors, to_safetensors};

    use super::*;

    fn sealed() -> Vec<u8> {
        let weight = Weight {
            shape: vec![2, 3],
            values: vec![1.0, -2.0, 0.5, f32::NAN, 0.0, 7.0],
        };
        let mut metadata = HashMap::from([("step".to_owned(), "\"ibot-crc32\":\"".to_owned())]);
        reserve(&mut metadata);
        let weights = Weights::from([("student/a".to_owned(), weight)]);
        let mut bytes =
            to_safetensors(&weights, metadata, StoredPrecision::F32).expect("sound weights");
        seal(&mut bytes).expect("room for the checksum");
        bytes
    }

    #[test]
    fn the_checksum_is_that_of_the_catalogue() {
        let header = format!("{{\"__metadata__\":{{\"{KEY}\":\"{BLANK}\"}}}}");
        let mut bytes = [
            &(header.len() as u64).to_le_bytes()[..],
            header.as_bytes(),
            b"123456789",
        ]
        .concat();
        // CRC-32 (ISO-HDLC) of these bytes, computed by another implementation: Python's
        // zlib.crc32.
        seal(&mut bytes).expect("room for the checksum");
        let digits = bytes[place(&bytes).expect("sealed")].to_vec();
        assert_eq!(String::from_utf8(digits).expect("digits"), "cecf4a60");
    }

    #[test]
    fn a_sealed_file_is_sound_and_any_flipped_bit_shows() {
        let bytes = sealed();
        assert_eq!(verify(&bytes), Ok(()));
        assert!(
            from_safetensors(&bytes).is_ok(),
            "it stays a safetensors file"
        );
        for bit in 0..8 * bytes.len() {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn lost_and_blank_parts_show() {
        let bytes = sealed();
        for end in 0..bytes.len() {
            assert!(verify(&bytes[..end]).is_err(), "cut at {end}");
            let mut blank = bytes.clone();
            blank[end..].fill(0);
            assert!(verify(&blank).is_err(), "zeros from {end}");
        }
        assert!(
            verify(&[&bytes[..], b"x"].concat()).is_err(),
            "something behind it"
        );
        assert_eq!(verify(&u64::MAX.to_le_bytes()), Err(SealError::Missing));
    }
}
