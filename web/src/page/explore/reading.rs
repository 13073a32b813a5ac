//! The patch under the cursor, in words.

use super::state::{Analysis, Cursor, ExploreState};
use ibot_web::protocol::{Predicted, PrototypeMaps, SimilarMaps};

/// Where the cursor is, and what the analysis found there; empty without a cursor.
pub fn reading(state: &ExploreState) -> String {
    let Some(cursor) = state.cursor else {
        return String::new();
    };
    let Some(grid) = state.grid(cursor.slot) else {
        return String::new();
    };

    let place = format!(
        "image {}, row {}, column {}",
        cursor.slot + 1,
        cursor.patch / grid.columns + 1,
        cursor.patch % grid.columns + 1
    );
    match finding(state, cursor) {
        Some(finding) => format!("{place}: {finding}"),
        None => place,
    }
}

fn finding(state: &ExploreState, cursor: Cursor) -> Option<String> {
    match &state.analysis {
        Analysis::Similar(found) => most_similar(found),
        Analysis::Prototypes(found) => prototype(found, cursor),
        Analysis::Predicted { slot, found } if *slot == cursor.slot => {
            Some(prediction(found, cursor.patch))
        }
        _ => None,
    }
}

fn most_similar(found: &SimilarMaps) -> Option<String> {
    let mut parts = Vec::new();
    for (slot, best) in found.best.iter().enumerate() {
        if let Some(first) = best.first() {
            parts.push(format!(
                "closest in image {}: cosine {:.2}",
                slot + 1,
                first.similarity
            ));
        }
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn prototype(found: &PrototypeMaps, cursor: Cursor) -> Option<String> {
    let rank = found.ranks[cursor.slot].as_ref()?.0.get(cursor.patch)?;
    let (prototype, count) = found.ranking.get(usize::from(*rank))?;
    Some(format!("prototype {prototype}, which {count} patches have"))
}

fn prediction(found: &Predicted, patch: usize) -> String {
    let Some(predicted) = found.at(patch) else {
        return "visible".to_owned();
    };
    format!(
        "the teacher says prototype {} ({:.0} %), the student {}; it gives the teacher's {:.0} %",
        predicted.teacher,
        100.0 * predicted.teacher_probability,
        predicted.student,
        100.0 * predicted.student_probability,
    )
}
