//! Pickles that are deep, shared or large out of all proportion.

use super::make::{FLOATS, archive, int, join, storage, tensor, text};
use super::read::run;
use ibot_core::weights::pth::PthError;

#[test]
fn deep_and_shared_structures_are_read_flat() {
    // One more than fits into the vectors before they grow, when they take the most memory.
    const DEPTH: usize = (1 << 20) + 1;
    let deep = |open: &[u8], close: &[u8]| {
        let pickle = join(&[
            b"\x80\x02",
            &open.repeat(DEPTH),
            b"]",
            &close.repeat(DEPTH),
            b".",
        ]);
        archive(&pickle, &[])
    };
    for (name, file) in [
        ("marks", deep(b"(", b"")),
        ("lists", deep(b"]", b"a")),
        ("dictionaries", deep(b"})", b"s")),
        (
            "tuples",
            archive(&join(&[b"\x80\x02]", &b"\x85".repeat(DEPTH), b"."]), &[]),
        ),
        (
            "calls",
            archive(&join(&[b"\x80\x02]", &b")R".repeat(DEPTH), b"."]), &[]),
        ),
        ("states", deep(b"))R", b"b")),
        ("empty dictionaries", deep(b"}", b"")),
        (
            "memo",
            archive(&join(&[b"\x80\x02]", &b"\x94".repeat(DEPTH), b"."]), &[]),
        ),
        (
            "globals",
            archive(&join(&[b"\x80\x02", &b"c\n\n".repeat(DEPTH), b"."]), &[]),
        ),
        (
            "one list",
            archive(&join(&[b"\x80\x02](", &b")".repeat(DEPTH), b"e."]), &[]),
        ),
        (
            "storages",
            archive(&join(&[b"\x80\x02]", &b"Q".repeat(DEPTH), b"."]), &[]),
        ),
    ] {
        let seen = run(name, &file);
        assert_eq!((seen.error, seen.tensors), (None, 0), "{name}");
    }

    // Each list holds the previous one ten times: 10^60 values, were it copied.
    let mut laughs = b"\x80\x02]q\0".to_vec();
    for level in 0..60 {
        laughs.extend(join(&[
            b"](",
            &[b'h', level].repeat(10),
            b"eq",
            &[level + 1],
        ]));
    }
    let laughs = join(&[&laughs, &text("a"), b"0}", &text("a"), b"h\x3cs."]);
    assert_eq!(run("billion laughs", &archive(&laughs, &[])).error, None);
}

#[test]
fn shared_parts_do_not_multiply_work_or_memory() {
    const MANY: usize = (1 << 17) + 1;
    let first = tensor(
        &storage("FloatStorage", "0", 16),
        0,
        &[1, 1, 1, 1, 1, 1, 4, 4],
        &[4, 4, 4, 4, 4, 4, 4, 1],
    );
    let keys = |value: &[u8]| -> Vec<u8> {
        (0..MANY as u32)
            .flat_map(|i| join(&[&[0x8c, 3], &format!("{i:03x}").as_bytes()[..3], value]))
            .collect()
    };
    let keys4 = |value: &[u8]| -> Vec<u8> {
        (0..MANY)
            .flat_map(|i| join(&[&text(&format!("{i:05x}")), value]))
            .collect()
    };
    let file = |pickle: Vec<u8>| archive(&pickle, &[("0", FLOATS)]);

    // One tensor under many names, and the same names again and again.
    let many = |values: Vec<u8>| file(join(&[b"\x80\x02", &first, b"q\x000}(", &values, b"u."]));
    assert_eq!(
        run("one tensor, many names", &many(keys4(b"h\0"))).tensors,
        MANY
    );
    assert_eq!(run("repeated names", &many(keys(b"h\0"))).tensors, 4096);

    // One large dictionary at many keys of the top level.
    let shared = join(&[
        b"\x80\x02}(",
        &keys4(b"N"),
        b"uq\x000}(",
        &keys4(b"h\0"),
        b"u.",
    ]);
    assert_eq!(run("one dictionary, many keys", &file(shared)).sections, 0);

    // One long name, shape, chain of wrappers or storage key that all entries share.
    let name = text(&"n".repeat(1_000_000));
    let long = join(&[
        b"\x80\x02",
        &name,
        b"q\x000}(",
        &b"h\0N".repeat(MANY),
        b"u.",
    ]);
    assert_eq!(run("one long name", &file(long)).tensors, 0);
    let name = text(&"n".repeat(256));
    let long = join(&[
        b"\x80\x02",
        &name,
        b"q\x000}(",
        &b"h\0N".repeat(10 * MANY),
        b"u.",
    ]);
    assert_eq!(run("one name of 256 bytes", &file(long)).tensors, 0);
    let call = b"ctorch._utils\n_rebuild_tensor_v2\nq\x010";
    let rank = join(&[b"(", &b"K\x01".repeat(MANY), b"tq\x020"]);
    let entry = join(&[b"h\x01(h\0K\0h\x02h\x02tR"]);
    let shape = join(&[
        b"\x80\x02",
        &storage("FloatStorage", "0", 16),
        b"q\x000",
        call,
        &rank,
        b"}(",
        &keys4(&entry),
        b"u.",
    ]);
    let seen = run("one shape of 131073 dimensions", &file(shape));
    assert!(
        seen.refused[0].to_string().contains("at most 8"),
        "{:?}",
        seen.refused
    );
    let wrap = b"ctorch._utils\n_rebuild_parameter\nq\x010";
    let chain: Vec<u8> = (0..MANY)
        .flat_map(|_| join(&[b"h\x01h\x02\x85R", b"q\x020"]))
        .collect();
    let chain = join(&[
        b"\x80\x02",
        &first,
        b"q\x020",
        wrap,
        &chain,
        b"}(",
        &keys4(b"h\x02"),
        b"u.",
    ]);
    assert_eq!(run("131073 wrappers", &file(chain)).tensors, 0);
    let key = join(&[b"\x80\x02", &text(&"9".repeat(1_000_000)), b"q\x000"]);
    let class = b"(\x8c\x07storagectorch\nFloatStorage\nh\0NK\x10tQ";
    let tensors = keys4(&join(&[b"h\x01(h\x02K\0))tR"]));
    let key = join(&[&key, class, b"q\x020", call, b"}(", &tensors, b"u."]);
    assert!(
        run("one long storage key", &file(key)).refused[0]
            .to_string()
            .contains("storage")
    );

    // Different views of one storage: without a limit 10^5 times the file.
    let storage_bytes = vec![0; 4 * MANY];
    let entry = |i: usize| {
        join(&[
            &text(&format!("{i:05x}")),
            b"h\x01(h\0",
            &int(i as i64),
            &int(50_000),
            b"\x85K\x01\x85tR",
        ])
    };
    let views: Vec<u8> = (0..50_000).flat_map(entry).collect();
    let views = join(&[
        b"\x80\x02",
        &storage("FloatStorage", "0", MANY as i64),
        b"q\x000",
        call,
        b"}(",
        &views,
        b"u.",
    ]);
    let seen = run(
        "overlapping views",
        &archive(&views, &[("0", &storage_bytes)]),
    );
    assert!(
        matches!(seen.refused[0], PthError::TooMuch { .. }),
        "{:?}",
        seen.refused
    );
}
