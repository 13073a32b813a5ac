//! The folder of corrupted images: what it was made of, and where each image goes.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::data::Dataset;
use crate::files::write_atomically;

const ORIGIN: &str = "corrupted.json";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    Jpeg,
    Png,
}

/// What must be equal for a folder to be filled further.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct CopyOrigin {
    images: String,
    digest: String,
    seed: u64,
    format: FileFormat,
}

/// An image of the data, and the path of its copies below the folder of a setting.
pub struct Target {
    pub index: usize,
    pub path: PathBuf,
}

/// Makes the folder, or makes sure that it holds corrupted images of the same data.
pub fn claim(folder: &Path, data: &Dataset, seed: u64, format: FileFormat) -> Result<()> {
    let origin = CopyOrigin {
        images: data.description(),
        digest: data.digest().to_owned(),
        seed,
        format,
    };
    let file = folder.join(ORIGIN);
    if let Ok(text) = fs::read_to_string(&file) {
        let kept: CopyOrigin = serde_json::from_str(&text)
            .with_context(|| format!("{} cannot be read; choose another --out", file.display()))?;
        ensure!(
            kept == origin,
            "{} holds images of {} with seed {}, as {:?} files; choose another --out",
            folder.display(),
            kept.images,
            kept.seed,
            kept.format,
        );
        return Ok(());
    }

    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    // A folder that someone else uses would get 95 folders into it.
    if entries.next().is_some() {
        bail!(
            "{} is not empty and no folder of corrupted images; choose another --out",
            folder.display()
        );
    }
    write_atomically(&file, serde_json::to_string(&origin)?.as_bytes())?;
    Ok(())
}

/// The images with a path of its own for each, the class first.
pub fn targets(data: &Dataset, limit: Option<usize>, format: FileFormat) -> Vec<Target> {
    let extension = match format {
        FileFormat::Jpeg => "jpg",
        FileFormat::Png => "png",
    };
    let chosen = data.subset(limit.unwrap_or(usize::MAX), 0);
    let mut taken = HashSet::new();
    let mut targets = Vec::new();
    // All images, so that a name does not depend on which of them are chosen.
    for index in 0..data.len() {
        let class = data
            .label(index)
            .and_then(|class| data.classes().get(class));
        let folder = class.map(|class| safe(class)).unwrap_or_default();

        let name = data.name(index).into_owned();
        let stem = Path::new(&name).file_stem().unwrap_or_default();
        let mut stem = safe(&stem.to_string_lossy());
        // Images of one name can come from several folders of a class.
        while !taken.insert((folder.clone(), stem.clone())) {
            stem = format!("{stem}-{index}");
        }
        if chosen.binary_search(&index).is_ok() {
            // `subset` gives them in ascending order.
            let path = Path::new(&folder).join(format!("{stem}.{extension}"));
            targets.push(Target { index, path });
        }
    }
    targets
}

/// The text with only what every file system takes, and as no way out of the folder.
fn safe(text: &str) -> String {
    let is_safe = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let safe = text.replace(|c| !is_safe(c), "-");
    match safe.strip_prefix('.') {
        Some(rest) => format!("-{rest}"),
        None => safe,
    }
}
