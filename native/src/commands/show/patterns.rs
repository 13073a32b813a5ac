//! `ibot show patterns`: what each prototype of the online tokenizer, or each cluster of tokens, stands
//! for.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};
use futures_lite::future::block_on;
use ibot_core::analysis::kmeans::{KMeansConfig, kmeans};
use ibot_core::analysis::patterns::{Patch, Patterns};
use ibot_core::analysis::prototypes::{Kind, assign, count};
use ibot_core::analysis::rows::Rows;
use ibot_core::image::RgbImage;
use serde_json::json;

use super::images::Images;
use super::tokens::{ImageEncoder, TokenArgs};
use crate::device;
use crate::report::figures::{self, PatternBlock, context_tile};

const HELP: &str = "\
Examples:
  ibot show patterns --data builtin:val --model runs/builtin
  ibot show patterns --data photos/ --kmeans 64 --model vit_small.safetensors
  ibot show patterns --data photos/ --tokens cls --model checkpoint.pth

Outputs  patterns.png: for the most used prototypes the patches that they answer to most, in their context, with the
         share of all patches that they take (paper section 4.3.1, figure 4 and appendix); usage.png: how often each
         prototype is used; patterns.json. Where part labels are known (builtin, or --labels), also part purity: the
         share of a prototype's patches that show its most common part, beside what chance gives.
         Prototypes need a model with its iBOT head: a run, or a training checkpoint; --kmeans needs none.";

/// Label of pixels that show no part.
const NO_PART: usize = 0;

/// Options of `ibot show patterns`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct PatternsArgs {
    /// Images to search: files, folders, .tar, lists, or DATA#INDEX
    #[arg(long, required = true, num_args = 1..)]
    data: Vec<String>,
    #[command(flatten)]
    tokens: TokenArgs,
    /// Which tokens: those of patches, or CLS for whole images
    #[arg(long = "tokens", default_value = "patch")]
    kind: TokenKind,
    /// Clusters of k-means (cosine) in place of the head's prototypes
    #[arg(long, value_name = "K")]
    kmeans: Option<usize>,
    /// Prototypes to show, the most used first
    #[arg(long, default_value_t = 20)]
    show: usize,
    /// Patches of each prototype
    #[arg(long, default_value_t = 36)]
    top: usize,
    /// Most patches of one image for a prototype
    #[arg(long, default_value_t = 1)]
    per_image: usize,
    /// Side of the context around a patch, in patches
    #[arg(long, default_value_t = 5)]
    context: usize,
    /// Folder of label pictures (.png of the image's name): gray values or colors are parts, black
    /// is none
    #[arg(long, value_name = "FOLDER")]
    labels: Option<PathBuf>,
    /// Most images, spread evenly over the data
    #[arg(long, default_value_t = 500)]
    limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TokenKind {
    Patch,
    Cls,
}

/// Tokens of one image, and the grid they are of; one cell for CLS.
struct Tokens {
    grid: (usize, usize),
    values: Vec<f32>,
}

/// Runs `ibot show patterns`.
///
/// # Errors
/// If an image, the model or its head cannot be read, or a file cannot be written.
pub fn run(args: &PatternsArgs) -> Result<()> {
    ensure!(args.show > 0, "--show 0 would show nothing");
    let images = Images::open(&args.data, args.limit)?;
    let patterns = match args.kmeans {
        Some(clusters) => of_clusters(args, &images, clusters)?,
        None => of_prototypes(args, &images)?,
    };
    report(args, &images, &patterns)
}

fn of_prototypes(args: &PatternsArgs, images: &Images) -> Result<Found> {
    let device = device::select(args.tokens.device)?.device;
    let (model, line) = args.tokens.model.open_with_head(&device)?;
    println!("{line}");
    let kind = match args.kind {
        TokenKind::Patch => Kind::Patch,
        TokenKind::Cls => Kind::Cls,
    };
    let head = model.network.head;
    let mut found = Found::new(args, count(&head, kind))?;
    let encoder = args
        .tokens
        .encoder(model.network.backbone, model.config.image_size(), device)?;
    for index in 0..images.len() {
        let tokens = tokens_of(&encoder, &images.load(index)?, args.kind)?;
        let dim = encoder.backbone.dim();
        let assigned = block_on(assign(&head, kind, &tokens.values, dim, &encoder.device))
            .context("the head")?;
        let assigned = assigned
            .into_iter()
            .map(|assigned| (assigned.prototype, assigned.score));
        found.add(args, images, index, tokens.grid, assigned)?;
    }
    Ok(found)
}

fn of_clusters(args: &PatternsArgs, images: &Images, clusters: usize) -> Result<Found> {
    let (encoder, _) = args.tokens.open("patterns")?;
    let all = (0..images.len()).map(|index| tokens_of(&encoder, &images.load(index)?, args.kind));
    let all = all.collect::<Result<Vec<_>>>()?;
    let values: Vec<f32> = all
        .iter()
        .flat_map(|tokens| &tokens.values)
        .copied()
        .collect();
    let clustered = kmeans(
        &Rows::new(&values, encoder.backbone.dim())?,
        &KMeansConfig::new(clusters),
    )?;
    let mut assigned = clustered
        .labels
        .iter()
        .copied()
        .zip(clustered.distances.iter().map(|distance| 1.0 - distance));
    let mut found = Found::new(args, clusters)?;
    for (index, tokens) in all.iter().enumerate() {
        let own: Vec<(usize, f32)> = assigned
            .by_ref()
            .take(tokens.grid.0 * tokens.grid.1)
            .collect();
        found.add(args, images, index, tokens.grid, own.into_iter())?;
    }
    Ok(found)
}

