use ibot_core::annotation::boxes::BoundingBox;
use ibot_core::grid::GridRef;
use ibot_core::picture::{ColorScale, category, mix};

use ibot_core::image::RgbImage;

use super::*;
use crate::report::canvas::EMPTY;

const GREY: [u8; 3] = [100; 3];

fn plain(width: usize, height: usize) -> RgbImage {
    RgbImage::from_fn(width, height, |_, _| GREY)
}

fn grid<T>(rows: usize, columns: usize, cells: &[T]) -> GridRef<'_, T> {
    GridRef::new(rows, columns, cells).expect("as many cells as the test says")
}

fn count(image: &RgbImage, color: [u8; 3]) -> usize {
    image
        .pixels()
        .chunks(3)
        .filter(|pixel| *pixel == color)
        .count()
}

/// First and last column and row, of those left of `right`, that have a pixel of this color.
fn extent(image: &RgbImage, color: [u8; 3], right: usize) -> [usize; 4] {
    let found = |x: usize, y: usize| x < right && image.pixel(x, y) == color;
    let columns: Vec<usize> = (0..image.width())
        .filter(|x| (0..image.height()).any(|y| found(*x, y)))
        .collect();
    let rows: Vec<usize> = (0..image.height())
        .filter(|y| (0..image.width()).any(|x| found(x, *y)))
        .collect();
    let ends = |found: &[usize]| [found[0], found[found.len() - 1]];
    let ([left, right], [top, bottom]) = (ends(&columns), ends(&rows));
    [left, right, top, bottom]
}

#[test]
fn attention_shows_weights_and_masks() {
    let (weights, mask) = ([0.0, 1.0, 0.0, 0.0], [false, true, false, false]);
    let map = AttentionMap {
        title: "head 1".to_owned(),
        weights: grid(2, 2, &weights),
        mask: Some(grid(2, 2, &mask)),
    };
    let figure = attention(&plain(64, 64), &[map], Some(0.6));
    // A panel has 256 pixels, a patch 128. The contour runs left of the patch and on its last row.
    assert_eq!(
        count(&figure, mix(GREY, ColorScale::Inferno.color(1.0), 0.75)),
        128 * 128
    );
    assert_eq!(count(&figure, [255, 190, 40]), 128 + 128);
    assert_eq!(count(&figure, mix(GREY, [255, 190, 40], 0.15)), 128 * 127);
}

#[test]
fn the_query_is_marked_where_it_lies() {
    let values: Vec<f32> = (0..16).map(|index| index as f32 / 15.0).collect();
    let image = plain(480, 480);
    let query = Query {
        image: &image,
        patch: (1, 2),
        similarity: grid(4, 4, &values),
    };
    let other = Candidate {
        title: "other".to_owned(),
        image: &image,
        similarity: grid(4, 4, &values),
        matches: &[(3, 3)],
    };
    let figure = similar(&query, std::slice::from_ref(&other));
    // The first panel begins at column 32, the patch 240 pixels further, and is 120 wide.
    let [left, right, top, bottom] = extent(&figure, [255, 64, 64], 32 + 480);
    assert_eq!(left + right, 2 * (32 + 240) + 120 - 1);
    assert_eq!(right - left, bottom - top);
    let without = Candidate {
        matches: &[],
        ..other
    };
    assert_ne!(figure, similar(&query, &[without]));
}

