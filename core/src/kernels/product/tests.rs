use super::*;
use crate::testing::test;

/// Values in ±1 that no two places share.
fn values(count: usize, seed: usize) -> Vec<f32> {
    (0..count)
        .map(|i| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0)
        .collect()
}

#[test]
fn products_are_those_of_a_loop() {
    // Parts of a tile, of a vector and of a panel; more than one depth; one value.
    for [m, k, n] in [
        [1, 1, 1],
        [7, 5, 3],
        [13, 70, 100],
        [8, 900, 48],
        [25, 384, 145],
    ] {
        let (a, b) = (values(m * (k + 3), 1), values((k + 2) * n, 2));
        let left = Rows::dense(&a, k + 3).columns(2, k);
        let transposed: Vec<f32> = (0..n * (k + 2))
            .map(|i| b[i % (k + 2) * n + i / (k + 2)])
            .collect();

        for right in [
            Panels::pack(Rows::dense(&b, n)),
            Panels::pack_transposed(Rows::dense(&transposed, k + 2)),
        ] {
            let mut out = values(m * n, 3);
            add_product(left, &right, 1, &mut out);
            for (at, old) in values(m * n, 3).into_iter().enumerate() {
                let (row, column) = (at / n, at % n);
                let sum: f64 = (0..k)
                    .map(|i| {
                        f64::from(a[row * (k + 3) + 2 + i]) * f64::from(b[(1 + i) * n + column])
                    })
                    .sum();
                let expected = f64::from(old) + sum;
                assert!(
                    (f64::from(out[at]) - expected).abs() < 2e-5,
                    "{m} x {k} x {n}, {row} {column}: {} {expected}",
                    out[at]
                );
            }
        }
    }
}

#[test]
fn a_row_does_not_depend_on_the_others() {
    let (a, b) = (values(19 * 400, 1), values(400 * 70, 2));
    let (left, right) = (Rows::dense(&a, 400), Panels::pack(Rows::dense(&b, 70)));
    let mut together = vec![0.0; 19 * 70];
    add_product(left, &right, 0, &mut together);

    for row in 0..19 {
        let mut alone = vec![0.0; 70];
        add_product(left.rows(row, 1), &right, 0, &mut alone);
        assert_eq!(alone, together[row * 70..][..70], "row {row}");
    }
}
