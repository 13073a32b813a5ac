//! Hue, saturation and value.

use super::plane::byte;

/// Hue (0 to 1 around the circle), saturation and value of a color.
pub fn to_hsv(color: [u8; 3]) -> [f64; 3] {
    let [red, green, blue] = color.map(|value| f64::from(value) / 255.0);
    let value = red.max(green).max(blue);
    let range = value - red.min(green).min(blue);
    if range == 0.0 {
        return [0.0, 0.0, value];
    }

    let sixths = if value == blue {
        4.0 + (red - green) / range
    } else if value == green {
        2.0 + (blue - red) / range
    } else {
        (green - blue) / range
    };
    [(sixths / 6.0).rem_euclid(1.0), range / value, value]
}

/// The color of hue, saturation and value.
pub fn from_hsv([hue, saturation, value]: [f64; 3]) -> [u8; 3] {
    let sector = (6.0 * hue).floor();
    let fraction = 6.0 * hue - sector;
    let low = value * (1.0 - saturation);
    let falling = value * (1.0 - fraction * saturation);
    let rising = value * (1.0 - (1.0 - fraction) * saturation);
    let color = match sector as usize % 6 {
        0 => [value, rising, low],
        1 => [falling, value, low],
        2 => [low, value, rising],
        3 => [low, falling, value],
        4 => [rising, low, value],
        _ => [value, low, falling],
    };
    color.map(byte)
}
