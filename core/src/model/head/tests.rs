use futures_lite::future::block_on;

use super::*;
use crate::rng::{Purpose, stream};
use crate::testing::{gradient_check, max_difference, test};
use crate::weights;

fn config(shared: bool) -> HeadConfig {
    HeadConfig {
        out_dim: 11,
        patch_out_dim: if shared { 11 } else { 7 },
        shared_head: shared,
        hidden_dim: 16,
        bottleneck_dim: 6,
        norm_last_layer: false,
        ..HeadConfig::default()
    }
}

#[test]
fn logits_are_cosines_to_the_prototypes() {
    let device = Device::flex();
    let mut rng = stream(0, Purpose::Init, 0, 0);
    let head = config(true).init(9, &device, &mut rng);
    let z = head.cls_bottleneck(init::uniform([5, 9], 1.0, &device, &mut rng).val());
    assert!(
        max_difference(
            &z.clone().square().sum_dim(1),
            &Tensor::ones([5, 1], &device)
        ) < 1e-6
    );
    // A prototype's own direction has a cosine of exactly one to it.
    let own = l2_normalize(head.last_layer.weight_v.val());
    let diagonal = head.cls_logits(own) * Tensor::eye(11, &device);
    assert!(max_difference(&diagonal, &Tensor::eye(11, &device)) < 1e-6);
    assert!(max_difference(&head.cls_logits(z.clone()), &head.patch_logits(z)) == 0.0);
}

#[test]
fn separate_prototypes_have_their_own_count() {
    let device = Device::flex();
    let mut rng = stream(0, Purpose::Init, 0, 0);
    let head = config(false).init(9, &device, &mut rng);
    let z = head.cls_bottleneck(init::uniform([5, 9], 1.0, &device, &mut rng).val());
    assert_eq!(head.cls_logits(z.clone()).dims(), [5, 11]);
    assert_eq!(head.patch_logits(z).dims(), [5, 7]);
}

#[test]
fn a_second_mlp_has_its_own_widths_and_names() {
    let device = Device::flex();
    let separate = HeadConfig {
        shared_mlp: false,
        patch_hidden_dim: 10,
        patch_bottleneck_dim: 4,
        ..config(false)
    };
    let head = separate.init(9, &device, &mut stream(0, Purpose::Init, 0, 0));
    let tokens = init::uniform([5, 9], 1.0, &device, &mut stream(1, Purpose::Init, 0, 0)).val();
    assert_eq!(head.cls_bottleneck(tokens.clone()).dims(), [5, 6]);
    let patches = head.patch_bottleneck(tokens.clone());
    assert_eq!(patches.dims(), [5, 4]);
    assert_eq!(head.patch_logits(patches).dims(), [5, 7]);

    // The part of the CLS tokens is that of the same seed without a second MLP.
    let shared = config(false).init(9, &device, &mut stream(0, Purpose::Init, 0, 0));
    let difference = max_difference(
        &head.cls_bottleneck(tokens.clone()),
        &shared.cls_bottleneck(tokens),
    );
    assert_eq!(difference, 0.0);

    let weights = block_on(weights::read(&head)).expect("flex reads");
    assert_eq!(weights["mlp2.0.weight"].shape, [10, 9]);
    assert_eq!(weights["mlp2.4.bias"].shape, [4]);
    let named = weights
        .into_iter()
        .map(|(name, weight)| (format!("head.{name}"), weight));
    let inferred = HeadConfig::infer(&named.collect()).expect("a head");
    // All gains of a fresh head are 1, as frozen ones are.
    let expected = HeadConfig {
        norm_last_layer: true,
        ..separate
    };
    assert_eq!(inferred, expected);
}

#[test]
fn macs_are_those_of_each_part() {
    let separate = HeadConfig {
        shared_mlp: false,
        patch_hidden_dim: 10,
        patch_bottleneck_dim: 4,
        ..config(false)
    };
    let mlp = (9 * 16 + 16 * 16 + 16 * 6) as f64;
    for (config, expected) in [
        (config(true), [mlp, 66.0]),
        (config(false), [mlp, 42.0]),
        (separate, [230.0, 28.0]),
    ] {
        let (cls, patch) = (config.cls(), config.patch());
        assert_eq!([cls.mlp_macs(9), cls.prototype_macs()], [mlp, 66.0]);
        assert_eq!([patch.mlp_macs(9), patch.prototype_macs()], expected);
    }
}

#[test]
fn gradient_of_the_head_matches_finite_differences() {
    let device = Device::flex().autodiff();
    let mut rng = stream(3, Purpose::Init, 0, 0);
    let head = config(true).init(5, &device, &mut rng);
    let x = init::uniform([2, 5], 30.0, &device, &mut rng)
        .val()
        .detach();
    let probe = init::uniform([2, 11], 1.0, &device, &mut rng)
        .val()
        .detach();
    gradient_check(
        x,
        |x| (head.cls_logits(head.cls_bottleneck(x)) * probe.clone()).sum(),
        2e-2,
    );
}
