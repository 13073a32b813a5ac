//! Features as an Apache Parquet file: a row for each image, or for each patch.

use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use arrow_array::{
    ArrayRef, FixedSizeListArray, Float32Array, Int32Array, RecordBatch, StringArray,
};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
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
/// `embedding`, a list of fixed size.
///
/// # Errors
/// If an image has more numbers than a column can count.
pub fn write(table: &ParquetTable) -> Result<Vec<u8>> {
    let width = i32::try_from(table.width).context("an embedding is too wide for Parquet")?;
    let item = Arc::new(Field::new("element", DataType::Float32, false));
    let schema = Arc::new(table.schema(&item, width));

    // Floats repeat too seldom for a dictionary, and nobody asks for the least of an embedding.
    let embedding = ColumnPath::from(vec![
        "embedding".to_owned(),
        "list".to_owned(),
        "element".to_owned(),
    ]);
    let properties = WriterProperties::builder()
        .set_column_dictionary_enabled(embedding.clone(), false)
        .set_column_statistics_enabled(embedding, EnabledStatistics::None)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties))?;

    let rows_an_image = table.rows_an_image();
    let values_an_image = rows_an_image * table.width;
    let images = (GROUP_VALUES / values_an_image.max(1)).max(1);
    for first in (0..table.files.len()).step_by(images) {
        let last = (first + images).min(table.files.len());
        let values = &table.values[first * values_an_image..last * values_an_image];
        let values: ArrayRef = Arc::new(Float32Array::from(values.to_vec()));
        let embeddings = FixedSizeListArray::try_new(item.clone(), width, values, None)?;

        let mut columns = table.names(first..last);
        columns.push(Arc::new(embeddings));
        writer.write(&RecordBatch::try_new(schema.clone(), columns)?)?;
        writer.flush()?;
    }
    Ok(writer.into_inner()?)
}

impl ParquetTable<'_> {
    fn rows_an_image(&self) -> usize {
        self.grid.map_or(1, |(rows, columns)| rows * columns)
    }

    fn schema(&self, item: &Arc<Field>, width: i32) -> Schema {
        let mut fields = vec![Field::new("file", DataType::Utf8, false)];
        if self.labels.is_some() {
            fields.push(Field::new("label", DataType::Utf8, false));
        }
        if self.grid.is_some() {
            fields.push(Field::new("row", DataType::Int32, false));
            fields.push(Field::new("col", DataType::Int32, false));
        }
        let list = DataType::FixedSizeList(item.clone(), width);
        fields.push(Field::new("embedding", list, false));
        Schema::new(fields)
    }

    /// The columns before the embedding, for some of the images.
    fn names(&self, images: Range<usize>) -> Vec<ArrayRef> {
        let count = self.rows_an_image();
        let repeated = |names: &[String]| -> ArrayRef {
            let names = names[images.clone()].iter();
            let rows = names.flat_map(|name| std::iter::repeat_n(name, count));
            Arc::new(StringArray::from_iter_values(rows))
        };

        let mut columns = vec![repeated(self.files)];
        columns.extend(self.labels.map(repeated));
        if let Some((rows, width)) = self.grid {
            let mut places = (Vec::new(), Vec::new());
            for _ in images {
                for patch in 0..rows * width {
                    places.0.push((patch / width) as i32);
                    places.1.push((patch % width) as i32);
                }
            }
            columns.push(Arc::new(Int32Array::from(places.0)));
            columns.push(Arc::new(Int32Array::from(places.1)));
        }
        columns
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::{Float32Type, Int32Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    fn read(bytes: Vec<u8>) -> RecordBatch {
        let file = tempfile::tempfile().expect("a file");
        std::io::Write::write_all(&mut &file, &bytes).expect("written");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
        let mut reader = reader.build().expect("a reader");
        reader.next().expect("rows").expect("sound rows")
    }

    #[test]
    fn every_patch_has_a_row_with_its_place() {
        let names = ["a", "b"].map(str::to_owned);
        let values: Vec<f32> = (0..2 * 6 * 5).map(|value| value as f32 / 2.0).collect();
        let table = ParquetTable {
            files: &names,
            labels: Some(&names),
            grid: Some((2, 3)),
            width: 5,
            values: &values,
        };
        let rows = read(write(&table).expect("Parquet"));

        assert_eq!(rows.num_rows(), 12);
        assert_eq!(rows["file"].as_string::<i32>().value(7), "b");
        assert_eq!(rows["label"].as_string::<i32>().value(5), "a");
        assert_eq!(
            rows["row"].as_primitive::<Int32Type>().values()[..6],
            [0, 0, 0, 1, 1, 1]
        );
        assert_eq!(
            rows["col"].as_primitive::<Int32Type>().values()[6..],
            [0, 1, 2, 0, 1, 2]
        );
        let embedding = rows["embedding"].as_fixed_size_list();
        assert_eq!(embedding.value_length(), 5);
        let all = embedding.values().as_primitive::<Float32Type>();
        assert_eq!(all.values()[..], values);
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
        assert_eq!((rows.num_rows(), rows.num_columns()), (2, 2));
        let second = rows["embedding"].as_fixed_size_list().value(1);
        let second = second.as_primitive::<Float32Type>();
        assert!(second.value(0) == 3.0 && second.value(1).is_nan());
    }
}
