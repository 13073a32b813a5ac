//! Lengths, positions and shapes that are not true.

use super::make::{FLOATS, archive, dictionary, join, legacy, storage, tensor, zip};
use super::read::run;
use ibot_core::pickle::PickleError;
use ibot_core::weights::pth::PthError;

/// A float tensor in storage `0` of 16 elements.
fn sixteen(offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    archive(
        &dictionary(&[(
            "a",
            tensor(&storage("FloatStorage", "0", 16), offset, shape, strides),
        )]),
        &[("0", FLOATS)],
    )
}

#[test]
fn claimed_lengths_are_not_believed() {
    let max = [0xff; 8];
    for (name, code, width) in [
        ("LONG1", 0x8a, 1),
        ("LONG4", 0x8b, 4),
        ("BINUNICODE", b'X', 4),
        ("BINUNICODE8", 0x8d, 8),
        ("BINBYTES8", 0x8e, 8),
        ("BYTEARRAY8", 0x96, 8),
        ("LONG_BINPUT", b'r', 4),
        ("LONG_BINGET", b'j', 4),
    ] {
        let pickle = join(&[b"\x80\x04N", &[code], &max[..width], b"."]);
        let error = run(name, &archive(&pickle, &[])).error;
        assert!(
            matches!(&error, Some(PthError::Pickle(PickleError { at: 3, opcode, .. })) if *opcode == name),
            "{error:?}"
        );
    }
    // Frames are not needed, so that a wrong one does no harm.
    assert_eq!(
        run(
            "FRAME",
            &archive(&join(&[b"\x80\x04\x95", &max, b"N."]), &[])
        )
        .error,
        None
    );

    let pickle = dictionary(&[(
        "a",
        tensor(&storage("FloatStorage", "0", 16), 0, &[16], &[1]),
    )]);
    assert_eq!(
        run(
            "a sound file before 1.6",
            &legacy(&pickle, &[("0", 16, FLOATS)])
        )
        .values,
        16
    );
    let mut big = legacy(&pickle, &[("0", 16, FLOATS)]);
    let at = big
        .windows(13)
        .position(|bytes| bytes == b"little_endian")
        .expect("a setting")
        + 13;
    big[at] = 0x89;
    assert_eq!(run("big-endian", &big).error, Some(PthError::BigEndian));
    for (name, storages) in [
        ("length 2^64 - 1", [("0", u64::MAX, FLOATS)].as_slice()),
        ("length 2^62", &[("0", 1 << 62, FLOATS)]),
        ("length 17", &[("0", 17, FLOATS)]),
        ("twice", &[("0", 8, &FLOATS[..32]), ("0", 8, &FLOATS[..32])]),
        ("unknown", &[("1", 16, FLOATS)]),
    ] {
        assert!(matches!(
            run(name, &legacy(&pickle, storages)).error,
            Some(PthError::Legacy { .. })
        ));
    }
    for (name, storages) in [
        ("length 15", [("0", 15, &FLOATS[..60])].as_slice()),
        ("none", &[]),
    ] {
        assert!(matches!(
            run(name, &legacy(&pickle, storages)).refused[..],
            [PthError::Tensor { .. }]
        ));
    }
}

#[test]
fn tensors_stay_within_their_storage() {
    assert_eq!(run("sound", &sixteen(0, &[4, 4], &[4, 1])).values, 16);
    assert_eq!(run("sound", &sixteen(3, &[2, 3], &[6, 2])).values, 6);
    assert_eq!(
        run(
            "empty but huge",
            &sixteen(0, &[0, i64::MAX, i64::MAX], &[i64::MAX, 0, 1])
        )
        .values,
        0
    );
    for (name, file, part) in [
        (
            "one too many",
            sixteen(0, &[17], &[1]),
            "reaches beyond its storage of 16",
        ),
        (
            "one too far",
            sixteen(1, &[4, 4], &[4, 1]),
            "reaches beyond",
        ),
        (
            "stride 0",
            sixteen(0, &[1 << 62], &[0]),
            "repeats a storage",
        ),
        (
            "product overflows",
            sixteen(0, &[1 << 40, 1 << 40], &[0, 0]),
            "repeats a storage",
        ),
        (
            "strides overflow",
            sixteen(0, &[3, 3], &[i64::MAX, i64::MAX]),
            "reaches beyond",
        ),
        (
            "offset overflows",
            sixteen(i64::MAX, &[2], &[i64::MAX]),
            "reaches beyond",
        ),
        (
            "negative offset",
            sixteen(-1, &[2], &[1]),
            "offset is not a count",
        ),
        (
            "negative dimension",
            sixteen(0, &[-2], &[1]),
            "shape is not",
        ),
        (
            "negative stride",
            sixteen(0, &[2], &[-1]),
            "strides are not",
        ),
        (
            "missing stride",
            sixteen(0, &[2, 2], &[1]),
            "as many strides",
        ),
        ("nine dimensions", sixteen(0, &[1; 9], &[1; 9]), "at most 8"),
    ] {
        let seen = run(name, &file);
        let message = seen.refused[0].to_string();
        assert!(
            message.contains("`a`") && message.contains(part),
            "{name}: {message}"
        );
    }
    for (name, class, len, part) in [
        (
            "longer storage",
            "FloatStorage",
            17,
            "should have 68 bytes and has 64",
        ),
        (
            "endless storage",
            "FloatStorage",
            i64::MAX,
            "larger than any memory",
        ),
        ("integers", "LongStorage", 8, "of type int64"),
        ("unknown type", "NoStorage", 16, "of type unknown"),
        ("halves", "HalfStorage", 16, "should have 32 bytes"),
    ] {
        let value = tensor(&storage(class, "0", len), 0, &[2], &[1]);
        let message = run(
            name,
            &archive(&dictionary(&[("a", value)]), &[("0", FLOATS)]),
        )
        .refused[0]
            .to_string();
        assert!(
            message.contains("`a`") && message.contains(part),
            "{name}: {message}"
        );
    }
    let value = dictionary(&[(
        "a",
        tensor(&storage("FloatStorage", "7", 16), 0, &[2], &[1]),
    )]);
    let message = run("missing storage", &archive(&value, &[("0", FLOATS)])).refused[0].to_string();
    assert!(message.contains("lacks its storage `7`"), "{message}");
}

