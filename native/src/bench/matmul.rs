//! What the machine can do at best: the speed of one large matrix product.

use std::time::{Duration, Instant};

use burn::tensor::{Device, Distribution, Tensor};
use ibot_core::model::ComputePrecision;

use crate::device::Selected;
use crate::run::threads::Threads;

const WINDOW: Duration = Duration::from_millis(1500);

/// FLOP/s of products of square matrices, one at a time on each of the step's threads.
pub fn peak(
    threads: &Threads,
    count: usize,
    selected: &Selected,
    precision: ComputePrecision,
) -> f64 {
    // So large that the device is busy all the time.
    let side = if selected.is_cpu { 1024 } else { 4096 };
    let speeds = threads.spread(vec![(); count], |_, ()| {
        best_of_window(side, precision, &selected.device)
    });
    speeds.iter().sum()
}

/// FLOP/s of the fastest product of `side` by `side` matrices on this thread.
fn best_of_window(side: usize, precision: ComputePrecision, device: &Device) -> f64 {
    let a = random(side, device).cast(precision.dtype());
    let b = random(side, device).cast(precision.dtype());
    let flop = 2.0 * (side as f64).powi(3);

    let begin = Instant::now();
    let mut best = 0.0f64;
    // The best of many, because other work on the machine only ever slows a product down.
    while begin.elapsed() < WINDOW {
        let start = Instant::now();
        let product = a.clone().matmul(b.clone());
        // A device that fails shows it in the step, which was measured before.
        let _ = device.sync();
        drop(product);
        best = best.max(flop / start.elapsed().as_secs_f64());
    }
    best
}

fn random(side: usize, device: &Device) -> Tensor<2> {
    Tensor::random([side, side], Distribution::Uniform(-1.0, 1.0), device)
}
