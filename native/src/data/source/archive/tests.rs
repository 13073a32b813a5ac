use std::fs;
use std::path::PathBuf;

use tar::{Builder, EntryType, Header};

use crate::data::dataset::Dataset;
use crate::data::error::{DataError, LoadCause};
use crate::data::testing::{class_names, failure, gzip, names, open, png, shades, tree, write};

/// An archive under construction; raw names, as hostile ones are not made by `tar::Builder`.
struct Tar(Builder<Vec<u8>>);

impl Tar {
    fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    fn entry(mut self, kind: EntryType, name: &str, link: &str, content: &[u8]) -> Self {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        self.0.append(&header, content).expect("writing to memory");
        self
    }

    fn image(self, name: &str, shade: u8) -> Self {
        self.entry(EntryType::Regular, name, "", &png(shade))
    }

    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().expect("writing to memory")
    }

    fn open(self) -> (tempfile::TempDir, Dataset) {
        let folder = tree(&[]);
        let path = folder.path().join("images.tar");
        write(&path, self.bytes());
        let data = open(path).expect("an archive of images");
        (folder, data)
    }
}

fn broken(bytes: &[u8]) -> (u64, String) {
    let folder = tree(&[]);
    let path = folder.path().join("images.tar");
    write(&path, bytes);
    match failure(&path) {
        (DataError::Tar { offset, .. }, message) => (offset, message),
        (error, _) => panic!("another error: {error:?}"),
    }
}

#[test]
fn is_read_like_a_folder() {
    let (_folder, data) = Tar::new()
        .entry(EntryType::Directory, "./dog/", "", b"")
        .image("./dog/10.png", 1)
        .image("./dog/2.png", 2)
        .image("./cat/x/1.png", 3)
        .image("./cat/._1.png", 4)
        .entry(EntryType::Regular, "./readme.txt", "", b"not an image")
        .entry(EntryType::Symlink, "./dog/3.png", "2.png", b"")
        .entry(EntryType::Char, "./dog/null.png", "", b"")
        .open();
    assert_eq!(names(&data), ["cat/x/1.png", "dog/2.png", "dog/10.png"]);
    assert_eq!(class_names(&data), [Some("cat"), Some("dog"), Some("dog")]);
    assert_eq!(shades(&data), [3, 2, 1]);
    let (_folder, data) = Tar::new().image("./cat/1.png", 1).image("2.png", 2).open();
    assert!(data.classes().is_empty());
}

#[test]
fn the_last_of_equal_names_wins() {
    let (_folder, data) = Tar::new()
        .image("a/1.png", 1)
        .image("a/2.png", 2)
        .image("./a/1.png", 3)
        .open();
    assert_eq!(shades(&data), [3, 2]);
}

#[test]
fn names_that_climb_lead_nowhere() {
    let (_folder, data) = Tar::new()
        .image("../../etc/1.png", 1)
        .image("/root/2.png", 2)
        .open();
    assert_eq!(names(&data), ["etc/1.png", "root/2.png"]);
    assert_eq!(shades(&data), [1, 2]);
}

#[test]
fn hard_links_are_the_file_they_link_to() {
    let link = |target| {
        Tar::new()
            .image("a/1.png", 7)
            .entry(EntryType::Link, "b/2.png", target, b"")
    };
    let (_folder, data) = link("./a/1.png").open();
    assert_eq!(shades(&data), [7, 7]);
    assert!(
        broken(&link("a/other.png").bytes())
            .1
            .contains("a/other.png")
    );
}

#[test]
fn long_names_and_extended_headers_are_understood() {
    let long = format!("{}/{}.png", "class".repeat(30), "file".repeat(30));
    let mut builder = Builder::new(Vec::new());
    let mut append = |name: &str, shade| {
        let content = png(shade);
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        builder
            .append_data(&mut header, name, content.as_slice())
            .expect("writing to memory");
    };
    append(&long, 1);
    let gnu = builder.into_inner().expect("writing to memory");
    let (_folder, data) = Tar(Builder::new(Vec::new())).with_raw(&gnu).open();
    assert_eq!(names(&data), [long.as_str()]);

    let mut pax = Builder::new(Vec::new());
    pax.append_pax_extensions([("path", long.as_bytes()), ("comment", b"hello")])
        .expect("writing to memory");
    let (_folder, data) = Tar(pax).image("short.png", 2).image("z/2.png", 3).open();
    assert_eq!(names(&data), [long.as_str(), "z/2.png"]);
    assert_eq!(shades(&data), [2, 3]);
}

impl Tar {
    /// Takes over a finished archive instead.
    fn with_raw(self, archive: &[u8]) -> Self {
        let entries = archive.strip_suffix(&[0; 1024]).expect("an end mark");
        let mut builder = Builder::new(entries.to_vec());
        builder.finish().expect("writing to memory");
        Self(builder)
    }
}

