//! Augmented views of images for classifiers on a frozen network, other views in every epoch.

use std::collections::HashSet;
use std::mem;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, Scope};

use anyhow::{Result, ensure};
use burn::tensor::Tensor;
use ibot_core::image::augment::probe::probe_view;
use ibot_core::image::normalize::normalize_into;
use ibot_core::rng::{Purpose, crop_stream, stream};
use rand::seq::SliceRandom as _;

use super::bar::TrainingBar;
use crate::data::Dataset;
use crate::device::cores;
use crate::eval::sets::Subset;
use crate::features::{FeatureStore, Readout};

// Images that go through the network at a time. A batch is put together from several of these
// portions, so that few images are in memory.
const PORTION: usize = 128;

/// Images that classifiers learn from.
#[derive(Clone, Copy)]
pub struct Augmented<'a> {
    pub images: &'a Subset<'a>,
    pub features: &'a FeatureStore,
    /// Images of a step.
    pub batch: usize,
    pub seed: u64,
}

#[derive(Default)]
struct Portion {
    /// Normalised, 3 x size x size values an image.
    pixels: Vec<f32>,
    labels: Vec<usize>,
    unreadable: Vec<(usize, String)>,
    tried: usize,
    ends_batch: bool,
}

impl Augmented<'_> {
    /// Calls `learn` with the features `[B, width]` of each readout and the classes of each batch of
    /// an epoch; the last is smaller if they do not divide evenly. Images that cannot be read are
    /// left out, each with a warning the first time.
    pub fn epoch(
        &self,
        epoch: usize,
        readouts: &[Readout],
        warned: &mut HashSet<usize>,
        bar: &TrainingBar,
        mut learn: impl FnMut(Vec<Tensor<2>>, &[usize]) -> Result<()>,
    ) -> Result<()> {
        let mut order = self.images.indices.clone();
        order.shuffle(&mut stream(self.seed, Purpose::Order, epoch as u64, 0));
        let portions: Vec<(&[usize], bool)> = portions(&order, self.batch);

        let mut learned = false;
        thread::scope(|scope| {
            let mut parts: Vec<Vec<Tensor<2>>> = vec![Vec::new(); readouts.len()];
            let mut labels = Vec::new();
            for portion in self.views(scope, &portions, epoch) {
                for (image, problem) in portion.unreadable {
                    if warned.insert(image) {
                        bar.warn(&format!("{problem} (skipped)"));
                    }
                }
                // All images of a portion can be unreadable.
                if !portion.labels.is_empty() {
                    let rows = self.features.encode(readouts, portion.pixels)?;
                    for (part, rows) in parts.iter_mut().zip(rows) {
                        part.push(rows);
                    }
                    labels.extend(portion.labels);
                }
                bar.add(portion.tried);

                if portion.ends_batch && !labels.is_empty() {
                    let joined = parts.iter_mut().map(|part| Tensor::cat(mem::take(part), 0));
                    learn(joined.collect(), &labels)?;
                    labels.clear();
                    learned = true;
                }
            }
            anyhow::Ok(())
        })?;

        let name = self.images.data.description();
        ensure!(learned, "no image of {name} could be read");
        Ok(())
    }

    /// The views of all portions in order, made on threads of `scope`.
    fn views<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        portions: &'scope [(&[usize], bool)],
        epoch: usize,
    ) -> impl Iterator<Item = Portion> + use<'scope> {
        let threads = cores().get();
        let (data, size, seed) = (self.images.data, self.features.view().size, self.seed);
        let mut receivers: Vec<Receiver<Portion>> = Vec::with_capacity(threads);
        for first in 0..threads {
            // A bound of one portion a thread keeps few images in memory.
            let (sender, receiver) = sync_channel(1);
            scope.spawn(move || {
                for (images, ends_batch) in portions.iter().skip(first).step_by(threads) {
                    let mut portion = views_of(data, images, size, seed, epoch);
                    portion.ends_batch = *ends_batch;
                    if sender.send(portion).is_err() {
                        break;
                    }
                }
            });
            receivers.push(receiver);
        }

        // Thread t makes the portions t, t + threads, ...; taking turns keeps their order.
        (0..portions.len()).map_while(move |portion| receivers[portion % threads].recv().ok())
    }
}

