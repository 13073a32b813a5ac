//! Mixup (arXiv 1710.09412) and CutMix (arXiv 1905.04899), and the soft targets of a mixed batch.
//!
//! As timm's `Mixup` in its mode "batch": one draw for the whole batch, and the partner of image `i`
//! of `n` is image `n - 1 - i`. With an odd number of images, which timm refuses, the middle one is
//! its own partner and stays as it is.

use rand::RngExt as _;
use rand_distr::{Beta, Distribution as _};
use serde::{Deserialize, Serialize};

use crate::image::resize::CropBox;
use crate::problems::Problems;
use crate::rng::Rng;

/// How the images of a batch are mixed, and how soft their labels are. The defaults are those of the
/// DeiT recipe (arXiv 2012.12877), which iBOT's fine-tuning uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MixConfig {
    /// Mixup draws its share of the first image from Beta(`mixup_alpha`, `mixup_alpha`); 0 turns it
    /// off.
    pub mixup_alpha: f64,
    /// CutMix draws the share of the first image that stays from Beta(`cutmix_alpha`,
    /// `cutmix_alpha`); 0 turns it off.
    pub cutmix_alpha: f64,
    /// Probability that a batch is mixed.
    pub probability: f64,
    /// Probability of CutMix in a mixed batch, where both are on.
    pub switch_probability: f64,
    /// Share of every target that all classes get in equal parts.
    pub label_smoothing: f64,
}

impl Default for MixConfig {
    fn default() -> Self {
        Self {
            mixup_alpha: 0.8,
            cutmix_alpha: 1.0,
            probability: 1.0,
            switch_probability: 0.5,
            label_smoothing: 0.1,
        }
    }
}

impl MixConfig {
    /// Neither mixes images nor smooths labels.
    pub fn off() -> Self {
        Self {
            probability: 0.0,
            label_smoothing: 0.0,
            ..Self::default()
        }
    }

    /// Records the settings that make no sense.
    pub fn check(&self, at: &mut Problems) {
        at.within("mixup_alpha", self.mixup_alpha, 0.0..=100.0);
        at.within("cutmix_alpha", self.cutmix_alpha, 0.0..=100.0);
        at.within("probability", self.probability, 0.0..=1.0);
        at.within("switch_probability", self.switch_probability, 0.0..=1.0);
        at.within("label_smoothing", self.label_smoothing, 0.0..=1.0);
    }
}

/// What is drawn for a batch: how each image is mixed with its partner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mixing {
    /// Images stay as they are.
    None,
    /// Every image becomes `lambda` times itself plus `1 - lambda` times its partner.
    Mixup {
        /// The share of the image itself.
        lambda: f64,
    },
    /// A rectangle of every image shows its partner.
    CutMix {
        /// The rectangle; it may be empty.
        area: CropBox,
        /// The share of the image outside of the rectangle.
        lambda: f64,
    },
}

/// A label that is no class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "image {image} of the batch has label {label}, but the labels of {classes} classes end at {}",
    .classes.saturating_sub(1)
)]
#[allow(missing_docs)]
pub struct LabelError {
    pub image: usize,
    pub label: usize,
    pub classes: usize,
}

impl Mixing {
    /// Draws the mixing of a batch of images of `size` pixels a side.
    pub fn draw(config: &MixConfig, size: usize, rng: &mut Rng) -> Self {
        let mixup = config.mixup_alpha > 0.0;
        let cutmix = config.cutmix_alpha > 0.0;

        // Numbers are drawn in timm's order.
        if !(mixup || cutmix) || !chance(rng, config.probability) {
            return Self::None;
        }
        if cutmix && (!mixup || chance(rng, config.switch_probability)) {
            let lambda = beta(config.cutmix_alpha, rng);
            let row = rng.random_range(0..size.max(1));
            let column = rng.random_range(0..size.max(1));
            return Self::cutmix(size, lambda, row, column);
        }
        Self::Mixup {
            lambda: beta(config.mixup_alpha, rng),
        }
    }

