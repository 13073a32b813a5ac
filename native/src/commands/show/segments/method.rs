//! How patches become segments.

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use ibot_core::analysis::affinity::Affinity;
use ibot_core::analysis::kmeans::{KMeansConfig, kmeans};
use ibot_core::analysis::ncut::CutError;
use ibot_core::analysis::rows::Rows;
use ibot_core::features::TokenGrid;

use super::segmented::Segmented;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    Kmeans,
    Ncut,
}

pub(super) fn kmeans_of_all(results: &mut [Segmented], segments: usize) -> Result<()> {
    let grids: Vec<TokenGrid> = results.iter().map(|r| r.patches.clone()).collect();
    let clusters = kmeans(&Rows::of_grids(&grids)?, &KMeansConfig::new(segments))?;
    let mut labels = clusters.labels.into_iter();
    for result in results {
        result.segments = labels.by_ref().take(result.patches.count()).collect();
    }
    Ok(())
}

pub(super) fn ncut_of_each(results: &mut [Segmented], segments: usize, tau: f32) -> Result<()> {
    for result in results {
        result.segments = match ncut(&result.patches, segments, tau) {
            Ok(labels) => labels,
            // A plain surface is no mistake, and should not cost the other images.
            Err(CutError::Uniform) => {
                let name = &result.name;
                eprintln!("warning: {name}: all patches are alike, so it stays one segment");
                vec![0; result.patches.count()]
            }
            Err(error) => return Err(error).with_context(|| result.name.clone()),
        };
    }
    Ok(())
}

fn ncut(patches: &TokenGrid, segments: usize, tau: f32) -> Result<Vec<usize>, CutError> {
    // What all patches of an image have in common would connect each with each.
    let affinity = Affinity::of_tokens(&patches.clone().centered(), tau)?;
    if segments > 2 {
        // Seed 0: the same segments each time.
        return affinity.segments(segments, 0);
    }
    let foreground = affinity.bipartition()?.foreground;
    Ok(foreground.into_iter().map(usize::from).collect())
}
