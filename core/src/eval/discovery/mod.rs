//! Object discovery without labels: one box an image, from patch tokens alone.

mod corloc;
mod expansion;
mod region;

pub use corloc::{CorLoc, FOUND_IOU};
pub use expansion::expanded_region;
pub use region::{bounds_of_region, cut_region, region_of};

#[cfg(test)]
mod tests;
