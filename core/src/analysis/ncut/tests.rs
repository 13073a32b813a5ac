use std::f64::consts::PI;

use super::*;
use crate::analysis::affinity::TAU;
use crate::features::TokenGrid;
use crate::testing::test;

fn graph(n: usize, weight: impl Fn(usize, usize) -> f32) -> Affinity {
    let weights = (0..n * n)
        .map(|i| weight((i / n).min(i % n), (i / n).max(i % n)))
        .collect();
    Affinity::from_weights(n, weights)
}

/// Whether two partitions are equal but for the names of the parts.
fn same(a: &[usize], b: &[usize]) -> bool {
    (0..a.len()).all(|i| (0..i).all(|j| (a[i] == a[j]) == (b[i] == b[j])))
}

#[test]
fn two_blocks_have_the_known_eigenvalue_and_the_smaller_one_is_foreground() {
    // Blocks of 6 and 14 patches with weight 1 inside and e between. By symmetry the
    // eigenvector is constant in each block, and its eigenvalue is the sum of the shares of
    // each block's degree that leave it.
    let e = 0.01;
    let block = |i: usize| usize::from(i % 10 < 7);
    let affinity = graph(20, |i, j| if block(i) == block(j) { 1.0 } else { e as f32 });
    let cut = affinity.bipartition().expect("two blocks");
    let expected = 14.0 * e / (6.0 + 14.0 * e) + 6.0 * e / (14.0 + 6.0 * e);
    assert!(
        (cut.eigenvalue - expected).abs() < 1e-7,
        "{} is not {expected}",
        cut.eigenvalue
    );
    assert!(
        (0..20).all(|i| cut.foreground[i] == (block(i) == 0)),
        "{:?}",
        cut.foreground
    );
    assert!(cut.foreground[cut.seed] && cut.eigenvector[cut.seed] > 0.0);
    let labels = affinity.segments(2, 5).expect("two blocks");
    assert!(same(&labels, &(0..20).map(block).collect::<Vec<_>>()));
}

#[test]
fn eigenvalues_of_known_graphs() {
    // A path's normalised Laplacian has the eigenvalues 1 - cos(pi k / (n - 1)).
    let path = graph(11, |i, j| f32::from(u8::from(j == i + 1)));
    let cut = path.bipartition().expect("a path has a middle");
    assert!((cut.eigenvalue - (1.0 - (PI / 10.0).cos())).abs() < 1e-9);
    // Its generalised eigenvector is cos(pi i / (n - 1)), whatever the sign; the middle is at
    // the threshold.
    let ends = cut.eigenvector[0];
    for (i, found) in cut.eigenvector.iter().enumerate() {
        assert!(
            (found / ends - (PI * i as f64 / 10.0).cos()).abs() < 1e-6,
            "{i}: {found}"
        );
    }
    assert!(cut.seed == 0 && (0..5).all(|i| cut.foreground[i] && !cut.foreground[10 - i]));
    // A complete bipartite graph has 0, then 1 for all but the last, 2: no cut is better than
    // another.
    let bipartite = graph(9, |i, j| f32::from(u8::from((i < 4) != (j < 4))));
    assert_eq!(bipartite.bipartition(), Err(CutError::Uniform));
    let complete = graph(9, |i, j| f32::from(u8::from(i != j)));
    assert_eq!(complete.segments(2, 0), Err(CutError::Uniform));
}

#[test]
fn the_cut_is_at_the_mean() {
    // Paths whose edges grow heavier: their eigenvectors have elements between zero and the
    // mean.
    for n in 8..24 {
        let path = graph(n, |i, j| if j == i + 1 { (1 + i * i) as f32 } else { 0.0 });
        let cut = path.bipartition().expect("a path");
        let mean = cut.eigenvector.iter().sum::<f64>() / n as f64;
        assert!(
            cut.eigenvector
                .iter()
                .zip(&cut.foreground)
                .all(|(v, inside)| (*v > mean) == *inside)
        );
        assert!(
            cut.eigenvector.iter().any(|v| (*v > mean) != (*v > 0.0)),
            "{n}: zero would cut alike"
        );
        assert!(
            cut.eigenvector
                .iter()
                .all(|v| v.abs() <= cut.eigenvector[cut.seed] * 1.00001)
        );
    }
}