#[test]
fn cut_anywhere_it_is_refused() {
    let archive = Tar::new()
        .image("a/1.png", 1)
        .image("a/2.png", 2)
        .image("b/3.png", 3)
        .bytes();
    // The second block of the end mark is padding.
    let end = archive.len() - 512;
    for length in (0..end)
        .step_by(37)
        .chain((0..end).step_by(512))
        .chain([end - 1])
    {
        let (offset, message) = broken(&archive[..length]);
        assert!(offset <= length as u64, "{offset} is not within {length}");
        assert!(message.contains("truncated"), "cut at {length}: {message}");
    }
    let second = 512 + (png(1).len() as u64).next_multiple_of(512);
    assert_eq!(broken(&archive[..second as usize + 520]).0, second);
    assert!(
        broken(&archive[..second as usize + 520])
            .1
            .contains("a/2.png")
    );
    let folder = tree(&[]);
    write(folder.path().join("images.tar"), &archive[..end]);
    assert_eq!(
        open(folder.path().join("images.tar"))
            .expect("an archive with a short end")
            .len(),
        3
    );
}

#[test]
fn damage_and_other_content_are_refused() {
    let mut archive = Tar::new().image("a/1.png", 1).image("a/2.png", 2).bytes();
    let second = 512 + png(1).len().next_multiple_of(512);
    archive[second] ^= 1;
    assert_eq!(broken(&archive).0, second as u64);
    assert_eq!(broken(&b"<html>no such file</html>".repeat(50)).0, 0);

    let mut header = Header::new_ustar();
    header.set_path("a/1.png").expect("a short name");
    for size in [1 << 40, u64::MAX - 600, u64::MAX] {
        header.set_size(size);
        header.set_cksum();
        assert_eq!(
            broken(&[header.as_bytes().as_slice(), &[0; 2048]].concat()).0,
            0,
            "{size}"
        );
    }
}

#[test]
fn sparse_entries_say_what_to_do() {
    let mut header = Header::new_gnu();
    header.set_path("a/1.png").expect("a short name");
    header.set_entry_type(EntryType::GNUSparse);
    header.set_size(0);
    header.as_gnu_mut().expect("a GNU header").set_real_size(0);
    header.set_cksum();
    assert!(
        broken(&[header.as_bytes().as_slice(), &[0; 1024]].concat())
            .1
            .contains("--sparse")
    );
}

#[test]
fn a_compressed_archive_is_read_from_memory() {
    let folder = tree(&[]);
    let archive = Tar::new().image("b/1.png", 1).image("a/1.png", 2).bytes();
    for name in ["images.tar.gz", "images.tgz", "images.tar", "images"] {
        let path = folder.path().join(name);
        write(&path, gzip(&archive));
        let data = open(&path).expect("an archive of images");
        assert_eq!(names(&data), ["a/1.png", "b/1.png"]);
        assert_eq!(shades(&data), [2, 1]);
        assert_eq!(class_names(&data), [Some("a"), Some("b")]);
    }
}

#[test]
fn archives_compressed_otherwise_say_what_to_run() {
    let folder = tree(&[]);
    for (name, start, command) in [
        ("x.tar.bz2", b"BZh91AY".as_slice(), "bunzip2"),
        ("y.tar", b"BZh91AY", "bunzip2"),
        ("z.tar.xz", b"\xfd7zXZ\0", "unxz"),
    ] {
        write(folder.path().join(name), start);
        let (error, message) = failure(&folder.path().join(name));
        assert!(
            matches!(error, DataError::Unsupported { .. }) && message.contains(command),
            "{message}"
        );
    }
}

#[test]
fn an_archive_without_images_is_an_error() {
    let folder = tree(&[]);
    let path: PathBuf = folder.path().join("images.tar");
    write(
        &path,
        Tar::new()
            .entry(EntryType::Regular, "notes.txt", "", b"text")
            .bytes(),
    );
    assert!(matches!(failure(&path).0, DataError::Empty { .. }));
}

#[test]
fn many_threads_read_at_once() {
    let archive = (0..40).fold(Tar::new(), |tar, shade| {
        tar.image(&format!("{shade}.png"), shade)
    });
    let (_folder, data) = archive.open();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                (0..5).for_each(|_| assert_eq!(shades(&data), (0..40).collect::<Vec<u8>>()))
            });
        }
    });
}

#[test]
fn an_archive_that_shrinks_is_an_error_of_the_image() {
    let (folder, data) = Tar::new().image("1.png", 1).open();
    fs::write(folder.path().join("images.tar"), b"").expect("writing a file");
    assert!(matches!(
        data.load(0).expect_err("nothing to read").cause,
        LoadCause::Read(_)
    ));
}
