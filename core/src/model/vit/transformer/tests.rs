use burn::tensor::Device;

use super::*;
use crate::model::{Backbone, Ffn, VitConfig, init};
use crate::rng::{Purpose, stream};
use crate::testing::{max_difference, small_vit, test};

fn small() -> VitConfig {
    VitConfig {
        image_size: 32,
        patch_size: 8,
        dim: 24,
        depth: 3,
        hidden: 96,
        ..small_vit()
    }
}

fn vit(config: &VitConfig) -> Vit {
    Vit::new(config, &Device::flex(), &mut stream(0, Purpose::Init, 0, 0))
}

fn forward(vit: &Vit, images: Tensor<4>, masks: &[Mask]) -> Tensor<3> {
    Backbone::Vit(vit.clone())
        .forward(images, masks, &mut None)
        .into_sequence()
}

fn images(b: usize, h: usize, w: usize) -> Tensor<4> {
    init::uniform(
        [b, 3, h, w],
        1.0,
        &Device::flex(),
        &mut stream(5, Purpose::Init, 0, 0),
    )
    .val()
}

#[test]
fn takes_any_multiple_of_the_patch() {
    let vit = vit(&small());
    for (h, w) in [(32, 32), (16, 16), (48, 64), (8, 40)] {
        assert_eq!(
            forward(&vit, images(2, h, w), &[]).dims(),
            [2, 1 + h * w / 64, 24]
        );
    }
}

#[test]
fn registers_stand_between_cls_and_patches() {
    let config = VitConfig {
        registers: 3,
        layerscale: Some(1e-5),
        ffn: Ffn::SwiGlu,
        ..small()
    };
    let vit = vit(&config);
    let backbone = Backbone::Vit(vit.clone());
    let tokens = backbone.forward(images(2, 16, 32), &[], &mut None);
    let sequence = tokens.clone().into_sequence();
    assert_eq!((vit.prefix(), sequence.dims()), (4, [2, 4 + 8, 24]));
    assert_eq!((tokens.cls.dims(), tokens.grid), ([2, 24], (2, 4)));
    let patches = tokens.into_patches();
    assert_eq!(
        max_difference(&patches.narrow(1, 7, 1), &sequence.narrow(1, 11, 1)),
        0.0
    );
}

#[test]
fn backward_passes_end_at_the_first_block_that_learns() {
    let device = Device::flex().autodiff();
    let vit = Vit::new(&small(), &device, &mut stream(0, Purpose::Init, 0, 0)).train_last(1);
    let tokens = vit.embed(images(1, 32, 32).autodiff(), &[]);
    let tokens = vit.blocks[..2]
        .iter()
        .fold(tokens, |tokens, block| block.forward(tokens, &mut None));
    assert!(
        !tokens.is_tracked(),
        "nothing before the last block is kept for a backward pass"
    );
    assert!(vit.blocks[2].forward(tokens, &mut None).is_tracked());
}

#[test]
fn masked_patches_hide_their_pixels() {
    let vit = vit(&small());
    let mut cells = vec![false; 16];
    cells[5] = true;
    let mask = [Mask::new(4, 4, cells)];
    let image = images(1, 32, 32);
    // Cell 5 is row 1, column 1 of the grid: pixels 8..16 both ways.
    let painted = image.clone().slice_assign(
        [0..1, 0..3, 8..16, 8..16],
        Tensor::ones([1, 3, 8, 8], &image.device()),
    );
    let hidden = max_difference(
        &forward(&vit, image.clone(), &mask),
        &forward(&vit, painted.clone(), &mask),
    );
    assert_eq!(hidden, 0.0);
    let seen = max_difference(&forward(&vit, image, &[]), &forward(&vit, painted, &[]));
    assert!(seen > 1e-3);
}
