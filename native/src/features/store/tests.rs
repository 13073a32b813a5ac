//! What a store keeps and computes, on the builtin scenes.

use ibot_core::features::{PatchMean, Pooling};
use ibot_core::pretrain::config::Config;
use ibot_core::rng::{Purpose, stream};

use super::*;

const VIEW: EvalView = EvalView {
    size: 16,
    resize_ratio: 1.25,
};

fn backbone() -> Backbone {
    let rng = &mut stream(1, Purpose::Init, 0, 0);
    let config = Config::miniature().backbone().with_mask_token(false);
    config.init(&Device::flex(), rng)
}

fn store(devices: usize) -> FeatureStore {
    let devices = vec![Device::flex(); devices];
    FeatureStore::new(Encoder::Network(&backbone()), VIEW, &devices).expect("a store")
}

fn values(rows: FeatureRows) -> Vec<f32> {
    assert_eq!(rows.values.len(), rows.indices.len() * rows.width);
    rows.values
}

fn shape(rows: &FeatureRows) -> [usize; 2] {
    [rows.indices.len(), rows.width]
}

fn scenes() -> Dataset {
    Dataset::open("builtin:val").expect("the builtin scenes")
}

#[test]
fn an_image_goes_through_the_network_once() {
    let (store, data) = (store(1), scenes());
    let first = store.rows(Readout::CLS, &data, &[5, 3, 9]).expect("rows");
    assert_eq!((store.encoded(), &first.indices[..]), (3, &[5, 3, 9][..]));
    let again = store
        .rows(Readout::CLS, &data, &[9, 5, 9, 4])
        .expect("rows");
    assert_eq!(store.encoded(), 4, "only image 4 was new");

    let (first, again) = (values(first), values(again));
    assert_eq!(first[32..48], again[..16]);
    assert_eq!(again[..16], again[32..48]);
    assert_eq!(first[..16], again[16..32]);
}

#[test]
fn a_pass_reads_what_is_planned() {
    let (mut store, data) = (store(1), scenes());
    let pooled = Readout::Pooled(Pooling {
        cls_blocks: 2,
        patch_mean: PatchMean::Normed,
    });
    store.plan(&[Readout::CLS, pooled, Readout::Patches]);
    store.rows(Readout::CLS, &data, &[1, 2]).expect("rows");
    let pooled = store.rows(pooled, &data, &[2, 1]).expect("rows");
    assert_eq!((store.encoded(), shape(&pooled)), (2, [2, 48]));

    let patches = store.rows(Readout::Patches, &data, &[1]).expect("rows");
    assert_eq!(shape(&patches), [1, 16 * 16]);
    assert_eq!(store.encoded(), 3, "patches are read on demand");
}

#[test]
fn workers_change_no_bit() {
    let data = scenes();
    let indices: Vec<usize> = (0..70).collect();
    let alone = store(1).rows(Readout::CLS, &data, &indices).expect("rows");
    let many = store(5).rows(Readout::CLS, &data, &indices).expect("rows");
    assert_eq!(values(alone), values(many));
}

#[test]
fn encoded_pixels_are_the_rows_of_their_images() {
    let (store, data) = (store(2), scenes());
    let pixels = FeatureStore::new(Encoder::Pixels, VIEW, &[Device::flex()]).expect("a store");
    let indices: Vec<usize> = (0..40).collect();
    let images = values(pixels.rows(Readout::CLS, &data, &indices).expect("rows"));
    assert_eq!(images.len(), 40 * VIEW.values());

    let encoded = store
        .encode(&[Readout::Patches, Readout::CLS], images)
        .expect("rows");
    let rows = store.rows(Readout::CLS, &data, &indices).expect("rows");
    let encoded: Vec<f32> = encoded[1].try_to_vec_as().expect("floats");
    assert_eq!(encoded, values(rows));
}

