//! Notices that a run collapses: that the targets say nothing about the images any more.

use crate::run::means::Means;

pub struct CollapseWatch {
    /// The entropy of uniform targets, in nats: ln K for K prototypes.
    ln_k: f64,
    warned: bool,
}

impl CollapseWatch {
    pub fn new(prototypes: usize) -> Self {
        Self {
            ln_k: (prototypes as f64).ln(),
            warned: false,
        }
    }

    /// A warning the first time that an epoch looks like a collapse.
    pub fn inspect(&mut self, epoch: &Means) -> Option<String> {
        // In the first epoch the loss is near ln K in any case, because it starts there.
        if self.warned || epoch.epoch == 0 {
            return None;
        }
        let entropy = epoch.get("teacher_entropy")?;
        let cls = epoch.get("cls")?;
        let agreement = epoch.get("agreement").unwrap_or(0.0);

        let warning = if entropy > 0.98 * self.ln_k || cls > 0.98 * self.ln_k {
            format!(
                "the CLS loss {cls:.3} and the teacher's entropy {entropy:.3} stay near ln K = {:.3}: the targets are \
                 uniform, nothing is learned (collapse). Think of a lower teacher temperature, fewer prototypes, a \
                 higher optim.lr or a lower optim.momentum_teacher",
                self.ln_k
            )
        } else if agreement > 0.99 && cls < 0.05 {
            format!(
                "the CLS loss {cls:.3} vanishes while all views agree: one prototype takes all images (collapse). \
                 Think of a higher teacher temperature or a lower loss.center_momentum"
            )
        } else {
            return None;
        };
        self.warned = true;
        Some(warning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_at_ln_k_is_a_collapse_after_the_first_epoch() {
        let mut watch = CollapseWatch::new(1000);
        let means = |epoch, cls| Means {
            epoch,
            values: [("cls", cls), ("teacher_entropy", 3.0)]
                .map(|(name, value)| (name.to_owned(), Some(value)))
                .into(),
            ..Means::default()
        };
        assert_eq!(watch.inspect(&means(0, 6.9)), None);
        assert_eq!(watch.inspect(&means(1, 5.0)), None);
        let warning = watch.inspect(&means(2, 6.9)).expect("a collapse");
        assert!(warning.contains("ln K = 6.908"), "{warning}");
        assert_eq!(watch.inspect(&means(3, 6.9)), None, "said once");
    }
}
