//! The folder in which a command leaves pictures and numbers.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use ibot_core::image::RgbImage;
use serde_json::{Value, json};

use crate::files::write_atomically;
use crate::report::png::save_png;

pub struct Output {
    folder: PathBuf,
    model: String,
}

impl Output {
    pub fn create(folder: PathBuf, model: &str) -> Result<Self> {
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        Ok(Self {
            folder,
            model: model.to_owned(),
        })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn picture(&self, name: &str, image: &RgbImage) -> Result<()> {
        let path = self.folder.join(name);
        save_png(image, &path)?;
        println!("picture {}", path.display());
        Ok(())
    }

    /// Writes the numbers behind the pictures, with the model they are of, and says where.
    pub fn numbers(&self, name: &str, numbers: Value) -> Result<()> {
        let path = self.folder.join(name);
        let mut all = json!({ "model": self.model });
        // The model first, for whoever opens the file.
        if let (Value::Object(all), Value::Object(numbers)) = (&mut all, numbers) {
            all.extend(numbers);
        }
        write_atomically(&path, serde_json::to_string(&all)?.as_bytes())?;
        println!("numbers {}", path.display());
        Ok(())
    }
}
