//! Watches a run for what practitioners run into: collapse, losses or gradients that are not
//! finite, slow data.

use std::fmt;

use ibot_core::optim::LossScale;
use ibot_core::pretrain::StepReport;

use super::means::Means;

/// Names of tensors that a message lists.
const NAMED: usize = 3;
/// Names of tensors that a record lists.
const RECORDED: usize = 20;
/// Share of the time waiting for images above which that is worth a word.
const SLOW_DATA: f64 = 0.5;

/// Steps after which the wait for the first batch does not count any more.
const SETTLED: usize = 100;

/// A run cannot go on: too many steps in a row were not finite.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{steps} steps in a row were not finite, more than run.max_skipped allows; step {step}: {what}. The state is that before them. Think of a lower optim.lr or optim.clip_grad, head.norm_last_layer = true, or a teacher temperature of 0.04"
)]
pub struct Diverged {
    steps: usize,
    step: usize,
    what: String,
}

/// What was not finite in a step that was skipped.
#[derive(Clone, Debug, PartialEq)]
pub struct Culprits {
    /// `cls loss`, `patch loss`, `gradients`.
    pub parts: Vec<String>,
    /// Parameters whose gradient was not finite.
    pub tensors_at_fault: usize,
    /// The first of them, by name.
    pub tensors: Vec<String>,
    /// The loss scale that was too large, if that was all.
    pub loss_scale: Option<f64>,
}

impl Culprits {
    /// What of a step is not finite; `None` if it was applied.
    pub fn of(report: &StepReport) -> Option<Self> {
        if report.applied {
            return None;
        }
        let mut tensors = report.norms.non_finite();
        let losses = [
            ("cls loss", report.losses.cls),
            ("patch loss", report.losses.patch),
        ];
        let mut parts: Vec<String> = losses
            .iter()
            .filter(|(_, loss)| !loss.is_finite())
            .map(|(name, _)| (*name).to_owned())
            .collect();
        // Finite gradients can have a norm that is not.
        if !tensors.is_empty() || parts.is_empty() {
            parts.push("gradients".to_owned());
        }
        let tensors_at_fault = tensors.len();
        tensors.truncate(RECORDED);
        let loss_scale = report
            .loss_scale
            .filter(|_| report.overflowed())
            .map(LossScale::factor);
        Some(Self {
            parts,
            tensors_at_fault,
            tensors,
            loss_scale,
        })
    }
}

impl fmt::Display for Culprits {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "not finite: {}", self.parts.join(", "))?;
        if self.tensors_at_fault > 0 {
            let named = &self.tensors[..NAMED.min(self.tensors.len())];
            let more = if self.tensors_at_fault > named.len() {
                ", ..."
            } else {
                ""
            };
            let count = self.tensors_at_fault;
            write!(
                f,
                " (of {count} tensor{}: {}{more})",
                if count == 1 { "" } else { "s" },
                named.join(", ")
            )?;
        }
        if let Some(scale) = self.loss_scale {
            write!(f, "; the loss scale {scale} was too large and is halved")?;
        }
        Ok(())
    }
}

/// Remembers what has been seen and said.
pub struct Watch {
    max_skipped: usize,
    ln_k: f64,
    skipped_in_a_row: usize,
    warned_of_collapse: bool,
    warned_of_slow_data: bool,
}

impl Watch {
    /// A watch over a run with `prototypes` prototypes that may skip `max_skipped` steps in a row.
    pub fn new(prototypes: usize, max_skipped: usize) -> Self {
        Self {
            max_skipped,
            ln_k: (prototypes as f64).ln(),
            skipped_in_a_row: 0,
            warned_of_collapse: false,
            warned_of_slow_data: false,
        }
    }

    /// Looks at what was not finite in step `step`, counted from 1, if anything was. Loss scales
    /// that are found too large do not count.
    ///
    /// # Errors
    /// If that happened too often in a row.
    pub fn step(&mut self, step: usize, culprits: Option<&Culprits>) -> Result<(), Diverged> {
        let Some(culprits) = culprits else {
            self.skipped_in_a_row = 0;
            return Ok(());
        };
        if culprits.loss_scale.is_some() {
            return Ok(());
        }
        self.skipped_in_a_row += 1;
        if self.skipped_in_a_row > self.max_skipped {
            return Err(Diverged {
                steps: self.skipped_in_a_row,
                step,
                what: culprits.to_string(),
            });
        }
        Ok(())
    }

    /// Looks at an epoch's means; what there is to say.
    pub fn epoch(&mut self, means: &Means) -> Vec<String> {
        self.collapse(means)
            .into_iter()
            .chain(self.slow_data(means))
            .collect()
    }

    /// A warning the first time that the device mostly waits.
    fn slow_data(&mut self, means: &Means) -> Option<String> {
        if self.warned_of_slow_data || means.steps < SETTLED || means.waiting < SLOW_DATA {
            return None;
        }
        self.warned_of_slow_data = true;
        Some(format!(
            "the device waited for images during {:.0} % of epoch {}: the disk or decoding is too slow. Think of a \
             faster disk, smaller image files, or more run.loader_threads",
            100.0 * means.waiting,
            means.epoch + 1
        ))
    }

