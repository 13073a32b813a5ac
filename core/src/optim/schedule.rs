//! Values that change over a run: curves, one after another.

use std::f64::consts::PI;

/// A value at each step, or at each epoch, of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    earlier: Vec<SchedulePiece>,
    last: SchedulePiece,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct SchedulePiece {
    curve: Curve,
    steps: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Curve {
    Constant(f64),
    Linear { from: f64, to: f64 },
    Cosine { from: f64, to: f64 },
}

impl Schedule {
    /// The same value at all steps.
    pub fn constant(value: f64) -> Self {
        Self::hold(value, usize::MAX)
    }

    /// The same value for `steps` steps.
    pub fn hold(value: f64, steps: usize) -> Self {
        Self::of(Curve::Constant(value), steps)
    }

    /// A line of `steps` steps, both ends included: `numpy.linspace`.
    pub fn linear(from: f64, to: f64, steps: usize) -> Self {
        Self::of(Curve::Linear { from, to }, steps)
    }

    /// Half a cosine in `steps` steps. As in the official code, its last step does not quite reach
    /// `to`.
    pub fn cosine(from: f64, to: f64, steps: usize) -> Self {
        Self::of(Curve::Cosine { from, to }, steps)
    }

    /// The usual learning rate: a line from 0 to `peak` in `warmup` steps, then half a cosine to
    /// `end`, in `steps` steps together.
    pub fn warmup_cosine(peak: f64, end: f64, warmup: usize, steps: usize) -> Self {
        Self::linear(0.0, peak, warmup).then(Self::cosine(peak, end, steps - warmup))
    }

    fn of(curve: Curve, steps: usize) -> Self {
        Self {
            earlier: Vec::new(),
            last: SchedulePiece { curve, steps },
        }
    }

    /// This schedule, then the `next` one.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        self.earlier.push(self.last);
        self.earlier.extend(next.earlier);
        Self {
            earlier: self.earlier,
            last: next.last,
        }
    }

    /// The value at a step, counted from 0. The last curve goes on after its end.
    pub fn at(&self, step: usize) -> f64 {
        let mut step = step;
        for piece in &self.earlier {
            if step < piece.steps {
                return piece.at(step);
            }
            step -= piece.steps;
        }
        self.last.at(step)
    }
}

impl SchedulePiece {
    fn at(self, step: usize) -> f64 {
        match self.curve {
            Curve::Constant(value) => value,
            // As `numpy.linspace` of one value; `steps - 1` would be 0.
            Curve::Linear { from, .. } if self.steps < 2 => from,
            Curve::Linear { from, to } => {
                from + (to - from) * step as f64 / (self.steps - 1) as f64
            }
            Curve::Cosine { from, to } => {
                let angle = PI * step as f64 / self.steps.max(1) as f64;
                to + 0.5 * (from - to) * (1.0 + angle.cos())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn values(schedule: &Schedule, steps: usize) -> Vec<f64> {
        (0..steps).map(|step| schedule.at(step)).collect()
    }

    #[test]
    fn curves_follow_one_another() {
        let schedule = Schedule::hold(5.0, 2)
            .then(Schedule::linear(0.0, 1.0, 3))
            .then(Schedule::constant(7.0));
        assert_eq!(values(&schedule, 7), [5.0, 5.0, 0.0, 0.5, 1.0, 7.0, 7.0]);
    }

    #[test]
    fn a_curve_of_no_steps_is_left_out() {
        let schedule = Schedule::linear(0.0, 1.0, 0).then(Schedule::constant(2.0));
        assert_eq!(values(&schedule, 2), [2.0, 2.0]);
        assert_eq!(Schedule::linear(3.0, 4.0, 1).at(0), 3.0);
    }

    #[test]
    fn a_cosine_reaches_its_end_one_step_after_its_last() {
        let schedule = Schedule::cosine(2.0, 0.0, 4);
        assert_eq!(schedule.at(0), 2.0);
        assert!((schedule.at(2) - 1.0).abs() < 1e-12);
        assert!(schedule.at(3) > 0.1 && schedule.at(4) == 0.0);
    }
}
