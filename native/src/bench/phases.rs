//! Where the time of a step goes.

use std::fmt;

use ibot_core::pretrain::Phase;
use serde::Serialize;

/// Seconds of each phase of a step; means over threads where these go through it together.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Phases {
    /// Crops and masks to the device.
    pub data: f64,
    teacher: f64,
    student: f64,
    loss: f64,
    backward: f64,
    /// Passes over all micro-batches joined, their norms and losses read by the host.
    join: f64,
    optimizer: f64,
    ema: f64,
}

impl Phases {
    pub fn add(&mut self, phase: Phase, seconds: f64) {
        let sum = match phase {
            Phase::Teacher => &mut self.teacher,
            Phase::Student => &mut self.student,
            Phase::Losses => &mut self.loss,
            Phase::Backward => &mut self.backward,
            Phase::Sum => &mut self.join,
            Phase::Optimizer => &mut self.optimizer,
            Phase::Ema => &mut self.ema,
        };
        *sum += seconds;
    }

    /// The mean over `steps` steps.
    pub fn per_step(self, steps: u32) -> Self {
        let steps = f64::from(steps);
        Self {
            data: self.data / steps,
            teacher: self.teacher / steps,
            student: self.student / steps,
            loss: self.loss / steps,
            backward: self.backward / steps,
            join: self.join / steps,
            optimizer: self.optimizer / steps,
            ema: self.ema / steps,
        }
    }

    fn named(&self) -> [(&'static str, f64); 8] {
        [
            ("data to device", self.data),
            ("teacher", self.teacher),
            ("student", self.student),
            ("losses", self.loss),
            ("backward", self.backward),
            ("join and read", self.join),
            ("optimiser", self.optimizer),
            ("EMA", self.ema),
        ]
    }
}

impl fmt::Display for Phases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: f64 = self.named().iter().map(|(_, time)| time).sum();
        write!(f, "phases  {total:.4} s in steps that wait after each")?;
        for (name, time) in self.named() {
            write!(
                f,
                "\n        {name:<15} {time:.4} s  {:4.1} %",
                100.0 * time / total
            )?;
        }
        Ok(())
    }
}