#[test]
fn archives_that_contradict_themselves_are_refused() {
    let pickle = dictionary(&[(
        "a",
        tensor(&storage("FloatStorage", "0", 16), 0, &[16], &[1]),
    )]);
    let sound = archive(&pickle, &[("0", FLOATS)]);
    assert_eq!(run("sound", &sound).values, 16);
    let end = sound.len() - 22;
    let directory = sound
        .windows(4)
        .position(|bytes| bytes == b"PK\x01\x02")
        .expect("a directory");
    let second = directory + 46 + "a/data.pkl".len();
    for (name, at, bytes) in [
        ("more entries", end + 8, &[3, 0, 3, 0][..]),
        ("many entries", end + 8, &[0xff; 4]),
        ("fewer entries", end + 8, &[1, 0, 1, 0]),
        ("several parts", end + 4, &[1, 0]),
        ("longer directory", end + 12, &[0xff; 4]),
        ("directory elsewhere", end + 16, &[1, 0, 0, 0]),
        ("directory beyond", end + 16, &[0xff; 4]),
        ("unlike sizes", second + 20, &[63, 0, 0, 0]),
        (
            "longer entry",
            second + 20,
            &[0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0],
        ),
        ("endless entry", second + 20, &[0xff; 8]),
        ("entry elsewhere", second + 42, &[1, 0, 0, 0]),
        ("entry beyond", second + 42, &[0xff; 4]),
        ("within another", second + 42, &[0; 4]),
        ("another name", second + 46, b"b"),
        ("longer name", second + 28, &[0xff, 0xff]),
        ("longer comment", end + 20, &[1, 0]),
    ] {
        let mut file = sound.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        assert!(
            matches!(run(name, &file).error, Some(PthError::Zip { .. })),
            "{name}"
        );
    }
    for (name, at, byte) in [("compressed", 10, 8), ("encrypted", 8, 1)] {
        let mut file = sound.clone();
        let local = second - 46 - "a/data.pkl".len();
        let local = local - 64 - 30 - "a/data/0".len();
        file[second + at] = byte;
        file[local + at - 2] = byte;
        let message = run(name, &file).refused[0].to_string();
        assert!(
            message.contains(name) && message.contains("data/0"),
            "{message}"
        );
    }
    // Two entries over the same bytes: the second header lies within the first entry's data.
    let inner = zip(&[("a/data/0", FLOATS)]);
    let mut nested = zip(&[
        ("a/data.pkl", &pickle),
        ("a/data/1", &inner[..30 + 8 + 64]),
        ("a/data/0", FLOATS),
    ]);
    let at = nested
        .windows(8)
        .position(|bytes| bytes == b"a/data/0")
        .expect("a name")
        - 30;
    let last = nested.len() - 22 - "a/data/0".len() - 4;
    nested[last..last + 4].copy_from_slice(&(at as u32).to_le_bytes());
    let error = run("overlap", &nested).error;
    assert!(
        error
            .as_ref()
            .is_some_and(|error| error.to_string().contains("within another")),
        "{error:?}"
    );
    let twice = zip(&[
        ("a/data.pkl", &pickle),
        ("a/data/0", FLOATS),
        ("a/data/0", FLOATS),
    ]);
    assert!(matches!(
        run("same name twice", &twice).error,
        Some(PthError::Zip { .. })
    ));
    let big = zip(&[
        ("a/data.pkl", &pickle),
        ("a/byteorder", b"big"),
        ("a/data/0", FLOATS),
    ]);
    assert_eq!(run("big-endian", &big).error, Some(PthError::BigEndian));
    assert!(matches!(
        run("no pickle", &zip(&[("a/data/0", FLOATS)])).error,
        Some(PthError::Format(_))
    ));
    assert!(matches!(
        run("no entry", &zip(&[])).error,
        Some(PthError::Format(_))
    ));
}
