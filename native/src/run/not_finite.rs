//! What was not finite in a step that was skipped, and how many such steps a run may have.

use std::fmt;

use ibot_core::optim::GradientNorms;
use serde::{Deserialize, Serialize};

/// Names of tensors that a message lists.
const SHOWN: usize = 3;
/// Names of tensors that a record lists.
const RECORDED: usize = 20;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotFinite {
    /// Such as `cls loss` or `gradients`.
    pub parts: Vec<String>,
    /// Number of parameters whose gradient was not finite.
    pub tensors_at_fault: usize,
    /// The first of them, by name.
    pub tensors: Vec<String>,
    /// The loss scale that was too large, if that was all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_scale: Option<f64>,
}

impl NotFinite {
    /// Finds what was not finite among named `losses` and gradients.
    pub fn among(losses: &[(&str, f64)], norms: &GradientNorms, loss_scale: Option<f64>) -> Self {
        let mut parts = Vec::new();
        for (name, loss) in losses {
            if !loss.is_finite() {
                parts.push((*name).to_owned());
            }
        }

        let mut tensors = norms.non_finite();
        // Finite gradients can have a norm that is not: the sum of squares overflows.
        if !tensors.is_empty() || parts.is_empty() {
            parts.push("gradients".to_owned());
        }

        let tensors_at_fault = tensors.len();
        tensors.truncate(RECORDED);
        Self {
            parts,
            tensors_at_fault,
            tensors,
            loss_scale,
        }
    }
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "not finite: {}", self.parts.join(", "))?;

        if self.tensors_at_fault > 0 {
            let count = self.tensors_at_fault;
            let shown = &self.tensors[..SHOWN.min(self.tensors.len())];
            let plural = if count == 1 { "" } else { "s" };
            let more = if count > shown.len() { ", ..." } else { "" };
            write!(
                f,
                " (of {count} tensor{plural}: {}{more})",
                shown.join(", ")
            )?;
        }
        if let Some(scale) = self.loss_scale {
            write!(f, "; the loss scale {scale} was too large and is halved")?;
        }
        Ok(())
    }
}

/// A run cannot go on: too many steps in a row were not finite.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{steps} steps in a row were not finite, more than run.max_skipped allows; step {step}: {what}. The state is that before them. {advice}"
)]
pub struct Diverged {
    steps: usize,
    step: usize,
    what: String,
    advice: &'static str,
}

pub struct SkipLimit {
    max_in_a_row: usize,
    in_a_row: usize,
    /// What a person can try if there are too many.
    advice: &'static str,
}

impl SkipLimit {
    pub fn new(max_in_a_row: usize, advice: &'static str) -> Self {
        Self {
            max_in_a_row,
            in_a_row: 0,
            advice,
        }
    }

    /// Counts step `step`, counted from 1.
    pub fn count(&mut self, step: usize, not_finite: Option<&NotFinite>) -> Result<(), Diverged> {
        let Some(not_finite) = not_finite else {
            self.in_a_row = 0;
            return Ok(());
        };
        // The scale overflows now and then, and the next step has a smaller one.
        if not_finite.loss_scale.is_some() {
            return Ok(());
        }

        self.in_a_row += 1;
        if self.in_a_row > self.max_in_a_row {
            return Err(Diverged {
                steps: self.in_a_row,
                step,
                what: not_finite.to_string(),
                advice: self.advice,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was not finite, if anything was.
    fn not_finite(cls: f64, norms: &[f64]) -> NotFinite {
        let norms = norms.iter().enumerate();
        let norms = norms.map(|(i, norm)| (format!("blocks.{i}.weight"), *norm));
        NotFinite::among(
            &[("cls loss", cls), ("patch loss", 0.0)],
            &GradientNorms(norms.collect()),
            None,
        )
    }

    #[test]
    fn what_was_not_finite_is_named() {
        let text = |cls, norms: &[f64]| not_finite(cls, norms).to_string();
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
        let many = not_finite(nan, &[nan; 50]);
        assert_eq!((many.tensors_at_fault, many.tensors.len()), (50, 20));
    }

    #[test]
    fn skips_are_limited() {
        let mut limit = SkipLimit::new(2, "Think.");
        let not_finite = not_finite(f64::NAN, &[1.0]);
        let bad = Some(&not_finite);
        assert!(limit.count(8, bad).is_ok() && limit.count(9, bad).is_ok());
        assert_eq!(limit.count(10, None), Ok(()));
        assert!(limit.count(11, bad).is_ok() && limit.count(12, bad).is_ok());
        let error = limit.count(13, bad).expect_err("a third in a row");
        let error = error.to_string();
        assert!(
            error.contains("3 steps in a row") && error.contains("step 13: not finite: cls loss"),
            "{error}"
        );
    }

    #[test]
    fn finding_the_loss_scale_is_no_divergence() {
        let mut limit = SkipLimit::new(1, "Think.");
        let overflow = NotFinite {
            loss_scale: Some(65536.0),
            ..not_finite(1.0, &[f64::INFINITY])
        };
        assert!(
            overflow
                .to_string()
                .ends_with("; the loss scale 65536 was too large and is halved"),
            "{overflow}"
        );
        assert!((1..20).all(|step| limit.count(step, Some(&overflow)).is_ok()));
        let failure = not_finite(f64::NAN, &[1.0]);
        assert!(limit.count(20, Some(&failure)).is_ok());
        assert!(limit.count(21, Some(&failure)).is_err());
    }
}