    /// A warning the first time that an epoch looks like a collapse. Epochs count from 0, and the
    /// first says nothing: the loss starts at ln K.
    fn collapse(&mut self, means: &Means) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use ibot_core::optim::GradientNorms;
    use ibot_core::pretrain::{Losses, Monitor};

    use super::*;

    fn report(cls: f64, norms: &[f64]) -> StepReport {
        let norms = norms
            .iter()
            .enumerate()
            .map(|(i, norm)| (format!("blocks.{i}.weight"), *norm));
        let norms = GradientNorms(norms.collect());
        StepReport {
            losses: Losses {
                total: cls,
                cls,
                patch: 0.0,
            },
            applied: cls.is_finite() && norms.total().is_finite(),
            norms,
            loss_scale: None,
            monitor: Monitor::default(),
            prototypes: vec![],
        }
    }

    #[test]
    fn what_was_not_finite_is_named() {
        assert_eq!(Culprits::of(&report(1.0, &[1.0])), None);
        let text = |cls, norms: &[f64]| {
            Culprits::of(&report(cls, norms))
                .expect("not finite")
                .to_string()
        };
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        assert_eq!(text(nan, &[1.0]), "not finite: cls loss");
        assert_eq!(
            text(1.0, &[1.0, inf]),
            "not finite: gradients (of 1 tensor: blocks.1.weight)"
        );
        let many = "not finite: cls loss, gradients (of 5 tensors: blocks.0.weight, blocks.1.weight, blocks.2.weight, ...)";
        assert_eq!(text(inf, &[nan; 5]), many);
        assert_eq!(
            text(1.0, &[1e200]),
            "not finite: gradients",
            "the sum of squares overflows"
        );
        let many = Culprits::of(&report(nan, &[nan; 50])).expect("not finite");
        assert_eq!((many.tensors_at_fault, many.tensors.len()), (50, 20));
    }

    #[test]
    fn skips_are_limited() {
        let mut watch = Watch::new(100, 2);
        let culprits = Culprits::of(&report(f64::NAN, &[1.0]));
        let bad = culprits.as_ref();
        assert!(watch.step(8, bad).is_ok() && watch.step(9, bad).is_ok());
        assert_eq!(watch.step(10, None), Ok(()));
        assert!(watch.step(11, bad).is_ok() && watch.step(12, bad).is_ok());
        let error = watch
            .step(13, bad)
            .expect_err("a third in a row")
            .to_string();
        assert!(
            error.contains("3 steps in a row") && error.contains("step 13: not finite: cls loss"),
            "{error}"
        );
    }

    #[test]
    fn finding_the_loss_scale_is_no_divergence() {
        let mut watch = Watch::new(100, 1);
        let overflow = StepReport {
            loss_scale: Some(LossScale::default()),
            ..report(1.0, &[f64::INFINITY])
        };
        let culprits = Culprits::of(&overflow).expect("not finite");
        assert!(
            culprits
                .to_string()
                .ends_with("; the loss scale 65536 was too large and is halved"),
            "{culprits}"
        );
        assert!((1..20).all(|step| watch.step(step, Some(&culprits)).is_ok()));
        let failure = StepReport {
            loss_scale: Some(LossScale::default()),
            ..report(f64::NAN, &[1.0])
        };
        let culprits = Culprits::of(&failure).expect("not finite");
        assert_eq!(
            culprits.loss_scale, None,
            "no scale makes up for a loss that is not finite"
        );
        assert!(
            watch.step(20, Some(&culprits)).is_ok() && watch.step(21, Some(&culprits)).is_err()
        );
    }

    #[test]
    fn slow_data_is_named_once() {
        let mut watch = Watch::new(100, 2);
        let means = |waiting| Means {
            waiting,
            steps: 100,
            ..Means::default()
        };
        assert!(watch.epoch(&means(0.4)).is_empty());
        assert!(
            watch
                .epoch(&Means {
                    steps: 10,
                    ..means(0.8)
                })
                .is_empty(),
            "too short to tell"
        );
        assert!(watch.epoch(&means(0.8))[0].contains("80 % of epoch 1"));
        assert!(watch.epoch(&means(0.8)).is_empty(), "said once");
    }

    #[test]
    fn a_loss_at_ln_k_is_a_collapse_after_the_first_epoch() {
        let mut watch = Watch::new(1000, 0);
        let means = |epoch, cls| Means {
            epoch,
            cls: Some(cls),
            teacher_entropy: Some(3.0),
            ..Means::default()
        };
        assert!(watch.epoch(&means(0, 6.9)).is_empty());
        assert!(watch.epoch(&means(1, 5.0)).is_empty());
        assert!(watch.epoch(&means(2, 6.9))[0].contains("ln K = 6.908"));
        assert!(watch.epoch(&means(3, 6.9)).is_empty(), "said once");
    }
}
