//! What `ibot export` writes is what timm and onnxruntime were seen to read.
//!
//! `fixtures/export/*.timm.safetensors` hold the tokens that timm computed after loading our files
//! strictly, and the names and shapes it asked for (`python/check_timm.py --write`).
//! `fixtures/export/*.onnx` passed `python/check_onnx.py`; they must come out again byte for byte.

#![cfg(not(target_family = "wasm"))]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use futures_lite::future::block_on;
use ibot_core::model::{Backbone, BackboneConfig};
use ibot_core::onnx;
use ibot_core::weights;
use ibot_core::weights::{Checkpoint, from_safetensors};

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

        let side = config.image_size();
        let image = (0..2 * 3 * side * side)
            .map(|i| f64::from(i as u32).sin() as f32)
            .collect();
        let image = Tensor::<4>::from_data(
            TensorData::new::<f32, _>(image, [2, 3, side, side]),
            &Device::flex(),
        );
        let tokens: Vec<f32> = backbone
            .forward(image, &[], &mut None)
            .into_sequence()
            .try_into_vec_as()
            .expect("floats");
        let worst = tokens
            .iter()
            .zip(&expected["tokens"].values)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        eprintln!("{name}: {worst:.1e}");
        assert_eq!(tokens.len(), expected["tokens"].values.len());
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
