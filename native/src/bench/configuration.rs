//! A configuration in words.

use ibot_core::image::augment::CropsConfig;
use ibot_core::pretrain::config::Config;

pub fn describe(config: &Config) -> String {
    format!(
        "{}; {}; batch {}; K {}; {}",
        config.backbone(),
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
