use rand::seq::SliceRandom as _;

use super::*;
use crate::rng::{Purpose, stream};
use crate::testing::test;

fn patch(score: f32, image: usize, patch: usize, part: Option<usize>) -> Patch {
    Patch {
        score,
        image,
        patch,
        part,
    }
}

fn places(patterns: &Patterns, cluster: usize) -> Vec<(usize, usize)> {
    patterns
        .kept(cluster)
        .iter()
        .map(|p| (p.image, p.patch))
        .collect()
}

#[test]
fn the_best_are_kept_whatever_the_order() {
    let mut offers = [
        patch(0.9, 2, 5, None),
        patch(0.9, 2, 4, None),
        patch(0.8, 1, 0, None),
        patch(0.7, 3, 0, None),
        patch(0.7, 0, 9, None),
        patch(0.95, 2, 7, None),
        patch(-1.0, 4, 0, None),
    ];
    let mut rng = stream(2, Purpose::Cluster, 0, 3);
    for _ in 0..50 {
        offers.shuffle(&mut rng);
        let collect = |top, per_image| {
            let mut patterns = Patterns::new(1, top, per_image).expect("positive numbers");
            offers
                .iter()
                .for_each(|p| patterns.offer(0, *p).expect("cluster 0"));
            places(&patterns, 0)
        };
        assert_eq!(collect(3, 1), [(2, 7), (1, 0), (0, 9)]);
        assert_eq!(collect(4, 2), [(2, 7), (2, 4), (1, 0), (0, 9)]);
        assert_eq!(collect(9, 1), [(2, 7), (1, 0), (0, 9), (3, 0), (4, 0)]);
        assert_eq!(collect(2, 9), [(2, 7), (2, 4)]);
    }
}

#[test]
fn usage_and_purity_by_hand() {
    let mut patterns = Patterns::new(5, 2, 1).expect("positive numbers");
    assert_eq!((patterns.usage(), patterns.part_purity()), (None, None));
    // Cluster 1: parts 7 7 8 and one without; the two best show 8 and 7. Cluster 3: parts 8 8.
    // Cluster 4: none.
    let offers = [
        (1, patch(0.9, 0, 0, Some(8))),
        (1, patch(0.8, 1, 0, Some(7))),
        (1, patch(0.7, 2, 0, Some(7))),
        (1, patch(0.6, 3, 0, None)),
        (3, patch(0.9, 0, 1, Some(8))),
        (3, patch(0.9, 1, 1, Some(8))),
        (4, patch(0.1, 0, 2, None)),
        (4, patch(0.2, 1, 2, None)),
    ];
    offers
        .iter()
        .for_each(|(cluster, p)| patterns.offer(*cluster, *p).expect("such a cluster"));
    assert_eq!(patterns.counts(), [0, 4, 0, 2, 2]);
    assert_eq!(patterns.most_used(9), [1, 3, 4]);
    assert_eq!(patterns.most_used(1), [1]);
    let usage = patterns.usage().expect("eight patches");
    // Shares of 1/2, 1/4 and 1/4.
    assert!(usage.used == 3 && (usage.entropy - 1.5 * 2f64.ln()).abs() < 1e-12);
    assert!((usage.perplexity - 8f64.sqrt()).abs() < 1e-12);
    let purities =
        [1, 3, 4].map(|cluster| (patterns.kept_purity(cluster), patterns.purity(cluster)));
    assert_eq!(
        purities,
        [
            (Some(0.5), Some(2.0 / 3.0)),
            (Some(1.0), Some(1.0)),
            (None, None)
        ]
    );
    let found = patterns.part_purity().expect("five labelled patches");
    assert_eq!(found.labelled, 5);
    assert!((found.kept - (3.0 * 0.5 + 2.0) / 5.0).abs() < 1e-12);
    assert!((found.all - 4.0 / 5.0).abs() < 1e-12);
    assert!((found.chance - 3.0 / 5.0).abs() < 1e-12);
}

#[test]
fn wrong_offers_change_nothing() {
    let mut patterns = Patterns::new(2, 1, 1).expect("positive numbers");
    let found = patterns.offer(2, patch(0.5, 3, 4, None));
    assert_eq!(
        found,
        Err(PatternError::Cluster {
            image: 3,
            patch: 4,
            cluster: 2,
            clusters: 2
        })
    );
    let found = patterns.offer(0, patch(f32::NAN, 3, 4, Some(1)));
    assert_eq!(found, Err(PatternError::Score { image: 3, patch: 4 }));
    assert!(
        patterns.usage().is_none() && patterns.kept(0).is_empty() && patterns.kept(7).is_empty()
    );
    assert_eq!(
        Patterns::new(2, 0, 1).err(),
        Some(PatternError::Settings {
            clusters: 2,
            top: 0,
            per_image: 1
        })
    );
}
