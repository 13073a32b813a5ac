//! Settings of the views and of their augmentation.

use serde::{Deserialize, Serialize};

use crate::problems::Problems;

/// How many views of an image there are and how large: the `--global_crops_*` and `--local_crops_*`
/// flags of the official code, with its defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CropsConfig {
    /// Number of global views; the paper uses 2.
    pub global_crops_number: usize,
    /// Side of a global view in pixels.
    pub global_size: usize,
    /// Smallest and largest area of a global crop, relative to the area of the image.
    pub global_crops_scale: [f64; 2],
    /// Number of local views; the released ViTs use 10.
    pub local_crops_number: usize,
    /// Side of a local view in pixels.
    pub local_size: usize,
    /// Smallest and largest area of a local crop, relative to the area of the image.
    pub local_crops_scale: [f64; 2],
}

impl Default for CropsConfig {
    fn default() -> Self {
        Self {
            global_crops_number: 2,
            global_size: 224,
            global_crops_scale: [0.14, 1.0],
            local_crops_number: 0,
            local_size: 96,
            local_crops_scale: [0.05, 0.4],
        }
    }
}

// Random streams have eight bits for the number of a crop.
const MAX_CROPS: usize = 256;
/// Longest side of a crop, in pixels.
const MAX_SIDE: usize = 16_384;

impl CropsConfig {
    pub(crate) fn check(&self, at: &mut Problems) {
        let globals = self.global_crops_number;
        // The CLS loss needs a second global view.
        if at.within("global_crops_number", globals, 2..=MAX_CROPS) {
            let locals = self.local_crops_number;
            let problem = format!("makes more than {MAX_CROPS} crops of an image");
            at.require(
                locals <= MAX_CROPS - globals,
                "local_crops_number",
                locals,
                problem,
            );
        }

        at.within("global_size", self.global_size, 1..=MAX_SIDE);
        at.within("local_size", self.local_size, 1..=MAX_SIDE);

        let shares = "must be two shares of the image's area, the smaller first";
        at.ordered("global_crops_scale", self.global_crops_scale, 1.0, shares);
        at.ordered("local_crops_scale", self.local_crops_scale, 1.0, shares);
    }
}

/// Probabilities and strengths of the augmentations. The defaults are the constants of
/// `DataAugmentationiBOT` in the official `main_ibot.py`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentConfig {
    /// Smallest and largest width-to-height ratio of a crop.
    pub crop_ratio: [f64; 2],
    /// Probability of a horizontal flip.
    pub flip: f64,
    /// Probability of the color jitter as a whole.
    pub color_jitter: f64,
    /// Brightness factors lie in `1 ± brightness`.
    pub brightness: f64,
    /// Contrast factors lie in `1 ± contrast`.
    pub contrast: f64,
    /// Saturation factors lie in `1 ± saturation`.
    pub saturation: f64,
    /// Hue shifts lie in `± hue`, in turns of the color wheel; at most 0.5.
    pub hue: f64,
    /// Probability of turning gray.
    pub grayscale: f64,
    /// Probability of blurring the first global view.
    pub blur_global1: f64,
    /// Probability of blurring any other global view.
    pub blur_global2: f64,
    /// Probability of blurring a local view.
    pub blur_local: f64,
    /// Smallest and largest blur radius (standard deviation) in pixels of the view.
    pub blur_radius: [f64; 2],
    /// Probability of solarizing a global view other than the first.
    pub solarize: f64,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self {
            crop_ratio: [3.0 / 4.0, 4.0 / 3.0],
            flip: 0.5,
            color_jitter: 0.8,
            brightness: 0.4,
            contrast: 0.4,
            saturation: 0.2,
            hue: 0.1,
            grayscale: 0.2,
            blur_global1: 1.0,
            blur_global2: 0.1,
            blur_local: 0.5,
            blur_radius: [0.1, 2.0],
            solarize: 0.2,
        }
    }
}

impl AugmentConfig {
    pub(crate) fn check(&self, at: &mut Problems) {
        at.within("flip", self.flip, 0.0..=1.0);
        at.within("color_jitter", self.color_jitter, 0.0..=1.0);
        at.within("grayscale", self.grayscale, 0.0..=1.0);
        at.within("blur_global1", self.blur_global1, 0.0..=1.0);
        at.within("blur_global2", self.blur_global2, 0.0..=1.0);
        at.within("blur_local", self.blur_local, 0.0..=1.0);
        at.within("solarize", self.solarize, 0.0..=1.0);

        at.within("brightness", self.brightness, 0.0..=10.0);
        at.within("contrast", self.contrast, 0.0..=10.0);
        at.within("saturation", self.saturation, 0.0..=10.0);
        at.within("hue", self.hue, 0.0..=0.5);

        let rising = "must be two numbers above 0 and up to 100, the smaller first";
        at.ordered("crop_ratio", self.crop_ratio, 100.0, rising);
        at.ordered("blur_radius", self.blur_radius, 100.0, rising);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn configs_are_read_with_defaults_and_without_typos() {
        let crops: CropsConfig =
            serde_json::from_str(r#"{"local_crops_number": 10}"#).expect("a partial config");
        let expected = CropsConfig {
            local_crops_number: 10,
            ..CropsConfig::default()
        };
        assert_eq!(crops, expected);
        let augment = AugmentConfig {
            solarize: 0.5,
            ..AugmentConfig::default()
        };
        let text = serde_json::to_string(&augment).expect("a config is JSON");
        assert_eq!(
            serde_json::from_str::<AugmentConfig>(&text).expect("what was written"),
            augment
        );
        assert!(serde_json::from_str::<AugmentConfig>(r#"{"solarise": 0.5}"#).is_err());
    }
}
