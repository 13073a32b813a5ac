use rand::RngExt as _;
use serde::Deserialize;

use super::*;
use crate::rng::{Purpose, Rng, stream};
use crate::testing::test;

/// What scripts/make_eval_rank_fixtures.py wrote.
const FIXTURE: &str = include_str!("../../../../tests/fixtures/eval/rank.json");

const IMAGES: usize = 40;
const GRID: GridShape = GridShape {
    rows: 6,
    columns: 6,
};
const DIM: usize = 5;

#[derive(Deserialize)]
struct Fixture {
    structures: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    rows: usize,
    columns: usize,
    dim: usize,
    tokens: Vec<f32>,
    image: f64,
    position: f64,
    content: f64,
    coherence: f64,
}

/// Tokens of [`IMAGES`] images, each by its image and its patch.
fn tokens(mut token: impl FnMut(usize, usize) -> [f32; DIM]) -> Vec<f32> {
    let mut values = Vec::new();
    for image in 0..IMAGES {
        for patch in 0..GRID.count() {
            values.extend(token(image, patch));
        }
    }
    values
}

fn structure(tokens: &[f32]) -> PatchStructure {
    PatchStructure::of(tokens, GRID, DIM).expect("whole images")
}

fn random(rng: &mut Rng) -> [f32; DIM] {
    std::array::from_fn(|_| rng.random_range(-1.0..1.0))
}

fn plus(a: [f32; DIM], b: [f32; DIM], scale: f32) -> [f32; DIM] {
    std::array::from_fn(|d| a[d] + scale * b[d])
}

/// An object at a random place of each image: its patches share one token, the rest another.
fn objects(rng: &mut Rng) -> Vec<f32> {
    let kinds: Vec<[f32; DIM]> = (0..8).map(|_| random(rng)).collect();
    let mut drawn = Vec::new();
    for _ in 0..IMAGES {
        let corner = (rng.random_range(0..4), rng.random_range(0..4));
        let (object, ground) = (rng.random_range(0..8), rng.random_range(0..8));
        drawn.push((corner, kinds[object], kinds[ground]));
    }
    tokens(|image, patch| {
        let ((top, left), object, ground) = drawn[image];
        let (row, column) = GRID.position(patch);
        let inside = (top..top + 3).contains(&row) && (left..left + 3).contains(&column);
        let token = if inside { object } else { ground };
        plus(token, random(rng), 0.1)
    })
}

#[test]
fn parts_and_order_equal_those_of_numpy() {
    let fixture: Fixture = serde_json::from_str(FIXTURE).expect("the fixture");
    assert_eq!(fixture.structures.len(), 4);
    for case in fixture.structures {
        let Case { rows, columns, .. } = case;
        let grid = GridShape { rows, columns };
        let found = PatchStructure::of(&case.tokens, grid, case.dim).expect("whole images");
        for (found, expected) in [
            (found.image, case.image),
            (found.position, case.position),
            (found.content, case.content),
            (found.coherence, case.coherence),
        ] {
            let name = &case.name;
            assert!(
                (found - expected).abs() < 1e-9,
                "{name}: {found}, not {expected}"
            );
        }
    }
}

#[test]
fn constant_tokens_have_no_structure() {
    let constant = tokens(|_, _| [0.1, -3.3, 7.7, 0.0, 1e-3]);
    assert_eq!(structure(&constant), PatchStructure::default());
    assert_eq!(structure(&vec![0.0; constant.len()]).local(), 0.0);
}

#[test]
fn tokens_that_say_only_where_they_are_have_no_local_structure() {
    let mut rng = stream(1, Purpose::Init, 0, 0);
    let places: Vec<[f32; DIM]> = (0..GRID.count()).map(|_| random(&mut rng)).collect();
    let found = structure(&tokens(|_, patch| places[patch]));
    assert!((found.position - 1.0).abs() < 1e-9, "{found:?}");
    assert_eq!(found.local(), 0.0, "{found:?}");
}

#[test]
fn tokens_that_copy_the_whole_image_have_no_local_structure() {
    let mut rng = stream(2, Purpose::Init, 0, 0);
    let images: Vec<[f32; DIM]> = (0..IMAGES).map(|_| random(&mut rng)).collect();
    let found = structure(&tokens(|image, _| images[image]));
    assert!((found.image - 1.0).abs() < 1e-9, "{found:?}");
    assert_eq!(found.local(), 0.0, "{found:?}");
}

#[test]
fn tokens_of_objects_have_local_structure_and_lose_it_with_their_places() {
    let mut rng = stream(3, Purpose::Init, 0, 0);
    let clustered = objects(&mut rng);
    let found = structure(&clustered);
    assert!(found.content > 0.3 && found.coherence > 0.5, "{found:?}");

    // The same tokens, shuffled within each image: as much content, without order.
    let mut shuffled = clustered.clone();
    for image in shuffled.chunks_exact_mut(GRID.count() * DIM) {
        for patch in (1..GRID.count()).rev() {
            let other = rng.random_range(0..=patch);
            for d in 0..DIM {
                image.swap(patch * DIM + d, other * DIM + d);
            }
        }
    }
    let lost = structure(&shuffled);
    assert!((lost.image - found.image).abs() < 1e-6, "{lost:?}");
    assert!(lost.coherence.abs() < 0.05, "{lost:?}");
    assert!(lost.local() < found.local() / 8.0, "{lost:?}");

    // The failure of long training: what the image is drowns what its parts are.
    let images: Vec<[f32; DIM]> = (0..IMAGES).map(|_| random(&mut rng)).collect();
    let per_image = GRID.count() * DIM;
    let mut drowned = clustered;
    for (index, value) in drowned.iter_mut().enumerate() {
        *value += 5.0 * images[index / per_image][index % DIM];
    }
    let drowned = structure(&drowned);
    assert!(drowned.local() < found.local() / 5.0, "{drowned:?}");
}

#[test]
fn noise_is_content_without_order() {
    let mut rng = stream(4, Purpose::Init, 0, 0);
    let found = structure(&tokens(|_, _| random(&mut rng)));
    assert!(
        found.content > 0.9 && found.coherence.abs() < 0.05,
        "{found:?}"
    );
    let sum = found.image + found.position + found.content;
    assert!((sum - 1.0).abs() < 1e-12);
}

#[test]
fn what_has_no_structure_is_refused() {
    let of = |tokens: &[f32]| PatchStructure::of(tokens, GRID, DIM);
    let image = vec![1.0; GRID.count() * DIM];
    let too_few = StructureError::TooFew {
        images: 1,
        patches: 36,
    };
    assert_eq!(of(&image), Err(too_few));
    assert!(matches!(of(&image[1..]), Err(StructureError::Shape { .. })));
    let mut broken = [image.clone(), image].concat();
    broken[7] = f32::NAN;
    assert_eq!(of(&broken), Err(StructureError::NotFinite));
    let dot = GridShape {
        rows: 1,
        columns: 1,
    };
    assert!(matches!(
        PatchStructure::of(&[1.0; 10], dot, DIM),
        Err(StructureError::TooFew {
            images: 2,
            patches: 1
        })
    ));
}
