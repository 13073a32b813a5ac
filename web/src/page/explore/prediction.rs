//! Paints what student and teacher think of hidden patches.

use super::controls::{Controls, PredictionView};
use super::legend::{ColorLegend, NAMED};
use super::painted::{Painted, css, opaque};
use crate::page::problem::PageError;
use ibot_color::{ColorScale, Range, category};
use ibot_web::protocol::{Predicted, PredictedPatch};

/// Kinds whose colors mean that student and teacher agree, or differ.
const AGREES: usize = 2;
const DIFFERS: usize = 5;

pub fn paint_prediction(
    slot: usize,
    found: &Predicted,
    controls: &Controls,
    grid: (usize, usize),
) -> Result<Painted, PageError> {
    let (legend, colors) = match controls.prediction() {
        PredictionView::Agreement => agreement(found),
        PredictionView::Probability => probability(found, controls.scale()),
        PredictionView::Teacher => prototypes(found, |patch| patch.teacher),
        PredictionView::Student => prototypes(found, |patch| patch.student),
    };

    // Visible patches stay without a color.
    let mut rgba = vec![0; grid.0 * grid.1 * 4];
    let cells = rgba.as_chunks_mut::<4>().0;
    for (patch, color) in found.patches.iter().zip(colors) {
        if let Some(cell) = cells.get_mut(patch.patch) {
            *cell = opaque(color);
        }
    }

    let mut painted = Painted::with_legend(legend);
    painted.set_cells(slot, grid, &rgba)?;
    Ok(painted)
}

/// The legend, and a color for each hidden patch.
type Colored = (ColorLegend, Vec<[u8; 3]>);

fn agreement(found: &Predicted) -> Colored {
    let agrees = category(AGREES);
    let differs = category(DIFFERS);
    let kinds = vec![
        (
            css(agrees),
            "the student names the teacher's prototype".to_owned(),
        ),
        (css(differs), "it names another".to_owned()),
    ];

    let patches = found.patches.iter();
    let colors = patches.map(|patch| match patch.teacher == patch.student {
        true => agrees,
        false => differs,
    });
    let note = summary(found);
    (ColorLegend::Kinds { kinds, note }, colors.collect())
}

fn probability(found: &Predicted, scale: ColorScale) -> Colored {
    let mut patch_colors = Vec::new();
    for patch in &found.patches {
        patch_colors.push(scale.color(patch.student_probability));
    }

    let legend = ColorLegend::Scale {
        scale,
        range: Range {
            low: 0.0,
            high: 1.0,
        },
        name: "student's probability of the teacher's prototype",
    };
    (legend, patch_colors)
}

fn prototypes(found: &Predicted, of: impl Fn(&PredictedPatch) -> usize) -> Colored {
    // Numbered over both networks, a prototype has the same color whichever network is shown.
    let patches = found.patches.iter();
    let mut prototypes: Vec<usize> = patches
        .flat_map(|patch| [patch.teacher, patch.student])
        .collect();
    prototypes.sort_unstable();
    prototypes.dedup();

    let mut patch_colors = Vec::new();
    for patch in &found.patches {
        let kind = prototypes.partition_point(|prototype| *prototype < of(patch));
        patch_colors.push(category(kind));
    }

    let mut kinds = Vec::new();
    for (n, prototype) in prototypes.iter().enumerate().take(NAMED) {
        kinds.push((css(category(n)), format!("prototype {prototype}")));
    }
    let note = summary(found);
    (ColorLegend::Kinds { kinds, note }, patch_colors)
}

/// How often the student is right, and how often a guess that needs no network.
fn summary(found: &Predicted) -> String {
    let shares = [found.agreement, found.baseline];
    let [(first, five), (guess, five_guesses)] =
        shares.map(|(one, five)| (100.0 * one, 100.0 * five));
    format!(
        "right for {first:.0} % of the hidden patches, within five guesses for {five:.0} %; guessing the commonest of the visible ones: {guess:.0} % and {five_guesses:.0} %",
    )
}