#[test]
fn plain_pixels_may_be_cut_into_patches() {
    let data = scenes();
    let open = || FeatureStore::new(Encoder::Pixels, VIEW, &[Device::flex()]).expect("a store");
    let pixels = open().with_pixel_patches(4).expect("whole patches");
    let grid = pixels.grid().expect("patches");
    assert_eq!((grid.rows, grid.columns), (4, 4));

    let whole = values(pixels.rows(Readout::CLS, &data, &[3]).expect("rows"));
    let rows = pixels.rows(Readout::Patches, &data, &[3]).expect("rows");
    assert_eq!(shape(&rows), [1, 16 * 48]);
    // Patch (1, 2), blue, its last row.
    let start = (4 + 2) * 48 + 2 * 16 + 3 * 4;
    let place = 2 * 256 + 7 * 16 + 8;
    assert_eq!(rows.values[start..start + 4], whole[place..place + 4]);
    let encoded = pixels.encode(&[Readout::Patches], whole).expect("rows");
    let encoded: Vec<f32> = encoded[0].try_to_vec_as().expect("floats");
    assert_eq!(encoded, values(rows));

    pixels.forget_rows(Readout::Patches, &data);
    assert_eq!(
        pixels
            .rows(Readout::Patches, &data, &[3])
            .expect("rows")
            .width,
        768
    );
    assert!(open().grid().is_err() && open().with_pixel_patches(5).is_err());
}

#[test]
fn what_cannot_be_read_has_a_reason() {
    let view = EvalView { size: 18, ..VIEW };
    let error = FeatureStore::new(Encoder::Network(&backbone()), view, &[Device::flex()]).err();
    let error = error.expect("18 is no multiple of 4").to_string();
    assert!(error.contains("18 pixels is not a multiple"), "{error}");

    let pixels = FeatureStore::new(Encoder::Pixels, VIEW, &[Device::flex()]).expect("a store");
    let error = pixels.rows(Readout::Patches, &scenes(), &[1]).err();
    let error = error.expect("pixels have no tokens").to_string();
    assert!(error.contains("no patch tokens"), "{error}");
}

#[test]
fn a_second_store_takes_rows_from_the_folder() {
    let (folder, data) = (tempfile::tempdir().expect("a folder"), scenes());
    let open = |network: &str| store(2).with_cache(folder.path(), network.to_owned());
    let mean = Readout::Pooled(Pooling::PATCHES);
    let mut first = open("a");
    first.plan(&[mean]);
    let rows = values(first.rows(Readout::CLS, &data, &[8, 2]).expect("rows"));

    let second = open("a");
    let again = values(second.rows(Readout::CLS, &data, &[8, 2]).expect("rows"));
    assert_eq!((second.encoded(), again), (0, rows));
    second.rows(mean, &data, &[2]).expect("rows");
    assert_eq!(second.encoded(), 0, "what was planned is there too");
    second.rows(mean, &data, &[2, 3]).expect("rows");
    assert_eq!(second.encoded(), 1, "only what is missing is computed");

    let other = open("b");
    other.rows(Readout::CLS, &data, &[8, 2]).expect("rows");
    assert_eq!(other.encoded(), 2, "another network has other rows");
}

#[test]
fn precision_changes_rows_a_little() {
    let data = scenes();
    let exact = values(store(1).rows(Readout::CLS, &data, &[1, 2]).expect("rows"));
    for (precision, tolerance) in [
        (ComputePrecision::F16, 5e-3),
        (ComputePrecision::Bf16, 5e-2),
    ] {
        let store = store(1).with_precision(precision);
        let rows = values(store.rows(Readout::CLS, &data, &[1, 2]).expect("rows"));
        let mut largest = 0f32;
        for (a, b) in exact.iter().zip(&rows) {
            largest = largest.max((a - b).abs());
        }
        assert!(
            largest > 0.0 && largest < tolerance,
            "{precision}: {largest}"
        );
    }
}

#[test]
fn an_image_that_cannot_be_read_is_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, shade) in [("1.png", 10), ("3.png", 200)] {
        let image = image::RgbImage::from_pixel(20, 18, image::Rgb([shade, 50, 90]));
        image.save(folder.path().join(name)).expect("written");
    }
    std::fs::write(folder.path().join("2.png"), "no picture").expect("written");
    let data = Dataset::open(&folder.path().display().to_string()).expect("a folder of images");

    let store = store(2);
    for _ in 0..2 {
        let rows = store.rows(Readout::CLS, &data, &[0, 1, 2]).expect("rows");
        assert_eq!(rows.indices, [0, 2]);
        assert_eq!(shape(&rows), [2, 16]);
        assert_eq!(store.encoded(), 2);
    }
    let error = store.rows(Readout::CLS, &data, &[1]).err();
    let error = error.expect("no image is left").to_string();
    assert!(error.contains("no image of folder"), "{error}");
}
