//! Colors for numbers and for kinds.

/// A scale of colors from low to high. All but [`ColorScale::Turbo`] rise evenly in lightness, so
/// they keep their order in grayscale and for color-blind readers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorScale {
    /// Purple, green, yellow.
    #[default]
    Viridis,
    /// Black, red, yellow, pale yellow.
    Inferno,
    /// Black, purple, pink, cream.
    Magma,
    /// Blue, purple, orange, yellow.
    Plasma,
    /// Blue, gray, yellow: the same to readers who do not see red and green apart.
    Cividis,
    /// The rainbow. Most colors that can be told apart, for marks that only need to be found again.
    Turbo,
}

impl ColorScale {
    /// The color at `position`, 0 (low) to 1 (high); beyond an end, that of the end, and the low
    /// one for what is not a number.
    pub fn color(self, position: f32) -> [u8; 3] {
        let gradient = match self {
            Self::Viridis => colorous::VIRIDIS,
            Self::Inferno => colorous::INFERNO,
            Self::Magma => colorous::MAGMA,
            Self::Plasma => colorous::PLASMA,
            Self::Cividis => colorous::CIVIDIS,
            Self::Turbo => colorous::TURBO,
        };
        // `clamp` leaves a NaN as it is.
        let position = if position.is_nan() {
            0.0
        } else {
            position.clamp(0.0, 1.0)
        };
        gradient.eval_continuous(f64::from(position)).into_array()
    }
}

/// Colors of kinds. The first seven are Okabe and Ito's, which color-blind readers tell apart; each
/// further one is the one of 4913 evenly spread RGB colors that is furthest from those before it
/// (in OKLab, with less weight as seen without the long- or the medium-wave cones).
pub const PALETTE: [[u8; 3]; 24] = [
    [230, 159, 0],
    [86, 180, 233],
    [0, 158, 115],
    [240, 228, 66],
    [0, 114, 178],
    [213, 94, 0],
    [204, 121, 167],
    [90, 30, 0],
    [150, 0, 255],
    [45, 0, 150],
    [165, 0, 105],
    [255, 195, 255],
    [0, 225, 150],
    [0, 30, 255],
    [0, 90, 45],
    [240, 0, 255],
    [105, 60, 165],
    [90, 0, 90],
    [150, 255, 225],
    [105, 120, 255],
    [255, 45, 105],
    [135, 90, 0],
    [195, 45, 180],
    [150, 15, 0],
];

/// The color of kind `index`. After the last one they repeat.
pub fn category(index: usize) -> [u8; 3] {
    PALETTE[index % PALETTE.len()]
}

/// `over` laid on `under` with opacity `alpha`: 0 leaves `under`, 1 (and more) gives `over`.
pub fn mix(under: [u8; 3], over: [u8; 3], alpha: f32) -> [u8; 3] {
    let alpha = if alpha.is_nan() {
        0.0
    } else {
        alpha.clamp(0.0, 1.0)
    };
    std::array::from_fn(|channel| {
        let (under, over) = (f32::from(under[channel]), f32::from(over[channel]));
        (under + (over - under) * alpha).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_where_matplotlib_ends_them() {
        let ends = |scale: ColorScale| [scale.color(0.0), scale.color(1.0)];
        assert_eq!(
            ends(ColorScale::Viridis),
            [[0x44, 0x01, 0x54], [0xfd, 0xe7, 0x25]]
        );
        assert_eq!(
            ends(ColorScale::Inferno),
            [[0x00, 0x00, 0x04], [0xfc, 0xff, 0xa4]]
        );
        assert_eq!(
            ends(ColorScale::Magma),
            [[0x00, 0x00, 0x04], [0xfc, 0xfd, 0xbf]]
        );
        assert_eq!(
            ends(ColorScale::Plasma),
            [[0x0d, 0x08, 0x87], [0xf0, 0xf9, 0x21]]
        );
        for scale in [ColorScale::Cividis, ColorScale::Turbo] {
            assert_eq!(
                [-1.0, f32::NAN, 9.0].map(|p| scale.color(p)),
                [0.0, 0.0, 1.0].map(|p| scale.color(p))
            );
        }
    }

    #[test]
    fn mixing_goes_from_one_color_to_the_other() {
        let shares = [-1.0, 0.0, 0.25, 1.0, 2.0, f32::NAN];
        assert_eq!(
            shares.map(|alpha| mix([100; 3], [200; 3], alpha)[0]),
            [100, 100, 125, 200, 200, 100]
        );
    }

    /// OKLab coordinates of a color after `vision`, a matrix on linear RGB.
    fn oklab(color: [u8; 3], vision: [[f64; 3]; 3]) -> [f64; 3] {
        let rgb = color
            .map(|channel| (f64::from(channel) / 255.0 + 0.055) / 1.055)
            .map(|v| v.powf(2.4));
        let times = |matrix: [[f64; 3]; 3], v: [f64; 3]| {
            matrix.map(|row| row.iter().zip(v).map(|(a, b)| a * b).sum())
        };
        let cones = times(
            [
                [0.4122214708, 0.5363325363, 0.0514459929],
                [0.2119034982, 0.6806995451, 0.1073969566],
                [0.0883024619, 0.2817188376, 0.6299787005],
            ],
            times(vision, rgb),
        );
        times(
            [
                [0.2104542553, 0.7936177850, -0.0040720468],
                [1.9779984951, -2.4285922050, 0.4505937099],
                [0.0259040371, 0.7827717662, -0.8086757660],
            ],
            cones.map(f64::cbrt),
        )
    }

    fn closest(colors: &[[u8; 3]], vision: [[f64; 3]; 3]) -> f64 {
        let points: Vec<_> = colors.iter().map(|color| oklab(*color, vision)).collect();
        let distance = |a: &[f64; 3], b: &[f64; 3]| {
            a.iter()
                .zip(b)
                .map(|(a, b)| (a - b).powi(2))
                .sum::<f64>()
                .sqrt()
        };
        let pairs = points
            .iter()
            .enumerate()
            .flat_map(|(n, a)| points[..n].iter().map(move |b| distance(a, b)));
        pairs.fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn kinds_are_told_apart() {
        // Lightness runs from 0 to 1 in OKLab; a difference of 0.02 can just be seen.
        assert!(
            closest(
                &PALETTE,
                [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
            ) > 0.12
        );
        // Machado et al. 2009, severity 1.
        let deuteranopia = [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.01182, 0.04294, 0.968881],
        ];
        let protanopia = [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ];
        assert!(closest(&PALETTE[..8], deuteranopia) > 0.07);
        assert!(closest(&PALETTE[..8], protanopia) > 0.07);
        assert_eq!(category(PALETTE.len() + 3), PALETTE[3]);
    }
}
