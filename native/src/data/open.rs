//! From the text a user gives to the dataset it names.

use std::path::Path;

use ibot_core::scenes::Split;

use super::boxes;
use super::dataset::Dataset;
use super::error::DataError;
use super::file_names::has_image_extension;
use super::gzip;
use super::keypoints;
use super::labelled;
use super::place::NamedPlace;
use super::segmentation;
use super::source::idx::{self, IdxSplit};
use super::source::{archive, builtin, copydays, davis, folder, landmarks, list};
use super::split_list;
use super::suggest::{BUILTIN, KINDS, missing};
use super::tar_members::has_tar_mark;

impl Dataset {
    /// Opens what `spec` names:
    ///
    /// - `builtin`, `builtin:train` or `builtin:val`: scenes drawn by the program.
    /// - A folder of images (jpg, jpeg, png, webp, bmp, gif, tif, tiff) at any depth, in natural
    ///   order of path. If all are in sub-folders, the first folder of each is its class. Hidden
    ///   files are skipped, links followed.
    /// - A `.tar` of such a folder, read in place.
    /// - `PLACE:LIST.txt`: the images of a folder or `.tar` whose file names a text file has, one a
    ///   line. Classes keep their numbers.
    /// - A `.txt`, `.lst`, `.csv` or `.tsv` with one path a line, relative to the list's folder, and
    ///   a label on all lines or none. Labels that are all numbers are class numbers.
    /// - The images file of the MNIST family (IDX), or a folder of its files, with `:test` after it
    ///   for the `t10k` ones. The labels file beside it is used if there is one.
    /// - A folder or `.tar` in the layout of CIFAR-10 or CIFAR-100 (python or binary), Flowers-102 or
    ///   Stanford Cars, with `:train` (the default) or `:test` after it, or of iNaturalist, with
    ///   `:train` or `:val`. After a `/` follows the rank of iNaturalist's classes, as in
    ///   `:val/family`.
    ///
    /// IDX files and archives may be compressed by gzip; they are then decompressed into memory.
    ///
    /// # Errors
    /// If there is no such dataset, it is damaged as a whole, or it has no images. Single images
    /// are not read.
    pub fn open(spec: &str) -> Result<Self, DataError> {
        open(&NamedPlace::of(spec))
    }

    /// Opens a folder or tar in the layout of Revisited Oxford and Paris: `jpg/` and `gnd_NAME.pkl`, or
    /// `.json` with the same keys. The images are those to search, then the queries; the ground
    /// truth is the [`annotation`](Self::annotation). `None` if `spec` is something else.
    ///
    /// # Errors
    /// If the ground truth cannot be read, or names an image that is missing.
    pub fn open_landmarks(spec: &str) -> Result<Option<Self>, DataError> {
        landmarks::open(Path::new(spec))
    }

    /// Opens a folder or tar in the layout of Copydays: `original/`, and `strong/`, `jpegqual/*/` or
    /// `crops/*/`. The images are the originals, then the copies block by block; which belong
    /// together is the [`annotation`](Self::annotation), a [`CopyBlocks`](super::CopyBlocks). `None` if `spec` is
    /// something else.
    ///
    /// # Errors
    /// If copies do not belong to the originals.
    pub fn open_copydays(spec: &str) -> Result<Option<Self>, DataError> {
        copydays::open(Path::new(spec))
    }

    /// Opens a folder or tar with a mask for each image, which [`mask`](Self::mask) gives. A part of
    /// it is chosen after a colon:
    ///
    /// - ADE20K: `images/` and `annotations/`, each with `training/` (the default) and `validation/`.
    /// - PASCAL VOC: `JPEGImages/`, `SegmentationClass/`, and a list of images in
    ///   `ImageSets/Segmentation/` (`train` by default).
    /// - DAVIS: `JPEGImages/480p/` and `Annotations/480p/`; `first` frames, `later` ones, or a list
    ///   in `ImageSets/`. All objects are one class.
    /// - `images/` beside `masks/` with PNG files of the same names, at any depth; a folder in both
    ///   after the colon. Line n of `classes.txt` names number n, counted from 0; without it the
    ///   numbers that occur are the classes. 255 belongs to none, unless 0 is the only other number.
    /// - COCO, as [`open_with_objects`](Self::open_with_objects) reads it: the background and all
    ///   categories. Pixels on which objects of several categories lie are ignored.
    ///
    /// Else it opens what [`open`](Self::open) takes.
    ///
    /// # Errors
    /// As [`open`](Self::open), and if a list cannot be read. Masks are read when they are asked for.
    pub fn open_with_masks(spec: &str) -> Result<Self, DataError> {
        let place = NamedPlace::of(spec);
        if let Some(data) = segmentation::open(&place)? {
            return Ok(data);
        }
        match boxes::open(&place)? {
            Some(data) if !data.pixel_classes().is_empty() => Ok(data),
            // Boxes alone say nothing of pixels.
            _ => open(&place),
        }
    }

