//! PyTorch checkpoints of every form that `torch.save` knows, against what torch reads from them.

#![cfg(not(target_family = "wasm"))]

use std::collections::BTreeMap;
use std::path::PathBuf;

use ibot_core::weights::pth::{Dtype, Pth, PthError, Scalar, TensorRef};
use safetensors::SafeTensors;

fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/pth")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn find<'t, 'a>(tensors: &'t [TensorRef<'a>], name: &str) -> &'t TensorRef<'a> {
    tensors
        .iter()
        .find(|tensor| tensor.name == name)
        .unwrap_or_else(|| panic!("a tensor `{name}`"))
}

/// `(file, section)` to the tensors there that torch read: name, shape, values.
type Expected = BTreeMap<(String, String), Vec<(String, Vec<usize>, Vec<f32>)>>;

fn expected() -> Expected {
    let bytes = fixture("expected.safetensors");
    let mut expected = Expected::new();
    for (key, view) in SafeTensors::deserialize(&bytes)
        .expect("a committed file")
        .tensors()
    {
        let [file, section, name] = key.splitn(3, '/').collect::<Vec<_>>()[..] else {
            panic!("{key} has three parts")
        };
        let values = view
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        let entry = (name.to_owned(), view.shape().to_vec(), values);
        expected
            .entry((file.to_owned(), section.to_owned()))
            .or_default()
            .push(entry);
    }
    expected
}

