//! A configuration in words.

use ibot_core::image::augment::CropsConfig;
use ibot_core::pretrain::config::Config;

pub fn describe(config: &Config) -> String {
    let backbone = config.backbone();
    format!(
        "dim {}, depth {}, heads {}, patch {}; {}; batch {}; K {}; {}",
        backbone.dim(),
        backbone.depth(),
        backbone.heads(),
        backbone.stride(),
        describe_crops(&config.crops),
        config.optim.batch_size,
        config.head.out_dim,
        config.optim.precision
    )
}

pub fn describe_crops(crops: &CropsConfig) -> String {
    let CropsConfig {
        global_crops_number,
        global_size,
        local_crops_number,
        local_size,
        ..
    } = crops;
    format!("{global_crops_number} x {global_size} + {local_crops_number} x {local_size}")
}