    /// Opens images with boxes around their objects, a folder or a `.tar` in the layout of
    ///
    /// - COCO: `annotations/instances_*.json`, and a folder of images for each;
    /// - Pascal VOC: `JPEGImages/`, `Annotations/*.xml`, and lists in `ImageSets/Main/`;
    ///
    /// with `:SPLIT` after it, such as `:val2017` or `:trainval`; or the JSON file of COCO's form
    /// beside its images. The boxes are the [`annotation`](Self::annotation), an
    /// [`ObjectBoxes`](super::ObjectBoxes). Else it opens images with masks, of which
    /// [`open_with_masks`](Self::open_with_masks) tells, or what [`open`](Self::open) takes.
    ///
    /// # Errors
    /// As [`open`](Self::open), and if the annotation cannot be read as a whole, or no image is left.
    /// What is wrong with single images and objects is noted in the annotation.
    pub fn open_with_objects(spec: &str) -> Result<Self, DataError> {
        let place = NamedPlace::of(spec);
        if let Some(data) = boxes::open(&place)? {
            return Ok(data);
        }
        match segmentation::open(&place)? {
            Some(data) => Ok(data),
            None => open(&place),
        }
    }

    /// Opens a folder or archive in the layout of DAVIS: `JPEGImages/` and `Annotations/`, with a
    /// folder for each sequence in `480p/` or in them. The images are the frames of the sequences
    /// that the list `split` in `ImageSets/` names, by default `val` or all; sequences and masks are
    /// the [`annotation`](Self::annotation), [`Videos`](super::Videos). `None` if `spec` is something
    /// else.
    ///
    /// # Errors
    /// If there is no such list, or there are no frames.
    pub fn open_videos(spec: &str, split: Option<&str>) -> Result<Option<Self>, DataError> {
        davis::open(Path::new(spec), split)
    }

    /// Opens pairs of images with keypoints: a folder or a `.tar` in the layout of SPair-71k, with
    /// `:SPLIT` after it (`test` by default), or a JSON list beside its images. The pairs are the
    /// [`annotation`](Self::annotation), a [`KeypointPairs`](super::KeypointPairs). `None` if `spec`
    /// is something else.
    ///
    /// # Errors
    /// If the list cannot be read, or no pair is left.
    pub fn open_keypoints(spec: &str) -> Result<Option<Self>, DataError> {
        keypoints::open(spec)
    }
}

fn open(place: &NamedPlace) -> Result<Dataset, DataError> {
    let spec = place.spec;
    match spec {
        "builtin" | "builtin:train" => return Ok(builtin::open(Split::Train, "builtin:train")),
        "builtin:val" => return Ok(builtin::open(Split::Val, "builtin:val")),
        "" => return Err(bad_spec(spec, format!("give {KINDS}"))),
        _ => {}
    }

    if !place.path.exists() {
        return Err(match place.part {
            Some(_) if place.path == Path::new("builtin") => {
                let splits = BUILTIN[1..].join(" and ");
                bad_spec(spec, format!("the splits are {splits}"))
            }
            _ => missing(place.path),
        });
    }

    match place.part {
        Some(list) if split_list::is_list(list) => {
            split_list::select(open_whole(place)?, Path::new(list))
        }
        Some(part) => open_part(place, part),
        None => open_whole(place),
    }
}