    /// CutMix of images of `size` pixels a side by a square around (`row`, `column`), cut off at the
    /// border. Of a whole square `1 - lambda` of the image shows its partner; what the border takes
    /// away raises `lambda`.
    pub fn cutmix(size: usize, lambda: f64, row: usize, column: usize) -> Self {
        let side = (size as f64 * (1.0 - lambda).sqrt()) as usize;
        let rows = span(row, side, size);
        let columns = span(column, side, size);

        let area = CropBox {
            left: columns.0,
            top: rows.0,
            width: columns.1 - columns.0,
            height: rows.1 - rows.0,
        };
        let pasted = (area.width * area.height) as f64 / (size * size).max(1) as f64;
        Self::CutMix {
            area,
            lambda: 1.0 - pasted,
        }
    }

    /// The share of each image's own label in its target.
    pub fn lambda(&self) -> f64 {
        match *self {
            Self::None => 1.0,
            Self::Mixup { lambda } | Self::CutMix { lambda, .. } => lambda,
        }
    }

    /// Mixes the images of a batch in place, each of three planes of `size` x `size` values.
    pub fn apply(&self, images: &mut [&mut [f32]], size: usize) {
        let (firsts, seconds) = images.split_at_mut(images.len() / 2);
        for (image, partner) in firsts.iter_mut().zip(seconds.iter_mut().rev()) {
            match *self {
                Self::None => {}
                Self::Mixup { lambda } => blend(image, partner, lambda),
                Self::CutMix { area, .. } => exchange(image, partner, area, size),
            }
        }
    }

    /// The targets of a batch, `[labels, classes]`: the image's own label and its partner's, in the
    /// shares of the mixing, each with `smoothing` spread over all classes.
    ///
    /// Where nothing is mixed, cross-entropy with these targets is cross-entropy with label
    /// smoothing.
    ///
    /// # Errors
    /// If a label is not below `classes`.
    pub fn targets(
        &self,
        labels: &[usize],
        classes: usize,
        smoothing: f64,
    ) -> Result<Vec<f32>, LabelError> {
        let off = smoothing / classes as f64;
        let on = (1.0 - smoothing + off) as f32;
        let off = off as f32;
        let own = self.lambda() as f32;
        let other = (1.0 - self.lambda()) as f32;

        let mut targets = Vec::with_capacity(labels.len() * classes);
        for (image, (&label, &partner)) in labels.iter().zip(labels.iter().rev()).enumerate() {
            if label >= classes {
                return Err(LabelError {
                    image,
                    label,
                    classes,
                });
            }
            for class in 0..classes {
                let of_image = if class == label { on } else { off };
                let of_partner = if class == partner { on } else { off };
                targets.push(of_image * own + of_partner * other);
            }
        }
        Ok(targets)
    }
}

fn chance(rng: &mut Rng, probability: f64) -> bool {
    rng.random::<f64>() < probability
}

/// A number of the distribution Beta(`alpha`, `alpha`); 1, which mixes nothing, if there is none.
fn beta(alpha: f64, rng: &mut Rng) -> f64 {
    Beta::new(alpha, alpha).map_or(1.0, |beta| beta.sample(rng))
}

/// The part of `side` pixels around `center` that lies in `0..size`.
fn span(center: usize, side: usize, size: usize) -> (usize, usize) {
    let half = side / 2;
    (
        center.saturating_sub(half).min(size),
        (center + half).min(size),
    )
}

/// Mixup of an image and its partner.
fn blend(image: &mut [f32], partner: &mut [f32], lambda: f64) {
    let own = lambda as f32;
    let other = (1.0 - lambda) as f32;
    for (a, b) in image.iter_mut().zip(partner) {
        let mixed = own * *a + other * *b;
        *b = own * *b + other * *a;
        *a = mixed;
    }
}

/// CutMix of an image and its partner: `area` changes places.
fn exchange(image: &mut [f32], partner: &mut [f32], area: CropBox, size: usize) {
    let plane = (size * size).max(1);
    let planes = image.chunks_exact_mut(plane);
    for (plane, other) in planes.zip(partner.chunks_exact_mut(plane)) {
        for row in area.top..area.top + area.height {
            let first = row * size + area.left;
            let columns = first..first + area.width;
            plane[columns.clone()].swap_with_slice(&mut other[columns]);
        }
    }
}

#[cfg(test)]
mod tests;
