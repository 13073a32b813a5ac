//! The patches of all images, each with the prototype or cluster that it belongs to.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use futures_lite::future::block_on;
use ibot_core::analysis::kmeans::{KMeansConfig, kmeans};
use ibot_core::analysis::patterns::{Patch, Patterns};
use ibot_core::analysis::prototypes::{Kind, assign, count};
use ibot_core::analysis::rows::Rows;
use ibot_core::image::RgbImage;

use super::args::{PatternsArgs, TokenKind};
use crate::commands::images::Images;
use crate::commands::show::tokens::ImageEncoder;
use crate::device;

/// Label of pixels that show no part.
const NO_PART: usize = 0;

pub(super) struct CollectedPatterns {
    pub patterns: Patterns,
    /// Rows and columns of each image.
    pub grids: BTreeMap<usize, (usize, usize)>,
}

/// Tokens of one image, and the grid that they lie on; one cell for CLS.
struct PlacedTokens {
    grid: (usize, usize),
    width: usize,
    values: Vec<f32>,
}

struct Assigned {
    cluster: usize,
    score: f32,
}

impl CollectedPatterns {
    /// By the prototypes of the iBOT head.
    pub fn of_prototypes(args: &PatternsArgs, images: &Images) -> Result<Self> {
        let device = device::select(args.tokens.device)?.device;
        let (model, line) = args.tokens.model.open_with_head(&device)?;
        println!("{line}");
        let kind = match args.kind {
            TokenKind::Patch => Kind::Patch,
            TokenKind::Cls => Kind::Cls,
        };
        let head = model.network.head;
        let encoder =
            args.tokens
                .encoder(model.network.backbone, model.config.image_size(), device)?;

        // Before the first image: numbers of the command line may make no sense.
        let mut collected = Self::new(args, count(&head, kind))?;
        for index in 0..images.len() {
            let tokens = tokens_of(&encoder, &images.load(index)?, args.kind)?;
            let width = encoder.backbone.dim();
            ensure!(
                tokens.width == width,
                "the prototypes are those of tokens of width {width}, and the block that --block \
                 names has tokens of width {}",
                tokens.width
            );
            let found = block_on(assign(&head, kind, &tokens.values, width, &encoder.device))
                .context("the head")?;
            let assigned = found.into_iter().map(|found| Assigned {
                cluster: found.prototype,
                score: found.score,
            });
            collected.add(args, images, index, tokens.grid, assigned)?;
        }
        Ok(collected)
    }

    /// By k-means over the tokens of all images.
    pub fn of_clusters(args: &PatternsArgs, images: &Images, clusters: usize) -> Result<Self> {
        let (encoder, _) = args.tokens.open("patterns")?;
        let mut values = Vec::new();
        let mut width = 0;
        let mut grids = Vec::with_capacity(images.len());
        for index in 0..images.len() {
            let tokens = tokens_of(&encoder, &images.load(index)?, args.kind)?;
            values.extend(tokens.values);
            width = tokens.width;
            grids.push(tokens.grid);
        }
        // Together, so that a cluster means the same in all images.
        let rows = Rows::new(&values, width)?;
        let clustered = kmeans(&rows, &KMeansConfig::new(clusters))?;

        let mut collected = Self::new(args, clusters)?;
        let mut first = 0;
        for (index, grid) in grids.into_iter().enumerate() {
            let own = first..first + grid.0 * grid.1;
            first = own.end;
            let assigned = own.map(|row| Assigned {
                cluster: clustered.labels[row],
                // Distances are 1 - cosine.
                score: 1.0 - clustered.distances[row],
            });
            collected.add(args, images, index, grid, assigned)?;
        }
        Ok(collected)
    }

    fn new(args: &PatternsArgs, clusters: usize) -> Result<Self> {
        Ok(Self {
            patterns: Patterns::new(clusters, args.top, args.per_image)?,
            grids: BTreeMap::new(),
        })
    }

    fn add(
        &mut self,
        args: &PatternsArgs,
        images: &Images,
        image: usize,
        grid: (usize, usize),
        assigned: impl Iterator<Item = Assigned>,
    ) -> Result<()> {
        // A whole image shows an object, not a part of one.
        let labels = match args.kind {
            TokenKind::Patch => images.labels(image, args.labels.as_deref())?,
            TokenKind::Cls => None,
        };
        let parts = labels.map(|labels| labels.majority(grid.0, grid.1));

        for (patch, Assigned { cluster, score }) in assigned.enumerate() {
            // A patch is of the part that most of its pixels show.
            let part = parts.as_ref().map(|parts| parts.cells()[patch]);
            let patch = Patch {
                score,
                image,
                patch,
                part: part.filter(|part| *part != NO_PART),
            };
            self.patterns.offer(cluster, patch)?;
        }
        self.grids.insert(image, grid);
        Ok(())
    }
}

fn tokens_of(encoder: &ImageEncoder, image: &RgbImage, kind: TokenKind) -> Result<PlacedTokens> {
    let encoded = encoder.encode(image)?;
    Ok(match kind {
        TokenKind::Patch => PlacedTokens {
            grid: (encoded.patches.rows(), encoded.patches.columns()),
            width: encoded.patches.dim(),
            values: encoded.patches.values().to_vec(),
        },
        TokenKind::Cls => PlacedTokens {
            grid: (1, 1),
            width: encoded.cls.len(),
            values: encoded.cls,
        },
    })
}
