use super::regions::boundaries_of;
use super::*;
use crate::grid::{Grid, GridRef};
use crate::image::RgbImage;
use crate::testing::test;

const GREY: [u8; 3] = [100; 3];

fn plain(width: usize, height: usize) -> RgbImage {
    RgbImage::from_fn(width, height, |_, _| GREY)
}

fn heatmap(interpolation: Interpolation, alpha: f32) -> Heatmap {
    Heatmap {
        range: Range {
            low: 0.0,
            high: 1.0,
        },
        scale: ColorScale::Viridis,
        interpolation,
        alpha,
    }
}

#[test]
fn a_patch_takes_its_color_over_its_pixels_and_no_others() {
    let values = GridRef::new(2, 3, &[0.0, 0.5, 1.0, f32::NAN, 1.0, 0.0]).expect("six");
    let drawn = heatmap(Interpolation::Nearest, 1.0).draw(&plain(7, 5), values);
    let color = |position: f32| ColorScale::Viridis.color(position);
    // Edges at 7/3 and 14/3: the centres of columns 0 and 1 are before the first, those of 2 to 4
    // between. The edge at 5/2 goes through the centre of row 2.
    let expected = RgbImage::from_fn(7, 5, |x, y| match (x, y) {
        (0..2, 0..2) => color(0.0),
        (2..5, 0..2) => color(0.5),
        (5..7, 0..2) => color(1.0),
        (0..2, _) => GREY,
        (2..5, _) => color(1.0),
        _ => color(0.0),
    });
    assert_eq!(drawn, expected);
    let half = heatmap(Interpolation::Nearest, 0.5).draw(&plain(7, 5), values);
    assert_eq!(half.pixel(6, 0), mix(GREY, color(1.0), 0.5));
    assert_eq!(
        heatmap(Interpolation::Nearest, 0.0).draw(&plain(7, 5), values),
        plain(7, 5)
    );
}

#[test]
fn smooth_values_rise_between_the_centres_of_patches() {
    let values = GridRef::new(1, 2, &[0.0, 1.0]).expect("two");
    let drawn = heatmap(Interpolation::Smooth, 1.0).draw(&plain(40, 4), values);
    assert_eq!(drawn.pixel(0, 0), ColorScale::Viridis.color(0.0));
    assert_eq!(drawn.pixel(39, 3), ColorScale::Viridis.color(1.0));
    let greens: Vec<u8> = (10..30).map(|x| drawn.pixel(x, 2)[1]).collect();
    assert!(
        greens.windows(2).all(|pair| pair[0] <= pair[1]),
        "{greens:?}"
    );
    assert!(
        greens[9] < ColorScale::Viridis.color(0.5)[1]
            && ColorScale::Viridis.color(0.5)[1] < greens[10]
    );
}

#[test]
fn a_missing_value_leaves_no_trace_beside_it() {
    let values = GridRef::new(1, 3, &[1.0, f32::NAN, 1.0]).expect("three");
    let drawn = heatmap(Interpolation::Smooth, 1.0).draw(&plain(30, 6), values);
    let bright = ColorScale::Viridis.color(1.0);
    let expected = |x: usize| if (10..20).contains(&x) { GREY } else { bright };
    assert!((0..30).all(|x| drawn.pixel(x, 3) == expected(x)));
}

#[test]
fn boundaries_lie_between_parts() {
    let labels = GridRef::new(2, 2, &[1, 2, 1, 9]).expect("four");
    let drawn = LabelOverlay {
        unpainted: Some(9),
        alpha: 1.0,
        ..LabelOverlay::default()
    }
    .draw(&plain(8, 8), labels);
    let expected = RgbImage::from_fn(8, 8, |x, y| match (x, y) {
        (3, _) | (4.., 3) => [255; 3],
        (0..3, _) => category(1),
        (4.., 0..3) => category(2),
        _ => GREY,
    });
    assert_eq!(drawn, expected);
}

#[test]
fn lines_grow_with_the_image() {
    let halves = GridRef::new(1, 2, &[true, false]).expect("two");
    for (side, expected) in [(10, 4..5), (600, 299..301), (900, 448..451)] {
        let found = boundaries_of(halves, &plain(side, side));
        let columns: Vec<usize> = (0..side).filter(|x| found[*x]).collect();
        assert_eq!(columns, expected.collect::<Vec<_>>());
    }
    let one = GridRef::new(1, 1, &[0]).expect("one");
    assert!(!boundaries_of(one, &plain(9, 9)).contains(&true));
}

#[test]
fn a_mask_is_tinted_inside_and_shaded_outside() {
    let mask = GridRef::new(1, 2, &[true, false]).expect("two");
    let style = MaskOverlay {
        color: [200, 0, 0],
        alpha: 0.5,
        shade: 0.5,
    };
    let drawn = style.draw(&plain(8, 1), mask);
    let pixels: Vec<_> = (0..8).map(|x| drawn.pixel(x, 0)).collect();
    assert_eq!(
        pixels,
        [[[150, 50, 50]; 3].as_slice(), &[[200, 0, 0]], &[[50; 3]; 4]].concat()
    );
}

