//! Pickles by hand, against what Python makes of them.

use super::*;
use crate::testing::test;

fn root(pickle: &[u8]) -> Result<Node, PickleError> {
    unpickle(pickle, "test").map(|(graph, _)| graph.node(graph.root))
}

#[test]
fn numbers_are_those_that_python_reads() {
    // Written by pickle.dumps(value, 2).
    for (pickle, expected) in [
        (&b"\x80\x02K\xff."[..], 255),
        (b"\x80\x02M\xff\xff.", 65535),
        (b"\x80\x02J\xff\xff\xff\xff.", -1),
        (b"\x80\x02\x8a\x05\x00\x00\x00\x00\x01.", 1 << 32),
        (b"\x80\x02\x8a\x05\x00\x00\x00\x00\xff.", -(1 << 32)),
        (b"\x80\x02\x8a\x05\x00\x00\x00\x80\x00.", 1 << 31),
        (
            b"\x80\x02\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80.",
            i64::MIN,
        ),
        (b"\x80\x02\x8a\x00.", 0),
        (b"\x80\x02\x8b\x01\x00\x00\x00\x80.", -128),
    ] {
        assert_eq!(root(pickle), Ok(Node::Int(expected)));
    }
    assert_eq!(
        root(b"\x80\x02G?\xe0\x00\x00\x00\x00\x00\x00."),
        Ok(Node::Float(0.5))
    );
    let long = b"\x80\x02\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.";
    assert_eq!(root(long), Ok(Node::Long(Span { at: 4, len: 9 })), "2^64");
}

#[test]
fn nothing_is_called() {
    // The classic: os.system("true").
    let pickle = b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R.rest";
    let (graph, len) = unpickle(pickle, "test").expect("well formed");
    assert_eq!(len, pickle.len() - "rest".len());
    let (callable, arguments) = graph.call(graph.root).expect("a call that is not made");
    assert_eq!(graph.global(callable), Some(("os", "system")));
    let [argument] = graph.items(arguments).expect("a tuple");
    assert_eq!(graph.text(argument), Some("true"));
}

#[test]
fn the_last_of_equal_keys_counts_in_the_place_of_the_first() {
    let pickle = b"\x80\x02}(\x8c\x01aK\x01\x8c\x01bK\x02\x8c\x01aK\x03u.";
    let (graph, _) = unpickle(pickle, "test").expect("well formed");
    let entries: Vec<_> = graph
        .dictionary(graph.root)
        .into_iter()
        .map(|(key, id)| (key, graph.count(id)))
        .collect();
    assert_eq!(entries, [("a", Some(3)), ("b", Some(2))]);
    assert_eq!(
        graph.get(graph.root, "a").and_then(|id| graph.count(id)),
        Some(3)
    );
}

#[test]
fn errors_name_place_and_opcode() {
    for (pickle, at, opcode, part) in [
        (&b""[..], 0, "missing", "1 more"),
        (b"\x80\x06N.", 0, "PROTO", "protocol 6"),
        (b"\x80\x02I1\n.", 2, "unknown", "0x49"),
        (b"\x80\x02N(a.", 4, "APPEND", "too few"),
        (b"\x80\x02N(\x85.", 4, "TUPLE1", "too few"),
        (b"\x80\x02Nt.", 3, "TUPLE", "no mark"),
        (b"\x80\x02NNa.", 4, "APPEND", "into None"),
        (b"\x80\x02]NNs.", 5, "SETITEM", "into a list"),
        (b"\x80\x02}(Nu.", 5, "SETITEMS", "odd number"),
        (b"\x80\x02}NNb.", 5, "BUILD", "None has no attributes"),
        (b"\x80\x02Nh\x00.", 3, "BINGET", "under 0"),
        (b"\x80\x02Nq\x02h\x00.", 5, "BINGET", "under 0"),
        (b"\x80\x02cos\n.", 2, "GLOBAL", "line"),
        (b"\x80\x02N1.", 3, "POP_MARK", "no mark"),
        (b"\x80\x020.", 2, "POP", "too few"),
    ] {
        let Err(PickleError {
            at: found,
            opcode: name,
            problem,
            ..
        }) = root(pickle)
        else {
            panic!("{pickle:?} is damaged")
        };
        assert_eq!((found, name), (at, opcode), "{problem}");
        assert!(problem.contains(part), "{problem}");
    }
}
