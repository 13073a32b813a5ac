use std::fs::File;

use super::*;
use crate::data::testing::{failure, gzip, open, spec, tree, write};

fn images(count: u32, height: u32, width: u32, pixels: &[u8]) -> Vec<u8> {
    let numbers = [count, height, width].map(u32::to_be_bytes).concat();
    [IMAGES_MAGIC.as_slice(), &numbers, pixels].concat()
}

fn labels(labels: &[u8]) -> Vec<u8> {
    [
        LABELS_MAGIC.as_slice(),
        &(labels.len() as u32).to_be_bytes(),
        labels,
    ]
    .concat()
}

fn two() -> Vec<u8> {
    images(2, 2, 3, &(10..22).collect::<Vec<u8>>())
}

#[test]
fn gray_becomes_rgb_and_labels_are_found() {
    for [images, labelled] in [
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"],
        ["train-images.idx3-ubyte", "train-labels.idx1-ubyte"],
        ["train-images-idx3-ubyte", "train-labels.idx1-ubyte"],
    ] {
        let folder = tree(&[]);
        write(folder.path().join(images), two());
        write(folder.path().join(labelled), labels(&[7, 2]));
        for path in [folder.path().to_owned(), folder.path().join(images)] {
            let data = open(path).expect("a good IDX file");
            assert_eq!(data.len(), 2);
            assert_eq!(data.classes().len(), 8);
            assert_eq!([data.label(0), data.label(1)], [Some(7), Some(2)]);
            let second = data.load(1).expect("a good image");
            assert_eq!((second.width(), second.height()), (3, 2));
            assert_eq!([second.pixel(0, 0), second.pixel(2, 1)], [[16; 3], [21; 3]]);
        }
    }
}

#[test]
fn the_test_part_has_a_suffix() {
    let folder = tree(&[]);
    write(folder.path().join("train-images-idx3-ubyte"), two());
    let test = spec(folder.path()) + ":test";
    assert!(matches!(open(&test), Err(DataError::Unsupported { .. })));
    write(
        folder.path().join("t10k-images-idx3-ubyte"),
        images(1, 1, 1, &[5]),
    );
    assert_eq!(open(&test).expect("the test images").len(), 1);
    assert_eq!(
        open(spec(folder.path()) + ":train")
            .expect("the training images")
            .len(),
        2
    );
    let data = open(folder.path()).expect("the training images");
    assert_eq!(data.len(), 2);
    assert_eq!((data.classes().len(), data.label(0)), (0, None));
    assert!(open(spec(folder.path()) + "/t10k-images-idx3-ubyte:test").is_err());
}

#[test]
fn a_folder_of_test_images_alone_says_so() {
    let folder = tree(&[]);
    write(folder.path().join("t10k-images-idx3-ubyte"), two());
    assert!(failure(folder.path()).1.contains(":test"));
}

#[test]
fn compressed_files_are_read_from_memory() {
    let folder = tree(&[]);
    let images = folder.path().join("train-images-idx3-ubyte.gz");
    write(&images, gzip(&two()));
    let names = ["train-labels-idx1-ubyte.gz", "train-labels-idx1-ubyte"];
    for (name, packed) in names.into_iter().zip([true, false]) {
        let content = labels(&[7, 2]);
        let content = if packed { gzip(&content) } else { content };
        write(folder.path().join(name), content);
        for place in [folder.path(), &images] {
            let data = open(place).expect("a good IDX file");
            assert_eq!([data.label(0), data.label(1)], [Some(7), Some(2)]);
            assert_eq!(data.load(1).expect("an image").pixel(0, 0), [16; 3]);
            assert_ne!(data.digest(), "");
        }
        std::fs::remove_file(folder.path().join(name)).expect("it is there");
    }
    assert!(open(folder.path()).expect("images").classes().is_empty());
}

