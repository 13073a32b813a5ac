//! Patches grouped: by principal components, clusters, prototypes.

use std::cmp::Reverse;

use ibot_core::analysis::foreground::{foreground_colors, joint_colors};
use ibot_core::analysis::kmeans::{KMeansConfig, kmeans};
use ibot_core::analysis::prototypes::{self, Kind, assign};
use ibot_core::analysis::rows::Rows;

use crate::worker::answer::Answer;
use crate::worker::problem::Problem;
use crate::worker::state::WorkerState;
use ibot_web::protocol::{
    AssignPrototypes, ClusterMaps, ClusterPatches, ColorComponents, ColorMaps, PerSlot,
    PrototypeMaps,
};
use ibot_web::wire::Bytes;

// The cluster of a patch is sent as a byte.
const MOST_CLUSTERS: usize = 255;

impl Answer for ColorComponents {
    async fn answer(self, worker: &mut WorkerState) -> Result<ColorMaps, Problem> {
        let (slots, grids) = worker.slots.grids();
        let (images, pca) = if self.foreground {
            let colored = foreground_colors(&grids, 0.0)?;
            (colored.images, colored.foreground)
        } else {
            joint_colors(&grids)?
        };

        let mut maps = PerSlot::default();
        for (slot, colors) in slots.into_iter().zip(images) {
            let mut rgba = Vec::with_capacity(4 * colors.rgb.len());
            for ([r, g, b], shown) in colors.rgb.iter().zip(&colors.foreground) {
                // The background stays without a color.
                let channels = [*r, *g, *b, f32::from(*shown)];
                rgba.extend(channels.map(|channel| (channel * 255.0).round() as u8));
            }
            maps[slot] = Some(Bytes(rgba));
        }
        let shares = pca.variance_shares();
        Ok(ColorMaps { maps, shares })
    }
}

impl Answer for ClusterPatches {
    async fn answer(self, worker: &mut WorkerState) -> Result<ClusterMaps, Problem> {
        let (slots, grids) = worker.slots.grids();
        let rows = Rows::of_grids(&grids)?;
        let config = KMeansConfig::new(self.clusters.clamp(1, MOST_CLUSTERS));
        let found = kmeans(&rows, &config)?;

        // The rows of the images follow each other.
        let mut labels = found.labels.iter().map(|label| *label as u8);
        let mut maps = PerSlot::default();
        for (slot, grid) in slots.into_iter().zip(&grids) {
            maps[slot] = Some(Bytes(labels.by_ref().take(grid.count()).collect()));
        }
        Ok(ClusterMaps {
            labels: maps,
            sizes: found.sizes,
        })
    }
}

impl Answer for AssignPrototypes {
    async fn answer(self, worker: &mut WorkerState) -> Result<PrototypeMaps, Problem> {
        let model = worker.model()?;
        let head = &model.tokenizer()?.teacher.head;

        let mut assigned: PerSlot<Vec<usize>> = PerSlot::default();
        let mut counts = vec![0; prototypes::count(head, Kind::Patch)];
        for (slot, assigned) in assigned.iter_mut().enumerate() {
            let Ok(grid) = worker.slots.grid(slot) else {
                continue;
            };
            let found = assign(head, Kind::Patch, grid.values(), grid.dim(), &model.device).await?;
            let found: Vec<usize> = found.into_iter().map(|found| found.prototype).collect();
            for prototype in &found {
                counts[*prototype] += 1;
            }
            *assigned = Some(found);
        }

        let ranking = ranking(&counts);
        let mut ranks = vec![u8::MAX; counts.len()];
        for (rank, (prototype, _)) in (0..u8::MAX).zip(&ranking) {
            ranks[*prototype] = rank;
        }
        let rank_all =
            |found: Vec<usize>| Bytes(found.iter().map(|prototype| ranks[*prototype]).collect());
        let ranks = assigned.map(|found| found.map(rank_all));
        Ok(PrototypeMaps { ranks, ranking })
    }
}

/// The prototypes that occur with their counts, the most frequent first.
fn ranking(counts: &[usize]) -> Vec<(usize, usize)> {
    let counts = counts.iter().copied().enumerate();
    let mut ranking: Vec<(usize, usize)> = counts.filter(|(_, count)| *count > 0).collect();
    ranking.sort_by_key(|(prototype, count)| (Reverse(*count), *prototype));
    ranking
}
