//! Archives by hand, with what torch writes only into files beyond 4 GiB.

use super::end::{END, END_64, LOCATOR_64};
use super::entry::CENTRAL;
use super::*;
use crate::testing::test;

/// One entry `a/x` of the bytes `data`, with sizes, position and directory in zip64 fields only.
fn large(data: &[u8]) -> Vec<u8> {
    let (crc, len, unset) = (
        crc32fast::hash(data).to_le_bytes(),
        (data.len() as u64).to_le_bytes(),
        [0xff; 4],
    );
    let local = [LOCAL, &[0; 10], &crc, &[0; 8], &[3, 0, 0, 0], b"a/x", data].concat();
    let central = [
        CENTRAL,
        &[0; 12],
        &crc,
        &unset,
        &unset,
        &[3, 0, 36, 0],
        &[0; 10],
        &unset,
        b"a/x",
    ]
    .concat();
    // An unknown field comes first.
    let extra = [
        &[9, 9, 4, 0, 1, 2, 3, 4, 1, 0, 24, 0][..],
        &len,
        &len,
        &[0; 8],
    ]
    .concat();
    let (size, at) = ((central.len() + extra.len()) as u64, local.len() as u64);
    let (size, at, end_64) = (
        size.to_le_bytes(),
        at.to_le_bytes(),
        (size + at).to_le_bytes(),
    );
    let one = 1u64.to_le_bytes();
    let record = [
        END_64,
        &44u64.to_le_bytes(),
        &[0; 12],
        &one,
        &one,
        &size,
        &at,
    ]
    .concat();
    let locator = [LOCATOR_64, &[0; 4], &end_64, &[1, 0, 0, 0]].concat();
    let end = [END, &[0; 4], &[0xff; 12], &[0; 2]].concat();
    [local, central, extra, record, locator, end].concat()
}

#[test]
fn zip64_fields_replace_the_older_ones() {
    let file = large(b"content");
    let archive = Archive::parse(&file).expect("a sound archive");
    assert_eq!(archive.verified("x"), Ok(Some(&b"content"[..])));
    assert_eq!(archive.verified("y"), Ok(None));
}

#[test]
fn zip64_fields_may_lie() {
    let sound = large(b"content");
    let field = |pattern: &[u8]| {
        sound
            .windows(pattern.len())
            .position(|bytes| bytes == pattern)
            .expect("a field")
    };
    let extra = field(&[1, 0, 24, 0]) + 4;
    let record = field(END_64);
    let locator = field(LOCATOR_64);
    for at in [
        extra,
        extra + 8,
        extra + 16,
        record + 24,
        record + 32,
        record + 40,
        record + 48,
        locator + 8,
    ] {
        for value in [1u64, 1 << 32, u64::MAX, i64::MAX as u64] {
            let mut file = sound.clone();
            if file[at..at + 8] != value.to_le_bytes() {
                file[at..at + 8].copy_from_slice(&value.to_le_bytes());
                assert!(
                    matches!(Archive::parse(&file), Err(PthError::Zip { .. })),
                    "{value} at {at}"
                );
            }
        }
    }
}

#[test]
fn a_checksum_is_verified_unless_it_is_zero() {
    let mut file = large(b"content");
    let crc = crc32fast::hash(b"content").to_le_bytes();
    let central = file
        .windows(4)
        .position(|bytes| bytes == CENTRAL)
        .expect("a directory");
    let (local, directory) = (14, central + 16);
    assert_eq!(file[local..local + 4], crc);
    file[directory] ^= 1;
    let archive = Archive::parse(&file).expect("the structure is sound");
    assert!(matches!(archive.verified("x"), Err(PthError::Entry { .. })));
    assert_eq!(archive.bytes("x"), Ok(Some(&b"content"[..])));
    file[directory..directory + 4].fill(0);
    let archive = Archive::parse(&file).expect("the structure is sound");
    assert!(
        archive.verified("x").is_ok(),
        "torch can be told to leave it out"
    );
}
