//! What `ibot export` writes is what timm and onnxruntime were seen to read.
//!
//! `fixtures/export/*.timm.safetensors` hold the tokens that timm computed after loading our files
//! strictly, and the names and shapes it asked for (`python/check_timm.py --write`).
//! `fixtures/export/*.onnx` passed `python/check_onnx.py`; they must come out again byte for byte.
//! `fixtures/export/classifier_*.timm.safetensors` are of `python/check_classifier.py --write`: the logits that timm
//! computed, and the SHA-256 of an ONNX model whose logits are the same.

#![cfg(not(target_family = "wasm"))]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use futures_lite::future::block_on;
use ibot_core::features::Pooling;
use ibot_core::learn::Classifier;
use ibot_core::model::{Backbone, BackboneConfig};
use ibot_core::onnx;
use ibot_core::weights;
use ibot_core::weights::{Checkpoint, HeadHeader, HeadTensors, ModelHeader, from_safetensors};
use sha2::{Digest as _, Sha256};

const TOLERANCE: f32 = 1e-5;

fn bytes(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn load(file: &str, key: Option<&str>, heads: usize) -> (Backbone, BackboneConfig) {
    let checkpoint =
        Checkpoint::read(&bytes(file), key).unwrap_or_else(|error| panic!("{file}: {error}"));
    let config = checkpoint
        .config(Some(heads))
        .expect("a ViT")
        .with_mask_token(false);
    let (backbone, _) = checkpoint
        .backbone(&config, false, &Device::flex())
        .expect("a whole backbone");
    (backbone, config)
}

/// Element i, row-major, is the sine of i.
fn sine_images(side: usize) -> Tensor<4> {
    let values = (0..2 * 3 * side * side)
        .map(|i| f64::from(i as u32).sin() as f32)
        .collect();
    Tensor::from_data(
        TensorData::new::<f32, _>(values, [2, 3, side, side]),
        &Device::flex(),
    )
}

fn largest_difference(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    let mut worst = 0f32;
    for (a, b) in ours.iter().zip(theirs) {
        worst = worst.max((a - b).abs());
    }
    worst
}

#[test]
fn timm_gets_the_names_it_asks_for_and_gives_our_tokens() {
    for (name, file, key, heads) in [
        ("ibot", "official/checkpoint_teacher.pth", None, 3),
        (
            "official",
            "dinov2/dinov2_official.safetensors",
            Some("weights"),
            3,
        ),
        (
            "official_reg4_swiglu",
            "dinov2/dinov2_official_reg4_swiglu.safetensors",
            Some("weights"),
            2,
        ),
    ] {
        let (backbone, config) = load(file, key, heads);
        let (expected, metadata) =
            from_safetensors(&bytes(&format!("export/{name}.timm.safetensors")))
                .expect("a fixture");
        let asked: BTreeMap<String, Vec<usize>> =
            serde_json::from_str(&metadata["shapes"]).expect("names and shapes");
        let exported = block_on(weights::timm(&backbone, None)).expect("a working device");
        let given: BTreeMap<String, Vec<usize>> = exported
            .into_iter()
            .map(|(name, weight)| (name, weight.shape))
            .collect();
        assert_eq!(given, asked, "{name}");

        let tokens: Vec<f32> = backbone
            .forward(sine_images(config.image_size()), &[], &mut None)
            .into_sequence()
            .try_into_vec_as()
            .expect("floats");
        let worst = largest_difference(&tokens, &expected["tokens"].values);
        eprintln!("{name}: {worst:.1e}");
        assert!(worst <= TOLERANCE, "{name}: {worst}");
    }
}

#[test]
fn onnx_models_are_those_that_onnxruntime_ran() {
    for (name, heads) in [("official", 3), ("official_reg4_swiglu", 2)] {
        let (backbone, config) = load(
            &format!("dinov2/dinov2_{name}.safetensors"),
            Some("weights"),
            heads,
        );
        let weights = block_on(weights::read(&backbone)).expect("a working device");
        let side = config.image_size();
        let model = onnx::backbone(&weights, &config, side, side).expect("a whole network");
        assert!(
            model == bytes(&format!("export/{name}.onnx")),
            "{name}: check the model with check_onnx.py"
        );
        let error = onnx::backbone(&weights, &config, side + 1, side)
            .expect_err("no multiple of the patch");
        assert!(error.to_string().contains("patches"), "{error}");
    }
}

/// The best head of an official linear checkpoint, and what it is said to read.
fn official_head(
    cls_blocks: usize,
    patch_mean: bool,
    backbone: &BackboneConfig,
) -> (HeadTensors, HeadHeader) {
    let checkpoint = Checkpoint::read(&bytes("official/linear.pth"), None).expect("a checkpoint");
    let head = checkpoint
        .linear_head()
        .expect("a head")
        .expect("one of three");
    let network = ModelHeader {
        backbone: backbone.clone(),
        eval_resize: ModelHeader::USUAL_RESIZE,
        step: 0,
    };
    let header = HeadHeader {
        cls_blocks,
        patch_mean,
        ..HeadHeader::usual(&head, &network).expect("of the width of a token")
    };
    header.check(&head, backbone).expect("it fits");
    (head, header)
}

#[test]
fn the_best_of_the_official_heads_is_read() {
    let (_, config) = load("official/checkpoint_teacher.pth", None, 3);
    let (head, header) = official_head(1, false, &config);
    assert_eq!((head.classes(), head.width()), (5, config.dim()));
    assert_eq!(head.bias(), [1.0, 1.1, 1.2, 1.3, 1.4], "the bias of head 1");
    assert!(header.classes.is_empty());
}

#[test]
fn timm_and_onnxruntime_give_the_logits_of_our_classifier() {
    let (backbone, config) = load("official/checkpoint_teacher.pth", None, 3);
    let images = sine_images(config.image_size());
    for (name, cls_blocks, patch_mean) in [("cls", 1, false), ("mean", 0, true)] {
        let (head, header) = official_head(cls_blocks, patch_mean, &config);
        let file = bytes(&format!("export/classifier_{name}.timm.safetensors"));
        let (expected, metadata) = from_safetensors(&file).expect("a fixture");

        let mut exported = block_on(weights::timm(&backbone, None)).expect("a working device");
        exported.extend(head.clone().beside_backbone(&header));
        let asked: BTreeMap<String, Vec<usize>> =
            serde_json::from_str(&metadata["shapes"]).expect("names and shapes");
        let mut given = BTreeMap::new();
        for (name, weight) in &exported {
            given.insert(name.clone(), weight.shape.clone());
        }
        assert_eq!(given, asked, "{name}");

        let pooling = Pooling {
            cls_blocks,
            patch_mean: patch_mean.into(),
        };
        let features: Vec<f32> = pooling
            .of(&backbone, images.clone())
            .try_into_vec_as()
            .expect("floats");
        let (weight, bias) = (head.weight().to_vec(), head.bias().to_vec());
        let classifier = Classifier::new(head.width(), weight, bias).expect("a sound head");
        let mut logits = Vec::new();
        for feature in features.chunks_exact(head.width()) {
            logits.extend(classifier.logits(feature).expect("its width"));
        }
        let worst = largest_difference(&logits, &expected["logits"].values);
        eprintln!("classifier, {name}: {worst:.1e}");
        assert!(worst <= TOLERANCE, "{name}: {worst}");

        let side = config.image_size();
        let mut named = block_on(weights::read(&backbone)).expect("a working device");
        named.extend(head.alone());
        let model = onnx::classifier(&named, &config, &header, side, side).expect("a classifier");
        let digest: String = Sha256::digest(&model)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            digest, metadata["onnx_sha256"],
            "check the model with check_classifier.py"
        );

        let blocks = HeadHeader {
            cls_blocks: 2,
            ..header
        };
        let error = onnx::classifier(&named, &config, &blocks, side, side)
            .expect_err("the graph has the tokens of one block");
        assert!(error.to_string().contains("2 blocks"), "{error}");
    }
}