#[test]
fn lines_join_the_points_of_a_pair() {
    let pair = PointPair {
        from: (10.0, 20.0),
        to: (30.0, 20.0),
        right: None,
    };
    let outside = PointPair {
        from: (-1.0, 20.0),
        ..pair
    };
    let (first, second) = (plain(48, 48), plain(48, 48));
    let figure = correspond(&first, &second, &[pair, outside], PairColor::Position);
    // Both are ten times as large. The color is that of the middle of the scale: both have the same
    // height.
    let color = ColorScale::Turbo.color(0.08 + 0.86 * 0.5);
    let [left, right, top, bottom] = extent(&figure, color, figure.width());
    assert!(
        left.abs_diff(32 + 100 - 5) <= 1 && right.abs_diff(32 + 480 + 10 + 300 + 5) <= 1,
        "{left} {right}"
    );
    assert!((bottom - top).abs_diff(10) <= 1);
    let verdict = |right| {
        correspond(
            &first,
            &second,
            &[PointPair { right, ..pair }],
            PairColor::Correctness,
        )
    };
    for (right, color) in [
        (Some(true), [0, 158, 90]),
        (Some(false), [214, 45, 45]),
        (None, [130, 136, 148]),
    ] {
        assert!(count(&verdict(right), color) > 500, "line, ends and legend");
    }
}

#[test]
fn components_become_colors_below_their_image() {
    let colors = [[1.0, 0.5, 0.0], [0.0; 3]];
    let item = PcaImage {
        image: &plain(20, 10),
        colors: grid(1, 2, &colors),
        foreground: None,
    };
    let figure = pca(&[item.clone(), item], 4);
    assert_eq!(count(&figure, [255, 128, 0]), 2 * 128 * 128);
    assert_eq!(count(&figure, GREY), 2 * 256 * 128);
}

#[test]
fn segments_have_the_colors_of_their_labels() {
    let (prediction, truth) = ([1, 2], [1]);
    let image = plain(64, 32);
    let row = SegmentRow {
        image: &image,
        prediction: grid(1, 2, &prediction),
        truth: Some(grid(1, 1, &truth)),
    };
    let figure = segments(&[row]);
    let of = |label: usize| count(&figure, mix(GREY, category(label), 0.6));
    assert_eq!((of(1), of(2)), (159 * 160 + 320 * 160, 160 * 160));
}

#[test]
fn boxes_lie_where_they_are_in_the_image() {
    let bounds = |left, top, right, bottom| BoundingBox {
        left,
        top,
        right,
        bottom,
    };
    let red = |right| {
        let picture = BoxPicture {
            objects: vec![bounds(0.0, 0.0, 256.0, 128.0)],
            found: Some(bounds(256.0, 128.0, 512.0, 256.0)),
            right,
            ..BoxPicture::of(&plain(256, 128), (512, 256))
        };
        count(&boxes("found", "", &[picture]), [224, 45, 45])
    };
    // A frame three pixels wide around a quarter of the panel; the legend has the color too.
    assert_eq!(red(false) - red(true), 128 * 64 - 122 * 58);
}

#[test]
fn tiles_show_a_patch_in_its_context() {
    let (red, blue) = ([200, 0, 0], [0, 0, 200]);
    let patch = |column: usize, row: usize| {
        let image = RgbImage::from_fn(80, 80, |x, y| {
            if (x / 8, y / 8) == (column, row) {
                red
            } else {
                blue
            }
        });
        context_tile(&image, (10, 10), (row, column), 5)
    };
    let inner = patch(4, 6);
    // A fifth of 88 pixels, less the outline of one.
    assert_eq!([inner.pixel(44, 44), inner.pixel(42, 46)], [red, red]);
    assert_eq!(
        [(0, 0), (87, 0), (0, 87), (87, 87), (30, 44), (57, 44)].map(|(x, y)| inner.pixel(x, y)),
        [blue; 6]
    );
    let corner = patch(0, 0);
    assert_eq!(
        [(0, 0), (44, 0), (0, 44), (30, 87)].map(|(x, y)| corner.pixel(x, y)),
        [EMPTY; 4]
    );
    assert_eq!([corner.pixel(44, 44), corner.pixel(87, 87)], [red, blue]);
    let pattern = PatternBlock {
        name: "prototype 3".to_owned(),
        share: 0.042,
        purity: Some(0.87),
        tiles: &[inner, corner],
    };
    // The numbers have no room above two tiles, and go below.
    assert_eq!(
        patterns(&[pattern], 6, 2).height(),
        patterns(&[], 6, 2).height() + 20 + 6 + 88 + 6 + 16
    );
}

