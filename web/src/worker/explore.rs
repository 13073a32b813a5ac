//! What patch tokens know, for the two images of the page.

use burn::tensor::Device;
use ibot_core::analysis::correspondence::mutual_matches;
use ibot_core::analysis::foreground::{foreground_colors, joint_colors};
use ibot_core::analysis::grid::TokenGrid;
use ibot_core::analysis::kmeans::{KMeansConfig, kmeans};
use ibot_core::analysis::nearest::nearest;
use ibot_core::analysis::predict::{MaskedPatch, PredictOptions, predict};
use ibot_core::analysis::prototypes;
use ibot_core::analysis::prototypes::{Kind, assign};
use ibot_core::analysis::rows::Rows;
use ibot_core::analysis::similarity::{best_patches, cosines};
use ibot_core::features::encode::{ImageTokens, encode, grid_of};
use ibot_core::image::RgbImage;
use ibot_core::pretrain::masking::{Mask, MaskConfig};
use ibot_core::rng::{Purpose, stream};

use super::model::Model;
use super::problem::Problem;
use super::rgb;
use ibot_web::js;
use ibot_web::protocol::{
    AttentionMaps, Cluster, ClusterMaps, ColorComponents, ColorMaps, Compare, Correspond, DrawMask,
    Encode, Encoded, Pair, PerSlot, Predict, Predicted, PredictedPatch, PrototypeMaps, SLOTS,
    SimilarMaps, SimilarPatch,
};
use ibot_web::wire::{Bytes, Floats};

/// Most patches of an image: attention takes memory with their square.
const MOST_PATCHES: usize = 4096;

/// The images and their tokens.
#[derive(Default)]
pub struct Explorer {
    images: PerSlot<RgbImage>,
    tokens: PerSlot<ImageTokens>,
}

impl Explorer {
    /// Empties a slot.
    pub fn clear(&mut self, slot: usize) {
        if slot < SLOTS {
            self.images[slot] = None;
            self.tokens[slot] = None;
        }
    }

    /// Keeps the images, but nothing that a model made of them.
    pub fn forget_tokens(&mut self) {
        self.tokens = PerSlot::default();
    }

    /// Computes the tokens of an image.
    pub async fn encode(
        &mut self,
        ask: &Encode,
        model: &Model,
        device: &Device,
    ) -> Result<Encoded, Problem> {
        let start = js::now();
        let image = self
            .images
            .get_mut(ask.slot)
            .ok_or(Problem::NoImage(ask.slot))?;
        if let Some(picture) = &ask.picture {
            *image = Some(rgb(picture)?);
        }
        let image = image.as_ref().ok_or(Problem::NoImage(ask.slot))?;
        self.tokens[ask.slot] = None;
        let shorter = affordable(image, ask.shorter, model.backbone.stride());
        let tokens = encode(&model.backbone, image, shorter, ask.block, device).await?;
        let (rows, columns) = (tokens.patches.rows(), tokens.patches.columns());
        self.tokens[ask.slot] = Some(tokens);
        Ok(Encoded {
            rows,
            columns,
            milliseconds: js::now() - start,
        })
    }

    /// Compares one patch with all.
    pub fn similar(&self, ask: Compare) -> Result<SimilarMaps, Problem> {
        let own = self.grid(ask.slot)?;
        if ask.patch >= own.count() {
            return Err(Problem::NoPatch(ask.patch));
        }
        let token = own.token(ask.patch);
        let mut maps = PerSlot::default();
        let mut best: [Vec<SimilarPatch>; SLOTS] = Default::default();
        for (slot, tokens) in self.tokens.iter().enumerate() {
            let Some(tokens) = tokens else { continue };
            let grid = &tokens.patches;
            let similarities = cosines(token, grid)?;
            let here = slot == ask.slot;
            // The patch is its own best match; one more makes up for it.
            let found = best_patches(
                &similarities,
                grid.columns(),
                ask.best + usize::from(here),
                ask.apart,
            );
            let others = found
                .iter()
                .filter(|found| !(here && found.patch == ask.patch))
                .take(ask.best);
            best[slot] = others
                .map(|found| SimilarPatch {
                    patch: found.patch,
                    similarity: found.similarity,
                })
                .collect();
            maps[slot] = Some(Floats(similarities));
        }
        Ok(SimilarMaps { maps, best })
    }

    /// Where CLS looks.
    pub fn attention(&self) -> PerSlot<AttentionMaps> {
        self.tokens.each_ref().map(|tokens| {
            let attention = &tokens.as_ref()?.attention;
            let values = attention.maps().flatten().copied().collect();
            Some(AttentionMaps {
                heads: attention.heads(),
                values: Floats(values),
            })
        })
    }

    /// Principal components as colors.
    pub fn colors(&self, ask: ColorComponents) -> Result<ColorMaps, Problem> {
        let (slots, grids) = self.grids();
        let (images, pca) = if ask.foreground {
            let colored = foreground_colors(&grids, 0.0)?;
            (colored.images, colored.foreground)
        } else {
            joint_colors(&grids)?
        };
        let mut maps = PerSlot::default();
        for (slot, colors) in slots.into_iter().zip(images) {
            let channels = |([r, g, b], shown): (&[f32; 3], &bool)| [*r, *g, *b, f32::from(*shown)];
            let cells = colors.rgb.iter().zip(&colors.foreground).flat_map(channels);
            maps[slot] = Some(Bytes(
                cells.map(|value| (value * 255.0).round() as u8).collect(),
            ));
        }
        Ok(ColorMaps {
            maps,
            shares: pca.variance_shares(),
        })
    }

