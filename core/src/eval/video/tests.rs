use serde::Deserialize;

use super::nearest::nearest_places;
use super::*;
use crate::annotation::labels::LabelMap;
use crate::features::TokenGrid;
use crate::grid::GridShape;
use crate::image::fixture::{Fixture as Images, floats};
use crate::testing::test;

/// What scripts/make_eval_video_fixtures.py wrote.
const FIXTURE: &str = include_str!("../../../../tests/fixtures/eval/video.json");
const TENSORS: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/fixtures/eval/video.safetensors"
));

#[derive(Deserialize)]
struct Fixture {
    scores: Vec<ScoreCase>,
    statistics: Vec<SeriesCase>,
    frame_sizes: Vec<[usize; 4]>,
    nearest: Vec<NearestCase>,
    videos: Vec<VideoCase>,
}

/// Labels and how many pixels have them, one after the other.
type Runs = Vec<(usize, usize)>;

#[derive(Deserialize)]
struct ScoreCase {
    name: String,
    rows: usize,
    columns: usize,
    truth: Vec<Runs>,
    found: Vec<Runs>,
    objects: Vec<ObjectCase>,
}

#[derive(Deserialize)]
struct ObjectCase {
    region: Vec<f64>,
    boundary: Vec<f64>,
    region_statistics: [f64; 3],
    boundary_statistics: [f64; 3],
}

#[derive(Deserialize)]
struct SeriesCase {
    values: Vec<f64>,
    expected: [f64; 3],
}

#[derive(Deserialize)]
struct NearestCase {
    length: usize,
    sources: Vec<usize>,
}

#[derive(Deserialize)]
struct VideoCase {
    name: String,
    rows: usize,
    columns: usize,
    patch: usize,
    size: (usize, usize),
    last: usize,
    radius: usize,
    neighbours: usize,
    objects: usize,
    small: Vec<usize>,
    first: Runs,
    labels: Vec<Runs>,
}

fn fixture() -> Fixture {
    serde_json::from_str(FIXTURE).expect("the fixture")
}

fn labels(rows: usize, columns: usize, runs: &Runs) -> LabelMap {
    let mut labels = Vec::new();
    for (label, count) in runs {
        labels.extend(std::iter::repeat_n(*label, *count));
    }
    LabelMap::new(rows, columns, labels).expect("a full mask")
}

fn assert_near(found: f64, expected: f64, what: &str) {
    assert!(
        (found - expected).abs() < 1e-12,
        "{what}: {found}, expected {expected}"
    );
}

fn assert_series(found: Series, [mean, recall, decay]: [f64; 3], what: &str) {
    assert_near(found.mean, mean, what);
    assert_near(found.recall, recall, what);
    assert_near(found.decay, decay, what);
}

#[test]
fn regions_and_boundaries_match_the_reference() {
    let cases = fixture().scores;
    assert!(cases.len() > 5);
    for case in cases {
        let mut scorer = SequenceScorer::new(case.objects.len());
        for (truth, found) in case.truth.iter().zip(&case.found) {
            let read = |runs| labels(case.rows, case.columns, runs);
            scorer.add(&read(truth), &read(found)).expect("one size");
        }

        let scores = scorer.scores().expect("a frame");
        let (regions, boundaries) = scorer.frames();
        for (object, expected) in case.objects.iter().enumerate() {
            let name = format!("{}, object {object}", case.name);
            for (frame, region) in expected.region.iter().enumerate() {
                assert_near(regions[object][frame], *region, &name);
                assert_near(boundaries[object][frame], expected.boundary[frame], &name);
            }
            assert_series(scores[object].region, expected.region_statistics, &name);
            assert_series(scores[object].boundary, expected.boundary_statistics, &name);
        }
    }
}

#[test]
fn statistics_match_the_reference_at_every_remainder() {
    for case in fixture().statistics {
        let found = Series::of(&case.values).expect("values");
        assert_series(
            found,
            case.expected,
            &format!("{} values", case.values.len()),
        );
    }
    assert_eq!(Series::of(&[]), None);
    assert_eq!(SequenceScorer::new(2).scores(), None);
}

#[test]
fn masks_of_different_sizes_are_not_compared() {
    let mask = |rows| LabelMap::from_fn(rows, 3, |_| 1);
    let error = SequenceScorer::new(1).add(&mask(4), &mask(5));
    let message = error.expect_err("another size").to_string();
    assert!(
        message.contains("3 x 4") && message.contains("3 x 5"),
        "{message}"
    );
}

#[test]
fn frames_have_the_sizes_of_the_official_code() {
    for [width, height, expected_width, expected_height] in fixture().frame_sizes {
        let size = FrameSize::of((width, height), 480, 64, 16);
        assert_eq!((size.width, size.height), (expected_width, expected_height));
    }
    let size = FrameSize::of((854, 480), 480, 14, 14);
    assert_eq!((size.width, size.height), (854, 476));
    let size = FrameSize::of((1, 5000), 8, 64, 16);
    assert_eq!((size.width, size.height), (16, 40_000));
}

#[test]
fn frames_are_resized_as_opencv_does() {
    let images = Images::images(TENSORS);
    let source = images.get("source");
    for (numbers, expected) in images.series("bilinear") {
        let ours = bilinear(&source, numbers[0] as usize, numbers[1] as usize);
        assert_eq!(ours, expected, "{numbers:?}");
    }
}

#[test]
fn nearest_pixels_are_those_of_pillow() {
    for case in fixture().nearest {
        let found = nearest_places(case.length, case.sources.len());
        assert_eq!(found, case.sources, "{} pixels", case.length);
    }
}

