//! `ibot show patterns`: what each prototype of the online tokenizer, or each cluster of tokens,
//! stands for.

mod args;
mod collect;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use anyhow::{Result, ensure};
use ibot_core::analysis::patterns::Patterns;
use ibot_core::image::RgbImage;
use serde_json::{Value, json};

pub use self::args::PatternsArgs;
use self::args::TokenKind;
use self::collect::CollectedPatterns;
use crate::commands::images::Images;
use crate::report::figures::{self, PatternBlock, context_tile};

/// Blocks of tiles beside each other.
const BLOCKS: usize = 4;

pub fn run(args: &PatternsArgs) -> Result<()> {
    ensure!(args.show > 0, "--show 0 would show nothing");
    let images = Images::open(&args.data, args.limit)?;
    let collected = match args.kmeans {
        Some(clusters) => CollectedPatterns::of_clusters(args, &images, clusters)?,
        None => CollectedPatterns::of_prototypes(args, &images)?,
    };
    let patterns = &collected.patterns;
    let shown = patterns.most_used(args.show);

    // Not before there is something to draw.
    let output = args.tokens.output("patterns")?;
    let picture = picture(args, &images, &collected, &shown)?;
    output.picture("patterns.png", &picture)?;
    output.picture("usage.png", &figures::usage(&patterns.counts()))?;
    print(args, patterns);
    output.numbers("patterns.json", numbers(&images, patterns, &shown))
}

fn picture(
    args: &PatternsArgs,
    images: &Images,
    collected: &CollectedPatterns,
    shown: &[usize],
) -> Result<RgbImage> {
    let CollectedPatterns { patterns, grids } = collected;
    // A whole image has no context.
    let window = match args.kind {
        TokenKind::Patch => args.context,
        TokenKind::Cls => 1,
    };
    // Only images with patches to show are loaded again, each once.
    let mut loaded: BTreeMap<usize, RgbImage> = BTreeMap::new();
    let mut tiles = Vec::with_capacity(shown.len());
    for cluster in shown {
        let mut own = Vec::new();
        for patch in patterns.kept(*cluster) {
            let image = match loaded.entry(patch.image) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(free) => free.insert(images.load(patch.image)?),
            };
            // CLS has one cell.
            let grid = grids.get(&patch.image).copied().unwrap_or((1, 1));
            let cell = (patch.patch / grid.1, patch.patch % grid.1);
            own.push(context_tile(image, grid, cell, window));
        }
        tiles.push(own);
    }

    let counts = patterns.counts();
    let total = counts.iter().sum::<u64>().max(1) as f64;
    let kind = if args.kmeans.is_some() {
        "cluster"
    } else {
        "prototype"
    };
    let mut blocks = Vec::with_capacity(shown.len());
    for (cluster, tiles) in shown.iter().zip(&tiles) {
        blocks.push(PatternBlock {
            name: format!("{kind} {cluster}"),
            share: counts[*cluster] as f64 / total,
            purity: patterns.purity(*cluster),
            tiles,
        });
    }
    // The tiles of a block make up a square.
    let across = args.top.isqrt().max(1);
    Ok(figures::patterns(&blocks, across, BLOCKS))
}

fn print(args: &PatternsArgs, patterns: &Patterns) {
    if let Some(usage) = patterns.usage() {
        let kind = if args.kmeans.is_some() {
            "clusters"
        } else {
            "prototypes"
        };
        let (used, all) = (usage.used, patterns.counts().len());
        let perplexity = usage.perplexity;
        println!("{used} of {all} {kind} in use, perplexity {perplexity:.1}");
    }
    if let Some(purity) = patterns.part_purity() {
        let all = 100.0 * purity.all;
        let kept = 100.0 * purity.kept;
        let chance = 100.0 * purity.chance;
        println!(
            "part purity {all:.1} % of all patches, {kept:.1} % of those shown, chance {chance:.1} %"
        );
    }
}

fn numbers(images: &Images, patterns: &Patterns, shown: &[usize]) -> Value {
    let counts = patterns.counts();
    let mut prototypes = Vec::with_capacity(shown.len());
    for cluster in shown {
        let mut top = Vec::new();
        for patch in patterns.kept(*cluster) {
            top.push(json!({
                "image": images.name(patch.image),
                "patch": patch.patch,
                "score": patch.score,
                "part": patch.part,
            }));
        }
        prototypes.push(json!({
            "prototype": cluster,
            "patches": counts[*cluster],
            "purity": patterns.purity(*cluster),
            "kept_purity": patterns.kept_purity(*cluster),
            "top": top,
        }));
    }

    let usage = patterns.usage();
    let part_purity = patterns.part_purity().map(|purity| {
        json!({
            "all": purity.all,
            "kept": purity.kept,
            "chance": purity.chance,
            "patches": purity.labelled,
        })
    });
    json!({
        "images": images.len(),
        "counts": counts,
        "used": usage.as_ref().map(|usage| usage.used),
        "perplexity": usage.as_ref().map(|usage| usage.perplexity),
        "part_purity": part_purity,
        "shown": prototypes,
    })
}
