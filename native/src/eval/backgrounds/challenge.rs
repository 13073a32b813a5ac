//! The challenge: which objects does no background hide?

use std::str::FromStr;

use anyhow::{Context as _, Result, ensure};
use ibot_core::eval::backgrounds::paste;
use ibot_core::image::RgbImage;
use ibot_core::image::normalize::normalize_into;
use serde::{Deserialize, Serialize};

use super::key::Key;
use crate::data::Dataset;
use crate::eval::judge::Judge;
use crate::features::FeatureStore;

// So many backgrounds go through the network at once; the search stops after the first such group
// that misleads, so a larger one would waste more.
const CHUNK: usize = 32;

/// A part of the objects: every `of`-th from number `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    first: usize,
    of: usize,
}

/// What objects and backgrounds there are, and who judges them.
pub struct Challenge<'a> {
    pub originals: &'a Dataset,
    pub tiled: &'a Dataset,
    pub judge: &'a Judge,
    pub key: &'a Key,
    pub features: &'a FeatureStore,
}

/// How many objects were found on all backgrounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resistance {
    pub resistant: usize,
    pub objects: usize,
}

impl Default for Shard {
    fn default() -> Self {
        Self { first: 1, of: 1 }
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no part: write K/N with K from 1 to N, such as 2/4");
        let (first, of) = text.split_once('/').ok_or_else(wrong)?;
        let first: usize = first.parse().map_err(|_| wrong())?;
        let of: usize = of.parse().map_err(|_| wrong())?;
        if (1..=of).contains(&first) {
            Ok(Self { first, of })
        } else {
            Err(wrong())
        }
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        format!("{}/{}", shard.first, shard.of)
    }
}

impl Shard {
    pub fn of(self, images: &[usize]) -> Vec<usize> {
        let own = images.iter().skip(self.first - 1).step_by(self.of);
        own.copied().collect()
    }
}

impl Resistance {
    /// The share of resistant objects; 0 without objects.
    pub fn share(self) -> f64 {
        self.resistant as f64 / self.objects.max(1) as f64
    }
}

impl Challenge<'_> {
    /// Pastes each of the `objects` on each of the `backgrounds`, up to the first that misleads the
    /// judge. Objects and backgrounds that cannot be read are named and left out.
    pub fn run(
        &self,
        objects: &[usize],
        backgrounds: &[usize],
        mask: &dyn Fn(usize) -> Result<Vec<bool>>,
    ) -> Result<Resistance> {
        // Backgrounds stay in memory, since every object is pasted on each of them.
        let mut places = Vec::with_capacity(backgrounds.len());
        for index in backgrounds {
            match self.tiled.load(*index) {
                Ok(image) => places.push(image),
                Err(error) => eprintln!("warning: {error} (left out)"),
            }
        }
        ensure!(!places.is_empty(), "no background could be read");

        let mut found = Resistance::default();
        for object in objects {
            match self.object(*object, mask) {
                Ok((image, mask)) => {
                    let label = self.originals.label(*object).unwrap_or_default();
                    found.objects += 1;
                    let resists = self.resists(&image, &mask, label, &places);
                    let name = || self.originals.name(*object).into_owned();
                    found.resistant += usize::from(resists.with_context(name)?);
                }
                Err(error) => eprintln!("warning: {error:#} (left out)"),
            }
        }
        ensure!(found.objects > 0, "no object could be read");
        Ok(found)
    }

    fn object(
        &self,
        index: usize,
        mask: &dyn Fn(usize) -> Result<Vec<bool>>,
    ) -> Result<(RgbImage, Vec<bool>)> {
        let image = self.originals.load(index)?;
        let mask = mask(index)?;
        let pixels = image.width() * image.height();
        ensure!(
            mask.len() == pixels,
            "the mask of {} has {} pixels, the image {pixels}",
            self.originals.name(index),
            mask.len()
        );
        Ok((image, mask))
    }

    fn resists(
        &self,
        object: &RgbImage,
        mask: &[bool],
        label: usize,
        backgrounds: &[RgbImage],
    ) -> Result<bool> {
        let view = self.features.view();
        let values = 3 * view.size * view.size;
        for chunk in backgrounds.chunks(CHUNK) {
            let mut pixels = vec![0.0; chunk.len() * values];
            for (background, out) in chunk.iter().zip(pixels.chunks_exact_mut(values)) {
                ensure!(
                    (background.width(), background.height()) == (object.width(), object.height()),
                    "a background has {} x {} pixels, the object {} x {}",
                    background.width(),
                    background.height(),
                    object.width(),
                    object.height()
                );
                normalize_into(&view.cut(&paste(background, object, mask)), out);
            }

            let readout = self.judge.readout();
            let rows = self.features.encode(&[readout], pixels)?.remove(0);
            let found = self.judge.logits(rows)?.predictions();
            // One background that misleads decides; the others need not be tried.
            if !found.iter().all(|found| self.key.is_right(*found, label)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_divide_the_objects() {
        let images: Vec<usize> = (10..20).collect();
        let mut all = Vec::new();
        for part in ["1/3", "2/3", "3/3"] {
            all.extend(part.parse::<Shard>().expect("a part").of(&images));
        }
        all.sort_unstable();
        assert_eq!(all, images);
        assert_eq!(Shard::default().of(&images), images);
        for wrong in ["0/3", "4/3", "1", "a/b", "1/0"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
