use std::path::PathBuf;

use super::*;
use crate::data::testing::{class_names, failure, gzip, names, open, shades, spec, tree, write};

const FILES: [&str; 4] = ["a/1.png", "a b/2 x.png", "c,d.png", "plain"];

/// A folder with images and `text` as a list among them.
fn listed(name: &str, text: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tree(&FILES);
    let path = folder.path().join(name);
    write(&path, text);
    (folder, path)
}

fn opened(name: &str, text: impl AsRef<[u8]>) -> (tempfile::TempDir, Dataset) {
    let (folder, path) = listed(name, text);
    let data = open(path).expect("a good list");
    (folder, data)
}

fn broken(text: impl AsRef<[u8]>) -> (usize, String) {
    let (_folder, path) = listed("list.txt", text);
    match failure(&path) {
        (DataError::List { line, .. }, message) => (line, message),
        (error, _) => panic!("another error: {error:?}"),
    }
}

#[test]
fn paths_alone_are_taken_whole_and_in_order() {
    let text = "\u{feff}# my images\r\n\r\nc,d.png\r\n  a b/2 x.png\r\na/1.png\r\nplain\r\n";
    let (_folder, data) = opened("list.lst", text);
    assert_eq!(names(&data), ["c,d.png", "a b/2 x.png", "a/1.png", "plain"]);
    assert_eq!(shades(&data), [2, 1, 0, 3]);
    assert!(data.classes().is_empty());
    let folder = tree(&FILES);
    write(
        folder.path().join("lists/all.txt"),
        spec(folder.path().join("a b/2 x.png")) + "\n../a/1.png",
    );
    assert_eq!(
        shades(&open(folder.path().join("lists/all.txt")).expect("a good list")),
        [1, 0]
    );
}

#[test]
fn a_file_that_looks_labelled_is_a_file() {
    let folder = tree(&["photo 1", "photo 2"]);
    write(folder.path().join("list.txt"), "photo 1\nphoto 2");
    let data = open(folder.path().join("list.txt")).expect("a good list");
    assert_eq!(names(&data), ["photo 1", "photo 2"]);
    assert!(data.classes().is_empty());
}

#[test]
fn labels_follow_a_tab_a_comma_or_a_space() {
    let (_folder, data) = opened(
        "list.txt",
        "a/1.png dog\nc,d.png\tcat\na b/2 x.png, red fox\nplain\tcat",
    );
    assert_eq!(names(&data), ["a/1.png", "c,d.png", "a b/2 x.png", "plain"]);
    assert_eq!(data.classes(), ["cat", "dog", "red fox"]);
    assert_eq!(
        class_names(&data),
        [Some("dog"), Some("cat"), Some("red fox"), Some("cat")]
    );
}

#[test]
fn a_csv_may_have_a_header_and_quotes() {
    let (_folder, data) = opened(
        "list.csv",
        "# made by hand\nPath,label\n\"c,d.png\",\"x \"\"1\"\"\"\n\na/1.png, y\n",
    );
    assert_eq!(names(&data), ["c,d.png", "a/1.png"]);
    assert_eq!(class_names(&data), [Some("x \"1\""), Some("y")]);

    let (_folder, data) = opened("list.CSV", "a/1.png,image\nplain,cat\n");
    assert_eq!(class_names(&data), [Some("image"), Some("cat")]);
    let (_folder, data) = opened("list.csv", "\u{feff}a/1.png\r\nplain\r\n");
    assert_eq!(names(&data), ["a/1.png", "plain"]);
    assert!(data.classes().is_empty());
}

