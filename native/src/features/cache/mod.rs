//! Features in a folder, for later evaluations of the same network.
//!
//! Rows of one network, data set, view, precision and readout lie in a folder named by the digest
//! of these, in parts that are written whole or not at all: a kill loses only what is not written.

mod part;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ibot_core::features::Readout;
use ibot_core::model::ComputePrecision;
use serde::Serialize;

use self::part::{Part, PartError};
use super::view::EvalView;
use crate::data::Dataset;
use crate::digest::hex_digest;
use crate::files::write_atomically;

const ENDING: &str = "safetensors";

/// Rows wait in memory until a part is as large as this, in bytes.
const PART_BYTES: usize = 32 << 20;
/// Or until they have waited for this long.
const PART_PATIENCE: Duration = Duration::from_secs(10);

/// Features of one network in one view, in a folder.
pub(super) struct FeatureCache {
    pub folder: PathBuf,
    /// Digest of the network's dimensions and weights.
    pub network: String,
    pub view: EvalView,
    pub precision: ComputePrecision,
}

/// What decides the numbers of a row, beside the image.
#[derive(Serialize)]
struct RowKey<'a> {
    program: &'static str,
    network: &'a str,
    size: usize,
    resize: f64,
    precision: String,
    data: &'a str,
    readout: String,
}

/// The rows of one readout and data set.
pub(super) struct Shelf {
    folder: PathBuf,
    key: String,
    /// Numbers in a row.
    width: usize,
    unwritten: Part,
    written: Instant,
}

impl FeatureCache {
    /// The rows of `data` by `readout`, which are `width` wide.
    pub fn shelf(&self, data: &Dataset, readout: Readout, width: usize) -> Result<Shelf> {
        let key = serde_json::to_string(&RowKey {
            // Another version of the program may compute other numbers.
            program: env!("CARGO_PKG_VERSION"),
            network: &self.network,
            size: self.view.size,
            resize: self.view.resize_ratio,
            precision: self.precision.to_string(),
            data: data.digest(),
            readout: readout.to_string(),
        })?;
        let name = hex_digest(key.as_bytes());
        Ok(Shelf {
            // Half of the digest keeps paths short and is still unique.
            folder: self.folder.join(&name[..32]),
            key,
            width,
            unwritten: Part::default(),
            written: Instant::now(),
        })
    }
}

impl Shelf {
    /// Hands the rows of the images `wanted` to `take`, and returns what is wrong with files that
    /// cannot be used. Damaged parts are removed, since their rows will be written again.
    pub fn load(
        &self,
        wanted: &HashSet<usize>,
        take: &mut dyn FnMut(usize, &[f32]),
    ) -> Vec<String> {
        let files = match parts(&self.folder) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return vec![format!("cannot read {}: {error}", self.folder.display())],
        };

        let mut problems = Vec::new();
        for file in files {
            let part = match Part::read(&file, &self.key, self.width) {
                Ok(part) => part,
                Err(error) => {
                    if let PartError::Damaged(_) = error {
                        // If it stays, the next evaluation says so again.
                        let _ = fs::remove_file(&file);
                    }
                    problems.push(format!(
                        "{} is not used: {error}; what it held is computed again",
                        file.display()
                    ));
                    continue;
                }
            };
            for (image, row) in part.rows(self.width) {
                if wanted.contains(&image) {
                    take(image, row);
                }
            }
        }
        problems
    }

    /// Adds a row, and writes a part if enough rows wait.
    ///
    /// # Errors
    /// If the system refuses the file. The rows still wait then.
    pub fn add(&mut self, image: usize, row: &[f32]) -> Result<()> {
        self.unwritten.add(image, row);
        let is_full = self.unwritten.bytes() >= PART_BYTES;
        if is_full || self.written.elapsed() >= PART_PATIENCE {
            self.write()?;
        }
        Ok(())
    }

    /// Writes the rows that wait.
    pub fn write(&mut self) -> Result<()> {
        // Also where the file is refused, so that not every further row tries again.
        self.written = Instant::now();
        if self.unwritten.is_empty() {
            return Ok(());
        }
        let bytes = self.unwritten.to_bytes(&self.key, self.width)?;

        let folder = self.folder.display();
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot make {folder}"))?;
        // Processes that share the folder write the same name only with the same content.
        let name = &hex_digest(&bytes)[..16];
        write_atomically(&self.folder.join(format!("{name}.{ENDING}")), &bytes)?;
        self.unwritten = Part::default();
        Ok(())
    }
}

fn parts(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new(ENDING)) {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

#[cfg(test)]
mod tests;
