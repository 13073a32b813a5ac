//! Polygons to masks, pixel by pixel as pycocotools draws them.

use super::rle::{RunError, by_rows, pixels};
use crate::grid::Grid;

/// Points for each pixel of an edge's length, as many as pycocotools draws.
const SCALE: f64 = 5.0;

/// Corners of a polygon, `(x, y)` in pixels; at least three, and all finite.
#[derive(Clone, Debug, PartialEq)]
pub struct Polygon(Vec<(f64, f64)>);

/// Why numbers are no polygon of an image.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
#[allow(missing_docs, reason = "each variant has its message")]
pub enum PolygonError {
    #[error("it has {points} points, and needs three or more")]
    Points { points: usize },
    #[error("it has {numbers} numbers, which are not pairs of x and y")]
    Pairs { numbers: usize },
    #[error("its point ({x}, {y}) is far outside of the image of {width} x {height} pixels")]
    Outside {
        x: f64,
        y: f64,
        width: usize,
        height: usize,
    },
}

impl Polygon {
    /// The polygon with the corners `x, y, x, y, ...` on an image of `width` x `height` pixels. A
    /// corner may lie outside of the image, by as much as the image is large.
    ///
    /// # Errors
    /// If there are fewer than three corners, half a corner, or one far outside.
    pub fn new(numbers: &[f64], (width, height): (usize, usize)) -> Result<Self, PolygonError> {
        let (pairs, rest) = numbers.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(PolygonError::Pairs {
                numbers: numbers.len(),
            });
        }
        if pairs.len() < 3 {
            return Err(PolygonError::Points {
                points: pairs.len(),
            });
        }

        // Annotators draw over the edge of an image; farther out lies only what would cost time
        // and memory.
        let is_near = |at: f64, side: usize| {
            let side = side as f64;
            (-side..=2.0 * side).contains(&at)
        };
        for [x, y] in pairs.iter().copied() {
            if !is_near(x, width) || !is_near(y, height) {
                return Err(PolygonError::Outside {
                    x,
                    y,
                    width,
                    height,
                });
            }
        }
        Ok(Self(pairs.iter().map(|[x, y]| (*x, *y)).collect()))
    }
}

/// The pixels that any of `polygons` covers on an image of `width` x `height` pixels.
///
/// # Errors
/// If the image has no pixel or too many.
pub fn rasterize(
    polygons: &[Polygon],
    (width, height): (usize, usize),
) -> Result<Grid<bool>, RunError> {
    let count = pixels(width, height)?;
    // A column-wise list, as that of run lengths: `cross` and `by_rows` hold to it.
    let mut covered = vec![false; count];
    let mut crossings = vec![false; count];
    for polygon in polygons {
        crossings.fill(false);
        cross(polygon, (width, height), &mut crossings);

        // Down the columns, one after the other, each crossing leads out of the polygon or into it.
        let mut inside = false;
        for (place, crossing) in crossings.iter().enumerate() {
            inside ^= crossing;
            // Over what other polygons covered: parts of an object may overlap.
            covered[place] |= inside;
        }
    }
    Ok(by_rows(&covered, (width, height)))
}

/// Turns over each pixel before which an edge of the polygon crosses its column. Pixels stand
/// column by column.
fn cross(polygon: &Polygon, (width, height): (usize, usize), crossings: &mut [bool]) {
    let corners: Vec<(i32, i32)> = polygon.0.iter().map(|corner| fine(*corner)).collect();
    let mut last: Option<(i32, i32)> = None;
    for (index, from) in corners.iter().enumerate() {
        let to = corners[(index + 1) % corners.len()];
        for point in edge(*from, to) {
            if let Some(last) = last.replace(point)
                && let Some(place) = crossing(last, point, (width, height))
                && let Some(crossed) = crossings.get_mut(place)
            {
                *crossed = !*crossed;
            }
        }
    }
}

/// A corner in fifths of pixels.
fn fine((x, y): (f64, f64)) -> (i32, i32) {
    // Cut off towards zero, as by a cast in C, so that halves below zero go up.
    ((SCALE * x + 0.5) as i32, (SCALE * y + 0.5) as i32)
}

/// The points of an edge in fifths of pixels, one for each step along its longer direction, from
/// its first corner to its last.
fn edge(from: (i32, i32), to: (i32, i32)) -> impl Iterator<Item = (i32, i32)> {
    let across = (to.0 - from.0).abs();
    let down = (to.1 - from.1).abs();
    let is_flat = across >= down;
    // Computed from its left or upper end whichever way it goes: neighbours share the same points.
    let is_reversed = if is_flat {
        from.0 > to.0
    } else {
        from.1 > to.1
    };
    let (start, end) = if is_reversed { (to, from) } else { (from, to) };

    let steps = across.max(down);
    // One point alone has no slope.
    let length = f64::from(steps.max(1));
    let slope = match is_flat {
        true => f64::from(end.1 - start.1) / length,
        false => f64::from(end.0 - start.0) / length,
    };
    (0..=steps).map(move |step| {
        let step = if is_reversed { steps - step } else { step };
        let moved = slope * f64::from(step);
        match is_flat {
            true => (start.0 + step, (f64::from(start.1) + moved + 0.5) as i32),
            false => ((f64::from(start.0) + moved + 0.5) as i32, start.1 + step),
        }
    })
}

/// Where a step from one point to the next crosses the middle of a column of pixels: the pixel
/// below, by its place in the column-wise order. Below the last of a column is the first of the
/// next.
fn crossing(last: (i32, i32), next: (i32, i32), (width, height): (usize, usize)) -> Option<usize> {
    // A step straight down stays in its column.
    if last.0 == next.0 {
        return None;
    }
    let x = if next.0 < last.0 { next.0 } else { next.0 - 1 };
    let column = (f64::from(x) + 0.5) / SCALE - 0.5;
    // Of five points a pixel only the middle one counts.
    if column.fract() != 0.0 || column < 0.0 || column > (width - 1) as f64 {
        return None;
    }

    let y = (f64::from(last.1.min(next.1)) + 0.5) / SCALE - 0.5;
    let row = y.clamp(0.0, height as f64).ceil();
    Some(column as usize * height + row as usize)
}
