//! Files of ground truth for the correspondence of two images.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use ibot_core::annotation::ground_truth::{DisparityMap, GroundTruth};
use ibot_core::annotation::homography::parse_homography;
use ibot_core::annotation::pfm::parse_pfm;
use ibot_core::grid::Grid;

use crate::features::npy;

/// Nine numbers, or OpenCV's XML.
pub(super) fn read_homography(file: &Path) -> Result<GroundTruth> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("cannot read the homography {}", file.display()))?;
    let matrix =
        parse_homography(&text).with_context(|| format!("homography {}", file.display()))?;
    Ok(GroundTruth::Homography(matrix))
}

/// Disparities in pixels: a .pfm, or a .npy with two dimensions.
pub(super) fn read_disparity(file: &Path) -> Result<GroundTruth> {
    let map = disparity(file).with_context(|| format!("disparity {}", file.display()))?;
    Ok(GroundTruth::Disparity(map))
}

fn disparity(file: &Path) -> Result<DisparityMap> {
    let bytes = fs::read(file)?;
    if npy::is_npy(&bytes) {
        let (shape, values) = npy::read(&bytes)?;
        let [height, width] = shape[..] else {
            bail!("a disparity map has two dimensions, this has {shape:?}")
        };
        return Ok(DisparityMap::new(Grid::new(height, width, values)?));
    }
    Ok(DisparityMap::new(parse_pfm(&bytes)?))
}
