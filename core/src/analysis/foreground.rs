//! Patch tokens as colors: the two-stage principal components by which DINOv2 shows that parts of
//! like objects have like features.
//!
//! The first component over all patches of all images separates foreground from background. The
//! first three components of the foreground alone become red, green and blue.

use crate::analysis::pca::{Pca, PcaError};
use crate::analysis::rows::Rows;
use crate::features::TokenGrid;

// Share of values at each end of a channel. Without clipping single patches would take the whole
// range.
const CLIPPED: f64 = 0.01;

/// Colors of the patches of one image.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchColors {
    /// Red, green and blue of each patch in 0..=1, row-major; the background is black.
    pub rgb: Vec<[f32; 3]>,
    /// Whether each patch is foreground.
    pub foreground: Vec<bool>,
}

/// Colors of several images that share one scale.
#[derive(Clone, Debug, PartialEq)]
pub struct ForegroundColors {
    /// The images in order.
    pub images: Vec<PatchColors>,
    /// The component over all patches.
    pub all: Pca,
    /// At most three components over the foreground.
    pub foreground: Pca,
}

/// Colors the foreground of `grids`, all images together.
///
/// Of the two sides of the first component, the foreground is the one with the smaller share of
/// patches at the border of their image; if the shares are equal, the positive one. A patch is
/// foreground if it lies on that side by more than `threshold` standard deviations of the
/// component; 0 cuts at the mean patch.
///
/// # Errors
/// If the tokens cannot be analysed, all are equal, or fewer than two different ones are
/// foreground.
pub fn foreground_colors(
    grids: &[TokenGrid],
    threshold: f64,
) -> Result<ForegroundColors, PcaError> {
    let rows = Rows::of_grids(grids)?;
    let all = Pca::fit(&rows, 1)?;
    let mut scores = all.project(&rows)?;
    let mut border = Vec::with_capacity(scores.len());
    for grid in grids {
        border.extend((0..grid.count()).map(|patch| grid.shape().is_border(patch)));
    }
    // The sign of a component means nothing; objects touch the border less than what is behind.
    if border_share(&scores, &border, |score| score > 0.0)
        > border_share(&scores, &border, |score| score < 0.0)
    {
        scores.iter_mut().for_each(|score| *score = -*score);
    }

    // The mean score is 0: the rows are centred.
    let cut = threshold * all.variances()[0].sqrt();
    let mask: Vec<bool> = scores.iter().map(|score| f64::from(*score) > cut).collect();
    let selected = rows.select(&mask)?;
    let foreground = Pca::fit(&selected, 3)?;
    let mut colors = rgb(&foreground.project(&selected)?, foreground.count()).into_iter();

    let mut images = Vec::with_capacity(grids.len());
    let mut next = 0;
    for grid in grids {
        let foreground = mask[next..next + grid.count()].to_vec();
        let mut rgb = vec![[0.0; 3]; grid.count()];
        for (color, kept) in rgb.iter_mut().zip(&foreground) {
            if *kept {
                *color = colors.next().unwrap_or_default();
            }
        }
        next += grid.count();
        images.push(PatchColors { rgb, foreground });
    }
    Ok(ForegroundColors {
        images,
        all,
        foreground,
    })
}

/// Colors all patches of `grids` by their first three principal components, all images together,
/// and gives these components.
///
/// # Errors
/// If there is no image, the widths differ, or all patches are equal.
pub fn joint_colors(grids: &[TokenGrid]) -> Result<(Vec<PatchColors>, Pca), PcaError> {
    let rows = Rows::of_grids(grids)?;
    let pca = Pca::fit(&rows, 3)?;
    let mut colors = rgb(&pca.project(&rows)?, pca.count()).into_iter();
    let images = grids.iter().map(|grid| PatchColors {
        rgb: colors.by_ref().take(grid.count()).collect(),
        foreground: vec![true; grid.count()],
    });
    Ok((images.collect(), pca))
}

