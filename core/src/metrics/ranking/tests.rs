//! Against the reference of Revisited Oxford and Paris, and by hand.

use serde::Deserialize;

use super::*;
use crate::eval::retrieval::best;
use crate::testing::test;

/// What scripts/make_eval_retrieval_fixtures.py wrote.
const FIXTURE: &str = include_str!("../../../../tests/fixtures/eval/retrieval.json");
const KS: [usize; 3] = [1, 5, 10];

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    /// One row a query.
    similarities: Vec<Vec<f32>>,
    gnd: Vec<Lists>,
    scores: Setups,
}

#[derive(Deserialize)]
struct Lists {
    easy: Vec<usize>,
    hard: Vec<usize>,
    junk: Vec<usize>,
}

#[derive(Deserialize)]
struct Setups {
    easy: Expected,
    medium: Expected,
    hard: Expected,
}

#[derive(Deserialize)]
struct Expected {
    map: f64,
    each: Vec<Option<f64>>,
    precision: Vec<f64>,
}

fn check(case: &Case, expected: &Expected, wanted: impl Fn(&Lists) -> [Vec<usize>; 2]) {
    let mut scores = Vec::new();
    for (similarities, lists) in case.similarities.iter().zip(&case.gnd) {
        let ranked: Vec<usize> = best(similarities, usize::MAX)
            .iter()
            .map(|found| found.index)
            .collect();
        let [positives, junk] = wanted(lists);
        scores.push(RankingScore::of(&ranked, &Wanted { positives, junk }, &KS));
    }

    for (score, expected) in scores.iter().zip(&expected.each) {
        assert_eq!(score.is_some(), expected.is_some(), "{}", case.name);
        if let (Some(score), Some(expected)) = (score, expected) {
            assert!((score.average_precision - expected).abs() < 1e-12);
        }
    }
    let mean = MeanScore::of(&scores, &KS);
    assert!((mean.mean_average_precision - expected.map).abs() < 1e-12);
    for (ours, expected) in mean.precision.iter().zip(&expected.precision) {
        assert!((ours - expected).abs() < 1e-12, "{}", case.name);
    }
}

#[test]
fn scores_are_those_of_the_reference() {
    let fixture: Fixture = serde_json::from_str(FIXTURE).expect("JSON");
    assert_eq!(fixture.cases.len(), 4);
    for case in &fixture.cases {
        check(case, &case.scores.easy, |lists| {
            let junk = [lists.junk.clone(), lists.hard.clone()].concat();
            [lists.easy.clone(), junk]
        });
        check(case, &case.scores.medium, |lists| {
            let positives = [lists.easy.clone(), lists.hard.clone()].concat();
            [positives, lists.junk.clone()]
        });
        check(case, &case.scores.hard, |lists| {
            let junk = [lists.junk.clone(), lists.easy.clone()].concat();
            [lists.hard.clone(), junk]
        });
    }
}

#[test]
fn what_is_not_in_the_list_is_not_found() {
    let wanted = Wanted {
        positives: vec![7, 8],
        junk: vec![],
    };
    let found = RankingScore::of(&[7, 1, 2], &wanted, &KS).expect("positives");
    assert_eq!(found.average_precision, 0.5);
    assert_eq!(found.precision, [1.0, 1.0, 1.0]);
    let nothing = RankingScore::of(&[1, 2], &wanted, &KS).expect("positives");
    assert_eq!(nothing.average_precision, 0.0);
    assert_eq!(nothing.precision, [0.0; 3]);
    assert_eq!(MeanScore::of(&[None], &KS).empty, 1);
}
