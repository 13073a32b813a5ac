//! Paints analyses.

use super::controls::Controls;
use super::legend::{ColorLegend, NAMED};
use super::painted::{Painted, css, opaque};
use super::prediction::paint_prediction;
use super::state::Analysis;
use crate::page::problem::PageError;
use ibot_color::{ColorScale, Range, category};
use ibot_web::protocol::{
    AttentionMaps, ClusterMaps, ColorMaps, Pair, PerSlot, PrototypeMaps, SimilarMaps,
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
        Analysis::Similar(found) => paint_similar(found, scale, grids),
        Analysis::Attention(found) => paint_attention(found, controls.head(), scale, grids),
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

fn paint_similar(
    found: &SimilarMaps,
    scale: ColorScale,
    grids: &Grids,
) -> Result<Painted, PageError> {
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
    scale: ColorScale,
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
    // `chunks_exact` accepts no size of 0.
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
    scale: ColorScale,
    grids: &Grids,
    name: &'static str,
) -> Result<Painted, PageError> {
    let range = Range::of(maps.iter().flatten().copied().flatten());

    let mut painted = Painted::with_legend(ColorLegend::Scale { scale, range, name });
    for (slot, grid) in grids.iter().enumerate() {
        let (Some(map), Some(grid)) = (maps[slot], grid) else {
            continue;
        };
        let mut rgba = Vec::with_capacity(4 * map.len());
        for value in map {
            // Rounded down to one of 256 colors, so that only the maximum has the last one and is
            // seen in one place.
            let position = range
                .position(*value)
                .map(|at| (at * 255.0).floor() / 255.0);
            let color = position.map(|position| scale.color(position));
            rgba.extend(color.map_or([0; 4], opaque));
        }
        painted.set_cells(slot, *grid, &rgba)?;
    }
    Ok(painted)
}

fn paint_colors(found: &ColorMaps, grids: &Grids) -> Result<Painted, PageError> {
    let mut painted = Painted::with_legend(ColorLegend::Text(shares(&found.shares)));
    for (slot, grid) in grids.iter().enumerate() {
        if let (Some(map), Some(grid)) = (&found.maps[slot], grid) {
            painted.set_cells(slot, *grid, &map.0)?;
        }
    }
    Ok(painted)
}

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

fn paint_kinds(
    maps: &PerSlot<&[u8]>,
    names: Vec<String>,
    grids: &Grids,
) -> Result<Painted, PageError> {
    let mut kinds = Vec::new();
    for (n, name) in names.into_iter().enumerate() {
        kinds.push((css(category(n)), name));
    }

    let note = String::new();
    let mut painted = Painted::with_legend(ColorLegend::Kinds { kinds, note });
    for (slot, grid) in grids.iter().enumerate() {
        let (Some(map), Some(grid)) = (maps[slot], grid) else {
            continue;
        };
        let mut rgba = Vec::with_capacity(4 * map.len());
        for kind in map {
            rgba.extend(opaque(category(usize::from(*kind))));
        }
        painted.set_cells(slot, *grid, &rgba)?;
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

    let mut painted = Painted::with_legend(ColorLegend::Text(legend));
    for (n, pair) in pairs.iter().enumerate() {
        let color = css(category(n));
        painted.lines.push((pair.from, pair.to, color));
    }
    painted
}
