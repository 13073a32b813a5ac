//! Ground truths of Python and of people, good ones and broken ones.

use super::*;
use crate::testing::test;

const PICKLE: &[u8] = include_bytes!("../../../../tests/fixtures/eval/gnd-4.pkl");

fn json(text: &str) -> Result<RetrievalTruth, TruthError> {
    RetrievalTruth::read(text.as_bytes())
}

fn message(text: &str) -> String {
    json(text).expect_err("it is broken").to_string()
}

#[test]
fn a_pickle_and_its_json_are_the_same() {
    let truth = RetrievalTruth::read(PICKLE).expect("Python wrote it");
    assert_eq!(truth.images.len(), 301);
    assert_eq!(truth.images[300], "image_000300");
    let second = RetrievalQuery {
        name: "radcliffe".to_owned(),
        easy: vec![5],
        hard: vec![],
        junk: vec![1, 200],
        bounds: Some([0.0, 0.0, 9.5, 8.0]),
    };
    assert_eq!(truth.queries[1], second);

    let images: Vec<String> = (0..301).map(|n| format!("\"image_{n:06}\"")).collect();
    let text = format!(
        "{{\"imlist\": [{}], \"qimlist\": [\"all_souls_000013\", \"radcliffe\"], \"gnd\": [\
         {{\"easy\": [0, 3], \"hard\": [2, 300], \"junk\": [], \"bbx\": [1.5, 2, 30, 40.25]}}, \
         {{\"easy\": [5], \"hard\": [], \"junk\": [1, 200], \"bbx\": [0, 0, 9.5, 8]}}]}}",
        images.join(",")
    );
    assert_eq!(json(&text).expect("the same"), truth);
}

#[test]
fn junk_and_bounds_may_be_missing() {
    let text = r#"{"imlist": ["a"], "qimlist": ["q"], "gnd": [{"easy": [0], "hard": []}]}"#;
    let truth = json(text).expect("enough");
    assert_eq!(truth.queries[0].junk, [0; 0]);
    assert_eq!(truth.queries[0].bounds, None);
}

#[test]
fn what_is_wrong_is_named() {
    let of = |gnd: &str| format!(r#"{{"imlist": ["a", "b"], "qimlist": ["q"], "gnd": [{gnd}]}}"#);
    for (text, part) in [
        (
            of(r#"{"easy": [2], "hard": []}"#),
            "query `q`: `easy` holds 2",
        ),
        (of(r#"{"easy": [], "hard": [-1]}"#), "`hard` holds -1"),
        (of(r#"{"easy": [0.5], "hard": []}"#), "`easy` holds 0.5"),
        (
            of(r#"{"easy": [0], "hard": [], "bbx": [1, 2]}"#),
            "`bbx` of query `q`",
        ),
        (of(r#"{"easy": [0]}"#), "missing field `hard`"),
        (of(""), "`qimlist` has 1 names, but `gnd` is of 0"),
        (
            r#"{"imlist": ["a"], "qimlist": [], "gnd": []}"#.to_owned(),
            "names no query",
        ),
        (
            r#"{"imlist": [], "qimlist": ["q"], "gnd": []}"#.to_owned(),
            "names no image",
        ),
        ("(dp0".to_owned(), "not the JSON"),
    ] {
        let message = message(&text);
        assert!(message.contains(part), "{message}");
    }
    let cut = RetrievalTruth::read(&PICKLE[..PICKLE.len() / 2]).expect_err("half a file");
    assert!(cut.to_string().contains("byte"), "{cut}");
}

#[test]
fn a_list_that_many_queries_share_is_refused() {
    // {"imlist": ["a"], "qimlist": ["q"] * 2000, "gnd": [{"easy": L, "hard": L}] * 2000} with one list
    // L of 2000 zeros.
    let mut pickle = b"\x80\x04}(\x8c\x06imlist](\x8c\x01ae\x8c\x07qimlist](\x8c\x01q\x94".to_vec();
    pickle.extend(b"h\x00".repeat(1999));
    pickle.extend(b"e\x8c\x03gnd](}(\x8c\x04easy](");
    pickle.extend(b"K\x00".repeat(2000));
    pickle.extend(b"e\x94\x8c\x04hardh\x01u\x94");
    pickle.extend(b"h\x02".repeat(1999));
    pickle.extend(b"eu.");
    let error = RetrievalTruth::read(&pickle).expect_err("8 million numbers of 12 kB");
    assert!(matches!(error, TruthError::TooMuch), "{error}");
}
