//! Files of others load, and the loaded networks give the numbers of the code that wrote them.

#![cfg(not(target_family = "wasm"))]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use futures_lite::future::block_on;
use ibot_core::model::Mask;
use ibot_core::model::{Backbone, BackboneConfig, Ffn, Network, Want};
use ibot_core::weights;
use ibot_core::weights::{
    Checkpoint, Interpolated, LoadError, ModelHeader, StoredPrecision, to_safetensors,
};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde_json::Value;

/// The tokens of the last two blocks, and the attention of CLS in the last.
const LAST_TWO: Want = Want {
    block: None,
    earlier: 1,
    attention: true,
    raw_patches: false,
};

/// The promise for what the official code wrote.
const TOLERANCE: f32 = 1e-5;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn bytes(name: &str) -> Vec<u8> {
    let path = fixtures().join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Tensors of a fixture, whatever their type.
struct Expected(HashMap<String, (Vec<usize>, Vec<f32>)>);

impl Expected {
    fn read(bytes: &[u8]) -> Self {
        let file = SafeTensors::deserialize(bytes).expect("a safetensors fixture");
        let tensors = file.tensors().into_iter().map(|(name, view)| {
            let values = match view.dtype() {
                Dtype::U8 => view.data().iter().map(|byte| f32::from(*byte)).collect(),
                _ => view
                    .data()
                    .as_chunks()
                    .0
                    .iter()
                    .map(|b| f32::from_le_bytes(*b))
                    .collect(),
            };
            (name, (view.shape().to_vec(), values))
        });
        Self(tensors.collect())
    }

    fn images(&self, name: &str) -> Tensor<4> {
        let (shape, values) = &self.0[name];
        let shape: [usize; 4] = shape
            .as_slice()
            .try_into()
            .expect("images have four dimensions");
        Tensor::from_data(TensorData::new(values.clone(), shape), &Device::flex())
    }

    /// Asserts that `actual`, `[B, heads, N]`, holds what CLS attends to in the attention `name`,
    /// `[B, heads, T, T]`: of its first row the last N columns.
    fn check_cls_attention(&self, name: &str, actual: Tensor<3>) {
        let [images, heads, patches] = actual.dims();
        let (shape, values) = &self.0[name];
        let tokens = shape[3];
        assert_eq!(shape[..], [images, heads, tokens, tokens], "{name}");
        let mut expected = Vec::new();
        for map in values.chunks(tokens * tokens) {
            expected.extend(&map[tokens - patches..tokens]);
        }
        compare(name, actual, &expected);
    }

    /// Asserts that `actual` holds the values of `name`.
    fn check<const D: usize>(&self, name: &str, actual: Tensor<D>) {
        let (_, expected) = &self.0[name];
        compare(name, actual, expected);
    }
}

fn compare<const D: usize>(name: &str, actual: Tensor<D>, expected: &[f32]) {
    let actual: Vec<f32> = actual.try_into_vec_as().expect("floats");
    assert_eq!(actual.len(), expected.len(), "{name}");
    let worst = actual
        .iter()
        .zip(expected)
        .map(|(a, e)| (a - e).abs())
        .fold(0.0, f32::max);
    eprintln!("{name}: {worst:.1e}");
    assert!(worst <= TOLERANCE, "{name} differs by {worst:e}");
}

fn network(file: &str, key: Option<&str>) -> (Network, weights::LoadReport) {
    let checkpoint =
        Checkpoint::read(&bytes(file), key).unwrap_or_else(|error| panic!("{file}: {error}"));
    let config = checkpoint.config(Some(3)).expect("a ViT of three heads");
    checkpoint
        .network(&config, false, &Device::flex())
        .expect("backbone and head")
}

#[test]
fn the_official_checkpoint_gives_the_official_outputs() {
    let expected = Expected::read(&bytes("official/expected.safetensors"));
    let (teacher, report) = network("official/checkpoint.pth", None);
    eprintln!("{report}");
    assert_eq!(report.section.as_deref(), Some("teacher"));
    assert!(report.missing.is_empty() && report.interpolated.is_none() && report.cast.is_empty());
    let image = expected.images("image");
    let tokens = teacher.backbone.forward(image.clone(), &[], &mut None);
    expected.check("teacher_tokens", tokens.clone().into_sequence());
    let wide = teacher
        .backbone
        .forward(expected.images("image_48x64"), &[], &mut None);
    expected.check("teacher_tokens_48x64", wide.into_sequence());
    let head = &teacher.head;
    let cls = tokens.cls.clone();
    let patches = tokens.into_patches().flatten(0, 1);
    expected.check(
        "teacher_cls_logits",
        head.cls_logits(head.cls_bottleneck(cls)),
    );
    expected.check(
        "teacher_patch_logits",
        head.patch_logits(head.patch_bottleneck(patches)),
    );
    let features = teacher.backbone.features(image.clone(), LAST_TWO);
    let attention = features.attention.expect("a ViT has a CLS token");
    expected.check_cls_attention("teacher_last_attention", attention);
    let layers = features.earlier.into_iter().chain([features.tokens]);
    for (i, layer) in layers.enumerate() {
        expected.check(&format!("teacher_intermediate_{i}"), layer.into_sequence());
    }

    let (student, report) = network("official/checkpoint.pth", Some("student"));
    assert_eq!(report.section.as_deref(), Some("student"));
    expected.check(
        "student_tokens",
        student
            .backbone
            .forward(image, &[], &mut None)
            .into_sequence(),
    );
}

#[test]
fn a_backbone_alone_loads_and_says_that_it_has_no_head() {
    let expected = Expected::read(&bytes("official/expected.safetensors"));
    let checkpoint = Checkpoint::read(&bytes("official/checkpoint_teacher.pth"), None)
        .expect("an official file");
    let config = checkpoint.config(Some(3)).expect("a ViT of three heads");
    let (backbone, _) = checkpoint
        .backbone(&config, false, &Device::flex())
        .expect("a whole backbone");
    expected.check(
        "teacher_tokens",
        backbone
            .forward(expected.images("image"), &[], &mut None)
            .into_sequence(),
    );
    assert!(matches!(checkpoint.head(), Err(LoadError::NoHead)));
    let error = checkpoint
        .config(None)
        .expect_err("48 channels are no multiple of 64")
        .to_string();
    assert!(error.contains("number of attention heads"), "{error}");
}

#[test]
fn what_is_missing_is_named_and_may_be_left_out() {
    let mut checkpoint =
        Checkpoint::read(&bytes("official/checkpoint.pth"), None).expect("an official file");
    let config = checkpoint.config(Some(3)).expect("a ViT of three heads");
    checkpoint.weights.remove("blocks.0.attn.proj.bias");
    let error = checkpoint
        .backbone(&config, false, &Device::flex())
        .expect_err("a bias is missing")
        .to_string();
    assert!(
        error.contains("lacks 1 tensors") && error.contains("blocks.0.attn.proj.bias"),
        "{error}"
    );
    let (_, report) = checkpoint
        .backbone(&config, true, &Device::flex())
        .expect("partial");
    assert_eq!(report.missing, ["blocks.0.attn.proj.bias"]);
    let error = Checkpoint::read(&bytes("official/checkpoint.pth"), Some("tutor"))
        .expect_err("no such part");
    assert!(error.to_string().contains("teacher"), "{error}");
}

#[test]
fn position_embeddings_are_interpolated_to_another_grid() {
    let checkpoint = Checkpoint::read(&bytes("official/checkpoint_teacher.pth"), None)
        .expect("an official file");
    let own = checkpoint.config(Some(3)).expect("a ViT of three heads");
    let side = 2 * own.image_size();
    let config = own.clone().with_image_size(side);
    let device = Device::flex();
    let (larger, report) = checkpoint
        .backbone(&config, false, &device)
        .expect("a whole backbone");
    assert_eq!(
        report.interpolated,
        Some(Interpolated {
            what: "position embeddings",
            from: own.image_size() / own.stride(),
            to: side / own.stride(),
        })
    );
    let (original, _) = checkpoint
        .backbone(&own, false, &device)
        .expect("a whole backbone");
    let image = Tensor::ones([1, 3, side, side], &device);
    let actual = larger.forward(image.clone(), &[], &mut None);
    let expected = original.forward(image, &[], &mut None);
    let difference = actual.into_sequence() - expected.into_sequence();
    assert!(
        difference.abs().max().into_scalar::<f32>() < 1e-6,
        "interpolated on loading or when used"
    );
}

#[test]
fn dinov2_networks_give_the_outputs_of_their_code() {
    for name in [
        "official",
        "official_reg4_swiglu",
        "timm",
        "timm_reg4_swiglu",
    ] {
        eprintln!("{name}");
        let bytes = bytes(&format!("dinov2/dinov2_{name}.safetensors"));
        let expected = Expected::read(&bytes);
        let config: Value = config_of(&bytes);
        let checkpoint = Checkpoint::read(&bytes, Some("weights")).expect("a DINOv2 file");
        let network = checkpoint
            .config(config["heads"].as_u64().map(|heads| heads as usize))
            .expect("a ViT");
        let BackboneConfig::Vit(vit) = &network else {
            panic!("{name}: {network}");
        };
        assert_eq!(vit.ffn == Ffn::SwiGlu, config["swiglu"] == true, "{name}");
        assert_eq!(
            (Some(vit.registers as u64), vit.layerscale.is_some()),
            (config["registers"].as_u64(), true)
        );
        let (backbone, _) = checkpoint
            .backbone(&network, false, &Device::flex())
            .expect("a whole backbone");
        check_dinov2(&expected, &backbone, vit.registers > 0, name);
    }
}

fn check_dinov2(expected: &Expected, backbone: &Backbone, registers: bool, name: &str) {
    let image = expected.images("input/image");
    expected.check(
        "output/tokens",
        backbone
            .forward(image.clone(), &[], &mut None)
            .into_sequence(),
    );
    let sampling = match name {
        // timm always widens the kernel; a file without registers does not tell that timm wrote it.
        "timm" => "output/other/offset0_antialias",
        _ if registers => "output/other/offset0_antialias",
        _ => "output/other/offset0.1",
    };
    if name != "timm" {
        expected.check(
            sampling,
            backbone
                .forward(expected.images("input/image_other"), &[], &mut None)
                .into_sequence(),
        );
    }
    let features = backbone.features(image.clone(), LAST_TWO);
    let attention = features.attention.expect("a ViT has a CLS token");
    expected.check_cls_attention("output/attention", attention);
    let layers = features.earlier.into_iter().chain([features.tokens]);
    for (layer, tokens) in layers.enumerate() {
        expected.check(
            &format!("output/layer{}/cls", layer + 1),
            tokens.cls.clone(),
        );
        expected.check(
            &format!("output/layer{}/patches", layer + 1),
            tokens.into_patches(),
        );
    }
    if let Some((shape, cells)) = expected.0.get("input/mask") {
        let masks: Vec<Mask> = cells
            .chunks(shape[1] * shape[2])
            .map(|cells| {
                Mask::new(
                    shape[1],
                    shape[2],
                    cells.iter().map(|cell| *cell != 0.0).collect(),
                )
            })
            .collect();
        expected.check(
            "output/tokens_masked",
            backbone.forward(image, &masks, &mut None).into_sequence(),
        );
    }
}

fn config_of(bytes: &[u8]) -> Value {
    let (_, header) = SafeTensors::read_metadata(bytes).expect("a safetensors fixture");
    let metadata = header.metadata().as_ref().expect("a configuration");
    serde_json::from_str(&metadata["config"]).expect("a configuration in JSON")
}

/// What is written in timm's names, in 32 and 16 bits, is read back as the same network.
#[test]
fn exports_are_read_back() {
    for name in ["official", "official_reg4_swiglu"] {
        let source = bytes(&format!("dinov2/dinov2_{name}.safetensors"));
        let heads = config_of(&source)["heads"]
            .as_u64()
            .map(|heads| heads as usize);
        let checkpoint = Checkpoint::read(&source, Some("weights")).expect("a DINOv2 file");
        let config = checkpoint.config(heads).expect("a ViT");
        let (backbone, _) = checkpoint
            .backbone(&config, false, &Device::flex())
            .expect("a whole backbone");
        let image = Expected::read(&source).images("input/image");
        let tokens = backbone
            .forward(image.clone(), &[], &mut None)
            .into_sequence();
        for (precision, tolerance) in [(StoredPrecision::F32, 1e-6), (StoredPrecision::F16, 2e-2)] {
            let header = ModelHeader {
                backbone: config.clone(),
                eval_resize: 1.0,
                step: 7,
            };
            let exported = block_on(weights::timm(&backbone, None)).expect("a working device");
            let metadata = header.to_metadata().expect("JSON");
            let file = to_safetensors(&exported, metadata, precision).expect("sound weights");
            let again = Checkpoint::read(&file, None).expect("our own file");
            assert_eq!(again.header.as_ref(), Some(&header));
            let (loaded, report) = again
                .backbone(&again.config(None).expect("a ViT"), false, &Device::flex())
                .expect("a whole backbone");
            assert_eq!(
                report.cast.get("float16").copied().unwrap_or(0),
                if precision == StoredPrecision::F16 {
                    report.matched
                } else {
                    0
                }
            );
            let again = loaded.forward(image.clone(), &[], &mut None);
            let worst: f32 = (again.into_sequence() - tokens.clone())
                .abs()
                .max()
                .into_scalar();
            eprintln!("{name} {precision:?}: {worst:.1e}");
            assert!(worst <= tolerance, "{name} {precision:?}: {worst}");
        }
    }
}
