use super::*;
use crate::model::{Arch, Backbone, ModelConfig, Want};
use crate::rng::{Purpose, stream};
use crate::testing::{gradient_check, max_difference, test};

/// Three stages, the second with a shift.
fn config() -> SwinConfig {
    let model = ModelConfig {
        arch: Arch::SwinTiny,
        dim: Some(8),
        depths: Some(vec![1, 2, 1]),
        num_heads: Some(vec![2, 4, 4]),
        window_size: 4,
        mlp_ratio: 2,
        drop_path: 0.0,
        ..ModelConfig::default()
    };
    model.swin(64, true)
}

fn swin(device: &Device) -> Swin {
    Swin::new(&config(), device, &mut stream(0, Purpose::Init, 0, 0))
}

fn images(height: usize, width: usize, device: &Device) -> Tensor<4> {
    let rng = &mut stream(5, Purpose::Init, 0, 0);
    init::uniform([2, 3, height, width], 1.0, device, rng).val()
}

fn forward(swin: &Swin, images: Tensor<4>, masks: &[Mask]) -> Tensor<3> {
    let backbone = Backbone::Swin(swin.clone());
    backbone.forward(images, masks, &mut None).into_patches()
}

#[test]
fn takes_any_multiple_of_the_patch() {
    let device = Device::flex();
    let backbone = Backbone::Swin(swin(&device));
    for (height, width, grid) in [
        (64, 64, (4, 4)),
        (24, 24, (2, 2)),
        (32, 20, (2, 2)),
        (4, 4, (1, 1)),
    ] {
        let tokens = backbone.forward(images(height, width, &device), &[], &mut None);
        assert_eq!((tokens.grid, tokens.cls.dims()), (grid, [2, 32]));
        assert_eq!(backbone.grid(height, width), grid);
        let mean = tokens.clone().into_patches().mean_dim(1).squeeze_dim(1);
        assert!(max_difference(&tokens.cls, &mean) < 1e-6);
        assert_eq!(tokens.into_patches().dims(), [2, grid.0 * grid.1, 32]);
    }
}

#[test]
fn a_masked_cell_hides_its_pixels() {
    let device = Device::flex();
    let swin = swin(&device);
    let image = images(64, 64, &device);
    let mut cells = vec![false; 16];
    cells[6] = true;
    let masks = [Mask::new(4, 4, cells.clone()), Mask::new(4, 4, cells)];
    // Cell 6 is row 1, column 2 of cells of 16 pixels.
    let painted = image.clone().slice_assign(
        [0..2, 0..3, 16..32, 32..48],
        Tensor::ones([2, 3, 16, 16], &device),
    );
    let hidden = max_difference(
        &forward(&swin, image.clone(), &masks),
        &forward(&swin, painted.clone(), &masks),
    );
    assert_eq!(hidden, 0.0);
    let seen = max_difference(&forward(&swin, image, &[]), &forward(&swin, painted, &[]));
    assert!(seen > 1e-3);
}

#[test]
fn earlier_stages_have_their_own_grids_and_widths() {
    let device = Device::flex();
    let backbone = Backbone::Swin(swin(&device));
    let want = Want {
        earlier: 3,
        attention: true,
        ..Want::default()
    };
    let features = backbone.features(images(64, 64, &device), want);
    let shapes: Vec<_> = features
        .earlier
        .iter()
        .map(|tokens| (tokens.grid, tokens.cls.dims()[1]))
        .collect();
    assert_eq!(shapes, [((16, 16), 8), ((8, 8), 16), ((8, 8), 16)]);
    assert!(features.attention.is_none(), "there is no CLS that attends");
    assert_eq!(backbone.cls_width(4), 8 + 16 + 16 + 32);
}

#[test]
fn without_gradients_it_is_that_with_gradients() {
    let tracked = Device::flex().autodiff();
    let swin = swin(&tracked);
    for (height, width) in [(64, 64), (24, 40)] {
        let images = images(height, width, &tracked);
        let expected = forward(&swin, images.clone(), &[]).inner();
        let actual = forward(&swin.valid(), images.inner(), &[]);
        assert!(max_difference(&actual, &expected) < 1e-5);
    }
}

#[test]
fn gradients_match_finite_differences() {
    let device = Device::flex().autodiff();
    let swin = swin(&device);
    let rng = &mut stream(6, Purpose::Init, 0, 0);
    // An odd grid with padding and a shift: 3 x 3 tokens in the second stage.
    let tokens = init::uniform([1, 36, 8], 1.0, &device, rng).val().detach();
    let probe = init::uniform([1, 9, 16], 1.0, &device, rng).val().detach();
    let size = (24, 24);
    gradient_check(
        tokens,
        |tokens| {
            let tokens = swin.run_block(1, tokens, size, &mut None);
            (swin.run_block(2, tokens, size, &mut None) * probe.clone()).sum()
        },
        5e-3,
    );
}

#[test]
fn only_the_last_blocks_learn() {
    let device = Device::flex().autodiff();
    let swin = swin(&device).train_last(1);
    let size = (64, 64);
    let mut tokens = swin.embed(images(64, 64, &Device::flex()).autodiff(), &[]);
    for block in 0..3 {
        tokens = swin.run_block(block, tokens, size, &mut None);
    }
    assert!(
        !tokens.is_tracked(),
        "nothing before the last block is kept"
    );
    assert!(swin.run_block(3, tokens, size, &mut None).is_tracked());
}