    /// Clusters of patches, by the cosine of their tokens.
    pub fn parts(&self, ask: Cluster) -> Result<ClusterMaps, Problem> {
        let (slots, grids) = self.grids();
        let rows = Rows::of_grids(&grids)?;
        let found = kmeans(&rows, &KMeansConfig::new(ask.clusters.clamp(1, 255)))?;
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

    /// The prototype of each patch.
    pub async fn prototypes(
        &self,
        model: &Model,
        device: &Device,
    ) -> Result<PrototypeMaps, Problem> {
        let head = &model.headed.as_ref().ok_or(Problem::NoHead)?.teacher.head;
        let mut assigned: PerSlot<Vec<usize>> = PerSlot::default();
        for (slot, tokens) in self.tokens.iter().enumerate() {
            let Some(ImageTokens { patches, .. }) = tokens else {
                continue;
            };
            let found = assign(head, Kind::Patch, patches.values(), patches.dim(), device).await?;
            assigned[slot] = Some(found.into_iter().map(|found| found.prototype).collect());
        }
        let mut counts = vec![0; prototypes::count(head, Kind::Patch)];
        assigned
            .iter()
            .flatten()
            .flatten()
            .for_each(|prototype| counts[*prototype] += 1);
        let mut ranking: Vec<(usize, usize)> = counts
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, count)| *count > 0)
            .collect();
        ranking.sort_by_key(|(prototype, count)| (std::cmp::Reverse(*count), *prototype));
        let mut ranks = vec![u8::MAX; counts.len()];
        for (rank, (prototype, _)) in ranking.iter().take(usize::from(u8::MAX)).enumerate() {
            ranks[*prototype] = rank as u8;
        }
        let ranks = assigned.map(|found| {
            Some(Bytes(
                found?
                    .into_iter()
                    .map(|prototype| ranks[prototype])
                    .collect(),
            ))
        });
        Ok(PrototypeMaps { ranks, ranking })
    }

    /// Pairs of patches that are each other's nearest neighbour, those that CLS attends to first.
    pub fn correspond(&self, ask: Correspond) -> Result<Vec<Pair>, Problem> {
        let [a, b] = self.tokens.each_ref();
        let (a, b) = (
            a.as_ref().ok_or(Problem::NoImage(0))?,
            b.as_ref().ok_or(Problem::NoImage(1))?,
        );
        let weights = (&a.attention.mean()[..], &b.attention.mean()[..]);
        let found = mutual_matches(&nearest(&a.patches, &b.patches)?, weights, ask.pairs)?;
        Ok(found
            .iter()
            .map(|m| Pair {
                from: m.from,
                to: m.to,
                similarity: m.similarity,
            })
            .collect())
    }

    /// A block mask as in pre-training.
    pub fn random_mask(&self, ask: DrawMask) -> Result<Bytes, Problem> {
        let grid = self.grid(ask.slot)?;
        let ratio = ask.ratio.clamp(0.0, 1.0);
        let config = MaskConfig {
            pred_ratio: vec![ratio],
            pred_ratio_var: vec![0.0],
            ..MaskConfig::default()
        };
        let rng = &mut stream(u64::from(ask.seed), Purpose::Mask, 0, 0);
        let mask = config.draw((grid.rows(), grid.columns()), rng);
        Ok(Bytes(
            mask.cells()
                .iter()
                .map(|masked| u8::from(*masked))
                .collect(),
        ))
    }

    /// Mask and predict.
    pub async fn predict(
        &self,
        ask: &Predict,
        model: &Model,
        device: &Device,
    ) -> Result<Predicted, Problem> {
        let headed = model.headed.as_ref().ok_or(Problem::NoHead)?;
        let student = headed.student.as_ref().ok_or(Problem::NoMaskToken)?;
        let (grid, image) = (
            self.grid(ask.slot)?,
            self.images[ask.slot]
                .as_ref()
                .ok_or(Problem::NoImage(ask.slot))?,
        );
        let mask = Mask::new(
            grid.rows(),
            grid.columns(),
            ask.mask.0.iter().map(|cell| *cell == 1).collect(),
        );
        let options = PredictOptions::default();
        let found = predict(student, &headed.teacher, image, &mask, &options, device).await?;
        let patch = |patch: MaskedPatch| PredictedPatch {
            patch: patch.patch,
            teacher: patch.teacher,
            teacher_probability: patch.teacher_probability,
            student: patch.student,
            student_probability: patch.student_probability,
            nearest: patch.nearest.into_iter().map(|found| found.patch).collect(),
        };
        Ok(Predicted {
            agreement: (found.student.top1, found.student.top5),
            baseline: (found.baseline.top1, found.baseline.top5),
            patches: found.patches.into_iter().map(patch).collect(),
            prototypes: found.prototypes,
        })
    }

    fn grid(&self, slot: usize) -> Result<&TokenGrid, Problem> {
        let tokens = self
            .tokens
            .get(slot)
            .and_then(Option::as_ref)
            .ok_or(Problem::NoImage(slot))?;
        Ok(&tokens.patches)
    }

    /// The slots that have tokens, and these.
    fn grids(&self) -> (Vec<usize>, Vec<TokenGrid>) {
        let present = self.tokens.iter().enumerate();
        present
            .filter_map(|(slot, tokens)| Some((slot, tokens.as_ref()?.patches.clone())))
            .unzip()
    }
}

/// The resolution that was asked for, or as much of it as an image of extreme proportions can have.
fn affordable(image: &RgbImage, shorter: usize, patch: usize) -> usize {
    let (rows, columns) = grid_of(image, shorter, patch);
    let excess = (rows * columns) as f64 / MOST_PATCHES as f64;
    if excess > 1.0 {
        ((shorter as f64 / excess.sqrt()) as usize).max(1)
    } else {
        shorter
    }
}
