//! Archives, lists and IDX files, empty, wrongly named, or with entries that lead elsewhere.

use std::fs;

use tar::{Builder, EntryType};

use super::checks::{assert_outcomes, folder, open, png, refusal};
use crate::support::files::tar_header;

/// An archive of entries with these kinds, names, link targets and contents, as they are.
fn archive(entries: &[(EntryType, &str, &str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for &(kind, name, link, content) in entries {
        builder
            .append(&tar_header(kind, name, link, content.len()), content)
            .expect("writing to memory");
    }
    builder.into_inner().expect("writing to memory")
}

#[test]
fn entries_that_lead_elsewhere_read_nothing_there() {
    use EntryType::{Link, Regular, Symlink};
    let (one, two) = (png(1), png(2));
    let outside = folder(&[("secret.png", &png(99))]);
    let secret = outside.path().join("secret.png").display().to_string();
    let bytes = archive(&[
        (Regular, "a/1.png", "", &one),
        (Regular, "../../../a/2.png", "", &two),
        (Regular, "/a/3.png", "", b""),
        (Regular, "a/4.png", "", b"no image"),
        (Symlink, "a/5.png", &secret, b""),
        (Link, "a/6.png", "../../a/1.png", b""),
        (Regular, "a/7.png", "", &one),
        (Regular, "./a//7.png", "", &two),
    ]);
    let data = folder(&[("images.tar", &bytes)]);
    assert_outcomes(
        &open(&data.path().join("images.tar")),
        &[
            ("a/1.png", "3 x 2, 1"),
            ("a/2.png", "3 x 2, 2"),
            ("a/3.png", "the file is empty (0 bytes)"),
            ("a/4.png", "its content is not JPEG"),
            ("a/6.png", "3 x 2, 1"),
            ("a/7.png", "3 x 2, 2"),
        ],
    );
    assert_eq!(
        fs::read_dir(data.path()).expect("a folder").count(),
        1,
        "nothing is extracted"
    );
}

#[test]
fn links_to_themselves_or_out_of_the_archive_are_named() {
    for target in ["a/2.png", "/etc/hostname", "../../secret.png", ""] {
        let bytes = archive(&[
            (EntryType::Regular, "a/1.png", "", &png(1)),
            (EntryType::Link, "a/2.png", target, b""),
        ]);
        let data = folder(&[("images.tar", &bytes)]);
        let message = refusal(&data.path().join("images.tar"));
        assert!(
            message.contains("a/2.png is a link to") && message.contains("repack the archive"),
            "{message}"
        );
    }
}

#[test]
fn archives_by_other_names_are_known_and_other_files_named_so_refused() {
    let bytes = archive(&[(EntryType::Regular, "a/1.png", "", &png(1))]);
    let data = folder(&[
        ("really-a-tar.png", &bytes),
        ("an-image.tar", &png(1)),
        ("a-page.tar", b"<!DOCTYPE html><title>404</title>"),
        ("zero-bytes.tar", b""),
    ]);
    assert_outcomes(
        &open(&data.path().join("really-a-tar.png")),
        &[("a/1.png", "3 x 2, 1")],
    );
    for name in ["an-image.tar", "a-page.tar", "zero-bytes.tar"] {
        let message = refusal(&data.path().join(name));
        assert!(
            message.contains("truncated") && message.contains("copy or download it again"),
            "{message}"
        );
    }
}

#[test]
fn lists_and_idx_files_without_content_say_so() {
    let data = folder(&[
        ("zero-bytes.txt", b""),
        ("only-comments.csv", b"path,label\n# nothing\n"),
        ("binary.txt", &[b'a', b'\n', 0xFF, 0xFE]),
        ("train-images-idx3-ubyte", b""),
    ]);
    for (name, expected) in [
        ("zero-bytes.txt", "looked for one image path a line"),
        ("only-comments.csv", "looked for one image path a line"),
        (
            "binary.txt",
            "line 2: not UTF-8 text; save the list as UTF-8",
        ),
        (
            "train-images-idx3-ubyte",
            "0 bytes are too few for an IDX header; download it again",
        ),
    ] {
        let message = refusal(&data.path().join(name));
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn images_of_a_list_that_are_gone_leave_the_others() {
    let text = "1.png\nmissing.png\n../../../../nowhere/2.png\n1.png\n.\n";
    let data = folder(&[("1.png", &png(5)), ("list.txt", text.as_bytes())]);
    let list = open(&data.path().join("list.txt"));
    assert_outcomes(
        &list,
        &[
            ("1.png", "3 x 2, 5"),
            ("missing.png", "reading failed: No such file"),
            ("../../../../nowhere/2.png", "reading failed: No such file"),
            ("1.png", "3 x 2, 5"),
            (".", "it is not a regular file"),
        ],
    );
}
