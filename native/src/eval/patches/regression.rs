//! The logistic regression with the cost that suits images best which it has not learned from.

use anyhow::{Context as _, Result, ensure};
use burn::tensor::Device;
use futures_lite::future::block_on;
use ibot_core::eval::patches::{PatchSet, Regression, Training};
use ibot_core::metrics::Confusion;
use ibot_core::metrics::segmentation::SegmentationScore;
use ibot_core::rng::{Purpose, stream};
use rand::seq::SliceRandom as _;

use super::learned::LearnedPatches;

/// One of so many images is put aside to choose the cost.
const ASIDE: usize = 10;
/// The largest entry of the gradient that training ends at.
const TOLERANCE: f64 = 1e-5;

pub struct ChosenRegression {
    pub fit: Regression,
    pub c: f64,
}

/// Fits a regression with the best of `costs` to all patches. The best has the highest mean
/// intersection over union of patches on a tenth of the images, after it learned from the others.
///
/// # Errors
/// If a cost is not positive, there is one image and several costs, or the device fails.
pub fn choose(
    learned: &LearnedPatches,
    costs: &[f64],
    iterations: usize,
    classes: usize,
    device: &Device,
) -> Result<ChosenRegression> {
    for c in costs {
        ensure!(
            c.is_finite() && *c > 0.0,
            "the cost of an error must be positive, not {c}"
        );
    }
    let until = Training {
        iterations,
        tolerance: TOLERANCE,
    };
    let c = match costs {
        [one] => *one,
        _ => best(learned, costs, until, classes, device)?,
    };
    // With the cost known, the images that were put aside are learned from too.
    let all = PatchSet::new(
        &learned.tokens,
        learned.bank.dim(),
        &learned.classes,
        classes,
        device,
    );
    let fit = block_on(Regression::fit(&all, c, until)).context("regression on the device")?;
    Ok(ChosenRegression { fit, c })
}

/// The best of `costs`, the first of equals.
fn best(
    learned: &LearnedPatches,
    costs: &[f64],
    until: Training,
    classes: usize,
    device: &Device,
) -> Result<f64> {
    ensure!(
        learned.images > 1,
        "a cost is chosen on images that were put aside, and there is one image: give one of --costs"
    );
    // At random: the classes of images may recur at even steps. Of few images one at least.
    let mut order: Vec<usize> = (0..learned.images).collect();
    order.shuffle(&mut stream(0, Purpose::Split, 0, 0));
    let mut is_aside = vec![false; learned.images];
    for image in &order[..(learned.images / ASIDE).max(1)] {
        is_aside[*image] = true;
    }

    let dim = learned.bank.dim();
    let (mut own, mut aside) = (LabelledTokens::default(), LabelledTokens::default());
    for (patch, token) in learned.tokens.chunks_exact(dim).enumerate() {
        let part = match is_aside[learned.image_of[patch]] {
            true => &mut aside,
            false => &mut own,
        };
        part.tokens.extend_from_slice(token);
        part.classes.push(learned.classes[patch]);
    }

    let own = PatchSet::new(&own.tokens, dim, &own.classes, classes, device);
    let (mut best, mut highest) = (costs[0], f64::NEG_INFINITY);
    for c in costs {
        let found = async {
            let fit = Regression::fit(&own, *c, until).await?;
            fit.predict(&aside.tokens, device).await
        };
        let found = block_on(found).context("regression on the device")?;
        let pairs = aside.classes.iter().copied().zip(found);
        let score = SegmentationScore::of(&Confusion::new(classes, pairs)).mean_iou;
        if score > highest {
            (best, highest) = (*c, score);
        }
    }
    Ok(best)
}

#[derive(Default)]
struct LabelledTokens {
    tokens: Vec<f32>,
    classes: Vec<usize>,
}
