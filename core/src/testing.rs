//! What the unit tests share.

use burn::tensor::{Device, Tensor};
#[cfg(not(target_family = "wasm"))]
pub use core::prelude::v1::test;
/// The attribute of a test, natively and in a browser's worker, where the page computes too.
#[cfg(target_family = "wasm")]
pub use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::model::{BackboneConfig, Network, VitConfig};
use crate::pretrain::config::Config;
use crate::rng::{Purpose, stream};

#[cfg(target_family = "wasm")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

pub fn max_difference<const D: usize>(a: &Tensor<D>, b: &Tensor<D>) -> f32 {
    (a.clone() - b.clone()).abs().max().into_scalar()
}

/// Asserts that a vector holds `expected` to an absolute `tolerance`.
pub fn assert_close(actual: &Tensor<1>, expected: &[f32], tolerance: f32) {
    let actual: Vec<f32> = actual.try_to_vec_as().expect("floats");
    assert_eq!(actual.len(), expected.len());
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!((a - e).abs() <= tolerance, "element {i}: {a}, expected {e}");
    }
}

/// Compares the gradient of the scalar `f` at `x` (untracked, on an autodiff device) with central
/// differences. `tolerance` is relative to the gradient's largest element.
pub fn gradient_check<const D: usize>(
    x: Tensor<D>,
    f: impl Fn(Tensor<D>) -> Tensor<1>,
    tolerance: f64,
) {
    let leaf = x.clone().require_grad();
    let gradient = leaf
        .grad(&f(leaf.clone()).backward())
        .expect("f depends on x");
    let gradient: Vec<f32> = gradient.try_to_vec_as().expect("floats");
    let largest = gradient.iter().fold(0f64, |m, g| m.max(f64::from(g.abs())));
    // In f32 a smaller step would measure rounding.
    let step = 1e-2;
    let device = x.device();
    let values: Vec<f32> = x.inner().try_to_vec_as().expect("floats");
    let shape = leaf.dims();
    let at = |i: usize, change: f32| -> f64 {
        let mut moved = values.clone();
        moved[i] += change;
        let moved = Tensor::<D>::from_data(burn::tensor::TensorData::new(moved, shape), &device);
        f64::from(f(moved).into_scalar::<f32>())
    };
    for (i, g) in gradient.iter().enumerate() {
        let difference = (at(i, step) - at(i, -step)) / (2.0 * f64::from(step));
        let error = (difference - f64::from(*g)).abs();
        assert!(
            error <= tolerance * largest,
            "element {i}: gradient {g}, finite difference {difference}"
        );
    }
}

pub fn small_vit() -> VitConfig {
    let config = Config::miniature();
    let mask_token = config.mask.use_masked_im_modeling;
    config.model.vit(config.crops.global_size, mask_token)
}

pub fn small_backbone() -> BackboneConfig {
    Config::miniature().backbone()
}

/// A network small enough for tests: 16 patches of 4 x 4 pixels, 12 prototypes.
pub fn small_network(seed: u64, device: &Device) -> Network {
    let config = Config::miniature();
    Network::init(
        &config.backbone(),
        &config.head,
        device,
        &mut stream(seed, Purpose::Init, 0, 0),
    )
}