/// Colors from the first three of `channels` values of each row: each channel is scaled to 0..=1
/// from its 1st to its 99th percentile. A channel that is missing or constant is 0.5.
fn rgb(values: &[f32], channels: usize) -> Vec<[f32; 3]> {
    let mut colors = vec![[0.5; 3]; values.len() / channels.max(1)];
    if colors.is_empty() {
        return colors;
    }
    for channel in 0..channels.min(3) {
        let of_channel = values.iter().skip(channel).step_by(channels);
        let mut sorted: Vec<f32> = of_channel.copied().collect();
        sorted.sort_by(f32::total_cmp);
        let last = sorted.len().saturating_sub(1) as f64;
        let low = sorted[(last * CLIPPED).floor() as usize];
        let high = sorted[(last * (1.0 - CLIPPED)).ceil() as usize];

        if high > low {
            for (color, row) in colors.iter_mut().zip(values.chunks_exact(channels)) {
                color[channel] = ((row[channel] - low) / (high - low)).clamp(0.0, 1.0);
            }
        }
    }
    colors
}

fn border_share(scores: &[f32], border: &[bool], side: impl Fn(f32) -> bool) -> f64 {
    let (mut taken, mut at_border) = (0usize, 0usize);
    for (score, border) in scores.iter().zip(border) {
        if side(*score) {
            taken += 1;
            at_border += usize::from(*border);
        }
    }
    at_border as f64 / taken.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    /// A `side x side` image of background tokens with an object of 2 x 2 different parts in the
    /// middle.
    fn object(side: usize, sign: f32) -> TokenGrid {
        let middle = side / 2;
        let values = (0..side * side).flat_map(|i| {
            let (row, column) = (i / side, i % side);
            if (middle - 1..=middle).contains(&row) && (middle - 1..=middle).contains(&column) {
                let (down, right) = (
                    (row == middle) as u8 as f32,
                    (column == middle) as u8 as f32,
                );
                [sign * 10.0, down, 2.0 * right]
            } else {
                [-sign * 10.0, 0.5, 1.0]
            }
        });
        TokenGrid::new(side, side, 3, values.collect()).expect("three values a token")
    }

    #[test]
    fn the_object_in_the_middle_is_foreground_whatever_the_sign() {
        for sign in [1.0, -1.0] {
            let found = foreground_colors(&[object(6, sign), object(4, sign)], 0.0)
                .expect("two kinds of tokens");
            let parts = [14, 15, 20, 21];
            for (index, inside) in found.images[0].foreground.iter().enumerate() {
                assert_eq!(
                    *inside,
                    parts.contains(&index),
                    "patch {index}, sign {sign}"
                );
            }
            assert_eq!(
                found.images[1]
                    .foreground
                    .iter()
                    .filter(|inside| **inside)
                    .count(),
                4
            );
            // Across the object the larger step is to the right and becomes red, the smaller one
            // down becomes green.
            let colors = parts.map(|i| found.images[0].rgb[i]);
            assert_eq!(
                colors,
                [
                    [0.0, 0.0, 0.5],
                    [1.0, 0.0, 0.5],
                    [0.0, 1.0, 0.5],
                    [1.0, 1.0, 0.5]
                ]
            );
            assert_eq!(found.images[0].rgb[0], [0.0; 3]);
            assert_eq!(
                found.images[1].rgb[5], colors[0],
                "like parts have like colors in all images"
            );
            assert_eq!(found.foreground.count(), 2);
        }
    }

    #[test]
    fn a_threshold_beyond_all_patches_leaves_nothing() {
        assert!(foreground_colors(&[object(6, 1.0)], 100.0).is_err());
        assert!(foreground_colors(&[], 0.0).is_err());
        let constant = TokenGrid::new(2, 2, 2, vec![3.0; 8]).expect("eight values");
        assert_eq!(
            foreground_colors(&[constant], 0.0),
            Err(PcaError::NoVariance { rows: 4 })
        );
    }

    #[test]
    fn channels_are_scaled_between_percentiles() {
        // 0, 1, ..., 200 and one outlier: the 1st and 99th percentiles are the values 2 and 199.
        let mut values: Vec<f32> = (0..=200).map(|i| i as f32).collect();
        values.push(1e6);
        let colors = rgb(&values, 1);
        assert_eq!(
            (colors[0][0], colors[2][0], colors[199][0], colors[201][0]),
            (0.0, 0.0, 1.0, 1.0)
        );
        assert!((colors[100][0] - 98.0 / 197.0).abs() < 1e-6);
        assert_eq!(colors[100][1..], [0.5, 0.5]);
        assert_eq!(rgb(&[7.0, 7.0], 1), [[0.5; 3]; 2]);
        assert!(rgb(&[], 3).is_empty() && rgb(&[], 0).is_empty());
    }
}
