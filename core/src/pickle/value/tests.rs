//! Pickles that Python wrote, and some that it would not.

use super::*;
use crate::testing::test;

/// What scripts/make_eval_retrieval_fixtures.py wrote, by protocol.
const WRITTEN: [&[u8]; 4] = [
    include_bytes!("../../../../tests/fixtures/eval/gnd-2.pkl"),
    include_bytes!("../../../../tests/fixtures/eval/gnd-3.pkl"),
    include_bytes!("../../../../tests/fixtures/eval/gnd-4.pkl"),
    include_bytes!("../../../../tests/fixtures/eval/gnd-5.pkl"),
];

fn queries<'p>(pickle: &'p Pickle) -> Vec<PlainValue<'p>> {
    let queries = pickle.root().get("gnd").expect("a key");
    queries.items().expect("a list").collect()
}

#[test]
fn every_protocol_has_the_same_lists_and_arrays() {
    for bytes in WRITTEN {
        let pickle = Pickle::parse(bytes).expect("Python wrote it");
        let [first, second] = queries(&pickle)[..] else {
            panic!("two queries")
        };
        let numbers = |query: PlainValue, key| query.get(key).and_then(|value| value.numbers(9));
        assert_eq!(numbers(first, "easy"), Some(vec![0.0, 3.0]));
        assert_eq!(numbers(first, "hard"), Some(vec![2.0, 300.0]));
        assert_eq!(numbers(first, "junk"), Some(vec![]));
        assert_eq!(numbers(first, "bbx"), Some(vec![1.5, 2.0, 30.0, 40.25]));
        assert_eq!(numbers(second, "easy"), Some(vec![5.0]), "big-endian");
        assert_eq!(numbers(second, "junk"), Some(vec![1.0, 200.0]));
        assert_eq!(numbers(second, "bbx"), Some(vec![0.0, 0.0, 9.5, 8.0]));

        let bounds = first.get("bbx").expect("a key");
        assert_eq!(bounds.numbers(3), None, "more than asked for");
        assert_eq!(bounds.unsigned_bytes(9), None, "numbers of another type");
        let names = pickle.root().get("qimlist").expect("a key");
        let mut names = names.items().expect("a list");
        assert_eq!(
            names.next().and_then(PlainValue::text),
            Some("all_souls_000013")
        );
        assert!(pickle.root().get("nothing").is_none());
        assert!(pickle.root().items().is_none());
        assert!(pickle.root().numbers(9).is_none());
    }
}

#[test]
fn older_versions_of_numpy_have_another_module() {
    let bytes = WRITTEN[0];
    let text = b"numpy._core.multiarray";
    let mut older = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(text) {
            older.extend_from_slice(b"numpy.core.multiarray");
            at += text.len();
        } else {
            older.push(bytes[at]);
            at += 1;
        }
    }
    assert!(
        older.len() < bytes.len(),
        "protocol 2 names modules in lines"
    );
    let pickle = Pickle::parse(&older).expect("well formed");
    let hard = queries(&pickle)[0].get("hard").expect("a key");
    assert_eq!(hard.numbers(9), Some(vec![2.0, 300.0]));
}

#[test]
fn no_cut_and_no_changed_byte_makes_a_panic() {
    for bytes in WRITTEN {
        for at in (0..bytes.len()).step_by(7) {
            assert!(Pickle::parse(&bytes[..at]).is_err(), "cut at {at}");
            let mut changed = bytes.to_vec();
            changed[at] ^= 0x15;
            let Ok(pickle) = Pickle::parse(&changed) else {
                continue;
            };
            let Some(queries) = pickle.root().get("gnd").and_then(PlainValue::items) else {
                continue;
            };
            for query in queries.take(4) {
                for key in ["easy", "hard", "junk", "bbx"] {
                    query.get(key).and_then(|value| value.numbers(1000));
                }
            }
        }
    }
}
