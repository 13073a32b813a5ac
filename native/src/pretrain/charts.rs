//! The charts of iBOT's pre-training.

use crate::run::curves::ChartSpec;

/// The charts of a run whose head has so many prototypes.
pub fn charts(prototypes: usize) -> Vec<ChartSpec> {
    // Where a loss or an entropy stays at this level, nothing is learned.
    let ln_k = Some(("ln K", (prototypes as f64).ln()));

    vec![
        chart(
            "Loss",
            Some("nats"),
            vec![("CLS", "cls"), ("patch", "patch")],
            ln_k,
        ),
        chart(
            "Teacher entropy",
            Some("nats"),
            vec![("CLS targets", "teacher_entropy")],
            ln_k,
        ),
        chart("Learning rate", None, vec![("lr", "lr")], None),
        chart(
            "Agreement of views",
            None,
            vec![("same prototype", "agreement")],
            None,
        ),
        chart(
            "Gradient norm",
            None,
            vec![("before clipping", "gradient_norm")],
            None,
        ),
    ]
}

fn chart(
    title: &'static str,
    unit: Option<&'static str>,
    lines: Vec<(&'static str, &'static str)>,
    reference: Option<(&'static str, f64)>,
) -> ChartSpec {
    ChartSpec {
        title,
        unit,
        lines,
        reference,
    }
}
