use burn::tensor::{Device, TensorData};

use super::*;
use crate::model::init;
use crate::rng::{Purpose, stream};
use crate::testing::{assert_close, gradient_check, max_difference, test};

/// Values in ±2, `[rows, columns]`, read from a transposed tensor, so that they do not lie one
/// after another.
fn random(rows: usize, columns: usize, seed: u64, device: &Device) -> Tensor<2> {
    init::uniform(
        [columns, rows],
        2.0,
        device,
        &mut stream(seed, Purpose::Init, 0, 0),
    )
    .val()
    .transpose()
    .detach()
}

/// Distributions, `[rows, columns]`, the first row twice as heavy as the others.
fn distributions(rows: usize, columns: usize, device: &Device) -> Tensor<2> {
    let targets = activation::softmax(random(rows, columns, 7, device), 1);
    let weights = (0..rows)
        .map(|row| if row == 0 { 2.0 } else { 1.0 })
        .collect::<Vec<f32>>();
    targets * Tensor::from_data(TensorData::new(weights, [rows, 1]), device)
}

fn layer(columns: usize, device: &Device) -> LayerNorm {
    let mut layer = init::layer_norm(columns, device);
    let mut rng = stream(8, Purpose::Init, 0, 0);
    layer.gamma = init::uniform([columns], 1.5, device, &mut rng);
    layer.beta = Some(init::uniform([columns], 1.0, device, &mut rng));
    layer
}

/// Value and gradient of `f` at `x`, weighted so that no two elements count the same.
fn value_and_gradient(x: &Tensor<2>, f: impl Fn(Tensor<2>) -> Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let leaf = x.clone().detach().require_grad();
    let y = f(leaf.clone());
    let [rows, columns] = y.dims();
    let gradient = leaf.grad(
        &(y.clone() * random(rows, columns, 9, &x.device()))
            .sum()
            .backward(),
    );
    (y.inner(), gradient.expect("f depends on x"))
}

/// Asserts that no element differs by more than a few roundings of the largest.
fn assert_close_to_largest(actual: &Tensor<2>, expected: &Tensor<2>) {
    let largest: f32 = expected.clone().abs().max().into_scalar();
    let difference = max_difference(actual, expected);
    assert!(
        difference <= 2e-6 * largest.max(1.0),
        "{difference} beside {largest}"
    );
}

/// Asserts that both compute the same values, with and without autodiff, and the same
/// gradients.
fn assert_same(
    x: &Tensor<2>,
    kernel: impl Fn(Tensor<2>) -> Tensor<2>,
    composed: impl Fn(Tensor<2>) -> Tensor<2>,
) {
    let (value, gradient) = value_and_gradient(x, &kernel);
    let (expected, expected_gradient) = value_and_gradient(x, composed);
    assert_close_to_largest(&value, &expected);
    assert_close_to_largest(&gradient, &expected_gradient);
    assert_close_to_largest(&kernel(x.clone()).inner(), &expected);
}

#[test]
fn kernels_agree_with_compositions_of_burns_operations() {
    let device = Device::flex().autodiff();
    for columns in [1, 5, 16, 37, 130] {
        let x = random(6, columns, 1, &device);
        let (layer, targets) = (layer(columns, &device), distributions(6, columns, &device));
        assert_same(&x, gelu, composed::gelu);
        assert_same(&x, |x| softmax(x, 3.0), |x| activation::softmax(x * 3.0, 1));
        if columns > 1 {
            assert_same(&x, |x| layer_norm(&layer, x), |x| layer.forward(x));
        }
        assert_same(
            &x,
            |x| cross_entropy(x, targets.clone(), 0.1),
            |x| {
                (targets.clone() * activation::log_softmax(x * 10.0, 1))
                    .sum_dim(1)
                    .neg()
            },
        );
    }
}

#[test]
fn layer_norm_differentiates_its_gain_and_offset() {
    let device = Device::flex().autodiff();
    let (layer, x) = (layer(21, &device), random(6, 21, 2, &device));
    let weights = random(6, 21, 3, &device);
    let gradients = |y: Tensor<2>| {
        let gradients = (y * weights.clone()).sum().backward();
        let beta = layer.beta.as_ref().expect("an offset").val();
        [layer.gamma.val(), beta].map(|parameter| parameter.grad(&gradients).expect("a leaf"))
    };
    let kernel = gradients(layer_norm(&layer, x.clone()));
    let composed = gradients(layer.forward(x.clone()));
    for (kernel, composed) in kernel.iter().zip(&composed) {
        assert!(max_difference(kernel, composed) < 1e-5);
    }
}

#[test]
fn gradients_match_finite_differences() {
    let device = Device::flex().autodiff();
    let (layer, targets) = (layer(7, &device), distributions(3, 7, &device));
    let weights = random(3, 7, 5, &device);
    let sum = |y: Tensor<2>| (y * weights.clone()).sum();
    gradient_check(random(3, 7, 4, &device), |x| sum(gelu(x)), 2e-3);
    gradient_check(random(3, 7, 4, &device), |x| sum(softmax(x, 1.5)), 2e-3);
    gradient_check(
        random(3, 7, 4, &device),
        |x| sum(layer_norm(&layer, x)),
        2e-3,
    );
    gradient_check(
        random(3, 7, 4, &device),
        |x| cross_entropy(x, targets.clone(), 0.5).sum(),
        2e-3,
    );
}

