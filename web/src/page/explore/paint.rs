//! Answers of the worker as colors, marks and lines.

use web_sys::HtmlCanvasElement;

use super::controls::{Controls, Tell};
use super::legend::Legend;
use crate::page::problem::PageError;
use crate::page::{colors, dom, pictures};
use ibot_web::protocol::{
    AttentionMaps, ColorMaps, Pair, PartMaps, PerSlot, Predicted, PredictedPatch, PrototypeMaps,
    SLOTS, SimilarMaps,
};

/// What the worker last said.
#[derive(Default)]
pub enum Answer {
    /// Nothing yet.
    #[default]
    None,
    /// Similarity to a patch.
    Similar(SimilarMaps),
    /// Attention.
    Attention(PerSlot<AttentionMaps>),
    /// Principal components.
    Colors(ColorMaps),
    /// Clusters.
    Parts(PartMaps),
    /// Prototypes.
    Prototypes(PrototypeMaps),
    /// Pairs.
    Pairs(Vec<Pair>),
    /// Predictions for a slot.
    Predicted(usize, Predicted),
}

/// What an answer lays over the images.
#[derive(Default)]
pub struct Painted {
    /// A color for each patch.
    pub cells: PerSlot<HtmlCanvasElement>,
    /// Patches to number from 1.
    pub marks: [Vec<usize>; SLOTS],
    /// Lines between the images.
    pub lines: Vec<(usize, usize, String)>,
    /// What the colors mean.
    pub legend: Legend,
}

/// Paints an answer over images with these grids (rows, columns).
///
/// # Errors
/// If the browser cannot make a canvas.
pub fn paint(
    answer: &Answer,
    controls: &Controls,
    grids: &PerSlot<(usize, usize)>,
) -> Result<Painted, PageError> {
    match answer {
        Answer::None => Ok(Painted::default()),
        Answer::Similar(found) => {
            let maps = found
                .maps
                .each_ref()
                .map(|map| map.as_ref().map(|map| map.0.clone()));
            let mut painted = values(&maps, &controls.scale(), grids, "cosine similarity")?;
            painted.marks = found
                .best
                .each_ref()
                .map(|best| best.iter().map(|best| best.patch).collect());
            Ok(painted)
        }
        Answer::Attention(found) => {
            let maps = found
                .each_ref()
                .map(|maps| maps.as_ref().map(|maps| head(maps, controls.head())));
            values(&maps, &controls.scale(), grids, "attention of CLS")
        }
        Answer::Colors(found) => {
            let mut painted = Painted::default();
            for ((into, map), grid) in painted.cells.iter_mut().zip(&found.maps).zip(grids) {
                if let (Some(map), Some(grid)) = (map, grid) {
                    *into = Some(cells(*grid, &map.0)?);
                }
            }
            painted.legend = Legend::Text(shares(&found.shares));
            Ok(painted)
        }
        Answer::Parts(found) => {
            let names = found
                .sizes
                .iter()
                .map(|size| format!("{size} patches"))
                .collect();
            labels(
                &found
                    .labels
                    .each_ref()
                    .map(|map| map.as_ref().map(|map| &map.0[..])),
                names,
                grids,
            )
        }
        Answer::Prototypes(found) => {
            let names = found
                .ranking
                .iter()
                .take(12)
                .map(|(index, count)| format!("{index} ({count} patches)"));
            labels(
                &found
                    .ranks
                    .each_ref()
                    .map(|map| map.as_ref().map(|map| &map.0[..])),
                names.collect(),
                grids,
            )
        }
        Answer::Pairs(pairs) => {
            let lines = pairs
                .iter()
                .enumerate()
                .map(|(n, pair)| (pair.from, pair.to, colors::css(colors::kind(n))));
            let legend = match pairs.iter().map(|pair| pair.similarity).reduce(f32::min) {
                Some(least) => format!(
                    "{} mutual nearest neighbours, cosine at least {least:.2}",
                    pairs.len()
                ),
                None => "no patches are each other's nearest neighbour".to_owned(),
            };
            Ok(Painted {
                lines: lines.collect(),
                legend: Legend::Text(legend),
                ..Painted::default()
            })
        }
        Answer::Predicted(slot, found) => predicted(*slot, found, controls, grids),
    }
}

/// One head, or the mean of all.
fn head(maps: &AttentionMaps, head: Option<usize>) -> Vec<f32> {
    let count = maps.values.0.len() / maps.heads.max(1);
    let heads = || maps.values.0.chunks_exact(count.max(1));
    match head.and_then(|head| heads().nth(head - 1)) {
        Some(map) => map.to_vec(),
        None => (0..count)
            .map(|i| heads().map(|map| map[i]).sum::<f32>() / maps.heads as f32)
            .collect(),
    }
}