/// The portions of the batches of an epoch, and whether each is the last of its batch.
fn portions(order: &[usize], batch: usize) -> Vec<(&[usize], bool)> {
    let mut portions = Vec::new();
    for batch in order.chunks(batch.max(1)) {
        let count = batch.len().div_ceil(PORTION);
        for (number, images) in batch.chunks(PORTION).enumerate() {
            portions.push((images, number + 1 == count));
        }
    }
    portions
}

fn views_of(data: &Dataset, images: &[usize], size: usize, seed: u64, epoch: usize) -> Portion {
    let mut portion = Portion {
        tried: images.len(),
        ..Portion::default()
    };
    for index in images {
        match data.load(*index) {
            Ok(image) => {
                let mut rng = crop_stream(seed, Purpose::Augment, epoch, *index, 0);
                let view = probe_view(&image, size, &mut rng);
                let start = portion.pixels.len();
                portion.pixels.resize(start + 3 * size * size, 0.0);
                normalize_into(&view, &mut portion.pixels[start..]);
                portion.labels.push(data.label(*index).unwrap_or_default());
            }
            Err(error) => portion.unreadable.push((*index, error.to_string())),
        }
    }
    portion
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::features::{Encoder, EvalView};

    #[test]
    fn pieces_end_with_their_batches() {
        let order: Vec<usize> = (0..300).collect();
        let lengths = |batch| {
            let portions = portions(&order, batch);
            let length = |(images, ends): &(&[usize], bool)| (images.len(), *ends);
            portions.iter().map(length).collect::<Vec<_>>()
        };
        let pairs = [(128, false), (72, true), (100, true)];
        assert_eq!(lengths(200), pairs);
        assert_eq!(lengths(1024), [(128, false), (128, false), (44, true)]);
    }

    #[test]
    fn every_image_comes_once_an_epoch_and_in_other_views_in_the_next() {
        let view = EvalView {
            size: 16,
            resize_ratio: 1.0,
        };
        let data = Dataset::open("builtin:val").expect("the builtin scenes");
        let features =
            FeatureStore::new(Encoder::Pixels, view, &[Device::flex()]).expect("a store");
        let images = Subset {
            data: &data,
            indices: (0..150).collect(),
        };
        let augmented = Augmented {
            images: &images,
            features: &features,
            batch: 140,
            seed: 3,
        };
        let epoch = |epoch| {
            let bar = TrainingBar::new(150, false);
            let mut batches = Vec::new();
            let learn = |rows: Vec<Tensor<2>>, labels: &[usize]| {
                let rows = rows.into_iter().next().expect("a readout");
                assert_eq!(rows.dims(), [labels.len(), 3 * 16 * 16]);
                let values: Vec<f32> = rows.try_into_vec_as().expect("floats");
                batches.push((labels.to_vec(), values));
                Ok(())
            };
            augmented
                .epoch(epoch, &[Readout::CLS], &mut HashSet::new(), &bar, learn)
                .expect("an epoch");
            batches
        };

        let first = epoch(0);
        let sizes: Vec<usize> = first.iter().map(|(labels, _)| labels.len()).collect();
        assert_eq!(sizes, [140, 10]);
        let mut labels: Vec<usize> = first
            .iter()
            .flat_map(|(labels, _)| labels.clone())
            .collect();
        labels.sort_unstable();
        let mut expected = images.labels_of(&images.indices);
        expected.sort_unstable();
        assert_eq!(labels, expected);
        assert!(first == epoch(0), "the same seed gives the same views");
        assert!(first != epoch(1));
    }
}
