//! Scales and the numbers written along them.

/// A range of values laid along a range of pixels.
pub(super) struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// Covers `values` with `room`, a share of their range, on both sides.
    pub(super) fn new(values: impl Iterator<Item = f64>, room: f64, from: f64, to: f64) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
        let size = low.abs().max(high.abs());
        // Equal values still need an axis, one wide enough for its ticks to differ in floating
        // point.
        let room = if high - low > size * 1e-9 {
            (high - low) * room
        } else {
            (size * 0.1).max(1e-9)
        };
        // Values that are not negative need no room below zero.
        let floor = if low >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
        Self {
            low: (low - room).max(floor),
            high: high + room,
            from,
            to,
        }
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Positions and labels of about `wanted` ticks.
    pub(super) fn ticks(&self, wanted: f64) -> Vec<(f64, String)> {
        let rough = (self.high - self.low) / wanted;
        let power = 10_f64.powf(rough.log10().floor());
        // Multiples of 1, 2 and 5 times a power of ten are easy to read.
        let step = [1.0, 2.0, 5.0]
            .map(|nice| nice * power)
            .into_iter()
            .find(|step| *step >= rough * 0.75);
        let step = step.unwrap_or(10.0 * power);
        // A tick at the low end stays in spite of rounding.
        let first = (self.low / step - 1e-6).ceil();
        // More than twenty ticks fit on no axis. The bound ends the list where a step is lost in
        // rounding.
        let values = (0..20).map(|index| (first + f64::from(index)) * step);
        let size = self.low.abs().max(self.high.abs());
        values
            .take_while(|value| *value <= self.high + step * 1e-6)
            .map(|value| (self.at(value), tick_label(value, step, size)))
            .collect()
    }
}

/// `value` with the decimals that `step` needs, shortened the same way along an axis that reaches
/// to `size`.
fn tick_label(value: f64, step: f64, size: f64) -> String {
    // The logarithm of a power of ten may lie a little below a whole number.
    let decimals = |step: f64| (-(step.log10() + 1e-9).floor()).clamp(0.0, 9.0) as usize;
    let text = match size {
        _ if value.abs() < step * 1e-6 => "0".to_owned(),
        1e4..1e6 => format!("{:.*}k", decimals(step / 1e3), value / 1e3),
        1e6..1e9 => format!("{:.*}M", decimals(step / 1e6), value / 1e6),
        2e-3..1e4 => format!("{value:.*}", decimals(step)),
        _ => {
            let digits = (value.abs().log10() + 1e-9).floor() - (step.log10() + 1e-9).floor();
            format!("{value:.*e}", digits.clamp(0.0, 6.0) as usize).replace(".0e", "e")
        }
    };
    text.replace('-', "\u{2212}")
}

/// At most four significant digits.
pub(super) fn significant(value: f64) -> String {
    let text = match value.abs() {
        0.0 => "0".to_owned(),
        size @ 1e-3..1e6 => trim(&format!(
            "{value:.*}",
            (3.0 - size.log10().floor()).clamp(0.0, 6.0) as usize
        )),
        _ => match format!("{value:.2e}").split_once('e') {
            Some((digits, power)) => format!("{}e{power}", trim(digits)),
            None => value.to_string(),
        },
    };
    text.replace('-', "\u{2212}")
}

/// Drops zeros that say nothing.
fn trim(number: &str) -> String {
    if number.contains('.') {
        number
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned()
    } else {
        number.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64) -> Vec<String> {
        let axis = Axis {
            low,
            high,
            from: 0.0,
            to: 1.0,
        };
        axis.ticks(5.0)
            .into_iter()
            .map(|(_, label)| label)
            .collect()
    }

    #[test]
    fn ticks_are_round_and_short() {
        assert_eq!(labels(0.0, 1.0), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(-3.0, 7.0), ["−2", "0", "2", "4", "6"]);
        assert_eq!(
            labels(0.0, 2.5e5),
            ["0", "50k", "100k", "150k", "200k", "250k"]
        );
        assert_eq!(
            labels(0.0, 5e-4),
            ["0", "1e−4", "2e−4", "3e−4", "4e−4", "5e−4"]
        );
        assert_eq!(
            labels(9.0101, 9.0103),
            ["9.01010", "9.01015", "9.01020", "9.01025", "9.01030"]
        );
    }

    #[test]
    fn values_are_short() {
        let shown = [0.0, 9.0, 56.2, -4.0151, 123_456.7, 5e-4, 1e-6, 1.234e9].map(significant);
        assert_eq!(
            shown,
            [
                "0", "9", "56.2", "−4.015", "123457", "5e−4", "1e−6", "1.23e9"
            ]
        );
    }
}
