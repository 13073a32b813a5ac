use super::*;
use crate::rng::{Purpose, stream};
use crate::testing::{gradient_check, max_difference, test};

fn config(shared: bool) -> HeadConfig {
    HeadConfig {
        out_dim: 11,
        patch_out_dim: if shared { 11 } else { 7 },
        shared_head: shared,
        hidden_dim: 16,
        bottleneck_dim: 6,
        norm_last_layer: false,
    }
}

#[test]
fn logits_are_cosines_to_the_prototypes() {
    let device = Device::flex();
    let mut rng = stream(0, Purpose::Init, 0, 0);
    let head = config(true).init(9, &device, &mut rng);
    let z = head.bottleneck(init::uniform([5, 9], 1.0, &device, &mut rng).val());
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
    let z = head.bottleneck(init::uniform([5, 9], 1.0, &device, &mut rng).val());
    assert_eq!(head.cls_logits(z.clone()).dims(), [5, 11]);
    assert_eq!(head.patch_logits(z).dims(), [5, 7]);
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
        |x| (head.cls_logits(head.bottleneck(x)) * probe.clone()).sum(),
        2e-2,
    );
}
