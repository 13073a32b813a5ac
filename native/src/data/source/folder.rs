//! Image files on disk: a folder tree of them, and the reading of single ones.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ibot_core::image::RgbImage;

use super::positioned::encoded_size;
use crate::data::classes::Classes;
use crate::data::dataset::{Dataset, ImageSource};
use crate::data::decode::{MAX_BYTES, decode};
use crate::data::error::{DataError, LoadCause};
use crate::data::file_names::{has_image_extension, looked_for};
use crate::data::natural_order::natural_order;

/// Image files named relative to a folder.
pub struct ImageFiles {
    pub root: PathBuf,
    pub paths: Vec<PathBuf>,
}

/// Opens every image below `root`, in natural order of path.
pub fn open(root: &Path) -> Result<Dataset, DataError> {
    let mut paths = Vec::new();
    let real = root.canonicalize().map_err(DataError::read(root))?;
    walk(root, Path::new(""), &mut vec![real], &mut paths)?;
    if paths.is_empty() {
        return Err(DataError::Empty {
            path: root.to_owned(),
            looked_for: looked_for(),
        });
    }

    let mut named: Vec<(String, PathBuf)> = paths
        .into_iter()
        .map(|path| (slashed(&path), path))
        .collect();
    named.sort_by(|(a, _), (b, _)| natural_order(a, b));

    let classes = Classes::from_folders(named.iter().map(|(name, _)| name.as_str()));
    let files = ImageFiles {
        root: root.to_owned(),
        paths: named.into_iter().map(|(_, path)| path).collect(),
    };
    Ok(Dataset::new("folder", root, classes, files))
}

fn slashed(path: &Path) -> String {
    path.components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
}

/// Collects the images below `root/inner`. `above` are the resolved folders from the root down to
/// that one.
fn walk(
    root: &Path,
    inner: &Path,
    above: &mut Vec<PathBuf>,
    found: &mut Vec<PathBuf>,
) -> Result<(), DataError> {
    let folder = root.join(inner);
    for entry in fs::read_dir(&folder).map_err(DataError::read(&folder))? {
        let entry = entry.map_err(DataError::read(&folder))?;
        let name = entry.file_name();
        let lossy = name.to_string_lossy();
        if lossy.starts_with('.') {
            continue;
        }

        let path = inner.join(&name);
        let is_image = has_image_extension(&lossy);
        let mut kind = entry.file_type().map_err(DataError::read(&entry.path()))?;
        if kind.is_symlink() {
            match fs::metadata(entry.path()) {
                Ok(target) => kind = target.file_type(),
                Err(_) => {
                    // A broken link stays in the dataset: it fails when loaded, as any other broken
                    // image, and the dataset does not shrink without a message.
                    if is_image {
                        found.push(path);
                    }
                    continue;
                }
            }
        }

        if kind.is_dir() {
            let real = entry
                .path()
                .canonicalize()
                .map_err(DataError::read(&entry.path()))?;
            // A folder that is found again below itself is a loop of links.
            if !above.contains(&real) {
                above.push(real);
                walk(root, &path, above, found)?;
                above.pop();
            }
        } else if kind.is_file() && is_image {
            found.push(path);
        }
    }
    Ok(())
}

impl ImageSource for ImageFiles {
    fn len(&self) -> usize {
        self.paths.len()
    }

    fn name(&self, index: usize) -> Cow<'_, str> {
        self.paths[index].to_string_lossy()
    }

    fn load(&self, index: usize) -> Result<RgbImage, LoadCause> {
        let bytes = read_image_file(&self.root.join(&self.paths[index]))?;
        decode(&bytes).map_err(LoadCause::Decode)
    }
}

fn read_image_file(path: &Path) -> Result<Vec<u8>, LoadCause> {
    let metadata = fs::metadata(path).map_err(LoadCause::Read)?;
    // Opening a pipe would wait for a writer that may never come.
    if !metadata.is_file() {
        return Err(LoadCause::Read(io::Error::other(
            "it is not a regular file",
        )));
    }

    let mut bytes = Vec::with_capacity(encoded_size(metadata.len())?);
    let file = File::open(path).map_err(LoadCause::Read)?;
    file.take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .map_err(LoadCause::Read)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
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
}
