//! Which patches of an image are hidden.

use std::ops::Range;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Hidden {
    /// Patches drawn at random.
    Random,
    /// Those that hold most of the attention.
    Salient,
    /// All but those.
    NonSalient,
}

impl Hidden {
    pub const ALL: [Self; 3] = [Self::Random, Self::Salient, Self::NonSalient];

    /// The tenths of patches, or of attention.
    pub fn tenths(self) -> Range<usize> {
        match self {
            Self::Random => 0..10,
            Self::Salient | Self::NonSalient => 1..11,
        }
    }

    /// Its name in measures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Salient => "salient",
            Self::NonSalient => "nonsalient",
        }
    }

    /// What its accuracy is called.
    pub fn quantity(self) -> &'static str {
        match self {
            Self::Random => "top-1 without random patches",
            Self::Salient => "top-1 without salient patches",
            Self::NonSalient => "top-1 without other than salient patches",
        }
    }
}