#[test]
fn both_forms_of_gelu_and_their_gradients_are_exact() {
    let device = Device::flex().autodiff();
    for gelu in [gelu, composed::gelu] {
        let x = Tensor::<1>::from_floats([-3.0, -1.0, -0.1, 0.0, 0.5, 2.0], &device).require_grad();
        let y = gelu(x.clone());
        // x Φ(x), from tables of the normal distribution.
        let expected = [
            -0.004_049_69,
            -0.158_655_25,
            -0.046_017_22,
            0.0,
            0.345_731_23,
            1.954_499_7,
        ];
        assert_close(&y.clone().inner(), &expected, 1e-6);
        let gradient = x.grad(&y.sum().backward()).expect("x is a leaf");
        // Φ(x) + x φ(x).
        let expected = [
            -0.011_945_65,
            -0.083_315_47,
            0.420_476_9,
            0.5,
            0.867_495_1,
            1.085_231_9,
        ];
        assert_close(&gradient, &expected, 1e-6);
    }
}

#[test]
fn values_that_overflow_or_are_not_numbers_stay_visible() {
    let device = Device::flex();
    let x = Tensor::<2>::from_floats([[0.0, f32::NAN], [1e30, -1e30]], &device);
    let y: Vec<f32> = softmax(x, 1.0).try_to_vec_as().expect("floats");
    assert!(y[0].is_nan() && y[1].is_nan());
    assert_eq!(y[2..], [1.0, 0.0]);
}

/// Values in ±2, `[a, b, c, d]`.
fn random_4d(shape: [usize; 4], seed: u64, device: &Device) -> Tensor<4> {
    let rng = &mut stream(seed, Purpose::Init, 0, 0);
    init::uniform(shape, 2.0, device, rng).val().detach()
}

/// Two images of two windows of four tokens: one window has two regions.
fn regions() -> Regions {
    Regions::new(vec![0, 0, 0, 0, 1, 1, 2, 2], 4)
}

#[test]
fn softmax_of_windows_agrees_with_a_composition() {
    let device = Device::flex().autodiff();
    let weights = random_4d([4, 3, 4, 4], 3, &device);
    for regions in [None, Some(regions())] {
        let run = |f: &dyn Fn(Tensor<4>, Tensor<3>) -> Tensor<4>| {
            let scores = random_4d([4, 3, 4, 4], 1, &device).require_grad();
            let bias = random_4d([1, 3, 4, 4], 2, &device).squeeze_dim::<3>(0);
            let bias = bias.detach().require_grad();
            let y = f(scores.clone(), bias.clone());
            let gradients = (y.clone() * weights.clone()).sum().backward();
            let of_bias = bias.grad(&gradients).expect("a leaf");
            (y.inner(), scores.grad(&gradients).expect("a leaf"), of_bias)
        };
        let regions = regions.as_ref();
        let kernel = run(&|x, bias| window_softmax(x, bias, regions, 0.7));
        let composed = run(&|x, bias| composed::window_softmax(x, bias, regions, 0.7));
        assert!(max_difference(&kernel.0, &composed.0) < 1e-6);
        assert!(max_difference(&kernel.1, &composed.1) < 1e-6);
        assert!(max_difference(&kernel.2, &composed.2) < 1e-5);
    }
}

#[test]
fn regions_do_not_see_each_other() {
    let device = Device::flex();
    let scores = random_4d([4, 1, 4, 4], 1, &device);
    let bias = Tensor::zeros([1, 4, 4], &device);
    let shares = window_softmax(scores, bias, Some(&regions()), 1.0);
    let shares: Vec<f32> = shares.try_into_vec_as().expect("floats");
    // Window 1 of each image, from a token of region 1 to one of region 2.
    for window in [1, 3] {
        assert_eq!(shares[window * 16 + 2], 0.0);
        assert!(shares[window * 16 + 1] > 0.0);
    }
    assert!(shares[2] > 0.0, "window 0 is one region");
}

#[test]
fn gradients_of_windows_match_finite_differences() {
    let device = Device::flex().autodiff();
    let regions = regions();
    let scores = random_4d([4, 2, 4, 4], 4, &device);
    let bias = random_4d([1, 2, 4, 4], 5, &device)
        .squeeze_dim::<3>(0)
        .detach();
    let weights = random_4d([4, 2, 4, 4], 6, &device);
    let sum = |scores: Tensor<4>, bias: Tensor<3>| {
        (window_softmax(scores, bias, Some(&regions), 1.5) * weights.clone()).sum()
    };
    gradient_check(scores.clone(), |x| sum(x, bias.clone()), 2e-3);
    gradient_check(bias.clone(), |bias| sum(scores.clone(), bias), 2e-3);
}

#[test]
fn rows_move_with_their_gradients() {
    let device = Device::flex().autodiff();
    // Row 1 has no place, and the middle of the result is zeros.
    let order = Rearrangement::new(vec![Some(2), None, Some(0)], 3);
    let weights = random(6, 5, 2, &device).reshape([2, 3, 5]);
    let run = |f: &dyn Fn(Tensor<3>) -> Tensor<3>| {
        let x = random(6, 5, 1, &device).reshape([2, 3, 5]);
        let x = x.detach().require_grad();
        let y = f(x.clone());
        let gradients = (y.clone() * weights.clone()).sum().backward();
        (y.inner(), x.grad(&gradients).expect("a leaf"))
    };
    let kernel = run(&|x| rearrange(x, &order));
    let composed = run(&|x| composed::rearrange(x, &order));
    assert_eq!(max_difference(&kernel.0, &composed.0), 0.0);
    assert_eq!(max_difference(&kernel.1, &composed.1), 0.0);
    let middle: f32 = kernel.0.narrow(1, 1, 1).abs().max().into_scalar();
    assert_eq!(middle, 0.0);
}
