//! The scale of the loss in f16, whose smallest numbers gradients fall below: PyTorch's
//! `GradScaler` with its defaults.

/// What losses are multiplied by before the backward pass, and gradients divided by after it.
///
/// It is always a power of two, so that neither rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossScale {
    factor: f32,
    /// Steps since it last changed.
    steps: u32,
}

impl LossScale {
    /// Steps without overflow after which it doubles.
    const PATIENCE: u32 = 2000;

    /// The factor.
    pub fn factor(self) -> f64 {
        self.factor.into()
    }

    /// The scale after a step whose gradients were all `finite` or not.
    #[must_use]
    pub(crate) fn after(self, finite: bool) -> Self {
        match self {
            Self { factor, .. } if !finite => Self {
                factor: factor / 2.0,
                steps: 0,
            },
            Self { factor, steps } if steps + 1 == Self::PATIENCE => Self {
                factor: factor * 2.0,
                steps: 0,
            },
            Self { factor, steps } => Self {
                factor,
                steps: steps + 1,
            },
        }
    }

    pub(crate) fn to_values(self) -> [f32; 2] {
        [self.factor, self.steps as f32]
    }

    pub(crate) fn from_values([factor, steps]: [f32; 2]) -> Self {
        Self {
            factor,
            steps: steps as u32,
        }
    }
}

impl Default for LossScale {
    fn default() -> Self {
        Self {
            factor: 65536.0,
            steps: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn halves_at_an_overflow_and_doubles_after_two_thousand_steps_without() {
        let scale = LossScale::default().after(false).after(false);
        assert_eq!(scale.factor(), 16384.0);
        let almost = (0..1999).fold(scale, |scale, _| scale.after(true));
        assert_eq!(almost.factor(), 16384.0);
        assert_eq!(
            almost.after(true),
            LossScale {
                factor: 32768.0,
                steps: 0
            }
        );
        assert_eq!(
            almost.after(false),
            LossScale {
                factor: 8192.0,
                steps: 0
            }
        );
        assert_eq!(LossScale::from_values(almost.to_values()), almost);
    }
}
