use serde::Deserialize;

use super::*;
use crate::testing::test;

/// What scripts/make_eval_cluster_fixtures.py wrote.
const FIXTURE: &str = include_str!("../../../../tests/fixtures/eval/cluster.json");

#[derive(Deserialize)]
struct Case {
    name: String,
    predicted: Vec<usize>,
    truth: Vec<usize>,
    acc: f64,
    nmi: f64,
    ari: f64,
    fmi: f64,
}

fn table(predicted: &[usize], truth: &[usize]) -> Contingency {
    Contingency::new(predicted, truth, Some(255)).expect("labels of equal length")
}

fn close(found: f64, expected: f64) {
    assert!(
        (found - expected).abs() < 1e-12,
        "{found} is not {expected}"
    );
}

/// Twelve items in four clusters and three classes; the ignored ones must not matter.
fn example() -> Contingency {
    let predicted = [0, 0, 1, 1, 2, 2, 2, 3, 0, 1, 2, 3, 9, 0];
    let truth = [0, 0, 0, 1, 1, 2, 2, 2, 0, 1, 2, 2, 255, 255];
    table(&predicted, &truth)
}

#[test]
fn purity_accuracy_and_iou_by_hand() {
    // Rows of counts: [3 0 0], [1 2 0], [0 1 3], [0 0 2].
    let found = example();
    assert_eq!(
        (found.total(), found.clusters(), found.classes()),
        (12, &[0, 1, 2, 3][..], &[0, 1, 2][..])
    );
    close(found.purity(), 10.0 / 12.0);
    let matched = found.matched();
    assert_eq!(matched.pairs, [(0, 0), (1, 1), (2, 2)]);
    close(matched.accuracy, 8.0 / 12.0);
    // Class 0: 3 of 3 + 4 - 3. Class 1: 2 of 3 + 3 - 2. Class 2: 3 of 4 + 5 - 3.
    close(matched.ious[0].1, 3.0 / 4.0);
    close(matched.ious[1].1, 2.0 / 4.0);
    close(matched.ious[2].1, 3.0 / 6.0);
    close(matched.mean_iou, 1.75 / 3.0);
}

#[test]
fn a_class_without_a_cluster_counts_zero() {
    let matched = table(&[4, 4, 4, 4], &[7, 7, 7, 1]).matched();
    assert_eq!(matched.pairs, [(4, 7)]);
    assert_eq!(matched.ious, [(1, 0.0), (7, 0.75)]);
    close(matched.mean_iou, 0.375);
    // Two clusters, two classes, but the second pair has nothing in common.
    assert_eq!(table(&[0, 0, 1], &[0, 1, 0]).matched().pairs.len(), 2);
    assert_eq!(
        table(&[0, 0, 0, 1], &[0, 0, 1, 0]).matched().pairs,
        [(0, 0)]
    );
}

#[test]
fn indices_equal_those_of_scikit_learn() {
    let found = example();
    close(found.nmi(), 0.6002648143253064);
    close(found.adjusted_rand(), 0.3473423980222497);
    close(found.fowlkes_mallows(), 0.5090278103806223);
    let check = |a: &[usize], b: &[usize], expected: [f64; 3]| {
        let table = table(a, b);
        close(table.nmi(), expected[0]);
        close(table.adjusted_rand(), expected[1]);
        close(table.fowlkes_mallows(), expected[2]);
    };
    check(&[0, 0, 0], &[1, 1, 1], [1.0, 1.0, 1.0]);
    check(&[0, 1, 2], &[0, 1, 2], [1.0, 1.0, 0.0]);
    check(&[0, 0, 0, 0], &[0, 1, 2, 3], [0.0, 0.0, 0.0]);
    check(&[0, 0, 1, 1], &[0, 1, 0, 1], [0.0, -0.5, 0.0]);
    check(&[5], &[3], [1.0, 1.0, 0.0]);
}

#[test]
fn scores_of_random_partitions_equal_those_of_scikit_learn() {
    let cases: Vec<Case> = serde_json::from_str(FIXTURE).expect("the fixture");
    assert_eq!(cases.len(), 8);
    for case in cases {
        let found = Contingency::new(&case.predicted, &case.truth, None).expect("labels");
        for (found, expected) in [
            (found.matched().accuracy, case.acc),
            (found.nmi(), case.nmi),
            (found.adjusted_rand(), case.ari),
            (found.fowlkes_mallows(), case.fmi),
        ] {
            let name = &case.name;
            assert!(
                (found - expected).abs() < 1e-10,
                "{name}: {found}, not {expected}"
            );
        }
    }
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let refused = |a: &[usize], b: &[usize]| Contingency::new(a, b, Some(0)).err();
    assert_eq!(
        refused(&[1, 2], &[1]),
        Some(ScoreError::Lengths {
            predicted: 2,
            truth: 1
        })
    );
    assert_eq!(refused(&[], &[]), Some(ScoreError::Empty));
    assert_eq!(refused(&[1, 2], &[0, 0]), Some(ScoreError::Empty));
    let many: Vec<usize> = (1..=8193).collect();
    assert_eq!(
        refused(&many, &many),
        Some(ScoreError::TooMany {
            clusters: 8193,
            classes: 8193
        })
    );
    // Labels are names: their size costs nothing.
    close(
        table(&[usize::MAX, 3], &[usize::MAX, 2]).matched().accuracy,
        1.0,
    );
}