#[test]
fn color_maps_keep_components_and_mask_the_background() {
    let colors = [
        [0.0, 0.5, 1.0],
        [1.0, 2.0, -1.0],
        [f32::NAN, 0.0, 0.0],
        [0.2; 3],
    ];
    let (colors, seen) = (
        GridRef::new(1, 4, &colors).expect("4"),
        [true, true, true, false],
    );
    let foreground = GridRef::new(1, 4, &seen).expect("4");
    let map = rgb_map((8, 2), colors, Some(foreground), GREY);
    let pixels: Vec<_> = (0..8).step_by(2).map(|x| map.pixel(x, 1)).collect();
    assert_eq!(pixels, [[0, 128, 255], [255, 255, 0], GREY, GREY]);
}

#[test]
fn any_image_and_grid_are_drawn() {
    let numbers = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        f32::MIN,
        0.0,
    ];
    for (width, height) in [(1, 1), (1, 50), (50, 1), (3, 2)] {
        let image = plain(width, height);
        for (rows, columns) in [(1, 1), (1, 600), (600, 1), (20, 30), (2, 3)] {
            let values: Vec<f32> = (0..rows * columns)
                .map(|index| numbers[index % 6])
                .collect();
            let values = GridRef::new(rows, columns, &values).expect("counted");
            let labels: Vec<usize> = (0..rows * columns)
                .map(|index| usize::MAX - index)
                .collect();
            let seen: Vec<bool> = labels.iter().map(|label| label % 2 == 0).collect();
            let colors: Vec<[f32; 3]> = values
                .cells()
                .iter()
                .map(|value| [*value, 1.0, 0.0])
                .collect();
            for interpolation in [Interpolation::Nearest, Interpolation::Smooth] {
                for range in [
                    Range::of(values.cells()),
                    Range {
                        low: f32::NAN,
                        high: 1.0,
                    },
                ] {
                    Heatmap {
                        range,
                        ..heatmap(interpolation, f32::NAN)
                    }
                    .draw(&image, values);
                }
                let colors = GridRef::new(rows, columns, &colors).expect("counted");
                let foreground = GridRef::new(1, 1, &seen[..1]).expect("one");
                rgb_map((width, height), colors, Some(foreground), GREY);
            }
            LabelOverlay::default().draw(
                &image,
                GridRef::new(rows, columns, &labels).expect("counted"),
            );
            let mask = MaskOverlay {
                color: GREY,
                alpha: 9.0,
                shade: -1.0,
            };
            mask.draw(&image, GridRef::new(rows, columns, &seen).expect("counted"));
        }
    }
}

/// Pixels and patches on a side, with patches of whole pixels (the first two) and without.
const SIDES: [(usize, usize); 5] = [(224, 14), (518, 37), (300, 28), (250, 16), (451, 30)];

#[test]
fn what_is_drawn_is_what_is_scored() {
    for (side, patches) in SIDES {
        // Labels that differ between neighbours, each with a color of its own.
        let labels = Grid::from_fn(patches, patches, |index| {
            index % patches % 4 + index / patches % 4 * 4
        });
        let geometry =
            crate::grid::PatchGeometry::new(side, side, patches, patches).expect("no side is zero");
        let scored = geometry.enlarge(labels.cells()).expect("one a patch");

        let image = plain(side, side);
        let drawn = LabelOverlay {
            alpha: 1.0,
            ..LabelOverlay::default()
        }
        .draw(&image, labels.view());
        let on_line = boundaries_of(labels.view(), &image);
        for (pixel, label) in scored.iter().enumerate() {
            let color = drawn.pixel(pixel % side, pixel / side);
            assert!(
                on_line[pixel] || color == category(*label),
                "{patches} patches on {side} pixels, pixel {pixel}"
            );
        }

        // The other two pictures, which draw no lines.
        let numbers = Grid::from_fn(patches, patches, |index| {
            labels.cells()[index] as f32 / 15.0
        });
        let heat = heatmap(Interpolation::Nearest, 1.0).draw(&image, numbers.view());
        let colors = Grid::from_fn(patches, patches, |index| [numbers.cells()[index]; 3]);
        let map = rgb_map((side, side), colors.view(), None, GREY);
        for (pixel, label) in scored.iter().enumerate() {
            let position = *label as f32 / 15.0;
            let (x, y) = (pixel % side, pixel / side);
            assert_eq!(heat.pixel(x, y), ColorScale::Viridis.color(position));
            assert_eq!(map.pixel(x, y), [(position * 255.0).round() as u8; 3]);
        }

        // Labels of patches from labels of pixels: each patch gets back its own.
        let truth = Grid::new(side, side, scored).expect("one a pixel");
        assert_eq!(truth.majority(patches, patches), labels);
    }
}
