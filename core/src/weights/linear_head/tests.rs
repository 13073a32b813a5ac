use std::collections::HashMap;

use super::*;
use crate::testing::{small_backbone, test};
use crate::weights::{StoredPrecision, to_safetensors};

fn tensor(shape: &[usize]) -> Weight {
    Weight {
        shape: shape.to_vec(),
        values: vec![0.5; shape.iter().product()],
    }
}

fn head(classes: usize, width: usize) -> HeadTensors {
    let (weight, bias) = (tensor(&[classes, width]), tensor(&[classes]));
    HeadTensors::new("head.weight", weight, bias).expect("a head")
}

fn header(cls_blocks: usize, patch_mean: bool) -> HeadHeader {
    HeadHeader {
        classes: ["cat", "Ж \"dog\""].map(str::to_owned).to_vec(),
        cls_blocks,
        patch_mean,
        size: 16,
        resize: 1.0,
    }
}

fn file(weights: &Weights, header: Option<&str>) -> Checkpoint {
    let entry = header.map(|json| (HeadHeader::KEY.to_owned(), json.to_owned()));
    let metadata: HashMap<String, String> = entry.into_iter().collect();
    let bytes = to_safetensors(weights, metadata, StoredPrecision::F32).expect("sound weights");
    Checkpoint::read(&bytes, None).expect("its own bytes")
}

fn named(tensors: &[(&str, &[usize])]) -> Weights {
    let mut weights = Weights::new();
    for (name, shape) in tensors {
        weights.insert((*name).to_owned(), tensor(shape));
    }
    weights
}

#[test]
fn a_head_is_read_from_every_layout() {
    for (cls_blocks, patch_mean, name) in [
        (1, false, "head.weight"),
        (0, true, "head.weight"),
        (1, true, "classifier.weight"),
        (2, false, "classifier.weight"),
    ] {
        let header = header(cls_blocks, patch_mean);
        let head = head(2, 16 * (cls_blocks + usize::from(patch_mean)));
        header.check(&head, &small_backbone()).expect("it fits");

        let weights = head.clone().beside_backbone(&header);
        assert!(weights.contains_key(name), "{header:?}");
        let json = serde_json::to_string(&header).expect("JSON");
        let checkpoint = file(&weights, Some(&json));
        assert_eq!(
            checkpoint.linear_head().expect("a head"),
            Some(head.clone())
        );
        assert_eq!(checkpoint.head_header().expect("a header"), Some(header));

        let alone = file(&head.clone().alone(), None);
        assert_eq!(alone.linear_head().expect("a head"), Some(head));
        assert_eq!(alone.head_header().expect("none"), None);
    }
}

#[test]
fn other_heads_are_not_taken_for_one() {
    let refused = |tensors: &[(&str, &[usize])]| {
        let error = file(&named(tensors), None).linear_head();
        error.expect_err("no linear head").to_string()
    };
    let bias: (&str, &[usize]) = ("head.bias", &[2]);
    let error = refused(&[("head.weight", &[2, 3]), bias, ("fc_norm.weight", &[3])]);
    assert!(error.contains("`fc_norm.*`"), "{error}");
    let error = refused(&[("head.weight", &[2, 3, 1]), bias]);
    assert!(error.contains("[2, 3, 1]"), "{error}");
    let error = refused(&[("head.weight", &[3, 3]), bias]);
    assert!(
        error.contains("3 classes and a bias of shape [2]"),
        "{error}"
    );
    let error = refused(&[("head.weight", &[2, 3])]);
    assert!(error.contains("lacks `head.bias`"), "{error}");
    let error = refused(&[("0.module.linear.weight", &[2, 3])]);
    assert!(error.contains("1 linear heads"), "{error}");

    let ibot = named(&[("head.mlp.0.weight", &[8, 4]), ("norm.weight", &[4])]);
    assert_eq!(file(&ibot, None).linear_head().expect("none"), None);
    let damaged = file(&head(2, 3).alone(), Some("{\"classes\": 3}"));
    let error = damaged.head_header().expect_err("no JSON").to_string();
    assert!(error.contains("`ibot.head`"), "{error}");
}

#[test]
fn a_head_must_fit_names_and_network() {
    let network = ModelHeader {
        backbone: small_backbone(),
        eval_resize: 1.0,
        step: 0,
    };
    let usual = HeadHeader::usual(&head(3, 16), &network).expect("one CLS token");
    assert_eq!((usual.cls_blocks, usual.patch_mean), (1, false));
    assert!(usual.check(&head(3, 16), &network.backbone).is_ok());
    let error = HeadHeader::usual(&head(3, 32), &network).expect_err("two tokens");
    assert!(matches!(error, HeadError::Unknown { width: 32, dim: 16 }));

    let error = |header: HeadHeader, head: HeadTensors| {
        let error = header.check(&head, &network.backbone);
        error.expect_err("it does not fit").to_string()
    };
    let message = error(header(1, false), head(3, 16));
    assert!(message.contains("2 names for the 3 classes"), "{message}");
    let message = error(header(1, true), head(2, 16));
    assert!(message.contains("reads 16 values"), "{message}");
    let message = error(header(3, false), head(2, 48));
    assert!(message.contains("3 blocks, the network has 2"), "{message}");
    let message = error(header(0, false), head(2, 16));
    assert!(message.contains("0 make 0 CLS tokens"), "{message}");
}
