//! How well the regions of two masks agree: the J of DAVIS.

/// Intersection over union of two masks of equally many pixels; 1 if both are empty.
pub fn region_similarity(truth: &[bool], found: &[bool]) -> f64 {
    let (mut both, mut either) = (0, 0);
    for (truth, found) in truth.iter().zip(found) {
        both += usize::from(*truth && *found);
        either += usize::from(*truth || *found);
    }
    match either {
        0 => 1.0,
        either => both as f64 / either as f64,
    }
}
