//! Tiny sets in the layouts of the real ones. scripts/make_dataset_fixtures.py wrote their labels.

mod cifar;
mod inaturalist;
mod matlab;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::data::testing::{dataset_fixture, gzip, open, spec, tar_of, tree, write};

/// A folder with PNGs of these names, the n-th of shade n, and the files of a folder of fixtures.
fn set(fixture: &str, images: &[String]) -> TempDir {
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    let folder = tree(&images);
    for file in fs::read_dir(dataset_fixture(fixture)).expect("a folder of fixtures") {
        let file = file.expect("a file").path();
        let name = file.file_name().expect("a name");
        fs::copy(&file, folder.path().join(name)).expect("to a temporary folder");
    }
    folder
}

/// The message of an open that must fail.
fn refusal(place: &Path, part: &str) -> String {
    let named = format!("{}{part}", spec(place));
    let error = open(&named).expect_err("opening must fail");
    let message = error.to_string();
    assert!(message.contains(&spec(place)), "{message}");
    message
}

/// Cuts the file at many places; what is opened then must fail, and name the file.
fn assert_cuts_are_refused(folder: &TempDir, file: &str, part: &str) {
    let path = folder.path().join(file);
    let whole = fs::read(&path).expect("a file of the set");
    let step = whole.len() / 60 + 1;
    for length in (0..whole.len()).step_by(step).chain([whole.len() - 2]) {
        write(&path, &whole[..length]);
        let message = refusal(folder.path(), part);
        assert!(message.contains(file), "{message}");
    }
    write(&path, whole);
}

#[test]
fn a_set_is_found_in_a_folder_of_an_archive() {
    let images: Vec<String> = (1..=6).map(|n| format!("car_ims/{n:06}.jpg")).collect();
    let folder = set("cars", &images);
    let above = tree(&[]);
    let inner = above.path().join("stanford");
    fs::rename(folder.path(), &inner).expect("one file system");
    let packed = tree(&[]);
    let archive = packed.path().join("cars.tgz");
    write(&archive, gzip(&tar_of(above.path())));
    for place in [&inner, &above.path().to_owned(), &archive] {
        let data = open(format!("{}:test", spec(place))).expect("the set");
        assert_eq!((data.len(), data.classes().len()), (3, 3));
        assert_eq!(data.load(0).expect("an image").pixel(0, 0)[2], 1);
        assert_eq!(data.label(2), Some(2));
        assert_ne!(data.digest(), open(place).expect("the set").digest());
    }
}