fn tokens_of(encoder: &ImageEncoder, image: &RgbImage, kind: TokenKind) -> Result<Tokens> {
    let seen = encoder.encode(image)?;
    Ok(match kind {
        TokenKind::Patch => Tokens {
            grid: (seen.patches.rows(), seen.patches.columns()),
            values: seen.patches.values().to_vec(),
        },
        TokenKind::Cls => Tokens {
            grid: (1, 1),
            values: seen.cls,
        },
    })
}

/// Patterns and the grids of the images that they are from.
struct Found {
    patterns: Patterns,
    grids: BTreeMap<usize, (usize, usize)>,
}

impl Found {
    fn new(args: &PatternsArgs, clusters: usize) -> Result<Self> {
        Ok(Self {
            patterns: Patterns::new(clusters, args.top, args.per_image)?,
            grids: BTreeMap::new(),
        })
    }

    /// Offers the patches of an image, each with its cluster and score.
    fn add(
        &mut self,
        args: &PatternsArgs,
        images: &Images,
        image: usize,
        grid: (usize, usize),
        assigned: impl Iterator<Item = (usize, f32)>,
    ) -> Result<()> {
        // A whole image shows an object, not a part of one.
        let labels = match args.kind {
            TokenKind::Patch => images.labels(image, args.labels.as_deref())?,
            TokenKind::Cls => None,
        };
        let parts = labels.map(|labels| labels.majority(grid.0, grid.1));
        for (patch, (cluster, score)) in assigned.enumerate() {
            let part = parts
                .as_ref()
                .map(|parts| parts[patch])
                .filter(|part| *part != NO_PART);
            self.patterns.offer(
                cluster,
                Patch {
                    score,
                    image,
                    patch,
                    part,
                },
            )?;
        }
        self.grids.insert(image, grid);
        Ok(())
    }
}

fn report(args: &PatternsArgs, images: &Images, found: &Found) -> Result<()> {
    let Found { patterns, grids } = found;
    let output = args.tokens.output("patterns")?;
    let counts = patterns.counts();
    let total = counts.iter().sum::<u64>().max(1) as f64;
    let shown = patterns.most_used(args.show);
    let mut loaded: BTreeMap<usize, RgbImage> = BTreeMap::new();
    let mut tiles = Vec::with_capacity(shown.len());
    for cluster in &shown {
        let mut row = Vec::new();
        for patch in patterns.kept(*cluster) {
            let image = match loaded.entry(patch.image) {
                std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::btree_map::Entry::Vacant(free) => {
                    free.insert(images.load(patch.image)?)
                }
            };
            let grid = grids.get(&patch.image).copied().unwrap_or((1, 1));
            let window = if args.kind == TokenKind::Cls {
                1
            } else {
                args.context
            };
            row.push(context_tile(
                image,
                grid,
                (patch.patch / grid.1, patch.patch % grid.1),
                window,
            ));
        }
        tiles.push(row);
    }
    let blocks: Vec<PatternBlock> = shown
        .iter()
        .zip(&tiles)
        .map(|(cluster, tiles)| PatternBlock {
            name: format!(
                "{} {cluster}",
                if args.kmeans.is_some() {
                    "cluster"
                } else {
                    "prototype"
                }
            ),
            share: counts[*cluster] as f64 / total,
            purity: patterns.purity(*cluster),
            tiles,
        })
        .collect();
    let across = args.top.isqrt().max(1);
    output.picture("patterns.png", &figures::patterns(&blocks, across, 4))?;
    output.picture("usage.png", &figures::usage(&counts))?;

    let usage = patterns.usage();
    let purity = patterns.part_purity();
    if let Some(usage) = &usage {
        let what = if args.kmeans.is_some() {
            "clusters"
        } else {
            "prototypes"
        };
        println!(
            "{} of {} {what} in use, perplexity {:.1}",
            usage.used,
            counts.len(),
            usage.perplexity
        );
    }
    if let Some(purity) = &purity {
        let [all, kept, chance] =
            [purity.all, purity.kept, purity.chance].map(|share| 100.0 * share);
        println!(
            "part purity {all:.1} % of all patches, {kept:.1} % of those shown, chance {chance:.1} %"
        );
    }
    let shown = shown.iter().map(|cluster| {
        let patches = patterns.kept(*cluster).iter().map(|patch| {
            json!({ "image": images.name(patch.image), "patch": patch.patch, "score": patch.score, "part": patch.part })
        });
        json!({
            "prototype": cluster,
            "patches": counts[*cluster],
            "purity": patterns.purity(*cluster),
            "kept_purity": patterns.kept_purity(*cluster),
            "top": patches.collect::<Vec<_>>(),
        })
    });
    output.numbers(
        "patterns.json",
        json!({
            "images": images.len(),
            "counts": counts,
            "used": usage.map(|usage| usage.used),
            "perplexity": usage.map(|usage| usage.perplexity),
            "part_purity": purity.map(|p| json!({ "all": p.all, "kept": p.kept, "chance": p.chance, "patches": p.labelled })),
            "shown": shown.collect::<Vec<_>>(),
        }),
    )
}
