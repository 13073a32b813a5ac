use super::*;
use crate::testing::test;

fn geometry(width: usize, height: usize, rows: usize, columns: usize) -> PatchGeometry {
    PatchGeometry::new(width, height, rows, columns).expect("no side is zero")
}

#[test]
fn patches_of_whole_pixels_have_the_centres_of_their_pixels() {
    let map = geometry(64, 32, 2, 4);
    assert_eq!(map.center(0), (7.5, 7.5), "the mean of the pixels 0..=15");
    assert_eq!(map.center(5), (23.5, 23.5));
    assert_eq!(map.patch_at(15.0, 15.0), Ok(0));
    assert_eq!(map.patch_at(16.0, 15.0), Ok(1));
    assert_eq!(map.patch_at(15.0, 16.0), Ok(4));
    assert_eq!(map.patch_at(63.4, 31.4), Ok(7));
}

#[test]
fn a_patch_holds_its_own_centre_however_the_image_was_stretched() {
    for (width, height, rows, columns) in [
        (100, 37, 7, 9),
        (5, 3, 6, 10),
        (1, 1, 3, 3),
        (640, 427, 42, 64),
    ] {
        let map = geometry(width, height, rows, columns);
        for patch in 0..map.count() {
            let (x, y) = map.center(patch);
            assert_eq!(map.patch_at(x, y), Ok(patch));
        }
    }
}

#[test]
fn points_outside_are_refused_with_the_bounds() {
    let map = geometry(64, 32, 2, 4);
    for (x, y) in [
        (64.0, 0.0),
        (0.0, 32.0),
        (-0.6, 0.0),
        (0.0, -1.0),
        (f64::NAN, 0.0),
        (0.0, f64::INFINITY),
    ] {
        assert!(
            matches!(map.patch_at(x, y), Err(GeometryError::Outside { .. })),
            "({x}, {y})"
        );
    }
    let pixel = geometry(1, 1, 1, 1);
    assert_eq!(
        pixel.patch_at(0.5f64.next_down(), 0.0),
        Ok(0),
        "just inside, though adding 1/2 rounds to 1"
    );
    let message = map
        .patch_at(64.0, 0.0)
        .expect_err("x = 64 is one too far")
        .to_string();
    assert_eq!(
        message,
        "point (64, 0) is outside the image: x goes from 0 to 63, y from 0 to 31"
    );
    assert!(matches!(
        PatchGeometry::new(64, 32, 0, 4),
        Err(GeometryError::Empty { .. })
    ));
}

#[test]
fn enlarging_repeats_whole_patches() {
    let map = geometry(4, 2, 1, 2);
    assert_eq!(map.enlarge(&[7, 9]), Ok(vec![7, 7, 9, 9, 7, 7, 9, 9]));
    assert_eq!(
        map.enlarge(&[7]),
        Err(ShapeError {
            rows: 1,
            columns: 2,
            depth: 1,
            actual: 1
        })
    );
}

#[test]
fn enlarging_agrees_with_the_patch_of_each_pixel() {
    let map = geometry(11, 7, 3, 4);
    let patches: Vec<usize> = (0..map.count()).collect();
    let expected: Vec<usize> = (0..77)
        .map(|at| {
            map.patch_at((at % 11) as f64, (at / 11) as f64)
                .expect("a pixel is on its image")
        })
        .collect();
    assert_eq!(map.enlarge(&patches), Ok(expected));
}

#[test]
fn patches_cover_an_image_once_whatever_its_size() {
    for (cells, side) in [
        (1, 1),
        (3, 7),
        (7, 3),
        (14, 224),
        (5, 224),
        (224, 224),
        (1000, 1),
        (28, 300),
        (16, 250),
        (30, 451),
    ] {
        let map = geometry(side, 1, 1, cells);
        let mut next = 0;
        for column in 0..cells {
            let rect = map.pixels_of(0, column);
            assert_eq!(rect.left, next);
            assert!((rect.left..rect.right()).all(|x| map.patch_of_pixel(x, 0) == column));
            next = rect.right();
        }
        assert_eq!(next, side);
    }
}

#[test]
fn what_is_outside_is_taken_as_the_nearest() {
    let last = Rect {
        left: 7,
        top: 4,
        width: 3,
        height: 5,
    };
    assert_eq!(patch_rect((2, 3), (1, 2), (10, 9)), last);
    assert_eq!(patch_rect((2, 3), (9, 9), (10, 9)), last);
    assert_eq!(
        patch_rect((0, 0), (0, 0), (10, 9)),
        Rect {
            left: 0,
            top: 0,
            width: 10,
            height: 9
        }
    );
    assert_eq!(
        patch_rect((usize::MAX, usize::MAX), (usize::MAX, 0), (10, 9)).bottom(),
        9
    );
    let grid = GridRef::new(2, 3, &[1, 2, 3, 4, 5, 6]).expect("six values");
    assert_eq!(*grid.at((4, 9), (9, 10)), 5);
    assert_eq!(*grid.at((99, 99), (9, 10)), 6);
}
