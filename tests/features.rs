//! Features on a software GPU against those of the CPU.

#![cfg(not(target_family = "wasm"))]

use burn::tensor::Device;
use ibot_core::features::{PatchMean, Pooling, Readout};
use ibot_core::pretrain::config::Config;
use ibot_core::rng::{Purpose, stream};
use ibot_native::data::Dataset;
use ibot_native::device::{DeviceChoice, select};
use ibot_native::features::{Encoder, EvalView, FeatureStore};
use ibot_tests::run_alone_on_a_software_gpu;

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
            let rows = store.rows(readout, &data, &images).expect("rows").rows;
            let rows: Vec<f32> = rows.try_into_vec_as().expect("floats");
            rows
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
