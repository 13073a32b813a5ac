use rand::RngExt as _;

use super::*;
use crate::rng::{Purpose, stream};
use crate::testing::test;

/// Rows at `center` plus and minus each axis times its length: their principal axes are known
/// exactly.
fn crosses(center: &[f32], axes: &[(Vec<f32>, f32)]) -> Vec<f32> {
    let point = |(axis, length): &(Vec<f32>, f32), sign: f32| -> Vec<f32> {
        center
            .iter()
            .zip(axis)
            .map(|(c, a)| c + sign * length * a)
            .collect()
    };
    axes.iter()
        .flat_map(|axis| [point(axis, 1.0), point(axis, -1.0)])
        .flatten()
        .collect()
}

#[test]
fn known_principal_axes_are_found() {
    let axes = [
        (vec![0.6, 0.8, 0.0, 0.0], 2.0),
        (vec![-0.8, 0.6, 0.0, 0.0], 3.0),
        (vec![0.0, 0.0, 0.0, -1.0], 1.0),
    ];
    let values = crosses(&[100.0, -50.0, 7.0, 0.25], &axes);
    let rows = Rows::new(&values, 4).expect("six rows");
    let pca = Pca::fit(&rows, 4).expect("three directions vary");
    assert_eq!(pca.count(), 3, "nothing varies along the third dimension");
    // Six rows, two of them at distance l along each axis: the variance is 2 l^2 / 6.
    let expected = [
        ([0.8, -0.6, 0.0, 0.0], 3.0),
        ([0.6, 0.8, 0.0, 0.0], 4.0 / 3.0),
        ([0.0, 0.0, 0.0, 1.0], 1.0 / 3.0),
    ];
    for ((found, variance), (axis, expected)) in
        pca.components().zip(pca.variances()).zip(&expected)
    {
        assert!(
            found.iter().zip(axis).all(|(a, b)| (a - b).abs() < 1e-5),
            "{found:?} is not {axis:?}"
        );
        assert!(
            (variance - expected).abs() < 1e-5,
            "{variance} is not {expected}"
        );
    }
    let shares = pca.variance_shares();
    assert!(
        (shares[0] - 9.0 / 14.0).abs() < 1e-6 && (shares.iter().sum::<f64>() - 1.0).abs() < 1e-6
    );
    let projected = pca.project(&rows).expect("same width");
    for (found, expected) in projected
        .iter()
        .zip([0.0, 2.0, 0.0, 0.0, -2.0, 0.0, -3.0, 0.0, 0.0])
    {
        assert!((found - expected).abs() < 1e-4, "{projected:?}");
    }
}

#[test]
fn many_blocks_agree_with_a_plain_covariance() {
    let (count, dim) = (3 * BLOCK + 17, 7);
    let mut rng = stream(3, Purpose::Cluster, 0, 0);
    let values: Vec<f32> = (0..count * dim)
        .map(|i| rng.random_range(-1.0..1.0) * (1 + i % dim) as f32 + 40.0)
        .collect();
    let rows = Rows::new(&values, dim).expect("whole rows");
    let mean = rows.mean();
    let found = covariance(&rows, &mean);
    for (i, j) in (0..dim).flat_map(|i| (0..dim).map(move |j| (i, j))) {
        let products = rows
            .iter()
            .map(|row| (f64::from(row[i]) - mean[i]) * (f64::from(row[j]) - mean[j]));
        let plain = products.sum::<f64>() / count as f64;
        assert!(
            (found[(i, j)] - plain).abs() < 1e-5,
            "({i}, {j}): {} is not {plain}",
            found[(i, j)]
        );
    }
}

#[test]
fn scale_does_not_change_the_axes() {
    let axes = [(vec![0.6, 0.8], 2.0), (vec![-0.8, 0.6], 1.0)];
    let values = crosses(&[0.0, 0.0], &axes);
    for scale in [1e-12, 1e12] {
        let scaled: Vec<f32> = values.iter().map(|v| v * scale).collect();
        let pca = Pca::fit(&Rows::new(&scaled, 2).expect("rows"), 2).expect("two directions");
        let first: Vec<f32> = pca.components().flatten().copied().collect();
        assert!(
            first
                .iter()
                .zip([0.6, 0.8, 0.8, -0.6])
                .all(|(a, b)| (a - b).abs() < 1e-5),
            "{scale}: {first:?}"
        );
    }
}

#[test]
fn degenerate_rows_are_refused() {
    let fit = |values: &[f32], count| Pca::fit(&Rows::new(values, 3).expect("rows"), count);
    assert_eq!(
        fit(&[1.0, 2.0, 3.0], 1),
        Err(PcaError::NoVariance { rows: 1 })
    );
    assert_eq!(fit(&[0.0; 12], 1), Err(PcaError::NoVariance { rows: 4 }));
    assert_eq!(
        fit(&[0.1; 3000], 3),
        Err(PcaError::NoVariance { rows: 1000 })
    );
    assert_eq!(
        fit(&[1.0, 0.0, 0.0, 2.0, 0.0, 0.0], 0),
        Err(PcaError::NoComponents)
    );
    let line = fit(&[1.0, 0.0, 0.0, 2.0, 0.0, 0.0], 3).expect("one direction varies");
    assert_eq!(line.count(), 1);
    // A plane in 20 dimensions, not along the axes: rounding is no third direction.
    let wave = |i: usize, j: usize| ((i * j) as f32).sin();
    let plane: Vec<f32> = (0..2000)
        .map(|i| wave(i / 20, 3) * wave(i % 20, 5) + wave(i / 20, 7) * wave(i % 20, 2))
        .collect();
    let found = Pca::fit(&Rows::new(&plane, 20).expect("rows"), 3).expect("a plane");
    assert_eq!(found.count(), 2);
    let wide = [0.0; 4];
    let found = line.project(&Rows::new(&wide, 4).expect("rows"));
    assert_eq!(
        found,
        Err(PcaError::Width {
            expected: 3,
            actual: 4
        })
    );
}
