//! How an object is found among patches.

use std::fmt;

use anyhow::{Result, anyhow};
use clap::ValueEnum;
use ibot_core::analysis::ncut::CutError;
use ibot_core::annotation::boxes::BoundingBox;
use ibot_core::eval::discovery::{bounds_of_region, cut_region, expanded_region};
use ibot_core::features::TokenGrid;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum DiscoveryMethod {
    /// Normalised cut, as TokenCut
    #[default]
    Ncut,
    /// Seed expansion, as LOST
    Expansion,
}

#[derive(Clone, Copy, Debug)]
pub struct BoxSearch {
    pub method: DiscoveryMethod,
    pub tau: f32,
    pub candidates: usize,
    pub keeps_mean: bool,
}

impl BoxSearch {
    /// The box of an image of `size`; `None` if its patches are all alike.
    ///
    /// # Errors
    /// If tokens are not finite, or too many.
    pub fn find(self, tokens: TokenGrid, size: (usize, usize)) -> Result<Option<BoundingBox>> {
        // What all patches have in common makes them alike and hides what differs, the object.
        let tokens = match self.keeps_mean {
            true => tokens,
            false => tokens.centered(),
        };
        let region = match self.method {
            DiscoveryMethod::Ncut => match cut_region(&tokens, self.tau) {
                Ok(region) => region,
                // An image whose patches are all alike has no object to find: a result, no error.
                Err(CutError::Uniform) => return Ok(None),
                Err(error) => return Err(anyhow!(error)),
            },
            DiscoveryMethod::Expansion => expanded_region(&tokens, self.candidates)?,
        };
        Ok(bounds_of_region(&region, size))
    }
}

impl fmt::Display for DiscoveryMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ncut => "ncut",
            Self::Expansion => "expansion",
        })
    }
}
