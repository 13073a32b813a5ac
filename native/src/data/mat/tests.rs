use std::fs;

use serde_json::{Value, json};

use super::error::MatError;
use super::*;
use crate::data::testing::{dataset_fixture, mat_of};

fn fixture(name: &str) -> Vec<u8> {
    fs::read(dataset_fixture(name)).expect("a committed file")
}

/// A value in the form of `values.json`.
fn as_json(value: &MatValue) -> Value {
    let all = |values: &[MatValue]| -> Vec<Value> { values.iter().map(as_json).collect() };
    match value {
        MatValue::Numbers(numbers) => json!({ "numbers": numbers }),
        MatValue::Text(text) => json!({ "text": text }),
        MatValue::Cells(cells) => json!({ "cells": all(cells) }),
        MatValue::Struct { names, values } => {
            json!({ "struct": { "names": names, "values": all(values) } })
        }
        MatValue::Other => json!({ "other": null }),
    }
}

#[test]
fn values_are_those_that_scipy_reads() {
    let expected: Value = serde_json::from_slice(&fixture("values.json")).expect("JSON");
    let expected = expected.as_object().expect("a dictionary");
    assert!(expected.len() > 20);
    for name in ["values.mat", "values-compressed.mat"] {
        let file = MatFile::read(&fixture(name)).expect("scipy wrote it");
        for (variable, value) in expected {
            let found = file.get(variable).map(as_json);
            assert_eq!(found.as_ref(), Some(value), "{variable} of {name}");
        }
        assert!(file.get("nothing").is_none());
    }
}

#[test]
fn values_are_asked_for_by_what_they_should_be() {
    let file = MatFile::read(&fixture("values.mat")).expect("scipy wrote it");
    let get = |name: &str| file.get(name).expect("a variable");
    assert_eq!(get("scalar").count(), Some(5));
    assert_eq!(get("uint8").count(), None);
    assert_eq!(get("logical").counts(), Some(vec![1, 0, 1]));
    assert_eq!(get("int8").counts(), None, "negative");
    assert_eq!(get("fractions").counts(), None);
    assert_eq!(get("large").counts(), None, "no count is so large");
    assert_eq!(get("text").text(), Some("car_ims/000001.jpg"));
    assert_eq!(get("text").cells(), None);
    let names = get("structs").field("name").expect("a field");
    let names: Vec<_> = names.into_iter().map(MatValue::text).collect();
    assert_eq!(names, [Some("x"), Some("z")]);
    assert!(get("structs").field("other").is_none() && get("cells").field("name").is_none());
}

#[test]
fn either_order_of_bytes_is_read() {
    let little = mat_of(&[("ids", &[1, 300, 65535])]);
    let file = MatFile::read(&little).expect("well formed");
    let expected = Some(vec![1, 300, 65535]);
    assert_eq!(file.get("ids").and_then(MatValue::counts), expected);

    // The same, every number the other way round.
    let mut big = little;
    let swap = |bytes: &mut [u8], size: usize| {
        bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    };
    big[124..128].copy_from_slice(&[0x01, 0x00, b'M', b'I']);
    let end = big.len();
    for words in [128..128 + 8 * 5, 168..176, 184..192] {
        swap(&mut big[words], 4);
    }
    swap(&mut big[192..end], 2);
    let file = MatFile::read(&big).expect("well formed");
    assert_eq!(file.get("ids").and_then(MatValue::counts), expected);
}

#[test]
fn other_files_say_what_they_are() {
    assert_eq!(MatFile::read(b"MATLAB").err(), Some(MatError::Short(6)));
    for file in [
        vec![0; 500],
        [[b'x'; 124].as_slice(), &[0, 2, b'I', b'M']].concat(),
    ] {
        let error = MatFile::read(&file).expect_err("another version");
        assert!(error.to_string().contains("save -v7"), "{error}");
    }
}

#[test]
fn cut_anywhere_it_is_refused_or_has_fewer_variables() {
    for name in ["values.mat", "values-compressed.mat"] {
        let whole = fixture(name);
        let all = MatFile::read(&whole).expect("scipy wrote it");
        assert!(all.get("one_struct").is_some());
        for length in 0..whole.len() {
            if let Ok(file) = MatFile::read(&whole[..length]) {
                assert!(file.get("one_struct").is_none(), "{name} to byte {length}");
            }
        }
    }
}

