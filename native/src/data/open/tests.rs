use super::*;
use crate::data::testing::{failure, open, png, spec, tree, write};

fn message(spec: &str) -> String {
    Dataset::open(spec)
        .expect_err("opening must fail")
        .to_string()
}

#[test]
fn a_missing_path_suggests_what_is_there() {
    let folder = tree(&["images/train/1.png", "images/validation/1.png"]);
    let root = spec(folder.path());
    for (asked, expected) in [
        ("images/trian", "did you mean ROOT/images/train?"),
        ("image/train/x", "did you mean ROOT/images?"),
        ("images/Train2", "did you mean ROOT/images/train?"),
        ("elsewhere/deep/down", "the part that exists is ROOT"),
        ("zzz", "a folder of images, a .tar"),
        ("images/trian:test", "did you mean ROOT/images/train?"),
    ] {
        let message = message(&format!("{root}/{asked}"));
        assert!(message.contains("does not exist"), "{message}");
        assert!(
            message.contains(&expected.replace("ROOT", &root)),
            "{message}"
        );
    }
    assert!(message("bultin").contains("did you mean builtin?"));
    assert!(matches!(
        open(folder.path().join("nothing")),
        Err(DataError::Missing { .. })
    ));
}

#[test]
fn nonsense_says_what_to_write() {
    assert!(message("").contains("builtin"));
    assert!(message("builtin:test").contains("builtin:val"));
    let folder = tree(&["1.png"]);
    let root = spec(folder.path());
    assert!(message(&format!("{root}:test")).contains("IDX"));
    assert!(message(&format!("{root}/1.png:test")).contains("only a folder or an archive"));
}

#[test]
fn other_files_say_what_to_give() {
    let folder = tree(&["1.png"]);
    assert!(
        failure(&folder.path().join("1.png"))
            .1
            .contains("single image")
    );
    for (name, content) in [("model.bin", b"weights".as_slice()), ("empty", b"")] {
        write(folder.path().join(name), content);
        assert!(failure(&folder.path().join(name)).1.contains(".tar"));
    }
    write(folder.path().join("images.zip"), b"PK\x03\x04 and so on");
    assert!(
        failure(&folder.path().join("images.zip"))
            .1
            .contains("unzip")
    );
}

#[test]
fn a_colon_in_a_real_name_is_no_suffix() {
    let folder = tree(&[]);
    write(folder.path().join("set:test/1.png"), png(0));
    assert_eq!(
        open(folder.path().join("set:test"))
            .expect("a folder of images")
            .len(),
        1
    );
}

#[test]
fn an_archive_is_known_without_its_extension() {
    let folder = tree(&["images/1.png"]);
    let mut archive = tar::Builder::new(Vec::new());
    archive
        .append_dir_all(".", folder.path().join("images"))
        .expect("writing to memory");
    write(
        folder.path().join("download"),
        archive.into_inner().expect("writing to memory"),
    );
    assert_eq!(
        open(folder.path().join("download"))
            .expect("an archive")
            .len(),
        1
    );
}
