//! Frozen features of a dataset's images.

use std::num::NonZeroUsize;
use std::sync::mpsc::sync_channel;
use std::thread;

use burn::tensor::{Device, Tensor, TensorData};
use ibot_core::augment::{eval_view, normalize_into};
use ibot_core::model::Vit;
pub use ibot_core::tune::Pooling;
use rayon::prelude::*;

use crate::data::Dataset;

/// Images that go through the network at a time.
const CHUNK: usize = 128;

/// How an image is shown to the network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EvalView {
    /// Side of the central crop, in pixels.
    pub size: usize,
    /// Side to which the image's shorter side is resized before.
    pub resize: usize,
}

impl EvalView {
    /// A crop of `size` from images whose shorter side is resized to `ratio` times that.
    pub fn new(size: usize, ratio: f64) -> Self {
        Self {
            size,
            resize: (size as f64 * ratio).round() as usize,
        }
    }
}

/// Features of images, and which images they are.
pub struct Features {
    /// One row an image that could be read, `[M, D]`.
    pub rows: Tensor<2>,
    /// The images' indices.
    pub indices: Vec<usize>,
    /// What went wrong with the others.
    pub unreadable: Vec<String>,
}

/// Features of images `indices` of `data`.
pub fn features(
    backbone: &Vit,
    pooling: Pooling,
    data: &Dataset,
    indices: &[usize],
    view: EvalView,
    workers: NonZeroUsize,
    device: &Device,
) -> Features {
    let encode = |pixels: Vec<f32>| encode(backbone, pooling, &pixels, view.size, device);
    let nothing = Tensor::zeros([0, pooling.width(backbone)], device);
    collect(data, indices, view, workers, nothing, encode)
}

/// The same images as plain pixels, `[M, 3 * size * size]`: the yardstick that needs no network.
pub fn pixel_features(
    data: &Dataset,
    indices: &[usize],
    view: EvalView,
    workers: NonZeroUsize,
    device: &Device,
) -> Features {
    let width = 3 * view.size * view.size;
    let as_they_are = |pixels: Vec<f32>| {
        let images = pixels.len() / width;
        vec![Tensor::from_data(
            TensorData::new(pixels, [images, width]),
            device,
        )]
    };
    collect(
        data,
        indices,
        view,
        workers,
        Tensor::zeros([0, width], device),
        as_they_are,
    )
}

/// What `rows` makes of the normalised pixels of images, chunk by chunk; `nothing` if none can be
/// read.
fn collect(
    data: &Dataset,
    indices: &[usize],
    view: EvalView,
    workers: NonZeroUsize,
    nothing: Tensor<2>,
    rows: impl Fn(Vec<f32>) -> Vec<Tensor<2>>,
) -> Features {
    let mut features = Features {
        rows: nothing,
        indices: Vec::new(),
        unreadable: Vec::new(),
    };
    let mut parts = Vec::new();
    for_each_chunk(data, indices, view, workers, |chunk| {
        features.unreadable.extend(chunk.unreadable);
        if !chunk.indices.is_empty() {
            parts.extend(rows(chunk.pixels));
            features.indices.extend(chunk.indices);
        }
    });
    if !parts.is_empty() {
        features.rows = Tensor::cat(parts, 0);
    }
    features
}

/// Features of normalised images, 3 x `size` x `size` values each, in order. On the CPU every core
/// takes a share of them at a time: burn spreads only its larger operations over threads.
fn encode(
    backbone: &Vit,
    pooling: Pooling,
    pixels: &[f32],
    size: usize,
    device: &Device,
) -> Vec<Tensor<2>> {
    let image = 3 * size * size;
    let encode = |backbone: &Vit, pixels: &[f32]| {
        let images = TensorData::new(pixels.to_vec(), [pixels.len() / image, 3, size, size]);
        pooling.of(backbone, Tensor::from_data(images, device))
    };
    if *device != Device::flex() {
        // On this thread, because each has memory of its own on a GPU.
        return vec![encode(backbone, pixels)];
    }
    let share = image * (pixels.len() / image).div_ceil(rayon::current_num_threads());
    pixels
        .par_chunks(share)
        .map_with(backbone.clone(), |backbone, own| encode(backbone, own))
        .collect()
}

/// Decoded images of one chunk.
#[derive(Default)]
struct Chunk {
    pixels: Vec<f32>,
    indices: Vec<usize>,
    unreadable: Vec<String>,
}

/// Decodes on `workers` threads and hands the chunks over in order.
fn for_each_chunk(
    data: &Dataset,
    indices: &[usize],
    view: EvalView,
    workers: NonZeroUsize,
    mut consume: impl FnMut(Chunk),
) {
    let chunks: Vec<&[usize]> = indices.chunks(CHUNK).collect();
    thread::scope(|scope| {
        // Worker w makes the chunks w, w + workers, ...; asking them in turn keeps the order.
        let receivers: Vec<_> = (0..workers.get())
            .map(|worker| {
                let (sender, receiver) = sync_channel(1);
                let own = chunks
                    .iter()
                    .skip(worker)
                    .step_by(workers.get())
                    .copied()
                    .collect::<Vec<_>>();
                scope.spawn(move || {
                    own.into_iter()
                        .try_for_each(|chunk| sender.send(load(data, chunk, view)))
                });
                receiver
            })
            .collect();
        for chunk in 0..chunks.len() {
            match receivers[chunk % workers.get()].recv() {
                Ok(chunk) => consume(chunk),
                Err(_) => break,
            }
        }
    });
}

fn load(data: &Dataset, indices: &[usize], view: EvalView) -> Chunk {
    let mut chunk = Chunk::default();
    let size = 3 * view.size * view.size;
    for index in indices {
        match data.load(*index) {
            Ok(image) => {
                let start = chunk.pixels.len();
                chunk.pixels.resize(start + size, 0.0);
                normalize_into(
                    &eval_view(&image, view.size, view.resize),
                    &mut chunk.pixels[start..],
                );
                chunk.indices.push(*index);
            }
            Err(error) => chunk.unreadable.push(error.to_string()),
        }
    }
    chunk
}
