//! Images of a dataset, decoded and cropped by several threads, in order.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

use ibot_core::image::normalize::normalize_into;

use super::view::EvalView;
use crate::data::Dataset;

#[derive(Default)]
pub(super) struct Chunk {
    /// Normalised, 3 x size x size values an image.
    pub pixels: Vec<f32>,
    pub images: ChunkImages,
}

#[derive(Default)]
pub(super) struct ChunkImages {
    /// The images that could be read.
    pub read: Vec<usize>,
    pub unreadable: Vec<UnreadableImage>,
}

pub(super) struct UnreadableImage {
    pub index: usize,
    pub problem: String,
}

#[derive(Clone, Copy)]
pub(super) struct Decoding {
    pub view: EvalView,
    pub threads: NonZeroUsize,
    pub chunk: usize,
}

/// The views of the images `indices` of `data`, chunk by chunk in order, decoded on threads of
/// `scope`.
pub(super) fn chunks<'scope>(
    scope: &'scope Scope<'scope, '_>,
    data: &'scope Dataset,
    indices: &'scope [usize],
    decoding: Decoding,
) -> impl Iterator<Item = Chunk> + Send + use<'scope> {
    let threads = decoding.threads.get();
    let receivers: Vec<Receiver<Chunk>> = (0..threads)
        .map(|first| {
            // A bound of one chunk a thread keeps few images in memory.
            let (sender, receiver) = sync_channel(1);
            let own = indices.chunks(decoding.chunk).skip(first).step_by(threads);
            scope.spawn(move || {
                for chunk in own {
                    if sender.send(load(data, chunk, decoding.view)).is_err() {
                        break;
                    }
                }
            });
            receiver
        })
        .collect();

    // Thread t decodes the chunks t, t + threads, ...; taking turns keeps their order.
    let count = indices.len().div_ceil(decoding.chunk);
    (0..count).map_while(move |chunk| receivers[chunk % threads].recv().ok())
}

fn load(data: &Dataset, indices: &[usize], view: EvalView) -> Chunk {
    let mut chunk = Chunk::default();
    let values = view.values();
    for index in indices {
        match data.load(*index) {
            Ok(image) => {
                let cropped = view.cut(&image);
                let start = chunk.pixels.len();
                chunk.pixels.resize(start + values, 0.0);
                normalize_into(&cropped, &mut chunk.pixels[start..]);
                chunk.images.read.push(*index);
            }
            Err(error) => chunk.images.unreadable.push(UnreadableImage {
                index: *index,
                problem: error.to_string(),
            }),
        }
    }
    chunk
}
