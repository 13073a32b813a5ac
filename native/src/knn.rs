//! k-NN on frozen features: the `knn` command, and the evaluation during pre-training.

use std::num::NonZeroUsize;

use anyhow::{Context as _, Result, bail, ensure};
use burn::tensor::Device;
use clap::Args;
use futures_lite::future::block_on;
use ibot_core::knn::{KnnAccuracy, Labelled, NEIGHBOURS, TEMPERATURE, knn};
use ibot_core::model::Vit;
use serde_json::json;

use crate::data::Dataset;
use crate::device::{self, DeviceChoice};
use crate::features::{EvalView, Features, Pooling, features, pixel_features};
use crate::model::ModelArgs;

const HELP: &str = "\
Examples:
  ibot knn --data cifar10/train.tar --val cifar10/test.tar --model runs/cifar --bank 10000 --queries 2000
  ibot knn --data imagenet/train --val imagenet/val --model vit_small.pth

Prints top-1 and top-5 for k = 10, 20, 100 and 200 (clamped to the bank), weight exp(cosine / 0.07).
With --model pixels the images themselves are compared, without a network.";

/// Side to which `--model pixels` scales images.
const PIXELS_SIDE: usize = 32;

/// Options of `ibot knn`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct KnnArgs {
    /// Labelled images that vote: what `pretrain --data` takes
    #[arg(long)]
    data: String,
    /// Labelled images to classify
    #[arg(long)]
    val: String,
    #[command(flatten)]
    model: ModelArgs,
    /// Most images in the bank, spread evenly over it [default: all]
    #[arg(long)]
    bank: Option<usize>,
    /// Most images to classify, spread evenly over them [default: all]
    #[arg(long)]
    queries: Option<usize>,
    /// Side of the central crop in pixels [default: that of pre-training]
    #[arg(long)]
    size: Option<usize>,
    /// Where to compute: auto, cpu, gpu, gpu:N, software or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// Runs `ibot knn`.
///
/// # Errors
/// If the data or the model cannot be read, or the classes of the two sets differ.
pub fn run(args: &KnnArgs) -> Result<()> {
    let train = Dataset::open(&args.data)?;
    let val = Dataset::open(&args.val)?;
    let split = Split::of_two(
        &train,
        &val,
        args.bank.unwrap_or(usize::MAX),
        args.queries.unwrap_or(usize::MAX),
    )?;
    let selected = device::select(args.device)?;
    let model = match args.model.path().as_os_str() == "pixels" {
        true => None,
        false => Some(args.model.open(&selected.device)?),
    };
    let (own_size, ratio) = model.as_ref().map_or((PIXELS_SIDE, 1.0), |(m, _)| {
        (m.vit.image_size, m.eval_resize)
    });
    let size = args.size.unwrap_or(own_size);
    if let Some((model, _)) = &model {
        let patch = model.vit.patch_size;
        ensure!(
            size > 0 && size.is_multiple_of(patch),
            "--size {size} is not a multiple of patches of {patch} pixels"
        );
    }
    let space = model
        .as_ref()
        .map_or(Space::Pixels, |(model, _)| Space::Network(&model.backbone));
    let (bank, queries) = split.sizes();
    if !args.json {
        println!("bank    {bank} images of {}", train.description());
        println!("queries {queries} images of {}", val.description());
        println!(
            "{}",
            model
                .as_ref()
                .map_or("model   none: plain pixels", |(_, line)| line)
        );
        println!(
            "        at {size} x {size} on {}\n\n   k   top-1   top-5",
            selected.description
        );
    }
    for accuracy in evaluate(
        &space,
        &split,
        EvalView::new(size, ratio),
        device::cores(),
        &selected.device,
    )? {
        let KnnAccuracy { k, top1, top5 } = accuracy;
        if args.json {
            println!(
                "{}",
                json!({ "k": k, "top1": top1, "top5": top5, "bank": bank, "queries": queries })
            );
        } else {
            println!("{k:4}  {:5.1} %  {:5.1} %", 100.0 * top1, 100.0 * top5);
        }
    }
    Ok(())
}

/// Which images vote and which are classified.
pub struct Split<'a> {
    /// Holds the images that vote.
    pub bank: &'a Dataset,
    /// Their indices.
    pub bank_indices: Vec<usize>,
    /// Holds the images that are classified.
    pub queries: &'a Dataset,
    /// Their indices.
    pub query_indices: Vec<usize>,
}

