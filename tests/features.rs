//! Features and classifiers on them on a software GPU, against those of the CPU.

#![cfg(not(target_family = "wasm"))]

use burn::tensor::{Device, Tensor, TensorData};
use futures_lite::future::block_on;
use ibot_core::eval::attentive::{AttentiveFit, AttentiveSettings, PatchFeatures};
use ibot_core::eval::knn::Labelled;
use ibot_core::eval::linear::{LinearFit, LinearSweep};
use ibot_core::features::{PatchMean, Pooling, Readout};
use ibot_core::pretrain::config::Config;
use ibot_core::rng::{Purpose, stream};
use ibot_native::data::Dataset;
use ibot_native::device::{DeviceChoice, select};
use ibot_native::features::{Encoder, EvalView, FeatureStore};
use ibot_tests::run_alone_on_a_software_gpu;
use rand::RngExt as _;

const VIEW: EvalView = EvalView {
    size: 16,
    resize_ratio: 1.25,
};
/// Of values near 1, after two blocks.
const TOLERANCE: f32 = 1e-4;

#[test]
fn a_software_gpu_gives_the_features_of_the_cpu() {
    run_alone_on_a_software_gpu("features_on_a_software_gpu");
}

#[test]
#[ignore = "a_software_gpu_gives_the_features_of_the_cpu runs this in a process of its own"]
fn features_on_a_software_gpu() {
    let selected = select(DeviceChoice::Software)
        .expect("a software GPU (on Debian: libegl1 and libgl1-mesa-dri)");
    eprintln!("on {}", selected.description);
    let rng = &mut stream(1, Purpose::Init, 0, 0);
    let config = Config::miniature().backbone().with_mask_token(false);
    let backbone = config.init(&Device::flex(), rng);
    let readouts = [
        Readout::Pooled(Pooling {
            cls_blocks: 2,
            patch_mean: PatchMean::Normed,
        }),
        Readout::Pooled(Pooling::PATCHES),
        Readout::Patches,
        Readout::Salient {
            patches: 5,
            lowest: false,
        },
        Readout::Salient {
            patches: 3,
            lowest: true,
        },
    ];

    let data = Dataset::open("builtin:val").expect("the builtin scenes");
    let images: Vec<usize> = (0..20).collect();
    let devices = [
        vec![Device::flex()],
        vec![selected.device.clone(), Device::flex()],
    ];
    let [cpu, both] = devices.map(|devices| {
        let encoder = Encoder::Network(&backbone);
        let mut store = FeatureStore::new(encoder, VIEW, &devices).expect("a store");
        store.plan(&readouts);
        store
    });

    for readout in readouts {
        let [expected, actual] = [&cpu, &both].map(|store| {
            let rows = store.rows(readout, &data, &images).expect("rows");
            rows.values
        });
        assert_eq!(actual.len(), expected.len());
        let mut largest = 0f32;
        for (a, e) in actual.iter().zip(&expected) {
            largest = largest.max((a - e).abs());
        }
        eprintln!("{readout}: {largest:.1e}");
        assert!(largest < TOLERANCE, "{readout}: {largest}");
    }
}

#[test]
fn a_software_gpu_trains_classifiers_as_the_cpu() {
    run_alone_on_a_software_gpu("classifiers_on_a_software_gpu");
}

#[test]
#[ignore = "a_software_gpu_trains_classifiers_as_the_cpu runs this in a process of its own"]
fn classifiers_on_a_software_gpu() {
    let selected = select(DeviceChoice::Software)
        .expect("a software GPU (on Debian: libegl1 and libgl1-mesa-dri)");
    let losses = [Device::flex(), selected.device].map(|device| {
        let losses = [linear_losses(&device), attentive_losses(&device)];
        losses.concat()
    });

    let [cpu, gpu] = losses;
    eprintln!("{cpu:?}\n{gpu:?}");
    assert_eq!(cpu.len(), 5);
    for (cpu, gpu) in cpu.iter().zip(&gpu) {
        assert!((cpu - gpu).abs() < 1e-4 * cpu.max(1.0), "{gpu}, not {cpu}");
    }
    assert!(cpu[2] < 0.7 * cpu[0], "the fastest head has learned most");
}

/// Features `[24, 8]` and their three classes, which lie apart in three of the columns.
fn examples(device: &Device) -> Labelled {
    let mut rng = stream(4, Purpose::Init, 0, 0);
    let mut values = Vec::new();
    for image in 0..24 {
        for column in 0..8 {
            let noise: f32 = rng.random();
            values.push(noise + if column == image % 3 { 1.0 } else { 0.0 });
        }
    }
    Labelled {
        features: Tensor::from_data(TensorData::new(values, [24, 8]), device),
        labels: (0..24).map(|image| image % 3).collect(),
    }
}

fn linear_losses(device: &Device) -> Vec<f64> {
    let images = examples(device);
    let rates = vec![1e-3, 0.1, 0.5];
    let sweep = LinearSweep::new(8, 3, rates, 1, device).expect("three classes");
    let mut fit = LinearFit::new(sweep, 3, images.clone()).expect("images that fit");
    for _ in 0..3 {
        block_on(fit.cached_epoch(&images, 10, 2)).expect("heads that learn");
    }
    fit.scores().iter().map(|score| score.loss).collect()
}

fn attentive_losses(device: &Device) -> Vec<f64> {
    let Labelled { features, labels } = examples(device);
    let images = PatchFeatures {
        patches: features.reshape([24, 2, 4]),
        labels,
    };
    let settings = AttentiveSettings {
        classes: 3,
        queries: 2,
        rates: vec![1e-3, 1e-2],
        weight_decay: 0.05,
        steps: 6,
        seed: 1,
    };
    let mut fit = AttentiveFit::new(&settings, images.clone()).expect("images that fit");
    for _ in 0..2 {
        block_on(fit.cached_epoch(&images, 10, 2)).expect("probes that learn");
    }
    fit.scores().iter().map(|score| score.loss).collect()
}
