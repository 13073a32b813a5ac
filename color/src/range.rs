//! Which values the two ends of a color scale stand for.

/// The values at the two ends of a scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The value at the lower end.
    pub low: f32,
    /// The value at the upper end.
    pub high: f32,
}

impl Range {
    /// From the smallest to the largest finite value; 0 to 0 if there is none.
    pub fn of<'a>(values: impl IntoIterator<Item = &'a f32>) -> Self {
        let mut range: Option<Self> = None;
        for &value in values.into_iter().filter(|value| value.is_finite()) {
            let low = range.map_or(value, |range| range.low.min(value));
            let high = range.map_or(value, |range| range.high.max(value));
            range = Some(Self { low, high });
        }

        range.unwrap_or(Self {
            low: 0.0,
            high: 0.0,
        })
    }

    /// Between two percentiles (0 to 100) of the finite values, interpolated linearly between
    /// neighbours in order; 0 to 0 if there is none.
    pub fn percentiles<'a>(values: impl IntoIterator<Item = &'a f32>, low: f32, high: f32) -> Self {
        // A few outliers then do not take all of the scale.
        let mut sorted: Vec<f32> = values
            .into_iter()
            .copied()
            .filter(|value| value.is_finite())
            .collect();
        sorted.sort_unstable_by(f32::total_cmp);
        Self {
            low: percentile(&sorted, low),
            high: percentile(&sorted, high),
        }
    }

    /// Where `value` lies, 0 at the lower end and 1 at the upper; beyond an end it is that end.
    /// `None` for what is not a number. A range without extent has no contrast to show: its own
    /// value lies in the middle.
    pub fn position(&self, value: f32) -> Option<f32> {
        // In 64 bits the difference of two finite values is finite.
        let (low, high, value) = (f64::from(self.low), f64::from(self.high), f64::from(value));
        if low == high && value == low {
            return Some(0.5);
        }
        // Divided by zero, whatever is above is infinitely far up, and what is below, down.
        let position = (value - low) / (high - low);
        (!position.is_nan()).then_some(position.clamp(0.0, 1.0) as f32)
    }
}

/// The percentile `wanted` (0 to 100) of numbers in ascending order; 0 without any.
fn percentile(sorted: &[f32], wanted: f32) -> f32 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let position = f64::from(wanted.clamp(0.0, 100.0)) / 100.0 * last as f64;
    if position.is_nan() {
        return sorted[0];
    }

    let below = f64::from(sorted[position as usize]);
    // The last value has no neighbour above.
    let above = f64::from(sorted[(position as usize + 1).min(last)]);
    (below + (above - below) * position.fract()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_come_from_finite_values() {
        let values = [f32::NAN, 3.0, -1.0, f32::INFINITY, 2.0];
        assert_eq!(
            Range::of(&values),
            Range {
                low: -1.0,
                high: 3.0
            }
        );
        assert_eq!(
            Range::of(&[f32::NAN]),
            Range {
                low: 0.0,
                high: 0.0
            }
        );
        let steps: Vec<f32> = (0..=10).map(|step| step as f32).chain([f32::NAN]).collect();
        assert_eq!(
            Range::percentiles(&steps, 5.0, 90.0),
            Range {
                low: 0.5,
                high: 9.0
            }
        );
        assert_eq!(
            Range::percentiles(&steps, -5.0, 900.0),
            Range {
                low: 0.0,
                high: 10.0
            }
        );
        assert_eq!(
            Range::percentiles(&[], 1.0, 99.0),
            Range {
                low: 0.0,
                high: 0.0
            }
        );
        assert!(
            Range::percentiles(&steps, f32::NAN, f32::NAN)
                .low
                .is_finite()
        );
    }

    #[test]
    fn positions_run_from_end_to_end() {
        let range = Range {
            low: -1.0,
            high: 3.0,
        };
        let positions = [-1.0, 0.0, 3.0, -9.0, f32::INFINITY, f32::NEG_INFINITY]
            .map(|value| range.position(value));
        assert_eq!(positions, [0.0, 0.25, 1.0, 0.0, 1.0, 0.0].map(Some));
        assert_eq!(range.position(f32::NAN), None);
        let full = Range {
            low: f32::MIN,
            high: f32::MAX,
        };
        assert_eq!(full.position(0.0), Some(0.5));
        assert_eq!(
            Range {
                low: 3.0,
                high: -1.0
            }
            .position(2.0),
            Some(0.25),
            "a range may run downwards"
        );
        assert_eq!(
            Range {
                low: 3.0,
                high: -1.0
            }
            .position(9.0),
            Some(0.0)
        );
        assert_eq!(
            Range {
                low: 3.0,
                high: -1.0
            }
            .position(-9.0),
            Some(1.0)
        );
    }

    #[test]
    fn a_constant_lies_in_the_middle() {
        let range = Range::of(&[7.0, 7.0]);
        assert_eq!(
            [-6.0, 7.0, 8.0].map(|value| range.position(value)),
            [0.0, 0.5, 1.0].map(Some)
        );
    }
}
