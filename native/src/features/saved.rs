//! Files of `ibot embed`, read again.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use ibot_core::weights::from_safetensors;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::file::reader::{FileReader as _, SerializedFileReader};

use super::file::FeatureFormat;
use super::npy;

/// Features of images with the images' names.
pub struct SavedFeatures {
    pub names: Vec<String>,
    /// Numbers of a row.
    pub width: usize,
    /// One row an image.
    pub values: Vec<f32>,
}

impl SavedFeatures {
    /// Whether `spec` names such a file by its ending.
    pub fn is_one(spec: &str) -> bool {
        let path = Path::new(spec);
        FeatureFormat::of(path).is_ok() && path.is_file()
    }

    /// Reads a file, and the list of images beside it if it is an array.
    ///
    /// # Errors
    /// If a file is missing, damaged, or of patch tokens, or if the list is of other images.
    pub fn read(file: &Path) -> Result<Self> {
        let place = || format!("features {}", file.display());
        let saved = match FeatureFormat::of(file)? {
            FeatureFormat::Parquet => of_parquet(file).with_context(place)?,
            format => of_array(file, format).with_context(place)?,
        };
        ensure!(
            !saved.names.is_empty() && saved.width > 0,
            "{} has no features",
            place()
        );
        ensure!(
            saved.values.iter().all(|value| value.is_finite()),
            "{} holds numbers that are not finite",
            place()
        );
        Ok(saved)
    }
}

fn of_array(file: &Path, format: FeatureFormat) -> Result<SavedFeatures> {
    let bytes = fs::read(file)?;
    let (shape, values) = if format == FeatureFormat::Npy {
        npy::read(&bytes)?
    } else {
        let (mut weights, _) = from_safetensors(&bytes)?;
        let features = weights.remove("features");
        let features = features.context("it has no tensor `features`")?;
        (features.shape, features.values)
    };
    let [rows, width] = shape[..] else {
        bail!("it has the shape {shape:?}, not [images, width]; patch tokens cannot be searched");
    };

    let mut list = file.to_owned().into_os_string();
    list.push(".txt");
    let list = PathBuf::from(list);
    let text = fs::read_to_string(&list)
        .with_context(|| format!("cannot read the list of its images {}", list.display()))?;
    let mut names = Vec::new();
    for line in text.lines() {
        // Behind a tab stands the class.
        names.push(line.split('\t').next().unwrap_or(line).to_owned());
    }
    ensure!(
        names.len() == rows,
        "it has {rows} rows, but {} names {} images",
        list.display(),
        names.len()
    );
    Ok(SavedFeatures {
        names,
        width,
        values,
    })
}

fn of_parquet(file: &Path) -> Result<SavedFeatures> {
    let reader = SerializedFileReader::new(fs::File::open(file)?)?;
    let schema = reader.metadata().file_metadata().schema_descr();
    let place = |name: &str| {
        let columns = schema.columns().iter();
        columns
            .map(|column| column.path().parts())
            .position(|path| path.first().is_some_and(|first| first == name))
    };
    ensure!(
        place("row").is_none(),
        "it has a row for each patch, which cannot be searched"
    );
    let files = place("file").context("it has no column `file`")?;
    let embeddings = place("embedding").context("it has no column `embedding`")?;

    let mut saved = SavedFeatures {
        names: Vec::new(),
        width: 0,
        values: Vec::new(),
    };
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group)?;
        let ColumnReader::ByteArrayColumnReader(files) = group.get_column_reader(files)? else {
            bail!("its column `file` is not of texts");
        };
        let ColumnReader::FloatColumnReader(rows) = group.get_column_reader(embeddings)? else {
            bail!("its embeddings are not of 32-bit floats");
        };

        let names = ColumnValues::read(files)?;
        for name in &names.values {
            let name = name.as_utf8().context("a name of an image is no text")?;
            saved.names.push(name.to_owned());
        }
        let rows = ColumnValues::read(rows)?;
        saved.width = rows.width(names.values.len())?;
        saved.values.extend(rows.values);
    }
    Ok(saved)
}

struct ColumnValues<T> {
    values: Vec<T>,
    /// For each value whether it goes on with the list of the one before (above 0).
    repetition: Vec<i16>,
}

impl<T> ColumnValues<T> {
    fn read<D: DataType<T = T>>(mut reader: ColumnReaderImpl<D>) -> Result<Self> {
        let mut definition = Vec::new();
        let mut column = Self {
            values: Vec::new(),
            repetition: Vec::new(),
        };
        reader.read_records(
            usize::MAX,
            Some(&mut definition),
            Some(&mut column.repetition),
            &mut column.values,
        )?;
        // A row without a value has a place among the levels, but none among the values.
        ensure!(
            definition.len() <= column.values.len(),
            "a row has no value in one of its columns"
        );
        Ok(column)
    }

    /// The length of the lists, one for each of `rows` rows.
    fn width(&self, rows: usize) -> Result<usize> {
        let width = self.values.len() / rows.max(1);
        let mut lists = self.repetition.chunks(width.max(1));
        let is_whole = |list: &[i16]| {
            let (first, others) = (list[0], &list[1..]);
            first == 0 && others.iter().all(|level| *level > 0)
        };
        ensure!(
            self.repetition.len() == width * rows && lists.all(is_whole),
            "its column `embedding` is not of lists of one length"
        );
        Ok(width)
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::{FeatureTable, write_features};
    use super::super::rows::FeatureRows;
    use super::*;
    use crate::data::Dataset;

    #[test]
    fn what_was_written_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = Dataset::open("builtin:val").expect("builtin scenes");
        for ending in ["npy", "safetensors", "parquet"] {
            let file = folder.path().join(format!("features.{ending}"));
            let rows = FeatureRows {
                values: vec![1.0, -2.5, 3.0, 0.5],
                width: 2,
                indices: vec![7, 30],
            };
            let format = FeatureFormat::of(&file).expect("a format");
            let table = FeatureTable::new(rows, None);
            write_features(&file, format, &data, &table).expect("written");

            let saved = SavedFeatures::read(&file).expect(ending);
            assert_eq!(saved.names, ["builtin:val#7", "builtin:val#30"], "{ending}");
            assert_eq!(
                (saved.width, &saved.values[..]),
                (2, &[1.0, -2.5, 3.0, 0.5][..])
            );
            assert!(SavedFeatures::is_one(&file.display().to_string()));
        }

        let list = folder.path().join("features.npy.txt");
        fs::write(&list, "one\n").expect("written");
        let message = SavedFeatures::read(&folder.path().join("features.npy"));
        let message = format!("{:#}", message.err().expect("another list"));
        assert!(message.contains("2 rows"), "{message}");
        for name in ["a.npy", "a.safetensors", "a.parquet"] {
            fs::write(folder.path().join(name), "broken").expect("written");
            let message = SavedFeatures::read(&folder.path().join(name)).err();
            let message = format!("{:#}", message.expect("broken"));
            assert!(message.contains(name), "{message}");
        }
    }

    #[test]
    fn patch_tokens_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = Dataset::open("builtin:val").expect("builtin scenes");
        for ending in ["npy", "parquet"] {
            let file = folder.path().join(format!("patches.{ending}"));
            let rows = FeatureRows {
                values: vec![0.5; 8],
                width: 8,
                indices: vec![7],
            };
            let table = FeatureTable::new(rows, Some((2, 2)));
            let format = FeatureFormat::of(&file).expect("a format");
            write_features(&file, format, &data, &table).expect("written");
            let message = SavedFeatures::read(&file).err().expect("patches");
            assert!(format!("{message:#}").contains("patch"), "{message:#}");
        }
    }
}