#[test]
fn damaged_compressed_files_are_named() {
    let folder = tree(&[]);
    let path = folder.path().join("train-images-idx3-ubyte.gz");
    let whole = gzip(&two());
    for length in 2..whole.len() {
        write(&path, &whole[..length]);
        let (_, message) = failure(&path);
        assert!(
            message.contains("damaged or cut off"),
            "{length}: {message}"
        );
    }

    let mut damaged = whole.clone();
    let checksum = whole.len() - 8;
    damaged[checksum] ^= 1;
    write(&path, damaged);
    assert!(failure(&path).1.contains("damaged or cut off"));

    let folder = tree(&[]);
    write(
        folder.path().join("x.gz"),
        gzip(b"neither images nor an archive"),
    );
    assert!(failure(&folder.path().join("x.gz")).1.contains("MNIST"));
    let zeros = vec![0; 17 << 20];
    let bomb = [images(17, 1024, 1024, &[]), zeros].concat();
    let path = folder.path().join("bomb-idx3-ubyte.gz");
    write(&path, gzip(&bomb));
    assert!(failure(&path).1.contains("gunzip"));
}

#[test]
fn claims_are_checked_against_the_length() {
    let folder = tree(&[]);
    let path = folder.path().join("train-images-idx3-ubyte");
    let absurd = images(u32::MAX, u32::MAX, u32::MAX, &[0; 100]);
    // The product of this one is 0 in 64 bits.
    let wrapping = images(1 << 31, 1 << 31, 1 << 2, &[]);
    let short = images(2, 2, 3, &[0; 11]);
    let long = images(2, 2, 3, &[0; 13]);
    for file in [
        absurd,
        wrapping,
        short,
        long,
        two()[..15].to_vec(),
        two()[..3].to_vec(),
        vec![],
    ] {
        write(&path, &file);
        let (error, message) = failure(&path);
        assert!(matches!(error, DataError::Idx { .. }), "{message}");
    }
    for nothing in [images(0, 28, 28, &[]), images(5, 0, 28, &[])] {
        write(&path, nothing);
        assert!(matches!(failure(&path).0, DataError::Empty { .. }));
    }
    write(
        &path,
        b"\0\0\x0d\x03 floats, which no image viewer would take",
    );
    assert!(failure(&path).1.contains("0x00000803"));
}

#[test]
fn labels_must_fit_the_images() {
    let folder = tree(&[]);
    let path = folder.path().join("train-labels-idx1-ubyte");
    write(folder.path().join("train-images-idx3-ubyte"), two());
    let wrong_count = [LABELS_MAGIC.as_slice(), &[0xFF; 4], &[1, 2]].concat();
    let wrong_magic = [[0, 0, 9, 1].as_slice(), &[0, 0, 0, 2], &[1, 2]].concat();
    for file in [
        labels(&[1, 2, 3]),
        labels(&[1]),
        wrong_count,
        wrong_magic,
        vec![],
    ] {
        write(&path, file);
        let error = open(folder.path()).expect_err("labels of other images");
        assert!(
            matches!(&error, DataError::Idx { path: at, .. } if *at == path),
            "{error}"
        );
    }
    write(&path, labels(&[1, 2]));
    assert!(failure(&path).1.contains("images file"));
}

#[test]
fn images_beyond_the_limit_are_refused_one_by_one() {
    let folder = tree(&[]);
    let path = folder.path().join("train-images-idx3-ubyte");
    let header = images(1, 20_000, 20_000, &[]);
    write(&path, &header);
    // A file with a hole takes no disk.
    let file = File::options()
        .write(true)
        .open(&path)
        .expect("the file just written");
    file.set_len(header.len() as u64 + 20_000 * 20_000)
        .expect("a sparse file");
    let loaded = open(&path)
        .expect("a consistent header")
        .load(0)
        .map(|_| "1.2 GB of pixels");
    let error = loaded.expect_err("beyond the limit");
    assert!(matches!(
        error.cause,
        LoadCause::Decode(DecodeError::TooLarge { .. })
    ));
}
