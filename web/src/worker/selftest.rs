//! Two training steps of a small network, on a device and on the CPU.

use burn::tensor::{Device, Tensor, TensorData};
use ibot_core::model::Mask;
use ibot_core::pretrain::Schedules;
use ibot_core::pretrain::config::Config;
use ibot_core::pretrain::{Batch, Sequential, TrainState, step};
use ibot_core::weights::WeightsError;

/// Largest relative difference to the CPU with which a device is used.
pub const TOLERANCE: f64 = 1e-3;
const STEPS: usize = 2;

/// The largest relative difference of losses and gradient norms between `device` and the CPU.
pub async fn error(device: &Device) -> Result<f64, WeightsError> {
    // A kernel that the browser rejects gives wrong results without an error, so that only a
    // comparison of numbers finds it.
    let expected = steps(&Device::flex()).await?;
    let actual = steps(device).await?;

    let mut worst = 0.0;
    for (actual, expected) in actual.iter().zip(&expected) {
        let difference = (actual - expected).abs() / expected.abs().max(1e-6);
        // NaN stays the worst from here on, where `f64::max` would drop it.
        if difference > worst || difference.is_nan() {
            worst = difference;
        }
    }
    Ok(worst)
}

/// Loss and gradient norm of each step.
async fn steps(device: &Device) -> Result<Vec<f64>, WeightsError> {
    let config = Config::miniature();
    let mut state = TrainState::fresh(&config, 0, device);
    let schedules = Schedules::new(&config, 10);
    let mut numbers = Vec::new();
    for number in 0..STEPS {
        let pixels = (0..4 * 3 * 16 * 16)
            .map(|i| ((i * (number + 7)) % 23) as f32 / 11.0 - 1.0)
            .collect::<Vec<_>>();
        let globals = Tensor::<4>::from_data(TensorData::new(pixels, [4, 3, 16, 16]), device);
        let mask = |crop: usize| {
            Mask::new(
                4,
                4,
                (0..16).map(|i| (i + crop).is_multiple_of(3)).collect(),
            )
        };
        let masks = vec![vec![mask(0), mask(1)], vec![mask(2), mask(3)]];
        let batch = vec![Batch::collate(globals.chunk(2, 0), masks, Vec::new())];

        let now = schedules.at(number + 1);
        let report = step(&mut state, batch, &now, &config, &Sequential).await?;
        numbers.extend([report.losses.total, report.norms.total()]);
    }
    Ok(numbers)
}