#[test]
fn values_and_shapes_are_those_that_torch_reads() {
    let mut compared = 0;
    for ((file, section), tensors) in expected() {
        let bytes = fixture(&file);
        let pth = Pth::parse(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"));
        let section = (!section.is_empty()).then_some(section.as_str());
        assert!(
            pth.sections().contains(&section),
            "{file} has {section:?} among {:?}",
            pth.sections()
        );
        let found = pth
            .tensors(section)
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        for (name, shape, values) in tensors {
            let tensor = find(&found, &name);
            assert_eq!(tensor.view.shape(), shape, "{file} {name}");
            let actual = pth
                .values(tensor)
                .unwrap_or_else(|error| panic!("{file}: {error}"));
            let bits = |values: &[f32]| {
                values
                    .iter()
                    .map(|value| value.to_bits())
                    .collect::<Vec<_>>()
            };
            assert_eq!(bits(&actual), bits(&values), "{file} {name}");
            compared += 1;
        }
        let readable = found
            .iter()
            .filter(|tensor| pth.values(tensor).is_ok())
            .count();
        assert_eq!(
            readable,
            expected()[&(file.clone(), section.unwrap_or("").to_owned())].len(),
            "{file}"
        );
    }
    assert!(compared > 100, "only {compared} tensors");
}

#[test]
fn a_training_checkpoint_is_read_in_every_protocol_and_format() {
    for file in [
        "checkpoint.pth",
        "protocol3.pth",
        "protocol4.pth",
        "protocol5.pth",
        "legacy.pth",
        "legacy4.pth",
    ] {
        let bytes = fixture(file);
        let pth = Pth::parse(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(
            pth.sections(),
            ["student", "parameters", "teacher", "defaults"].map(Some),
            "{file}"
        );
        let settings: [(&[&str], Scalar); 12] = [
            (&["epoch"], Scalar::Int(7)),
            (&["args", "arch"], Scalar::Str("vit_small")),
            (&["args", "patch_size"], Scalar::Int(16)),
            (&["args", "lr"], Scalar::Float(5e-4)),
            (&["args", "shared_head"], Scalar::Bool(true)),
            (&["settings", "depth"], Scalar::Int(12)),
            (&["settings", "nested", "lr"], Scalar::Float(5e-4)),
            (&["slotted", "width"], Scalar::Int(3)),
            (&["slotted", "height"], Scalar::Int(4)),
            (&["fp16_scaler", "scale"], Scalar::Float(65536.0)),
            (&["negative"], Scalar::Int(-(1 << 40))),
            (&["ünïcode"], Scalar::Str("prüfung")),
        ];
        for (path, value) in settings {
            assert_eq!(pth.scalar(path), Some(value), "{file} {path:?}");
        }
        for path in [
            &["args"][..],
            &["args", "none"],
            &["args", "data"],
            &["args", "big"],
            &["best"],
            &["epoch", "x"],
        ] {
            assert_eq!(pth.scalar(path), None, "{file} {path:?}");
        }

        // The model's tensors are in `student` under other names: tied.
        let (student, teacher) = (pth.tensors(Some("student")), pth.tensors(Some("teacher")));
        let (student, teacher) = (student.expect("a section"), teacher.expect("a section"));
        assert_eq!(
            find(&student, "module.0.weight").view,
            find(&teacher, "0.weight").view
        );
        assert_ne!(
            find(&student, "module.0.weight").view,
            find(&teacher, "0.bias").view
        );
        let order: Vec<&str> = teacher.iter().map(|tensor| tensor.name).collect();
        let official = [
            "0.weight",
            "0.bias",
            "1.weight",
            "1.bias",
            "1.running_mean",
            "1.running_var",
        ];
        assert_eq!(
            order,
            [&official[..], &["1.num_batches_tracked"]].concat(),
            "{file}"
        );
        let count = find(&teacher, "1.num_batches_tracked");
        assert_eq!(count.view.dtype(), Dtype::Other("int64"));
        let message = pth.values(count).expect_err("an integer").to_string();
        assert!(
            message.contains("1.num_batches_tracked") && message.contains("int64"),
            "{message}"
        );
    }
}

#[test]
fn views_share_storages_and_tied_ones_are_equal() {
    for file in ["views.pth", "legacy_views.pth"] {
        let bytes = fixture(file);
        let pth = Pth::parse(&bytes).expect("a sound file");
        let tensors = pth.tensors(None).expect("the top level");
        let view = |name| &find(&tensors, name).view;
        assert_eq!(view("whole"), view("tied"));
        assert_eq!(view("whole"), view("same_view"));
        for other in ["transposed", "rows", "columns", "reordered"] {
            assert_ne!(view("whole"), view(other));
        }
        assert_eq!(view("scalar").shape(), [0usize; 0]);
        let message = pth
            .values(find(&tensors, "repeated"))
            .expect_err("5 times its storage")
            .to_string();
        assert!(
            message.contains("`repeated`: shape [3, 5] repeats a storage of 3 elements"),
            "{message}"
        );
    }
}

#[test]
fn all_types_are_named() {
    let bytes = fixture("types.pth");
    let pth = Pth::parse(&bytes).expect("a sound file");
    let tensors = pth.tensors(None).expect("the top level");
    for (name, dtype) in [
        ("f32", Dtype::F32),
        ("f16", Dtype::F16),
        ("bf16", Dtype::Bf16),
        ("f64", Dtype::F64),
        ("int", Dtype::Other("int64")),
        ("bool", Dtype::Other("bool")),
        ("complex", Dtype::Other("complex64")),
        ("float8", Dtype::Other("float8_e4m3fn")),
        ("uint16", Dtype::Other("uint16")),
    ] {
        assert_eq!(find(&tensors, name).view.dtype(), dtype, "{name}");
    }
}

#[test]
fn what_is_not_a_checkpoint_says_so() {
    let refusal = |bytes: &[u8]| Pth::parse(bytes).expect_err("no checkpoint").to_string();
    for (file, part) in [
        ("script.pt", "TorchScript"),
        ("plain.pkl", "magic number"),
        ("expected.safetensors", "neither"),
    ] {
        let message = refusal(&fixture(file));
        assert!(message.contains(part), "{file}: {message}");
    }
    assert!(refusal(b"").contains("neither"));
    let bytes = fixture("negated.pth");
    let pth = Pth::parse(&bytes).expect("a sound file");
    assert!(
        pth.tensors(None)
            .expect_err("the wrong sign")
            .to_string()
            .contains("negated")
    );

    let mut big = fixture("checkpoint.pth");
    let at = big
        .windows(6)
        .position(|window| window == b"little")
        .expect("an entry `byteorder`");
    big[at..at + 6].copy_from_slice(b"bigbig");
    assert!(refusal(&big).contains("CRC"), "a changed entry");

    let bytes = fixture("checkpoint.pth");
    let message = Pth::parse(&bytes)
        .expect("sound")
        .tensors(Some("model"))
        .expect_err("no such section")
        .to_string();
    assert!(
        message.contains("`model`") && message.contains("`student`, `parameters`, `teacher`"),
        "{message}"
    );
    let message = Pth::parse(&bytes)
        .expect("sound")
        .tensors(Some("epoch"))
        .expect_err("an integer")
        .to_string();
    assert!(message.contains("no dictionary `epoch`"), "{message}");
}

#[test]
fn a_damaged_storage_is_noticed_when_it_is_read() {
    let mut bytes = fixture("views.pth");
    let sound = fixture("views.pth");
    let pth = Pth::parse(&sound).expect("sound");
    let values = pth
        .values(&pth.tensors(None).expect("sound")[0])
        .expect("sound");
    let at = bytes
        .windows(4)
        .position(|window| window == values[0].to_le_bytes())
        .expect("the values are in the file");
    bytes[at] ^= 1;
    let pth = Pth::parse(&bytes).expect("the structure is sound");
    let tensors = pth.tensors(None).expect("the structure is sound");
    let error = pth
        .values(find(&tensors, "whole"))
        .expect_err("a changed bit");
    assert!(
        matches!(&error, PthError::Entry { name, .. } if name == "data/0"),
        "{error}"
    );
    assert!(
        pth.values(find(&tensors, "reordered")).is_ok(),
        "another storage"
    );
}

#[test]
fn a_cycle_is_harmless() {
    let bytes = fixture("recursive.pth");
    let pth = Pth::parse(&bytes).expect("a sound file");
    assert_eq!(pth.sections(), [Some("tensors")]);
    assert_eq!(pth.tensors(Some("tensors")).expect("a section").len(), 1);
    let around = [
        "tensors", "self", "tensors", "self", "tensors", "self", "name",
    ];
    assert_eq!(pth.scalar(&around), Some(Scalar::Str("recursive")));
}
