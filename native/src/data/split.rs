//! The part of a data set that is named behind a colon.

use std::path::Path;

/// A folder or file, and what stands behind a colon after it.
pub fn place_and_split(spec: &str) -> (&Path, Option<&str>) {
    let whole = Path::new(spec);
    match spec.rsplit_once(':') {
        // A real name may have a colon in it.
        Some((place, split)) if !whole.exists() => (Path::new(place), Some(split)),
        _ => (whole, None),
    }
}
