//! Settings of the augmentation for learning from labels.

use serde::{Deserialize, Serialize};

use crate::problems::Problems;

/// Probabilities and strengths of the DeiT recipe; the defaults are those of iBOT's fine-tuning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SupervisedConfig {
    /// Smallest and largest area of a crop, relative to the area of the image. With `[1, 1]` it is
    /// the largest central part whose ratio is allowed.
    pub crop_scale: [f64; 2],
    /// Smallest and largest width-to-height ratio of a crop.
    pub crop_ratio: [f64; 2],
    /// Probability of a horizontal flip.
    pub flip: f64,
    /// Random distortions of colors and geometry.
    pub rand_augment: RandAugmentConfig,
    /// A rectangle of noise.
    pub erase: EraseConfig,
}

impl Default for SupervisedConfig {
    fn default() -> Self {
        Self {
            crop_scale: [0.08, 1.0],
            crop_ratio: [3.0 / 4.0, 4.0 / 3.0],
            flip: 0.5,
            rand_augment: RandAugmentConfig::default(),
            erase: EraseConfig::default(),
        }
    }
}

/// RandAugment (arXiv 1909.13719); the defaults are timm's `rand-m9-mstd0.5-inc1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandAugmentConfig {
    /// Number of operations that are chosen for an image, one independent of another.
    pub ops: usize,
    /// Mean magnitude of an operation, of 0 to 10.
    pub magnitude: f64,
    /// Standard deviation of the magnitude. What falls outside of 0 to 10 is moved to the end.
    pub magnitude_std: f64,
    /// Probability that a chosen operation is carried out; 0 turns RandAugment off.
    pub probability: f64,
}

impl Default for RandAugmentConfig {
    fn default() -> Self {
        Self {
            ops: 2,
            magnitude: 9.0,
            magnitude_std: 0.5,
            probability: 0.5,
        }
    }
}

/// RandomErasing (arXiv 1708.04896) by noise of one number a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EraseConfig {
    /// Probability that a rectangle is erased. iNaturalist's recipe has 0.1.
    pub probability: f64,
    /// Smallest and largest area of the rectangle, relative to the area of the view.
    pub area: [f64; 2],
    /// Smallest and largest height-to-width ratio of the rectangle.
    pub ratio: [f64; 2],
}

impl Default for EraseConfig {
    fn default() -> Self {
        Self {
            probability: 0.25,
            area: [0.02, 1.0 / 3.0],
            ratio: [0.3, 1.0 / 0.3],
        }
    }
}

/// Most operations for an image.
const MAX_OPS: usize = 16;

impl SupervisedConfig {
    /// Records the settings that make no sense.
    pub fn check(&self, at: &mut Problems) {
        let shares = "must be two shares of the area, the smaller first";
        let rising = "must be two numbers above 0 and up to 100, the smaller first";

        at.ordered("crop_scale", self.crop_scale, 1.0, shares);
        at.ordered("crop_ratio", self.crop_ratio, 100.0, rising);
        at.within("flip", self.flip, 0.0..=1.0);

        let rand = &self.rand_augment;
        at.within("rand_augment.ops", rand.ops, 0..=MAX_OPS);
        at.within("rand_augment.magnitude", rand.magnitude, 0.0..=10.0);
        at.within("rand_augment.magnitude_std", rand.magnitude_std, 0.0..=10.0);
        at.within("rand_augment.probability", rand.probability, 0.0..=1.0);

        let erase = &self.erase;
        at.within("erase.probability", erase.probability, 0.0..=1.0);
        at.ordered("erase.area", erase.area, 1.0, shares);
        at.ordered("erase.ratio", erase.ratio, 100.0, rising);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn configs_are_read_with_defaults_and_without_typos() {
        let text = r#"{"flip": 0.0, "rand_augment": {"magnitude": 7}}"#;
        let config: SupervisedConfig = serde_json::from_str(text).expect("a partial config");
        assert_eq!(config.rand_augment.ops, 2);
        assert_eq!((config.flip, config.rand_augment.magnitude), (0.0, 7.0));
        assert_eq!(config.erase, EraseConfig::default());

        let text = serde_json::to_string(&config).expect("a config is JSON");
        let again: SupervisedConfig = serde_json::from_str(&text).expect("what was written");
        assert_eq!(again, config);
        let typo = r#"{"rand_augment": {"magnitud": 7}}"#;
        assert!(serde_json::from_str::<SupervisedConfig>(typo).is_err());
    }

    #[test]
    fn wrong_settings_are_named() {
        let config = SupervisedConfig {
            crop_scale: [0.5, 0.1],
            rand_augment: RandAugmentConfig {
                magnitude: 11.0,
                ..RandAugmentConfig::default()
            },
            erase: EraseConfig {
                probability: f64::NAN,
                ..EraseConfig::default()
            },
            ..SupervisedConfig::default()
        };

        let mut problems = Problems::default();
        config.check(problems.section("augment"));
        let keys: Vec<&str> = problems.found().iter().map(|p| p.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "augment.crop_scale",
                "augment.rand_augment.magnitude",
                "augment.erase.probability"
            ]
        );

        let mut none = Problems::default();
        SupervisedConfig::default().check(&mut none);
        assert_eq!(none.found(), []);
    }
}