/// Numbers on one scale over both images.
fn values(
    maps: &PerSlot<Vec<f32>>,
    scale: &str,
    grids: &PerSlot<(usize, usize)>,
    name: &str,
) -> Result<Painted, PageError> {
    let finite = || {
        maps.iter()
            .flatten()
            .flatten()
            .copied()
            .filter(|value| value.is_finite())
    };
    let (low, high) = (
        finite().fold(f32::INFINITY, f32::min),
        finite().fold(f32::NEG_INFINITY, f32::max),
    );
    let width = (high - low).max(f32::MIN_POSITIVE);
    let mut painted = Painted {
        legend: Legend::Scale(scale.to_owned(), (low, high), name.to_owned()),
        ..Painted::default()
    };
    for slot in 0..SLOTS {
        if let (Some(map), Some(grid)) = (&maps[slot], grids[slot]) {
            let color = |value: &f32| {
                let [r, g, b] = colors::scale(scale, (value - low) / width);
                [r, g, b, if value.is_finite() { 255 } else { 0 }]
            };
            painted.cells[slot] = Some(cells(
                grid,
                &map.iter().flat_map(color).collect::<Vec<_>>(),
            )?);
        }
    }
    Ok(painted)
}

/// Kinds of patches, each with a color of its own.
fn labels(
    maps: &PerSlot<&[u8]>,
    names: Vec<String>,
    grids: &PerSlot<(usize, usize)>,
) -> Result<Painted, PageError> {
    let mut painted = Painted::default();
    for slot in 0..SLOTS {
        if let (Some(map), Some(grid)) = (maps[slot], grids[slot]) {
            let color = |label: &u8| opaque(colors::kind(usize::from(*label)));
            painted.cells[slot] = Some(cells(
                grid,
                &map.iter().flat_map(color).collect::<Vec<_>>(),
            )?);
        }
    }
    let kinds = names
        .into_iter()
        .enumerate()
        .map(|(n, name)| (colors::css(colors::kind(n)), name));
    painted.legend = Legend::Kinds(kinds.collect(), String::new());
    Ok(painted)
}

fn predicted(
    slot: usize,
    found: &Predicted,
    controls: &Controls,
    grids: &PerSlot<(usize, usize)>,
) -> Result<Painted, PageError> {
    let Some(grid) = grids.get(slot).copied().flatten() else {
        return Ok(Painted::default());
    };
    let mut rgba = vec![0; grid.0 * grid.1 * 4];
    let mut set = |patch: &PredictedPatch, color: [u8; 3]| {
        if let Some(cell) = rgba.as_chunks_mut::<4>().0.get_mut(patch.patch) {
            *cell = opaque(color);
        }
    };
    let legend = match controls.tell() {
        Tell::Agreement => {
            let (right, wrong) = (colors::kind(2), colors::kind(5));
            for patch in &found.patches {
                set(
                    patch,
                    if patch.teacher == patch.student {
                        right
                    } else {
                        wrong
                    },
                );
            }
            let kinds = vec![
                (
                    colors::css(right),
                    "the student names the teacher's prototype".to_owned(),
                ),
                (colors::css(wrong), "it names another".to_owned()),
            ];
            Legend::Kinds(kinds, summary(found))
        }
        Tell::Probability => {
            let scale = controls.scale();
            for patch in &found.patches {
                set(patch, colors::scale(&scale, patch.student_probability));
            }
            Legend::Scale(
                scale,
                (0.0, 1.0),
                "student's probability of the teacher's prototype".to_owned(),
            )
        }
        tell => {
            let prototype = |patch: &PredictedPatch| {
                if tell == Tell::Teacher {
                    patch.teacher
                } else {
                    patch.student
                }
            };
            // Of both networks, so that a prototype has one color whichever is shown.
            let mut kinds: Vec<usize> = found
                .patches
                .iter()
                .flat_map(|patch| [patch.teacher, patch.student])
                .collect();
            kinds.sort_unstable();
            kinds.dedup();
            for patch in &found.patches {
                set(
                    patch,
                    colors::kind(kinds.partition_point(|kind| *kind < prototype(patch))),
                );
            }
            let name = |(n, kind): (usize, &usize)| {
                (colors::css(colors::kind(n)), format!("prototype {kind}"))
            };
            Legend::Kinds(
                kinds.iter().enumerate().take(12).map(name).collect(),
                summary(found),
            )
        }
    };
    let mut painted = Painted {
        legend,
        ..Painted::default()
    };
    painted.cells[slot] = Some(cells(grid, &rgba)?);
    Ok(painted)
}

/// How often the student is right, beside what needs no network.
fn summary(found: &Predicted) -> String {
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    format!(
        "right for {} of the hidden patches, within five guesses for {}; guessing the commonest of the visible ones: {} and {}",
        percent(found.agreement.0),
        percent(found.agreement.1),
        percent(found.baseline.0),
        percent(found.baseline.1),
    )
}

fn shares(shares: &[f64]) -> String {
    let names = ["red", "green", "blue"];
    let parts = names
        .iter()
        .zip(shares)
        .map(|(name, share)| format!("{name} {:.0} %", 100.0 * share));
    format!(
        "share of the variance: {}",
        parts.collect::<Vec<_>>().join(", ")
    )
}

fn cells((rows, columns): (usize, usize), rgba: &[u8]) -> Result<HtmlCanvasElement, PageError> {
    let canvas = dom::canvas(columns as u32, rows as u32)?;
    pictures::put(&canvas, rgba)?;
    Ok(canvas)
}

fn opaque([r, g, b]: [u8; 3]) -> [u8; 4] {
    [r, g, b, 255]
}