#[test]
fn masks_are_propagated_as_by_the_official_code() {
    for case in fixture().videos {
        let shape = GridShape {
            rows: case.rows,
            columns: case.columns,
        };
        let tokens = floats(TENSORS, &format!("{}/tokens", case.name));
        let soft = floats(TENSORS, &format!("{}/soft", case.name));
        let mut tokens = tokens.chunks_exact(shape.count() * 8).map(|tokens| {
            TokenGrid::new(case.rows, case.columns, 8, tokens.to_vec()).expect("a grid")
        });

        let first = labels(case.size.1, case.size.0, &case.first);
        let mask = SoftMask::of(&first, case.objects, shape);
        for (shares, label) in mask.values().chunks_exact(mask.classes()).zip(&case.small) {
            assert_eq!(shares[*label], 1.0, "{}", case.name);
        }

        let settings = Propagation {
            last_frames: case.last,
            radius: case.radius,
            neighbours: case.neighbours,
            temperature: 0.1,
        };
        let classes = mask.classes();
        let first = tokens.next().expect("a first frame");
        let mut propagator = Propagator::new(settings, first, mask).expect("one grid");
        for (frame, tokens) in tokens.enumerate() {
            let found = propagator.next(tokens).expect("one grid");
            let expected = &soft[frame * shape.count() * classes..];
            for (found, expected) in found.values().iter().zip(expected) {
                assert!((found - expected).abs() < 2e-5, "{} {frame}", case.name);
            }
            let labels = labels(case.size.1, case.size.0, &case.labels[frame]);
            assert_eq!(
                found.labels(case.patch, case.size),
                labels,
                "{} {frame}",
                case.name
            );
        }
    }
}

#[test]
fn a_sequence_keeps_the_first_and_the_last_frames() {
    let shape = GridShape {
        rows: 1,
        columns: 2,
    };
    let tokens = |values: [f32; 4]| TokenGrid::new(1, 2, 2, values.to_vec()).expect("two tokens");
    let first = LabelMap::new(1, 2, vec![1, 0]).expect("two labels");
    let mask = SoftMask::of(&first, 1, shape);
    let settings = Propagation {
        neighbours: 1,
        last_frames: 0,
        ..Propagation::default()
    };
    let mut propagator =
        Propagator::new(settings, tokens([1.0, 0.0, 0.0, 1.0]), mask.clone()).expect("one grid");
    // The patches change their places again and again; only the first frame is looked at.
    for _ in 0..3 {
        let moved = propagator
            .next(tokens([0.1, 1.0, 1.0, 0.1]))
            .expect("one grid");
        assert_eq!(moved.values(), [1.0, 0.0, 0.0, 1.0]);
    }
    let strange = propagator
        .next(tokens([f32::NAN, 1.0, 1.0, 0.0]))
        .expect("one grid");
    assert_eq!(
        strange.values(),
        [0.0, 0.0, 0.0, 1.0],
        "no neighbour, no share"
    );

    let other = TokenGrid::new(1, 1, 2, vec![1.0, 0.0]).expect("a token");
    let message = propagator
        .next(other)
        .expect_err("another grid")
        .to_string();
    assert!(message.contains("1 x 1 tokens"), "{message}");
    for wrong in [
        Propagation {
            neighbours: 0,
            ..settings
        },
        Propagation {
            temperature: 0.0,
            ..settings
        },
        Propagation {
            temperature: f32::NAN,
            ..settings
        },
    ] {
        let tokens = tokens([1.0, 0.0, 0.0, 1.0]);
        assert!(Propagator::new(wrong, tokens, mask.clone()).is_err());
    }
}

#[test]
fn a_lost_object_is_known_and_gets_a_patch() {
    // Object 2 is a pixel that no patch's centre shows.
    let labels = LabelMap::from_fn(16, 16, |pixel| match pixel {
        33 => 2,
        pixel if pixel / 16 > 7 => 1,
        _ => 0,
    });
    let shape = GridShape {
        rows: 2,
        columns: 2,
    };
    let mut mask = SoftMask::of(&labels, 3, shape);
    assert_eq!(mask.lost(&labels), [2], "3 is not in the frame at all");
    mask.restore(&labels, 2);
    assert!(mask.lost(&labels).is_empty());
    assert_eq!(mask.values()[..4], [0.0, 0.0, 1.0, 0.0]);
    mask.restore(&labels, 3);
    assert_eq!(
        mask.values()[..4],
        [0.0, 0.0, 1.0, 0.0],
        "what has no pixel takes no patch"
    );
}

#[test]
fn void_is_no_object_unless_it_is_the_only_one() {
    let map = |labels: &[usize]| LabelMap::new(1, labels.len(), labels.to_vec()).expect("labels");
    let several = ObjectNumbers::of(&map(&[0, 2, 255])).expect("objects");
    assert_eq!(several.count(), 2);
    assert_eq!(several.read(&map(&[255, 1, 2, 0])), map(&[0, 1, 2, 0]));

    let one = ObjectNumbers::of(&map(&[0, 255])).expect("an object");
    assert_eq!(one.count(), 1);
    assert_eq!(one.read(&map(&[255, 0])), map(&[1, 0]));

    assert_eq!(ObjectNumbers::of(&map(&[0, 0])), Err(ObjectError::Empty));
    let large = ObjectNumbers::of(&map(&[0, 300]));
    assert_eq!(large, Err(ObjectError::TooMany(300)));
}

#[test]
fn a_class_that_is_everywhere_the_same_is_no_division_by_zero() {
    let whole = LabelMap::from_fn(8, 8, |_| 1);
    let shape = GridShape {
        rows: 2,
        columns: 2,
    };
    let mask = SoftMask::of(&whole, 2, shape);
    assert_eq!(mask.labels(4, (8, 8)), whole);
}
