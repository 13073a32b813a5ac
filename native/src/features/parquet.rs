//! Features as an Apache Parquet file: a row for each image, or for each patch.

use std::sync::Arc;

use anyhow::Result;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int32Type};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

/// Numbers of a row group, 32 MB.
const GROUP_VALUES: usize = 8 << 20;

/// What the rows of a file are.
pub struct ParquetTable<'a> {
    /// The name of each image.
    pub files: &'a [String],
    /// The class of each image; `None` where there are no classes.
    pub labels: Option<&'a [String]>,
    /// Rows and columns of patches, if each has a row of its own.
    pub grid: Option<(usize, usize)>,
    /// Numbers of a row.
    pub width: usize,
    /// Image by image, patch by patch.
    pub values: &'a [f32],
}

/// The columns `file`, `label` (where there are classes), `row` and `col` (of patches) and
/// `embedding`, a list of the same length in every row.
pub fn write(table: &ParquetTable) -> Result<Vec<u8>> {
    // Floats repeat too seldom for a dictionary, and nobody asks for the least of an embedding.
    let path = ["embedding", "list", "element"].map(str::to_owned);
    let embedding = ColumnPath::from(path.to_vec());
    let properties = WriterProperties::builder()
        .set_column_dictionary_enabled(embedding.clone(), false)
        .set_column_statistics_enabled(embedding, EnabledStatistics::None)
        .build();
    let schema = Arc::new(parse_message_type(&table.schema())?);
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;

    let values_an_image = table.rows_an_image() * table.width;
    let images = (GROUP_VALUES / values_an_image.max(1)).max(1);
    for first in (0..table.files.len()).step_by(images) {
        let last = (first + images).min(table.files.len());
        let mut group = writer.next_row_group()?;
        write_column::<ByteArrayType>(&mut group, &table.repeated(&table.files[first..last]))?;
        if let Some(labels) = table.labels {
            write_column::<ByteArrayType>(&mut group, &table.repeated(&labels[first..last]))?;
        }
        if let Some((rows, columns)) = table.grid {
            let patches = (0..last - first).flat_map(|_| 0..rows * columns);
            let row: Vec<i32> = patches.clone().map(|at| (at / columns) as i32).collect();
            let col: Vec<i32> = patches.map(|at| (at % columns) as i32).collect();
            write_column::<Int32Type>(&mut group, &row)?;
            write_column::<Int32Type>(&mut group, &col)?;
        }
        let values = &table.values[first * values_an_image..last * values_an_image];
        write_lists(&mut group, values, table.width)?;
        group.close()?;
    }
    Ok(writer.into_inner()?)
}

type Group<'a> = SerializedRowGroupWriter<'a, Vec<u8>>;

/// Writes the next column, which has one value a row.
fn write_column<T: DataType>(group: &mut Group, values: &[T::T]) -> Result<()> {
    if let Some(mut column) = group.next_column()? {
        column.typed::<T>().write_batch(values, None, None)?;
        column.close()?;
    }
    Ok(())
}

/// Writes the next column, which has a list of `width` values a row.
fn write_lists(group: &mut Group, values: &[f32], width: usize) -> Result<()> {
    // A value is there (definition 1), and all but the first of a row repeat it (repetition 1).
    let definition = vec![1; values.len()];
    let mut repetition = definition.clone();
    for first in (0..values.len()).step_by(width.max(1)) {
        repetition[first] = 0;
    }
    if let Some(mut column) = group.next_column()? {
        let writer = column.typed::<FloatType>();
        writer.write_batch(values, Some(&definition), Some(&repetition))?;
        column.close()?;
    }
    Ok(())
}

impl ParquetTable<'_> {
    fn rows_an_image(&self) -> usize {
        self.grid.map_or(1, |(rows, columns)| rows * columns)
    }

    fn schema(&self) -> String {
        let mut columns = "required binary file (STRING);".to_owned();
        if self.labels.is_some() {
            columns += " required binary label (STRING);";
        }
        if self.grid.is_some() {
            columns += " required int32 row; required int32 col;";
        }
        let list = "repeated group list { required float element; }";
        format!("message features {{ {columns} required group embedding (LIST) {{ {list} }} }}")
    }

    /// What belongs to images, once for each row of theirs.
    fn repeated(&self, of_images: &[String]) -> Vec<ByteArray> {
        let count = self.rows_an_image();
        let mut texts = Vec::with_capacity(of_images.len() * count);
        for text in of_images {
            texts.extend(std::iter::repeat_n(ByteArray::from(text.as_str()), count));
        }
        texts
    }
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};

    use super::*;

    /// The rows in Parquet's form of JSON.
    fn read(bytes: Vec<u8>) -> Vec<String> {
        let file = tempfile::tempfile().expect("a file");
        std::io::Write::write_all(&mut &file, &bytes).expect("written");
        let reader = SerializedFileReader::new(file).expect("Parquet");
        let rows = reader.get_row_iter(None).expect("rows");
        rows.map(|row| row.expect("a sound row").to_string())
            .collect()
    }

    #[test]
    fn every_patch_has_a_row_with_its_place() {
        let names = ["a", "b"].map(str::to_owned);
        let values: Vec<f32> = (0..2 * 6 * 5)
            .map(|value| (value + 1) as f32 / 2.0)
            .collect();
        let table = ParquetTable {
            files: &names,
            labels: Some(&names),
            grid: Some((2, 3)),
            width: 5,
            values: &values,
        };
        let rows = read(write(&table).expect("Parquet"));

        assert_eq!(rows.len(), 12);
        assert_eq!(
            rows[0],
            r#"{file: "a", label: "a", row: 0, col: 0, embedding: [0.5, 1.0, 1.5, 2.0, 2.5]}"#
        );
        assert_eq!(
            rows[11],
            r#"{file: "b", label: "b", row: 1, col: 2, embedding: [28.0, 28.5, 29.0, 29.5, 30.0]}"#
        );
    }

    #[test]
    fn an_image_without_a_class_has_no_column_of_labels() {
        let files = ["a", "b"].map(str::to_owned);
        let table = ParquetTable {
            files: &files,
            labels: None,
            grid: None,
            width: 2,
            values: &[1.0, 2.0, 3.0, f32::NAN],
        };
        let rows = read(write(&table).expect("Parquet"));
        assert_eq!(
            rows,
            [
                r#"{file: "a", embedding: [1.0, 2.0]}"#,
                r#"{file: "b", embedding: [3.0, NaN]}"#
            ]
        );
    }
}
