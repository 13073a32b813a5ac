//! Errors on corrupted images, and their means (ImageNet-C, arXiv 1903.12261).

use crate::image::corrupt::{Corruption, Severity};

/// The errors of a classifier by corruption and severity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CorruptionErrors {
    errors: Vec<(Corruption, Severity, f64)>,
}

/// A mean over corruptions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanError {
    /// A share of images.
    pub error: f64,
    /// Number of corruptions that it is over.
    pub corruptions: usize,
    /// Number of their severities, of five for each corruption.
    pub severities: usize,
}

impl CorruptionErrors {
    /// Sets the share of images that are classified wrongly.
    pub fn add(&mut self, corruption: Corruption, severity: Severity, error: f64) {
        self.errors.push((corruption, severity, error));
    }

    /// The error at one severity; `None` if it is not known.
    pub fn at(&self, corruption: Corruption, severity: Severity) -> Option<f64> {
        let mut errors = self.errors.iter();
        let (.., error) = errors.find(|(kind, at, _)| (*kind, *at) == (corruption, severity))?;
        Some(*error)
    }

    /// The mean over the known severities of a corruption, and how many these are; `None` if none is
    /// known.
    pub fn of(&self, corruption: Corruption) -> Option<(f64, usize)> {
        let known = Severity::ALL.map(|severity| self.at(corruption, severity));
        let known: Vec<f64> = known.into_iter().flatten().collect();
        let count = known.len();
        (count > 0).then(|| (known.iter().sum::<f64>() / count as f64, count))
    }

    /// The unnormalised mean over all known corruptions, which the official code prints as mCE when
    /// it knows all 19.
    pub fn mean(&self) -> Option<MeanError> {
        self.mean_over(Corruption::ALL.into_iter())
    }

    /// The unnormalised mean over those of the 15 standard corruptions that are known.
    pub fn standard_mean(&self) -> Option<MeanError> {
        self.mean_over(
            Corruption::ALL
                .into_iter()
                .filter(|kind| kind.is_standard()),
        )
    }

    fn mean_over(&self, corruptions: impl Iterator<Item = Corruption>) -> Option<MeanError> {
        let known: Vec<(f64, usize)> = corruptions.filter_map(|kind| self.of(kind)).collect();
        let count = known.len();
        let sum: f64 = known.iter().map(|(error, _)| error).sum();
        (count > 0).then(|| MeanError {
            error: sum / count as f64,
            corruptions: count,
            severities: known.iter().map(|(_, severities)| severities).sum(),
        })
    }

    /// The standard mCE: the mean over the 15 corruptions of the error divided by AlexNet's, 1 for
    /// AlexNet. `None` unless all five severities of each are known. It means something for the 1000
    /// classes of ImageNet only.
    pub fn mce(&self) -> Option<f64> {
        let mut sum = 0.0;
        let mut count = 0;
        for corruption in Corruption::ALL
            .into_iter()
            .filter(|kind| kind.is_standard())
        {
            let (error, severities) = self.of(corruption)?;
            if severities < Severity::ALL.len() {
                return None;
            }
            sum += error / alexnet_error(corruption);
            count += 1;
        }
        Some(sum / f64::from(count))
    }
}

/// AlexNet's mean error over the five severities of ImageNet-C.
pub fn alexnet_error(corruption: Corruption) -> f64 {
    match corruption {
        Corruption::GaussianNoise => 0.886428,
        Corruption::ShotNoise => 0.894468,
        Corruption::ImpulseNoise => 0.922640,
        Corruption::DefocusBlur => 0.819880,
        Corruption::GlassBlur => 0.826268,
        Corruption::MotionBlur => 0.785948,
        Corruption::ZoomBlur => 0.798360,
        Corruption::Snow => 0.866816,
        Corruption::Frost => 0.826572,
        Corruption::Fog => 0.819324,
        Corruption::Brightness => 0.564592,
        Corruption::Contrast => 0.853204,
        Corruption::ElasticTransform => 0.646056,
        Corruption::Pixelate => 0.717840,
        Corruption::JpegCompression => 0.606500,
        Corruption::SpeckleNoise => 0.845388,
        Corruption::GaussianBlur => 0.787108,
        Corruption::Spatter => 0.717512,
        Corruption::Saturate => 0.658248,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn alexnets_own_errors_give_100_percent() {
        let mut errors = CorruptionErrors::default();
        for corruption in Corruption::ALL {
            for (severity, change) in Severity::ALL.into_iter().zip([-0.2, -0.1, 0.0, 0.1, 0.2]) {
                assert_eq!(errors.mce(), None);
                errors.add(corruption, severity, alexnet_error(corruption) + change);
            }
            if corruption == Corruption::JpegCompression {
                break;
            }
        }
        let mce = errors.mce().expect("all 15");
        assert!((mce - 1.0).abs() < 1e-12, "{mce}");
        // Known of the table: its mean over the 15.
        let mean = errors.standard_mean().expect("all 15");
        assert!((mean.error - 0.789).abs() < 5e-4, "{mean:?}");
        assert_eq!((mean.corruptions, mean.severities), (15, 75));
        assert_eq!(errors.mean(), Some(mean));
    }

    #[test]
    fn means_are_over_what_is_known() {
        let mut errors = CorruptionErrors::default();
        assert_eq!(errors.mean(), None);
        errors.add(Corruption::Fog, Severity::ALL[0], 0.2);
        errors.add(Corruption::Fog, Severity::ALL[4], 0.6);
        errors.add(Corruption::Spatter, Severity::ALL[1], 0.1);
        assert_eq!(errors.of(Corruption::Fog), Some((0.4, 2)));
        assert_eq!(errors.of(Corruption::Snow), None);

        let all = errors.mean().expect("two corruptions");
        assert!((all.error - 0.25).abs() < 1e-12);
        assert_eq!((all.corruptions, all.severities), (2, 3));
        let standard = errors.standard_mean().expect("one corruption");
        assert!((standard.error - 0.4).abs() < 1e-12);
        assert_eq!((standard.corruptions, standard.severities), (1, 2));
        assert_eq!(errors.mce(), None);
    }
}
