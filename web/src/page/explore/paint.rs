//! Paints analyses.

use super::controls::Controls;
use super::legend::{Legend, NAMED};
use super::painted::{Painted, opaque};
use super::prediction::paint_prediction;
use super::state::Analysis;
use crate::page::colors;
use crate::page::problem::PageError;
use ibot_web::protocol::{
    AttentionMaps, ClusterMaps, ColorMaps, Pair, PerSlot, PrototypeMaps, SLOTS, SimilarMaps,
};

/// Rows and columns of the patches of each image.
type Grids = PerSlot<(usize, usize)>;

pub fn paint(
    analysis: &Analysis,
    controls: &Controls,
    grids: &Grids,
) -> Result<Painted, PageError> {
    let scale = controls.scale();
    match analysis {
        Analysis::None => Ok(Painted::default()),
        Analysis::Similar(found) => paint_similar(found, &scale, grids),
        Analysis::Attention(found) => paint_attention(found, controls.head(), &scale, grids),
        Analysis::Colors(found) => paint_colors(found, grids),
        Analysis::Clusters(found) => paint_clusters(found, grids),
        Analysis::Prototypes(found) => paint_prototypes(found, grids),
        Analysis::Pairs(pairs) => Ok(paint_pairs(pairs)),
        Analysis::Predicted { slot, found } => match grids[*slot] {
            Some(grid) => paint_prediction(*slot, found, controls, grid),
            None => Ok(Painted::default()),
        },
    }
}

fn paint_similar(found: &SimilarMaps, scale: &str, grids: &Grids) -> Result<Painted, PageError> {
    let maps = found.maps.each_ref();
    let maps = maps.map(|map| map.as_ref().map(|map| &map.0[..]));

    let mut painted = paint_values(&maps, scale, grids, "cosine similarity")?;
    for (marks, best) in painted.marks.iter_mut().zip(&found.best) {
        *marks = best.iter().map(|best| best.patch).collect();
    }
    Ok(painted)
}

fn paint_attention(
    found: &PerSlot<AttentionMaps>,
    head: Option<usize>,
    scale: &str,
    grids: &Grids,
) -> Result<Painted, PageError> {
    let maps = found.each_ref();
    let maps = maps.map(|maps| maps.as_ref().map(|maps| attention_of(maps, head)));

    let maps = maps.each_ref().map(|map| map.as_deref());
    paint_values(&maps, scale, grids, "attention of CLS")
}

/// One head, counted from 1, or the mean of all.
fn attention_of(maps: &AttentionMaps, head: Option<usize>) -> Vec<f32> {
    let patches = maps.values.0.len() / maps.heads.max(1);
    let mut heads = maps.values.0.chunks_exact(patches.max(1));
    if let Some(map) = head.and_then(|head| heads.clone().nth(head - 1)) {
        return map.to_vec();
    }

    let mut mean = heads.next().unwrap_or_default().to_vec();
    for map in heads {
        for (sum, value) in mean.iter_mut().zip(map) {
            *sum += value;
        }
    }
    for sum in &mut mean {
        *sum /= maps.heads as f32;
    }
    mean
}

/// Numbers on one scale for both images. A patch without a number stays without a color.
fn paint_values(
    maps: &PerSlot<&[f32]>,
    scale: &str,
    grids: &Grids,
    name: &str,
) -> Result<Painted, PageError> {
    let values = maps.iter().flatten().copied().flatten().copied();
    let finite = values.filter(|value| value.is_finite());
    let low = finite.clone().fold(f32::INFINITY, f32::min);
    let high = finite.fold(f32::NEG_INFINITY, f32::max);
    let width = (high - low).max(f32::MIN_POSITIVE);

    let legend = Legend::Scale {
        scale: scale.to_owned(),
        ends: (low, high),
        name: name.to_owned(),
    };
    let mut painted = Painted::with_legend(legend);
    for slot in 0..SLOTS {
        let (Some(map), Some(grid)) = (maps[slot], grids[slot]) else {
            continue;
        };
        let mut rgba = Vec::with_capacity(4 * map.len());
        for value in map {
            let [r, g, b] = colors::scale(scale, (value - low) / width);
            rgba.extend([r, g, b, if value.is_finite() { 255 } else { 0 }]);
        }
        painted.set_cells(slot, grid, &rgba)?;
    }
    Ok(painted)
}

fn paint_colors(found: &ColorMaps, grids: &Grids) -> Result<Painted, PageError> {
    let mut painted = Painted::with_legend(Legend::Text(shares(&found.shares)));
    for slot in 0..SLOTS {
        if let (Some(map), Some(grid)) = (&found.maps[slot], grids[slot]) {
            painted.set_cells(slot, grid, &map.0)?;
        }
    }
    Ok(painted)
}

/// How much of the variance each color shows.
fn shares(shares: &[f64]) -> String {
    let mut parts = Vec::new();
    for (name, share) in ["red", "green", "blue"].iter().zip(shares) {
        parts.push(format!("{name} {:.0} %", 100.0 * share));
    }
    format!("share of the variance: {}", parts.join(", "))
}

fn paint_clusters(found: &ClusterMaps, grids: &Grids) -> Result<Painted, PageError> {
    let sizes = found.sizes.iter();
    let names = sizes.map(|size| format!("{size} patches")).collect();

    let maps = found.labels.each_ref();
    let maps = maps.map(|map| map.as_ref().map(|map| &map.0[..]));
    paint_kinds(&maps, names, grids)
}

fn paint_prototypes(found: &PrototypeMaps, grids: &Grids) -> Result<Painted, PageError> {
    let mut names = Vec::new();
    for (prototype, count) in found.ranking.iter().take(NAMED) {
        names.push(format!("{prototype} ({count} patches)"));
    }

    let maps = found.ranks.each_ref();
    let maps = maps.map(|map| map.as_ref().map(|map| &map.0[..]));
    paint_kinds(&maps, names, grids)
}

/// Kinds of patches, each with a color of its own.
fn paint_kinds(
    maps: &PerSlot<&[u8]>,
    names: Vec<String>,
    grids: &Grids,
) -> Result<Painted, PageError> {
    let mut kinds = Vec::new();
    for (n, name) in names.into_iter().enumerate() {
        kinds.push((colors::css(colors::kind(n)), name));
    }

    let note = String::new();
    let mut painted = Painted::with_legend(Legend::Kinds { kinds, note });
    for slot in 0..SLOTS {
        let (Some(map), Some(grid)) = (maps[slot], grids[slot]) else {
            continue;
        };
        let mut rgba = Vec::with_capacity(4 * map.len());
        for kind in map {
            rgba.extend(opaque(colors::kind(usize::from(*kind))));
        }
        painted.set_cells(slot, grid, &rgba)?;
    }
    Ok(painted)
}

fn paint_pairs(pairs: &[Pair]) -> Painted {
    let least = pairs.iter().map(|pair| pair.similarity).reduce(f32::min);
    let legend = match least {
        Some(least) => format!(
            "{} mutual nearest neighbours, cosine at least {least:.2}",
            pairs.len()
        ),
        None => "no patches are each other's nearest neighbour".to_owned(),
    };

    let mut painted = Painted::with_legend(Legend::Text(legend));
    for (n, pair) in pairs.iter().enumerate() {
        let color = colors::css(colors::kind(n));
        painted.lines.push((pair.from, pair.to, color));
    }
    painted
}