fn open_whole(place: &NamedPlace) -> Result<Dataset, DataError> {
    if place.path.is_dir() {
        open_folder(place)
    } else {
        open_file(place)
    }
}

fn bad_spec(spec: &str, advice: String) -> DataError {
    DataError::Spec {
        spec: spec.to_owned(),
        advice,
    }
}

fn unsupported(path: &Path, advice: impl Into<String>) -> DataError {
    DataError::Unsupported {
        path: path.to_owned(),
        advice: advice.into(),
    }
}

/// A part of a set in an official layout.
fn open_part(place: &NamedPlace, part: &str) -> Result<Dataset, DataError> {
    let path = place.path;
    let Some(tree) = place.tree()? else {
        let advice =
            format!("only a folder or an archive has parts; without `:{part}` it is opened");
        return Err(unsupported(path, advice));
    };
    if let Some(data) = labelled::open(&tree, Some(part))? {
        return Ok(data);
    }

    let split = match part {
        "train" => Some(IdxSplit::Train),
        "test" => Some(IdxSplit::Test),
        _ => None,
    };
    if let Some(split) = split {
        if let Some(images) = idx::find(path, split) {
            return idx::open(&images);
        }
        if let Some(obstacle) = idx::obstacle(path, split) {
            return Err(obstacle);
        }
    }
    let advice = format!(
        "it is no {} and has no IDX images, so that there is no part `{part}`; without it, image files are opened; \
         for the images that a text file lists, write `:LIST.txt`",
        labelled::LAYOUTS
    );
    Err(unsupported(path, advice))
}

/// A folder with the files of MNIST's names or in an official layout, or else one of images.
fn open_folder(place: &NamedPlace) -> Result<Dataset, DataError> {
    let path = place.path;
    if let Some(images) = idx::find(path, IdxSplit::Train) {
        return idx::open(&images);
    }
    if let Some(tree) = place.tree()?
        && let Some(data) = labelled::open(&tree, None)?
    {
        return Ok(data);
    }

    match folder::open(path) {
        Err(error @ DataError::Empty { .. }) => {
            Err(idx::obstacle(path, IdxSplit::Train).unwrap_or(error))
        }
        other => other,
    }
}

fn open_archive(place: &NamedPlace) -> Result<Dataset, DataError> {
    let Some(tree) = place.tree()? else {
        return Err(unsupported(place.path, format!("give {KINDS}")));
    };
    match labelled::open(&tree, None)? {
        Some(data) => Ok(data),
        None => archive::open(tree),
    }
}

fn open_file(place: &NamedPlace) -> Result<Dataset, DataError> {
    let path = place.path;
    if !path.is_file() {
        return Err(unsupported(
            path,
            format!("it is no regular file; give {KINDS}"),
        ));
    }

    // The content decides first: names are often wrong, for example after a download.
    let start = gzip::start_of(path, 512)?;
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let shown = path.display();

    let packers: [(&[u8], &str); 4] = [
        (b"BZh", "bunzip2 -k"),
        (b"\xfd7zXZ\0", "unxz -k"),
        (b"\x28\xb5\x2f\xfd", "unzstd"),
        (b"PK\x03\x04", "unzip"),
    ];
    if let Some((_, command)) = packers.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Err(unsupported(
            path,
            format!("it is compressed; run `{command} {shown}` and open the result"),
        ));
    }

    if start.starts_with(&idx::LABELS_MAGIC) {
        return Err(unsupported(
            path,
            "it holds IDX labels; give the images file, the labels beside it are found",
        ));
    }
    if start.starts_with(&idx::IMAGES_MAGIC) || name.contains("idx3-ubyte") {
        return idx::open(path);
    }

    // The mark of a tar archive is not at its start.
    let is_tar = has_tar_mark(&start);
    match name.rsplit_once('.').map_or("", |(_, end)| end) {
        _ if is_tar => open_archive(place),
        "tar" => open_archive(place),
        "txt" | "lst" | "csv" | "tsv" => list::open(path),
        _ if has_image_extension(name) => Err(unsupported(
            path,
            "it is a single image; give the folder it is in, or a .txt that lists it",
        )),
        _ => Err(unsupported(path, format!("give {KINDS}"))),
    }
}

#[cfg(test)]
mod tests;
