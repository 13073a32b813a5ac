use super::*;
use crate::data::testing::{
    class_names, encode, failure, names, open, picture, png, shades, tree, write,
};

#[test]
fn sub_folders_are_classes_in_natural_order() {
    let folder = tree(&[
        "dog/10.png",
        "dog/2.png",
        "cat/deep/er/1.PNG",
        "cat/.hidden.png",
        ".git/x/1.png",
    ]);
    write(folder.path().join("cat/notes.txt"), "not an image");
    write(folder.path().join("empty/readme"), "no image either");
    let data = open(folder.path()).expect("a folder of images");
    assert_eq!(
        names(&data),
        ["cat/deep/er/1.PNG", "dog/2.png", "dog/10.png"]
    );
    assert_eq!(data.classes(), ["cat", "dog"]);
    assert_eq!(class_names(&data), [Some("cat"), Some("dog"), Some("dog")]);
    assert_eq!(shades(&data), [2, 1, 0]);
}

#[test]
fn images_in_the_root_leave_all_unlabelled() {
    for files in [["1.png", "2.png"].as_slice(), &["1.png", "cat/2.png"]] {
        let folder = tree(files);
        let data = open(folder.path()).expect("a folder of images");
        assert_eq!(data.len(), 2);
        assert!(data.classes().is_empty());
        assert_eq!(class_names(&data), [None, None]);
    }
}

#[test]
fn content_counts_and_not_the_name() {
    let folder = tree(&[]);
    write(folder.path().join("a.jpg"), png(9));
    write(
        folder.path().join("b.png"),
        encode(picture(3, 2, 0), image::ImageFormat::WebP),
    );
    write(folder.path().join("c.gif"), b"");
    write(folder.path().join("d.tif"), b"no image");
    let data = open(folder.path()).expect("a folder of images");
    assert_eq!(data.load(0).expect("a PNG").pixel(0, 0)[2], 9);
    assert!(data.load(1).is_ok());
    let empty = data.load(2).expect_err("an empty file").to_string();
    assert!(
        empty.contains("c.gif") && empty.contains("0 bytes"),
        "{empty}"
    );
    assert!(matches!(
        data.load(3).expect_err("text").cause,
        LoadCause::Decode(_)
    ));
}

#[test]
fn an_image_that_vanishes_is_an_error_of_its_own() {
    let folder = tree(&["a.png", "b.png"]);
    let data = open(folder.path()).expect("a folder of images");
    fs::remove_file(folder.path().join("a.png")).expect("removing a file");
    assert!(matches!(
        data.load(0).expect_err("a missing file").cause,
        LoadCause::Read(_)
    ));
    assert!(data.load(1).is_ok());
}

#[test]
fn a_folder_without_images_says_what_was_looked_for() {
    let folder = tree(&[]);
    write(folder.path().join("a/readme.md"), "nothing");
    let (error, message) = failure(folder.path());
    assert!(matches!(error, DataError::Empty { .. }));
    assert!(
        message.contains(".jpeg") && message.contains(".webp"),
        "{message}"
    );
}

#[cfg(unix)]
mod links {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn are_followed_to_files_and_folders() {
        let elsewhere = tree(&["n01/1.png", "single.png"]);
        let folder = tree(&["cat/0.png"]);
        symlink(elsewhere.path().join("n01"), folder.path().join("dog")).expect("a link");
        symlink(
            elsewhere.path().join("single.png"),
            folder.path().join("cat/1.png"),
        )
        .expect("a link");
        let data = open(folder.path()).expect("a folder of images");
        assert_eq!(names(&data), ["cat/0.png", "cat/1.png", "dog/1.png"]);
        assert_eq!(shades(&data), [0, 1, 0]);
    }

    #[test]
    fn that_loop_are_followed_once() {
        let folder = tree(&["a/1.png", "b/2.png"]);
        symlink(folder.path(), folder.path().join("a/up")).expect("a link");
        symlink(folder.path().join("a"), folder.path().join("a/self")).expect("a link");
        symlink(folder.path().join("b"), folder.path().join("a/b")).expect("a link");
        symlink(folder.path().join("a"), folder.path().join("b/a")).expect("a link");
        let data = open(folder.path()).expect("a folder of images");
        assert_eq!(
            names(&data),
            ["a/1.png", "a/b/2.png", "b/2.png", "b/a/1.png"]
        );
    }

    #[test]
    fn that_are_broken_stay_to_be_reported() {
        let folder = tree(&["1.png"]);
        symlink("nowhere", folder.path().join("2.png")).expect("a link");
        symlink("3.png", folder.path().join("3.png")).expect("a link");
        symlink("nowhere", folder.path().join("notes")).expect("a link");
        let data = open(folder.path()).expect("a folder of images");
        assert_eq!(names(&data), ["1.png", "2.png", "3.png"]);
        assert!(matches!(
            data.load(1).expect_err("a broken link").cause,
            LoadCause::Read(_)
        ));
        assert!(data.load(2).is_err());
    }
}
