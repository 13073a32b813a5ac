//! CIFAR in its four forms.

use std::fs;

use super::{assert_cuts_are_refused, refusal, set};
use crate::data::dataset::Dataset;
use crate::data::testing::{dataset_fixture, gzip, names, open, spec, tar_of, tree, write};

/// The pixels of image `number` of the fixtures: channel, row and column.
fn value(number: usize, channel: usize, row: usize, column: usize) -> u8 {
    ((number * 31 + channel * 85 + row * 7 + column * 3) % 256) as u8
}

fn picture(number: usize) -> Vec<u8> {
    let mut pixels = Vec::new();
    for channel in 0..3 {
        for row in 0..32 {
            pixels.extend((0..32).map(|column| value(number, channel, row, column)));
        }
    }
    pixels
}

fn assert_picture(data: &Dataset, index: usize, number: usize) {
    let image = data.load(index).expect("an image");
    assert_eq!((image.width(), image.height()), (32, 32));
    for (x, y) in [(0, 0), (31, 0), (0, 31), (17, 5)] {
        let expected = [0, 1, 2].map(|channel| value(number, channel, y, x));
        assert_eq!(image.pixel(x, y), expected, "image {index} at {x}, {y}");
    }
}

/// The binary form of CIFAR-10 with the images of the fixtures.
fn binary10() -> tempfile::TempDir {
    let folder = tree(&[]);
    let path = |name: &str| folder.path().join("cifar-10-batches-bin").join(name);
    let classes = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";
    write(path("batches.meta.txt"), classes);
    write(path("readme.html"), "<html>");
    for number in 0..6 {
        let name = match number {
            5 => "test_batch.bin".to_owned(),
            _ => format!("data_batch_{}.bin", number + 1),
        };
        write(
            path(&name),
            [vec![9 - number as u8], picture(number)].concat(),
        );
    }
    folder
}

fn assert_cifar10(place: &str) {
    for part in ["", ":train"] {
        let data = open(format!("{place}{part}")).expect("the set");
        assert_eq!(data.len(), 5);
        assert_eq!(data.classes()[0], "airplane");
        assert_eq!(data.classes().len(), 10);
        for index in 0..5 {
            assert_picture(&data, index, index);
            assert_eq!(data.label(index), Some(9 - index));
        }
        assert!(names(&data)[2].starts_with("data_batch_3"));
    }
    let test = open(format!("{place}:test")).expect("the set");
    assert_eq!((test.len(), test.label(0)), (1, Some(4)));
    assert_picture(&test, 0, 5);
    assert_ne!(test.digest(), open(place).expect("the set").digest());
}

#[test]
fn both_forms_of_cifar_10_are_the_same() {
    let python = tree(&[]);
    let inner = python.path().join("cifar-10-batches-py");
    fs::rename(set("cifar-10-batches-py", &[]).path(), &inner).expect("one file system");
    let binary = binary10();
    let archives = tree(&[]);
    for (name, folder) in [("python", &python), ("binary", &binary)] {
        assert_cifar10(&spec(folder.path()));
        let plain = archives.path().join(format!("{name}.tar"));
        write(&plain, tar_of(folder.path()));
        assert_cifar10(&spec(plain));
        let packed = archives.path().join(format!("cifar-10-{name}.tar.gz"));
        write(&packed, gzip(&tar_of(folder.path())));
        assert_cifar10(&spec(packed));
    }
    assert_cifar10(&spec(inner));
    assert!(
        open(python.path())
            .expect("the set")
            .description()
            .starts_with("CIFAR-10 (python)")
    );
}

#[test]
fn cifar_100_has_fine_classes() {
    let binary = tree(&[]);
    let path = |name: &str| binary.path().join(name);
    let fine: String = (0..100).map(|number| format!("fine {number}\n")).collect();
    write(path("fine_label_names.txt"), fine);
    write(path("coarse_label_names.txt"), "coarse 0\ncoarse 1\n");
    let record = |number: usize| [vec![1, 99 - number as u8], picture(number)].concat();
    write(path("train.bin"), [record(0), record(1)].concat());
    write(path("test.bin"), record(5));

    for place in [binary.path(), &dataset_fixture("cifar-100-python")] {
        let train = open(place).expect("the set");
        assert_eq!((train.len(), train.classes().len()), (2, 100));
        assert_eq!([train.label(0), train.label(1)], [Some(99), Some(98)]);
        assert_eq!(train.classes()[98], "fine 98");
        assert_picture(&train, 1, 1);
        let test = open(spec(place) + ":test").expect("the set");
        assert_eq!((test.len(), test.label(0)), (1, Some(94)));
        assert_picture(&test, 0, 5);
    }
}

#[test]
fn faults_of_pickles_are_named() {
    let folder = set("cifar-10-batches-py", &[]);
    let path = |name: &str| folder.path().join(name);
    assert!(refusal(folder.path(), ":val").contains("`:train`, `:test`"));
    assert_cuts_are_refused(&folder, "data_batch_2", "");
    assert_cuts_are_refused(&folder, "batches.meta", ":test");

    let whole = fs::read(path("data_batch_2")).expect("a file");
    // The number after the key and the beginning of a list.
    let label = whole
        .windows(8)
        .position(|bytes| bytes == b"labels](")
        .expect("the key")
        + 9;
    for (change, expected) in [(10, "label 10 is no class"), (255, "label 255 is no class")] {
        let mut damaged = whole.clone();
        damaged[label] = change;
        write(path("data_batch_2"), damaged);
        let message = refusal(folder.path(), "");
        assert!(
            message.contains(expected) && message.contains("data_batch_2"),
            "{message}"
        );
    }
    let other = fs::read(path("batches.meta")).expect("a file");
    write(path("data_batch_2"), other);
    assert!(refusal(folder.path(), "").contains("`data` is missing"));
    write(path("data_batch_2"), b"<html>no such file</html>");
    assert!(refusal(folder.path(), "").contains("download it again"));

    // Texts are bytes here, so that data and labels can disagree.
    let damaged: Vec<u8> = [&whole[..label - 1], b"K\x01", &whole[label - 1..]].concat();
    write(path("data_batch_2"), damaged);
    assert!(refusal(folder.path(), "").contains("2 labels, but 3072 bytes"));

    fs::remove_file(path("data_batch_2")).expect("it is there");
    let message = refusal(folder.path(), "");
    assert!(
        message.contains("data_batch_2") && message.contains("missing"),
        "{message}"
    );
    assert_eq!(
        open(spec(folder.path()) + ":test").expect("complete").len(),
        1
    );
}

#[test]
fn faults_of_binary_files_are_named() {
    let folder = binary10();
    let batch = folder.path().join("cifar-10-batches-bin/data_batch_4.bin");
    for (content, expected) in [
        (vec![0; 3072], "3072 bytes are no whole images of 3073"),
        (
            vec![10; 3073],
            "label 10 is no class: batches.meta.txt names 10",
        ),
    ] {
        write(&batch, content);
        let message = refusal(folder.path(), "");
        assert!(
            message.contains(expected) && message.contains("data_batch_4.bin"),
            "{message}"
        );
    }
    // A batch may be empty, but not all of them.
    write(&batch, b"");
    assert_eq!(open(folder.path()).expect("four batches").len(), 4);
    write(
        folder.path().join("cifar-10-batches-bin/test_batch.bin"),
        b"",
    );
    assert!(refusal(folder.path(), ":test").contains("no images"));
}