#[test]
fn tokens_in_groups_are_cut_into_groups() {
    // Three groups of equal size around orthogonal directions: the eigenvalue between them has
    // multiplicity 2.
    let group = |i: usize| (i * 7 + i / 5) % 3;
    let values = (0..60).flat_map(|i| {
        let mut token = [
            0.05 * (i % 4) as f32,
            0.03 * (i % 7) as f32,
            0.04 * (i % 3) as f32,
        ];
        token[group(i)] += 1.0 + i as f32;
        token
    });
    let truth: Vec<usize> = (0..60).map(group).collect();
    let grid = TokenGrid::new(6, 10, 3, values.collect()).expect("three values a token");
    let affinity = Affinity::of_tokens(&grid, TAU).expect("60 patches");
    for seed in 0..5 {
        assert!(
            same(&affinity.segments(3, seed).expect("three groups"), &truth),
            "seed {seed}"
        );
    }
    assert_eq!(affinity.segments(1, 0), Ok(vec![0; 60]));
    let cut = affinity.bipartition().expect("groups");
    let sides: Vec<usize> = (0..3)
        .filter(|g| truth.iter().zip(&cut.foreground).any(|(t, f)| t == g && *f))
        .collect();
    assert!(
        (1..=2).contains(&sides.len()),
        "each group lies on one side"
    );
    for (i, j) in (0..60)
        .flat_map(|i| (0..60).map(move |j| (i, j)))
        .filter(|(i, j)| truth[*i] == truth[*j])
    {
        assert_eq!(cut.foreground[i], cut.foreground[j]);
    }
}

#[test]
fn two_rings_are_told_apart() {
    // Concentric rings cannot be separated by a line, but are connected along themselves.
    let point = |i: usize| {
        let (radius, count) = if i < 30 { (1.0, 30.0) } else { (3.0, 60.0) };
        let angle = 2.0 * PI * i as f64 / count;
        (radius * angle.cos(), radius * angle.sin())
    };
    let affinity = graph(90, |i, j| {
        let ((a, b), (c, d)) = (point(i), point(j));
        (-((a - c).powi(2) + (b - d).powi(2)) / 0.1).exp() as f32
    });
    let truth: Vec<usize> = (0..90).map(|i| usize::from(i < 30)).collect();
    assert!(same(&affinity.segments(2, 0).expect("two rings"), &truth));
    let cut = affinity.bipartition().expect("two rings");
    assert!(
        truth
            .iter()
            .zip(&cut.foreground)
            .all(|(inner, found)| (*inner == 1) == *found)
    );
}

#[test]
fn what_cannot_be_cut_is_refused() {
    let grid = |values: Vec<f32>| TokenGrid::new(1, values.len() / 2, 2, values).expect("a grid");
    let alike = Affinity::of_tokens(&grid(vec![0.3; 200]), TAU).expect("100 patches");
    assert_eq!(alike.bipartition(), Err(CutError::Uniform));
    assert_eq!(alike.segments(3, 0), Err(CutError::Uniform));
    let zeros = Affinity::of_tokens(&grid(vec![0.0; 20]), TAU).expect("10 patches");
    assert_eq!(zeros.bipartition(), Err(CutError::Uniform));
    assert_eq!(
        zeros.segments(11, 0),
        Err(CutError::Segments {
            patches: 10,
            segments: 11
        })
    );
    assert_eq!(
        zeros.segments(0, 0),
        Err(CutError::Segments {
            patches: 10,
            segments: 0
        })
    );
    let pair = Affinity::of_tokens(&grid(vec![1.0, 0.0, 0.0, 1.0]), TAU).expect("2 patches");
    assert_eq!(
        pair.bipartition()
            .expect("orthogonal")
            .foreground
            .iter()
            .filter(|f| **f)
            .count(),
        1
    );
}
