//! The charts of fine-tuning.

use crate::run::curves::ChartSpec;

/// The charts of a run that tells so many classes apart, if their number is known.
pub fn charts(classes: Option<usize>) -> Vec<ChartSpec> {
    // A classifier that knows nothing stays there.
    let ln_k = classes.map(|classes| ("ln K", (classes as f64).ln()));
    let chart = |title, unit, lines, reference| ChartSpec {
        title,
        unit,
        lines,
        reference,
    };

    vec![
        chart("Loss", Some("nats"), vec![("training", "loss")], ln_k),
        chart(
            "Accuracy in training",
            None,
            vec![("of augmented and mixed images", "accuracy")],
            None,
        ),
        chart("Learning rate", None, vec![("lr", "lr")], None),
        chart(
            "Gradient norm",
            None,
            vec![("before clipping", "gradient_norm")],
            None,
        ),
    ]
}
