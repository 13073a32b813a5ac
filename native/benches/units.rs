//! Time of the units of a step and of loading, each alone: `cargo bench`.
//!
//! Shapes are those of ViT-S/16 at 224 pixels, on the CPU and on whatever threads the backend
//! takes.

use burn::tensor::{Device, Tensor};
use divan::Bencher;
use divan::counter::ItemsCount;
use ibot_core::image::RgbImage;
use ibot_core::image::augment::{AugmentConfig, CropsConfig, Role, ViewParams, multi_crop};
use ibot_core::image::normalize::normalize_into;
use ibot_core::model::HeadConfig;
use ibot_core::optim::{AdamW, GradientNorms, NamedGradients};
use ibot_core::pretrain::Schedules;
use ibot_core::pretrain::config::Config;
use ibot_core::pretrain::loss::cls_loss;
use ibot_core::pretrain::masking::MaskConfig;
use ibot_core::pretrain::{TrainState, distribution, update_teacher};
use ibot_core::rng::{Purpose, Rng, stream};
use ibot_core::scenes::{Split, scene};

/// Images of a batch.
const BATCH: usize = 4;

fn main() {
    divan::main();
}

/// A transformer block with its patch embedding on 2 x 224-pixel crops, forward or forward and
/// backward.
#[divan::bench(args = ["forward", "backward"])]
fn block(bencher: Bencher, pass: &str) {
    let device = if pass == "backward" {
        Device::flex().autodiff()
    } else {
        Device::flex()
    };
    let mut config = Config::default();
    config.model.depth = Some(1);
    let backbone = config.backbone().init(&device, &mut rng(0));
    let images = Tensor::<4>::ones([BATCH, 3, 224, 224], &device);
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        let tokens = backbone
            .forward(images.clone(), &[], &mut None)
            .into_sequence();
        if pass == "backward" {
            drop(divan::black_box(tokens.sum().backward()));
        } else {
            drop(divan::black_box(tokens));
        }
    });
}

/// The head with K = 8192 on the CLS tokens of 2 global and 10 local crops, the loss, and backward.
#[divan::bench]
fn head_and_loss(bencher: Bencher) {
    let device = Device::flex().autodiff();
    let head = HeadConfig::default().init(384, &device, &mut rng(0));
    let center = Tensor::<2>::zeros([1, head.prototypes()], &Device::flex());
    let tokens = Tensor::<2>::ones([12 * BATCH, 384], &device);
    bencher.bench_local(|| {
        let logits = head.cls_logits(head.cls_bottleneck(tokens.clone()));
        let teacher = logits.clone().inner().narrow(0, 0, 2 * BATCH);
        let loss = cls_loss(logits, distribution(teacher, center.clone(), 0.04), 2, 0.1);
        drop(divan::black_box(loss.backward()));
    });
}

/// Clipping and AdamW over all parameters, 29 million of them.
#[divan::bench(sample_count = 10)]
fn optimizer(bencher: Bencher) {
    let (state, config, schedules) = training();
    let mut gradients = NamedGradients::default().complete(&state.student);
    let mut norms = GradientNorms::default();
    for (name, gradient) in &mut gradients.0 {
        *gradient = gradient.ones_like();
        // Large enough to be clipped.
        norms.0.push((name.clone(), 100.0));
    }
    let now = schedules.at(0);
    bencher
        .with_inputs(|| (state.student.clone(), gradients.clone()))
        .bench_local_values(|(mut student, gradients)| {
            let adamw = config.optim.adamw();
            let rule = |name: &str, rank| now.rule(name, rank);
            AdamW::default().step(&mut student, gradients, &norms, &adamw, rule);
            student
        });
}

/// The teacher's moving average.
#[divan::bench(sample_count = 10)]
fn teacher_average(bencher: Bencher) {
    let (state, ..) = training();
    bencher
        .with_inputs(|| state.teacher.clone())
        .bench_local_values(|mut teacher| {
            update_teacher(&mut teacher, &state.student, 0.996);
            teacher
        });
}

/// Block masks of a 14 x 14 grid.
#[divan::bench]
fn mask(bencher: Bencher) {
    let mut rng = rng(1);
    bencher.bench_local(|| MaskConfig::default().draw((14, 14), &mut rng));
}

/// All 12 crops of a 400-pixel image.
#[divan::bench]
fn crops(bencher: Bencher) {
    let (image, mut image_rng) = (photo(), rng(2));
    let (crops, augment) = (
        CropsConfig {
            local_crops_number: 10,
            ..CropsConfig::default()
        },
        AugmentConfig::default(),
    );
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
        let base = rand::RngExt::random::<u64>(&mut image_rng);
        multi_crop(&image, &crops, &augment, |crop| {
            stream(base, Purpose::Augment, 0, crop as u64)
        })
    });
}

/// One global view with one kind of change at a time.
#[divan::bench(args = ["crop", "jitter", "grayscale", "blur", "solarize"])]
fn view(bencher: Bencher, change: &str) {
    let image = photo();
    let config = AugmentConfig::default();
    let drawn = |wanted: fn(&ViewParams) -> bool| {
        let mut draws = (0..).map(|n| {
            ViewParams::draw(
                image.width(),
                image.height(),
                Role::FirstGlobal,
                [0.14, 1.0],
                &config,
                &mut rng(n),
            )
        });
        draws
            .find(wanted)
            .expect("each change has a probability above 0")
    };
    let full = drawn(|view| !view.jitter.is_empty() && view.blur.is_some());
    let plain = ViewParams {
        jitter: Vec::new(),
        grayscale: false,
        blur: None,
        solarize: false,
        ..full.clone()
    };
    let params = match change {
        "jitter" => ViewParams {
            jitter: full.jitter,
            ..plain
        },
        "grayscale" => ViewParams {
            grayscale: true,
            ..plain
        },
        "blur" => ViewParams {
            blur: full.blur,
            ..plain
        },
        "solarize" => ViewParams {
            solarize: true,
            ..plain
        },
        _ => plain,
    };
    bencher.bench_local(|| params.apply(&image, 224));
}

/// Pixels to normalised planes.
#[divan::bench]
fn normalize(bencher: Bencher) {
    let image = RgbImage::from_fn(224, 224, |x, y| [x as u8, y as u8, 77]);
    let mut planes = vec![0.0; 3 * 224 * 224];
    bencher.bench_local(|| normalize_into(&image, divan::black_box(&mut planes)));
}

fn rng(seed: u64) -> Rng {
    stream(seed, Purpose::Init, 0, 0)
}

fn photo() -> RgbImage {
    scene(Split::Train, 0, 400).image
}

fn training() -> (TrainState, Config, Schedules) {
    let mut config = Config::default();
    config.optim.batch_size = BATCH;
    let state = TrainState::fresh(&config, 0, &Device::flex());
    let schedules = Schedules::new(&config, 100);
    (state, config, schedules)
}
