use super::*;
use crate::model::Arch;
use crate::testing::test;

/// The keys of all mistakes in the defaults after a change.
fn mistakes(change: fn(&mut Config)) -> Vec<String> {
    let mut config = Config::default();
    change(&mut config);
    let mut problems = Problems::default();
    config.check(&mut problems);
    problems
        .found()
        .iter()
        .map(|found| found.key.clone())
        .collect()
}

#[test]
fn defaults_are_valid() {
    assert_eq!(mistakes(|_| ()), [""; 0]);
    assert_eq!(mistakes(|config| *config = Config::miniature()), [""; 0]);
}

#[test]
fn each_mistake_is_named() {
    type Change = fn(&mut Config);
    let broken: [(&str, Change); 29] = [
        ("model.depth", |c| swin(c).depth = Some(2)),
        ("model.heads", |c| swin(c).heads = Some(2)),
        ("model.num_heads", |c| swin(c).depths = Some(vec![1, 1])),
        ("model.num_heads", |c| swin(c).dim = Some(100)),
        ("model.depths", |c| swin(c).depths = Some(vec![0, 1, 1, 1])),
        ("model.window_size", |c| swin(c).window_size = 0),
        ("model.num_register_tokens", |c| {
            swin(c).num_register_tokens = 4
        }),
        ("model.dim", |c| c.model.heads = Some(5)),
        ("model.layerscale", |c| c.model.layerscale = Some(0.0)),
        ("crops.local_size", |c| c.crops.local_size = 90),
        ("crops.global_crops_scale", |c| {
            c.crops.global_crops_scale = [0.5, 0.2]
        }),
        ("mask.pred_ratio_var", |c| c.mask.pred_ratio_var = vec![0.0]),
        ("mask.pred_ratio_var", |c| {
            c.mask.pred_ratio_var = vec![0.0, 0.4]
        }),
        ("teacher.teacher_temp", |c| c.teacher.teacher_temp = 0.0),
        ("optim.lr", |c| c.optim.lr = f64::NAN),
        ("loss.lambda1", |c| {
            (c.loss.lambda1, c.loss.lambda2) = (0.0, 0.0)
        }),
        ("loss.lambda1", |c| c.loss.lambda1 = -1.0),
        ("augment.solarize", |c| c.augment.solarize = 1.5),
        ("augment.hue", |c| c.augment.hue = f64::NAN),
        ("augment.blur_radius", |c| {
            c.augment.blur_radius = [0.1, 1e9]
        }),
        ("model.dim", |c| c.model.dim = Some(usize::MAX / 3)),
        ("model.patch_size", |c| c.model.patch_size = Some(0)),
        ("crops.global_size", |c| c.crops.global_size = 1 << 30),
        ("crops.local_crops_number", |c| {
            c.crops.local_crops_number = usize::MAX
        }),
        ("crops.global_crops_number", |c| {
            c.crops.global_crops_number = usize::MAX
        }),
        ("optim.epochs", |c| c.optim.epochs = usize::MAX),
        ("optim.cooldown_epochs", |c| c.optim.cooldown_epochs = 1),
        ("head.shared_mlp", |c| c.head.shared_mlp = false),
        ("loss.sinkhorn_iterations", |c| {
            c.loss.sinkhorn_iterations = 0
        }),
    ];
    for (key, change) in broken {
        assert_eq!(mistakes(change), [key]);
    }
}

/// The network, made a Swin.
fn swin(config: &mut Config) -> &mut ModelConfig {
    config.model.arch = Arch::SwinTiny;
    &mut config.model
}

#[test]
fn a_swin_has_masks_of_cells_of_32_pixels() {
    let mut config = Config::default();
    swin(&mut config).window_size = 14;
    let mut problems = Problems::default();
    config.check(&mut problems);
    assert!(problems.found().is_empty());

    assert_eq!(config.global_grid(), (7, 7));
    assert_eq!(
        (config.backbone().patch_size(), config.backbone().stride()),
        (4, 32)
    );
    let masks = config.masks(0, 0, 0);
    assert_eq!((masks.len(), masks[0].cells().len()), (2, 49));
}

#[test]
fn mistakes_of_all_sections_are_found_at_once() {
    let found = mistakes(|c| {
        c.head.out_dim = 1;
        c.crops.local_size = 90;
        c.optim.beta1 = 1.0;
    });
    assert_eq!(found, ["head.out_dim", "optim.beta1", "crops.local_size"]);
}
