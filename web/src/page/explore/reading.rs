//! The patch under the cursor, in words.

use super::State;
use super::paint::Answer;

/// What there is to say of the patch under the cursor.
pub fn reading(state: &State) -> String {
    let Some((slot, patch)) = state.cursor else {
        return String::new();
    };
    let Some(grid) = state.views[slot].as_ref().and_then(|view| view.grid) else {
        return String::new();
    };
    let place = format!(
        "image {}, row {}, column {}",
        slot + 1,
        patch / grid.columns + 1,
        patch % grid.columns + 1
    );
    let value = match &state.answer {
        Answer::Similar(found) => {
            let best = found.best.iter().enumerate().filter_map(|(slot, best)| {
                let first = best.first()?;
                Some(format!(
                    "closest in image {}: cosine {:.2}",
                    slot + 1,
                    first.similarity
                ))
            });
            best.collect::<Vec<_>>().join(", ")
        }
        Answer::Prototypes(found) => {
            let rank = found.ranks[slot]
                .as_ref()
                .and_then(|ranks| ranks.0.get(patch));
            match rank.and_then(|rank| found.ranking.get(usize::from(*rank))) {
                Some((prototype, count)) => {
                    format!("prototype {prototype}, which {count} patches have")
                }
                None => String::new(),
            }
        }
        Answer::Predicted(at, found) if *at == slot => {
            match found
                .patches
                .iter()
                .find(|predicted| predicted.patch == patch)
            {
                Some(predicted) => format!(
                    "the teacher says prototype {} ({:.0} %), the student {}; it gives the teacher's {:.0} %",
                    predicted.teacher,
                    100.0 * predicted.teacher_probability,
                    predicted.student,
                    100.0 * predicted.student_probability,
                ),
                None => "visible".to_owned(),
            }
        }
        _ => String::new(),
    };
    if value.is_empty() {
        place
    } else {
        format!("{place}: {value}")
    }
}
