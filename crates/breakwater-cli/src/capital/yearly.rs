//! Year-loss tables: every simulated year as a row, streamed to Parquet.
//!
//! The key decision: columns are written as blocks of years arrive, in order, and no more than one group of rows is
//! held; whoever has not asked for a table pays nothing.

use std::path::Path;
use std::sync::Arc;

use breakwater_capital::Model;
use breakwater_capital::outcome::{Outcome, columns};
use breakwater_capital::simulate::Block;
use parquet::basic::{Compression, Encoding, Repetition, Type as Physical};
use parquet::data_type::{DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type};

use super::output::{Output, unwritten};
use crate::failure::Failure;

/// Rows of a group: 64 blocks, 1 MiB a column.
const GROUP: usize = 1 << 17;

/// A table being written.
pub(crate) struct Yearly {
    path: std::path::PathBuf,
    writer: SerializedFileWriter<Output>,
    /// Rows written, without those held.
    written: i64,
    weights: Vec<f64>,
    values: Vec<Vec<f64>>,
}

impl Yearly {
    /// Opens a table for the variables of a model.
    pub(crate) fn open(path: &Path, model: &Model) -> Result<Self, Failure> {
        let output = Output::open(path)?;
        let path = output.path().to_owned();
        let names = columns(model);
        let failed = |error: ParquetError| unwritten(&path, &words(error));
        let schema = schema(&names).map_err(failed)?;
        let properties = Arc::new(properties());
        let writer = SerializedFileWriter::new(output, schema, properties).map_err(failed)?;
        Ok(Self { writer, written: 0, weights: vec![], values: vec![vec![]; names.len()], path })
    }

    /// The next block of years.
    pub(crate) fn block(&mut self, block: &Block) -> Result<(), Failure> {
        if block.weights.is_empty() {
            self.weights.resize(self.weights.len() + block.years, 1.0);
        } else {
            self.weights.extend_from_slice(&block.weights);
        }
        for (held, values) in self.values.iter_mut().zip(&block.values) {
            held.extend_from_slice(values);
        }
        if self.weights.len() >= GROUP { self.group() } else { Ok(()) }
    }

    /// Writes what is held, says what the table is of, and ends the file.
    pub(crate) fn finish(mut self, found: &Outcome) -> Result<(), Failure> {
        if !self.weights.is_empty() {
            self.group()?;
        }
        let said = [
            ("portfolio", found.portfolio.clone()),
            ("unit", found.unit.clone()),
            ("method", found.method.clone()),
            ("hash.model", found.hashes.model.to_string()),
            ("hash.data", found.hashes.data.to_string()),
            ("hash.seed", found.hashes.seed.to_string()),
        ];
        for (key, value) in said {
            self.writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        let path = self.path;
        self.writer.into_inner().map_err(|error| unwritten(&path, &words(error)))?.keep()
    }

    fn group(&mut self) -> Result<(), Failure> {
        let path = &self.path;
        let (from, rows) = (self.written, self.weights.len() as i64);
        let years: Vec<i64> = (from + 1..=from + rows).collect();
        let mut write = || -> Result<(), ParquetError> {
            let mut group = self.writer.next_row_group()?;
            if let Some(mut column) = group.next_column()? {
                column.typed::<Int64Type>().write_batch(&years, None, None)?;
                column.close()?;
            }
            for values in std::iter::once(&self.weights).chain(&self.values) {
                if let Some(mut column) = group.next_column()? {
                    column.typed::<DoubleType>().write_batch(values, None, None)?;
                    column.close()?;
                }
            }
            group.close().map(drop)
        };
        write().map_err(|error| unwritten(path, &words(error)))?;
        self.written += rows;
        self.weights.clear();
        self.values.iter_mut().for_each(Vec::clear);
        Ok(())
    }
}

/// `year`, `weight`, then the variables.
fn schema(names: &[String]) -> Result<Arc<Type>, ParquetError> {
    let field = |name: &str, physical| {
        let field = Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
        field.build().map(Arc::new)
    };
    let mut fields = vec![field("year", Physical::INT64)?, field("weight", Physical::DOUBLE)?];
    for name in names {
        fields.push(field(name, Physical::DOUBLE)?);
    }
    Type::group_type_builder("years").with_fields(fields).build().map(Arc::new)
}

/// Amounts of a continuous law repeat too seldom for dictionaries; zeros compress.
fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_dictionary_enabled(false)
        .set_column_encoding(ColumnPath::from("year"), Encoding::DELTA_BINARY_PACKED)
        .set_created_by(concat!("breakwater ", env!("CARGO_PKG_VERSION")).to_owned())
        .build()
}

/// The system's own words where it is the system that failed.
fn words(error: ParquetError) -> String {
    match error {
        ParquetError::External(cause) => cause.to_string(),
        other => other.to_string(),
    }
}
