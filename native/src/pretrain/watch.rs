//! Watches a run for what practitioners run into: collapse, and losses or gradients that are not finite.

use ibot_core::train::StepReport;

use super::metrics::Means;

/// A run cannot go on: too many steps in a row were not finite.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{steps} steps in a row had a loss or gradient that is not finite, more than run.max_skipped allows; at step {step}: {culprits}. The state before them is saved. Think of a lower optim.lr or optim.clip_grad, head.norm_last_layer = true, or a teacher temperature of 0.04"
)]
pub struct Diverged {
    steps: usize,
    step: usize,
    culprits: String,
}

/// Remembers what has been seen and said.
pub struct Watch {
    max_skipped: usize,
    ln_k: f64,
    skipped_in_a_row: usize,
    warned_of_collapse: bool,
}

impl Watch {
    /// A watch over a run with `prototypes` prototypes that may skip `max_skipped` steps in a row.
    pub fn new(prototypes: usize, max_skipped: usize) -> Self {
        Self { max_skipped, ln_k: (prototypes as f64).ln(), skipped_in_a_row: 0, warned_of_collapse: false }
    }

    /// Looks at a step; a warning if it was skipped.
    ///
    /// # Errors
    /// If too many were.
    pub fn step(&mut self, step: usize, report: &StepReport) -> Result<Option<String>, Diverged> {
        if report.applied {
            self.skipped_in_a_row = 0;
            return Ok(None);
        }
        self.skipped_in_a_row += 1;
        let culprits = culprits(report);
        if self.skipped_in_a_row > self.max_skipped {
            return Err(Diverged { steps: self.skipped_in_a_row, step, culprits });
        }
        Ok(Some(format!("step {step} skipped: {culprits}")))
    }

    /// Looks at an epoch's means; a warning the first time that they look like a collapse. Epochs count from 0, and the
    /// first says nothing: the loss starts at ln K.
    pub fn epoch(&mut self, means: &Means) -> Option<String> {
        if self.warned_of_collapse || means.epoch == 0 {
            return None;
        }
        let (entropy, cls) = (means.teacher_entropy?, means.cls?);
        let warning = if entropy > 0.98 * self.ln_k || cls > 0.98 * self.ln_k {
            format!(
                "the CLS loss {cls:.3} and the teacher's entropy {entropy:.3} stay near ln K = {:.3}: the targets are \
                 uniform, nothing is learned (collapse). Think of a lower teacher temperature, fewer prototypes, a \
                 higher optim.lr or a lower optim.momentum_teacher",
                self.ln_k
            )
        } else if means.agreement > 0.99 && cls < 0.05 {
            format!(
                "the CLS loss {cls:.3} vanishes while all views agree: one prototype takes all images (collapse). \
                 Think of a higher teacher temperature or a lower loss.center_momentum"
            )
        } else {
            return None;
        };
        self.warned_of_collapse = true;
        Some(warning)
    }
}

/// What of a step is not finite.
fn culprits(report: &StepReport) -> String {
    let tensors = report.norms.non_finite();
    let loss = if report.loss.is_finite() { "the loss is finite" } else { "the loss is not finite" };
    match tensors.as_slice() {
        [] => loss.to_owned(),
        [first, ..] => format!("{loss}, and {} gradients are not, that of {first} among them", tensors.len()),
    }
}

#[cfg(test)]
mod tests {
    use ibot_core::train::GradientNorms;

    use super::*;

    fn report(applied: bool) -> StepReport {
        StepReport {
            loss: if applied { 1.0 } else { f64::NAN },
            cls: 1.0,
            patch: 0.0,
            norms: GradientNorms(vec![("head.mlp.0.weight".into(), if applied { 1.0 } else { f64::INFINITY })]),
            teacher_entropy: 1.0,
            teacher_prototypes: vec![],
            agreement: 0.0,
            applied,
        }
    }

    #[test]
    fn skips_are_named_and_limited() {
        let mut watch = Watch::new(100, 2);
        let warning = watch.step(7, &report(false)).expect("one may be skipped").expect("a warning");
        assert!(warning.contains("step 7") && warning.contains("head.mlp.0.weight"), "{warning}");
        assert!(watch.step(8, &report(false)).is_ok());
        assert_eq!(watch.step(9, &report(true)), Ok(None));
        assert!(watch.step(10, &report(false)).is_ok() && watch.step(11, &report(false)).is_ok());
        assert!(watch.step(12, &report(false)).is_err());
    }

    #[test]
    fn a_loss_at_ln_k_is_a_collapse_after_the_first_epoch() {
        let mut watch = Watch::new(1000, 0);
        let means = |epoch, cls| Means { epoch, cls: Some(cls), teacher_entropy: Some(3.0), ..Means::default() };
        assert_eq!(watch.epoch(&means(0, 6.9)), None);
        assert_eq!(watch.epoch(&means(1, 5.0)), None);
        assert!(watch.epoch(&means(2, 6.9)).is_some_and(|warning| warning.contains("ln K = 6.908")));
        assert_eq!(watch.epoch(&means(3, 6.9)), None, "said once");
    }
}
