//! Curves with as many points as a chart can show.

// More points cannot be told apart at the width of a chart.
const MOST_POINTS: usize = 400;

/// As many points as a chart can show. A stretch with nothing to draw becomes one gap.
pub(super) fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= MOST_POINTS {
        return points.to_vec();
    }

    let mut kept = Vec::with_capacity(MOST_POINTS);
    // The lowest and the highest point of each stretch, so that a spike survives however long the
    // run.
    for stretch in points.chunks(points.len().div_ceil(MOST_POINTS / 2)) {
        let mut low: Option<usize> = None;
        let mut high: Option<usize> = None;
        for (index, point) in stretch.iter().enumerate() {
            if !is_drawable(point) {
                continue;
            }
            if low.is_none_or(|low| point.1 < stretch[low].1) {
                low = Some(index);
            }
            // The last of equal points: a level stretch keeps both of its ends.
            if high.is_none_or(|high| point.1 >= stretch[high].1) {
                high = Some(index);
            }
        }
        match low.zip(high) {
            None => kept.push((f64::NAN, f64::NAN)),
            Some((low, high)) if low == high => kept.push(stretch[low]),
            Some((low, high)) => {
                kept.push(stretch[low.min(high)]);
                kept.push(stretch[low.max(high)]);
            }
        }
    }
    kept
}

/// Finite, and so far from the largest numbers that a range of such values is finite too.
pub(super) fn drawable(value: f64) -> bool {
    value.abs() < 1e100
}

pub(super) fn is_drawable(point: &(f64, f64)) -> bool {
    drawable(point.0) && drawable(point.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_spikes_and_gaps() {
        let mut points: Vec<_> = (0..10_000).map(|step| (f64::from(step), 1.0)).collect();
        points[1234].1 = 99.0;
        points[1235].1 = -99.0;
        points[5000..6000].fill((5500.0, f64::NAN));

        let thinned = thin(&points);
        assert!(thinned.len() <= MOST_POINTS);
        assert!(thinned.contains(&points[1234]) && thinned.contains(&points[1235]));
        let runs = thinned.split(|point| !is_drawable(point));
        assert_eq!(runs.filter(|run| !run.is_empty()).count(), 2);
    }
}
