//! The corruptions by name, and how strong they are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A corruption of ImageNet-C (arXiv 1903.12261). The first 15 are those of the standard mean; the
/// last four were made to tune on.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Corruption {
    GaussianNoise,
    ShotNoise,
    ImpulseNoise,
    DefocusBlur,
    GlassBlur,
    MotionBlur,
    ZoomBlur,
    Snow,
    Frost,
    Fog,
    Brightness,
    Contrast,
    ElasticTransform,
    Pixelate,
    JpegCompression,
    SpeckleNoise,
    GaussianBlur,
    Spatter,
    Saturate,
}

use Corruption::*;

impl Corruption {
    /// All of them, in the order of ImageNet-C.
    pub const ALL: [Self; 19] = [
        GaussianNoise,
        ShotNoise,
        ImpulseNoise,
        DefocusBlur,
        GlassBlur,
        MotionBlur,
        ZoomBlur,
        Snow,
        Frost,
        Fog,
        Brightness,
        Contrast,
        ElasticTransform,
        Pixelate,
        JpegCompression,
        SpeckleNoise,
        GaussianBlur,
        Spatter,
        Saturate,
    ];

    /// The name of its folder in ImageNet-C.
    pub fn name(self) -> &'static str {
        match self {
            GaussianNoise => "gaussian_noise",
            ShotNoise => "shot_noise",
            ImpulseNoise => "impulse_noise",
            DefocusBlur => "defocus_blur",
            GlassBlur => "glass_blur",
            MotionBlur => "motion_blur",
            ZoomBlur => "zoom_blur",
            Snow => "snow",
            Frost => "frost",
            Fog => "fog",
            Brightness => "brightness",
            Contrast => "contrast",
            ElasticTransform => "elastic_transform",
            Pixelate => "pixelate",
            JpegCompression => "jpeg_compression",
            SpeckleNoise => "speckle_noise",
            GaussianBlur => "gaussian_blur",
            Spatter => "spatter",
            Saturate => "saturate",
        }
    }

    /// The corruption with this name; `None` if there is none.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it is one of the 15 of the standard mean.
    pub fn is_standard(self) -> bool {
        !matches!(self, SpeckleNoise | GaussianBlur | Spatter | Saturate)
    }

    /// Each of `corruptions` at each of `severities`, in the order of ImageNet-C; an empty list stands
    /// for all.
    pub fn settings(corruptions: &[Self], severities: &[Severity]) -> Vec<(Self, Severity)> {
        let mut settings = Vec::new();
        for corruption in Self::ALL {
            for severity in Severity::ALL {
                let named = corruptions.is_empty() || corruptions.contains(&corruption);
                let numbered = severities.is_empty() || severities.contains(&severity);
                if named && numbered {
                    settings.push((corruption, severity));
                }
            }
        }
        settings
    }

    /// The folder that the released archives of ImageNet-C put it in.
    pub fn family(self) -> &'static str {
        match self {
            GaussianNoise | ShotNoise | ImpulseNoise => "noise",
            DefocusBlur | GlassBlur | MotionBlur | ZoomBlur => "blur",
            Snow | Frost | Fog | Brightness => "weather",
            Contrast | ElasticTransform | Pixelate | JpegCompression => "digital",
            SpeckleNoise | GaussianBlur | Spatter | Saturate => "extra",
        }
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no corruption has, or a number that no severity has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum UnknownKind {
    #[error("`{0}` is no corruption; they are {all}", all = Corruption::ALL.map(Corruption::name).join(", "))]
    Corruption(String),
    #[error("`{0}` is no severity; they are 1 to 5")]
    Severity(String),
}

impl FromStr for Corruption {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::named(name).ok_or_else(|| UnknownKind::Corruption(name.to_owned()))
    }
}

impl FromStr for Severity {
    type Err = UnknownKind;

    fn from_str(number: &str) -> Result<Self, UnknownKind> {
        let known = number.parse().ok().and_then(Self::new);
        known.ok_or_else(|| UnknownKind::Severity(number.to_owned()))
    }
}

impl TryFrom<usize> for Severity {
    type Error = UnknownKind;

    fn try_from(number: usize) -> Result<Self, UnknownKind> {
        Self::new(number).ok_or_else(|| UnknownKind::Severity(number.to_string()))
    }
}

/// How strong a corruption is: 1 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "usize")]
pub struct Severity(u8);

impl Severity {
    /// From weak to strong.
    pub const ALL: [Self; 5] = [Self(1), Self(2), Self(3), Self(4), Self(5)];

    /// The severity with this number; `None` if it is not 1 to 5.
    pub fn new(number: usize) -> Option<Self> {
        Self::ALL.get(number.checked_sub(1)?).copied()
    }

    /// Its number, 1 to 5.
    pub fn number(self) -> usize {
        usize::from(self.0)
    }

    pub(super) fn of<T: Copy>(self, table: [T; 5]) -> T {
        table[self.number() - 1]
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