#[test]
fn columns_of_a_csv_go_by_their_names() {
    for text in [
        "id,Label,width,filename\n7,2,30,a/1.png\n8,0,20,plain\n",
        "filename;label\na/1.png;2\nplain;0\n",
        "species\tfilename\n2\ta/1.png\n0\tplain\n",
    ] {
        let (_folder, data) = opened("list.csv", text);
        assert_eq!(names(&data), ["a/1.png", "plain"], "{text}");
        assert_eq!(data.classes(), ["0", "1", "2"], "{text}");
        assert_eq!([data.label(0), data.label(1)], [Some(2), Some(0)], "{text}");
    }
    let packed = gzip(b"name,label\na/1.png,dog\nplain,cat\n");
    let (_folder, data) = opened("list.csv.gz", packed);
    assert_eq!(class_names(&data), [Some("dog"), Some("cat")]);
    let (_folder, data) = opened("list.tsv", "a/1.png\tdog\nplain\tcat\n");
    assert_eq!(class_names(&data), [Some("dog"), Some("cat")]);
}

#[test]
fn faults_of_a_csv_have_their_line() {
    for (text, expected, word) in [
        ("path,a,b\nplain,1,2\n", 1, "no column is called `label`"),
        ("a/1.png,1,2\n", 1, "3 fields"),
        ("# note\n\na/1.png,1\nc,d.png,2\n", 4, "3 fields"),
        ("a/1.png,1\n# note\nplain,\n", 3, "no label after"),
        ("a/1.png,1\n\n\nplain\n", 4, "no label"),
        ("a/1.png,1\n,3\n", 2, "no path"),
        ("path,label\ngone.png,1\n", 2, "gone.png is not a file"),
        ("path,label\na/1.png,1\n\"a\nb\",-4\n", 3, "label -4"),
    ] {
        let (_folder, path) = listed("list.csv", text);
        let (error, message) = failure(&path);
        let is_there = matches!(error, DataError::List { line, .. } if line == expected);
        assert!(is_there && message.contains(word), "{text:?}: {message}");
    }
}

#[test]
fn numbers_are_the_classes_they_say() {
    let (_folder, data) = opened("list.txt", "a/1.png 3\nplain 1");
    assert_eq!(data.classes(), ["0", "1", "2", "3"]);
    assert_eq!([data.label(0), data.label(1)], [Some(3), Some(1)]);
    let (_folder, data) = opened("list.txt", "a/1.png 3\nplain three");
    assert_eq!(data.classes(), ["3", "three"]);
    for label in ["-1", "1000001", "99999999999"] {
        let (line, message) = broken(format!("a/1.png 0\nplain {label}"));
        assert!(line == 2 && message.contains(label), "{message}");
    }
}

#[test]
fn some_labels_but_not_all_are_an_error() {
    let (line, message) = broken("a/1.png 1\n\n# rest\nc,d.png\n");
    assert!(line == 4 && message.contains("line 1"), "{message}");
    assert_eq!(broken("c,d.png\nplain 3").0, 2);
}

#[test]
fn bad_lines_are_named() {
    let cases: [(&[u8], usize, &str); 5] = [
        (b"a/1.png\nplain,\n", 2, "no label"),
        (b"a/1.png,0\n,3\n", 2, "no path"),
        (b"a/1.png 0\na b/2 x.png 1\n", 2, "tab or comma"),
        (b"a/1.png\n\xff\xfe.png\n", 2, "UTF-8"),
        (b"\nmoved/1.png\na/1.png\n", 2, "moved/1.png"),
    ];
    for (text, expected, word) in cases {
        let (line, message) = broken(text);
        assert!(line == expected && message.contains(word), "{message}");
    }
}

#[test]
fn a_list_of_nothing_is_an_error() {
    for text in ["", "\n# nothing\n\n"] {
        let (_folder, path) = listed("list.txt", text);
        assert!(matches!(failure(&path).0, DataError::Empty { .. }));
    }
}

#[test]
fn a_missing_image_is_an_error_when_loaded() {
    let (_folder, data) = opened("list.txt", "a/1.png\nabsent.png");
    assert!(data.load(0).is_ok());
    assert!(
        data.load(1)
            .expect_err("no such file")
            .to_string()
            .contains("absent.png")
    );
}
