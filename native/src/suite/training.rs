//! The training curves of the run that a model comes from.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::finetune::charts::charts as finetune_charts;
use crate::pretrain::charts::charts as pretrain_charts;
use crate::report::curves::Chart;
use crate::run::curves::charts;
use crate::run::record::parse_records;
use crate::run::run_dir::{CONFIG_FILE, METRICS_FILE};
use crate::settings::AnySettings;

/// The charts of the run in the folder `model`; `None` if the model is no run.
pub fn training_charts(model: &Path) -> Result<Option<Vec<Chart>>> {
    let config = model.join(CONFIG_FILE);
    if !config.is_file() {
        return Ok(None);
    }
    let metrics = model.join(METRICS_FILE);
    let bytes = fs::read(&metrics).with_context(|| format!("metrics {}", metrics.display()))?;

    let records = parse_records(&String::from_utf8_lossy(&bytes)).records;
    Ok(Some(match AnySettings::read(&config)? {
        AnySettings::Pretrain(settings) => {
            let specs = pretrain_charts(settings.config.head.out_dim);
            charts(&records, &settings.eval, &specs)
        }
        AnySettings::Finetune(settings) => charts(&records, &settings.eval, &finetune_charts(None)),
    }))
}