impl<'a> Split<'a> {
    /// At most `bank` images of `train` and `queries` of `val`, spread evenly over each.
    ///
    /// # Errors
    /// If one of them has no labels, or their classes differ.
    pub fn of_two(
        train: &'a Dataset,
        val: &'a Dataset,
        bank: usize,
        queries: usize,
    ) -> Result<Self> {
        for data in [train, val] {
            ensure!(
                !data.classes().is_empty(),
                "{} has no labels, which k-NN needs: put the images of each class in a folder of its own",
                data.description()
            );
        }
        let unknown: Vec<&String> = val
            .classes()
            .iter()
            .filter(|class| !train.classes().contains(class))
            .collect();
        if train.classes() != val.classes() {
            bail!(
                "the classes of the two sets differ: {} against {}{}",
                train.description(),
                val.description(),
                unknown.first().map_or(String::new(), |class| format!(
                    "; `{class}` is only in the second"
                ))
            );
        }
        Ok(Self {
            bank: train,
            bank_indices: train.subset(bank, 0),
            queries: val,
            query_indices: val.subset(queries, 0),
        })
    }

    /// `bank` and `queries` different images of one set, fewer in proportion if it is small; `None`
    /// without labels.
    pub fn of_one(data: &'a Dataset, bank: usize, queries: usize) -> Option<Self> {
        if data.classes().is_empty() || queries == 0 || bank == 0 {
            return None;
        }
        let wanted = (bank + queries).min(data.len());
        let queries = (queries * wanted / (bank + queries)).max(1);
        let chosen = data.subset(wanted, 0);
        let is_query = |i: usize| (i + 1) * queries / wanted > i * queries / wanted;
        let (query_indices, bank_indices): (Vec<_>, Vec<_>) =
            chosen.iter().enumerate().partition(|(i, _)| is_query(*i));
        let indices =
            |pairs: Vec<(usize, &usize)>| pairs.into_iter().map(|(_, index)| *index).collect();
        Some(Self {
            bank: data,
            bank_indices: indices(bank_indices),
            queries: data,
            query_indices: indices(query_indices),
        })
    }

    /// Images that vote and images that are classified.
    pub fn sizes(&self) -> (usize, usize) {
        (self.bank_indices.len(), self.query_indices.len())
    }
}

/// What the images are compared by.
pub enum Space<'a> {
    /// CLS tokens of a network.
    Network(&'a Vit),
    /// Plain pixels.
    Pixels,
}

/// Classifies the queries of `split` by their neighbours in its bank, with the official numbers of
/// neighbours.
///
/// # Errors
/// If all images of one side are unreadable, or the device fails.
pub fn evaluate(
    space: &Space,
    split: &Split,
    view: EvalView,
    workers: NonZeroUsize,
    device: &Device,
) -> Result<Vec<KnnAccuracy>> {
    let side = |data: &Dataset, indices: &[usize]| -> Result<Labelled> {
        let Features {
            rows,
            indices,
            unreadable,
        } = match space {
            Space::Network(backbone) => {
                features(backbone, Pooling::CLS, data, indices, view, workers, device)
            }
            Space::Pixels => pixel_features(data, indices, view, workers, device),
        };
        for message in &unreadable {
            eprintln!("warning: {message} (skipped)");
        }
        ensure!(
            !indices.is_empty(),
            "no image of {} could be read",
            data.description()
        );
        let labels = indices
            .iter()
            .map(|index| data.label(*index).unwrap_or_default())
            .collect();
        Ok(Labelled {
            features: rows,
            labels,
        })
    };
    let bank = side(split.bank, &split.bank_indices)?;
    let queries = side(split.queries, &split.query_indices)?;
    block_on(knn(&bank, &queries, &NEIGHBOURS, TEMPERATURE)).context("k-NN on the device")
}

/// The accuracy that is quoted when only one is: k = 20, the official best, or the largest there is
/// below.
pub fn headline(accuracies: &[KnnAccuracy]) -> Option<&KnnAccuracy> {
    accuracies
        .iter()
        .rev()
        .find(|accuracy| accuracy.k <= 20)
        .or(accuracies.first())
}