#[test]
fn bars_are_as_high_as_their_logarithm() {
    let figure = usage(&[0, 10, 1000, 0]);
    let bar = |x: usize| {
        (0..figure.height())
            .filter(|y| figure.pixel(x, *y) == [0, 114, 178])
            .count()
    };
    // Four bars on 760 pixels from 96; the axis covers 3.5 decades from 10^-0.5 on 320 pixels.
    assert_eq!(
        [150, 350, 500, 700].map(bar),
        [320, (1.5_f64 / 3.5 * 320.0).round() as usize, 0, 0]
    );
}

#[test]
fn any_input_is_drawn() {
    let numbers = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        f32::MIN,
        0.0,
    ];
    let images = [(1, 1), (1, 900), (3, 2), (900, 1)].map(|(width, height)| plain(width, height));
    for (image, (rows, columns)) in images.iter().zip([(20, 30), (1, 1), (300, 1), (2, 5)]) {
        let values: Vec<f32> = (0..rows * columns)
            .map(|index| numbers[index % 6])
            .collect();
        let labels: Vec<usize> = (0..rows * columns)
            .map(|index| usize::MAX - index % 50)
            .collect();
        let seen: Vec<bool> = labels.iter().map(|label| label % 2 == 0).collect();
        let colors: Vec<[f32; 3]> = values.iter().map(|value| [*value, 1.0, 0.0]).collect();
        let (similarity, mask) = (
            grid(rows, columns, &values),
            Some(grid(rows, columns, &seen)),
        );
        let map = AttentionMap {
            title: "x".repeat(99),
            weights: similarity,
            mask,
        };
        attention(image, &[map], Some(f32::NAN));
        let matches = [(0, 0), (usize::MAX, usize::MAX), (7, 0)];
        let query = Query {
            image,
            patch: (usize::MAX, 0),
            similarity,
        };
        similar(
            &query,
            &[Candidate {
                title: String::new(),
                image,
                similarity,
                matches: &matches,
            }],
        );
        let item = PcaImage {
            image,
            colors: grid(rows, columns, &colors),
            foreground: mask,
        };
        pca(&[item.clone(), item], 0);
        let prediction = grid(rows, columns, &labels);
        let row = SegmentRow {
            image,
            prediction,
            truth: None,
        };
        segments(&[
            row.clone(),
            SegmentRow {
                truth: Some(prediction),
                ..row
            },
        ]);

        let points = numbers.map(|x| {
            numbers.map(|y| PointPair {
                from: (x, y),
                to: (y, x),
                right: None,
            })
        });
        for color in [PairColor::Position, PairColor::Correctness] {
            correspond(image, &plain(9, 9), points.as_flattened(), color);
        }
        let tiles = [0, 4, usize::MAX]
            .map(|window| context_tile(image, (rows, columns), (rows, 0), window));
        let pattern = PatternBlock {
            name: "x".repeat(99),
            share: f64::NAN,
            purity: Some(f64::INFINITY),
            tiles: &tiles,
        };
        patterns(
            &[
                pattern.clone(),
                PatternBlock {
                    tiles: &[],
                    ..pattern
                },
            ],
            0,
            0,
        );
    }
}

#[test]
fn nothing_is_a_figure_too() {
    let image = plain(5, 5);
    attention(&image, &[], None);
    correspond(&image, &image, &[], PairColor::Correctness);
    pca(&[], 3);
    segments(&[]);
    patterns(&[], 6, 2);
    context_tile(&image, (0, 0), (0, 0), 5);
    usage(&[]);
    usage(&[0]);
    usage(&[u64::MAX; 3]);
    usage(&vec![1; 5000]);
}
