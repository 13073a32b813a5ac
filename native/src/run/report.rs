//! What a step computed, by names.

use super::not_finite::NotFinite;

#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What the step minimises.
    pub loss: f64,
    /// Further values, of which means over steps are recorded.
    pub measured: Vec<(&'static str, f64)>,
    /// What schedules set, of which the last value is recorded.
    pub scheduled: Vec<(&'static str, f64)>,
    pub coverage: Option<Coverage>,
    /// Why the step changed nothing, if so.
    pub not_finite: Option<NotFinite>,
}

/// Which elements of a set a step met. The share of those met in several steps is recorded.
#[derive(Clone, Debug)]
pub struct Coverage {
    pub name: &'static str,
    pub met: Vec<u32>,
    pub size: usize,
}