#[test]
fn damage_is_an_error_or_other_values() {
    let mut refused = 0;
    for name in ["values.mat", "values-compressed.mat"] {
        let whole = fixture(name);
        for at in 0..whole.len() {
            for damage in [1, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] ^= damage;
                refused += usize::from(MatFile::read(&damaged).is_err());
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}

/// A file with one variable, whose elements are these: types and bytes.
fn made(parts: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut file = mat_of(&[]);
    let mut inside = Vec::new();
    for (kind, bytes) in parts {
        inside.extend([*kind, bytes.len() as u32].map(u32::to_le_bytes).concat());
        inside.extend_from_slice(bytes);
        inside.resize(inside.len().next_multiple_of(8), 0);
    }
    file.extend([14, inside.len() as u32].map(u32::to_le_bytes).concat());
    file.extend(inside);
    file
}

#[test]
fn claims_are_checked_before_memory_is_taken() {
    let words = |numbers: &[u32]| -> Vec<u8> {
        numbers.iter().flat_map(|word| word.to_le_bytes()).collect()
    };
    let flags = |class: u32| (6, words(&[class, 0]));
    let huge = (5, words(&[0x7fff_ffff, 0x7fff_ffff]));
    let name = (1, b"x".to_vec());
    let width = (5, words(&[8]));
    let fields = (1, b"field\0\0\0".to_vec());
    for parts in [
        vec![flags(1), huge.clone(), name.clone()],
        vec![flags(2), huge.clone(), name.clone(), width.clone(), fields],
        vec![
            flags(2),
            huge.clone(),
            name.clone(),
            (5, words(&[0])),
            (1, vec![b'a']),
        ],
        vec![
            flags(2),
            huge.clone(),
            name.clone(),
            (5, words(&[1])),
            (1, vec![b'a'; 5000]),
        ],
        vec![flags(6), huge.clone(), name.clone(), (9, vec![0; 8])],
        vec![flags(6), (5, vec![0; 2000]), name.clone(), (9, vec![])],
        vec![flags(6), (5, words(&[1])), name.clone(), (9, vec![0; 8])],
        vec![flags(6), (5, words(&[1, 1])), name.clone(), (9, vec![0; 9])],
        vec![
            flags(6),
            (5, words(&[1, 1])),
            name.clone(),
            (99, vec![0; 8]),
        ],
        vec![
            flags(4),
            (5, words(&[1, 1])),
            name.clone(),
            (16, vec![0xff]),
        ],
        vec![flags(6), (5, words(&[1, 1]))],
    ] {
        let error = MatFile::read(&made(&parts)).expect_err("it lies");
        assert!(
            matches!(error, MatError::Damaged { variable: 1, .. }),
            "{error}"
        );
    }

    // A struct without fields may have any size.
    let parts = [flags(2), huge, name, width, (1, vec![])];
    assert!(
        MatFile::read(&made(&parts))
            .expect("well formed")
            .get("x")
            .is_some()
    );
}

#[test]
fn deep_and_many_arrays_are_refused() {
    let words = |numbers: &[u32]| -> Vec<u8> {
        numbers.iter().flat_map(|word| word.to_le_bytes()).collect()
    };
    let header = [(6, words(&[1, 0])), (5, words(&[1, 1])), (1, vec![])];
    let mut cell = Vec::new();
    for _ in 0..20 {
        let mut parts = header.to_vec();
        if !cell.is_empty() {
            parts.push((14, cell));
        }
        cell = made(&parts)[136..].to_vec();
    }
    let error = MatFile::read(&made(&[&header[..], &[(14, cell)]].concat()));
    let message = error.expect_err("20 cells in each other").to_string();
    assert!(message.contains("16 in each other"), "{message}");

    let many = (1 << 20) + 1;
    let sizes = (5, words(&[1, many]));
    let cells = (
        14,
        [14_u32, 0]
            .map(u32::to_le_bytes)
            .concat()
            .repeat(many as usize),
    );
    let mut file = made(&[header[0].clone(), sizes, header[2].clone()]);
    let len = (file.len() - 136 + cells.1.len()) as u32;
    file[132..136].copy_from_slice(&len.to_le_bytes());
    file.extend(cells.1);
    let message = MatFile::read(&file).expect_err("many").to_string();
    assert!(message.contains("1048576 arrays"), "{message}");
}

#[test]
fn a_variable_that_grows_without_end_is_refused() {
    use std::io::Write as _;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    for _ in 0..33 {
        encoder.write_all(&vec![0; 1 << 20]).expect("to memory");
    }
    let packed = encoder.finish().expect("to memory");
    let mut file = mat_of(&[]);
    file.extend([15, packed.len() as u32].map(u32::to_le_bytes).concat());
    file.extend(packed);
    let error = MatFile::read(&file).expect_err("33 MiB");
    assert_eq!(
        error,
        MatError::TooLarge {
            variable: 1,
            limit: 32
        }
    );
}
