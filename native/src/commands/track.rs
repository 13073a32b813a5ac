//! `ibot track`: objects that are followed through frames, from their mask in the first one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use ibot_core::annotation::labels::LabelMap;
use ibot_core::eval::video::{ObjectNumbers, Propagation};
use ibot_core::image::RgbImage;
use ibot_core::picture::LabelOverlay;
use serde_json::{Value, json};

use super::eval_subject::{EvalSubject, HeadNeeds, MODEL};
use super::images::Images;
use super::search::file_name;
use super::show::output::Output;
use crate::data::{check_mask_size, decode_mask, encode_jpeg, encode_mask};
use crate::eval::{FrameSource, FrameView, TrackedFrame, Tracker, Video, patch_side};
use crate::features::{FeatureArgs, PassProgress};
use crate::files::write_atomically;
use crate::model::ModelArgs;
use crate::report::figures::{GalleryImage, gallery};

const HELP: &str = "\
Examples:
  ibot track frames/ --mask first.png --model vit_small.pth
  ibot track 0001.jpg 0002.jpg 0003.jpg --mask 0001.png --model runs/photos --out out/dog

Inputs   frames: a folder, a .tar, a list or image files, in their order. --mask is a PNG of the first frame's size, with
         a palette or in gray: 0 for no object, 1, 2 and so on for objects; or 0 and 255 for one object.
Outputs  masks/ has a PNG for each frame, with the palette of DAVIS; overlays/ shows the objects over the frames;
         track.png shows some of the frames; track.json has the number of pixels of each object in each frame.";

/// Frames that the picture shows.
const SHOWN: usize = 12;
const COLUMNS: usize = 4;
/// Quality of overlays.
const QUALITY: u8 = 92;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct TrackArgs {
    /// Frames, the first one first
    #[arg(required = true, value_name = "FRAMES")]
    frames: Vec<String>,
    /// Mask of the objects in the first frame
    #[arg(long, value_name = "FILE")]
    mask: PathBuf,
    #[command(flatten)]
    model: ModelArgs,
    /// Shorter side of a frame for the network, in pixels [default: twice the size of pre-training,
    /// at most 480]
    #[arg(long, value_name = "PIXELS")]
    short_side: Option<usize>,
    /// Last frames that a frame looks at, beside the first
    #[arg(long, value_name = "N", default_value_t = Propagation::default().last_frames)]
    last_frames: usize,
    /// How far a similar patch may be, in patches along each axis; 0 for anywhere
    #[arg(long, value_name = "PATCHES", default_value_t = Propagation::default().radius)]
    radius: usize,
    /// Similar patches that a patch takes its mask from
    #[arg(long, value_name = "N", default_value_t = Propagation::default().neighbours)]
    neighbours: usize,
    /// Folder for masks, pictures and numbers
    #[arg(long, value_name = "FOLDER", default_value = "out/track")]
    out: PathBuf,
    #[command(flatten)]
    features: FeatureArgs,
}

/// Runs `ibot track`. Frames that cannot be read are named and left out.
pub fn run(args: &TrackArgs) -> Result<()> {
    let images = Images::open(&args.frames, usize::MAX)?;
    let (start, image) = first_readable(&images)?;
    let context = || format!("mask {}", args.mask.display());
    let mask = fs::read(&args.mask).with_context(context)?;
    let mask = decode_mask(&mask).with_context(context)?;
    check_mask_size(&mask, image.width(), image.height()).with_context(context)?;
    let objects = ObjectNumbers::of(&mask).with_context(context)?;
    let mask = objects.read(&mask);

    let extraction = args.features.open(true)?;
    let needs = HeadNeeds::default();
    let subject = EvalSubject::open(MODEL, &args.model, None, needs, &extraction)?;
    let features = extraction.store(subject.model.as_ref(), subject.view)?;
    let usual = match &subject.model {
        Some(model) => Video::SHORT_SIDE.min(2 * model.config.image_size()),
        None => Video::SHORT_SIDE,
    };
    // Whole frames: objects at the side are followed, too.
    let view = FrameView::whole(args.short_side.unwrap_or(usual), patch_side(&features));
    let size = view.size_of(&image);
    let (width, height, frames) = (size.width, size.height, images.len() - start);
    println!(
        "{frames} frames at {width} x {height} on {}",
        extraction.description()
    );

    let output = Output::create(args.out.clone(), &args.model.path().display().to_string())?;
    let mut results = Results::create(&args.out, names(&images, start), objects.count())?;
    let progress = PassProgress::new("frames", frames, features.shows_progress());
    let tracker = Tracker {
        features: &features,
        view,
        propagation: Propagation {
            last_frames: args.last_frames,
            radius: args.radius,
            neighbours: args.neighbours,
            ..Propagation::default()
        },
        restores_lost: true,
        progress: &progress,
    };
    let load = |frame: usize| match images.load(start + frame) {
        Ok(image) => Ok(Some(image)),
        Err(error) => {
            progress.warn(&format!("{error:#} (left out)"));
            Ok(None)
        }
    };
    let frames = FrameSource {
        count: frames,
        load: &load,
    };
    let small = tracker.follow(&frames, &mask, objects, &mut |frame| results.take(&frame))?;
    for object in &small {
        progress.warn(&format!(
            "object {object} is smaller than a patch; a larger --short-side shows more of it"
        ));
    }
    // The bar would be drawn over what follows.
    drop(progress);

    println!("masks   {}", args.out.join(MASKS).display());
    println!("overlay {}", args.out.join(OVERLAYS).display());
    output.picture("track.png", &results.picture())?;
    let sides = json!({ "width": width, "height": height });
    output.numbers(
        "track.json",
        json!({ "mask": args.mask, "seen_at": sides, "frames": results.numbers }),
    )
}

/// The first frame that can be read, by its index; those before it are named.
fn first_readable(images: &Images) -> Result<(usize, RgbImage)> {
    for index in 0..images.len() {
        match images.load(index) {
            Ok(image) => return Ok((index, image)),
            Err(error) => eprintln!("warning: {error:#} (left out)"),
        }
    }
    bail!("none of the frames can be read")
}

const MASKS: &str = "masks";
const OVERLAYS: &str = "overlays";

struct FrameName {
    name: String,
    stem: String,
}

/// The names of the frames from `start` on; their files are called as they are, or numbered where two have the same
/// name.
fn names(images: &Images, start: usize) -> Vec<FrameName> {
    let stem = |name: &str| {
        let stem = Path::new(name).file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    };
    let names: Vec<String> = (start..images.len())
        .map(|index| images.name(index))
        .collect();
    // Names of folders are lost: frames of two folders may have the same.
    let different: BTreeSet<String> = names.iter().map(|name| stem(name)).collect();

    let are_different = different.len() == names.len();
    let mut found = Vec::new();
    for (index, name) in (start..).zip(names) {
        let stem = match are_different {
            true => stem(&name),
            false => images.file_stem(index),
        };
        found.push(FrameName { name, stem });
    }
    found
}

struct Results {
    folder: PathBuf,
    names: Vec<FrameName>,
    objects: usize,
    numbers: Vec<Value>,
    shown: Vec<GalleryImage>,
}

impl Results {
    fn create(folder: &Path, names: Vec<FrameName>, objects: usize) -> Result<Self> {
        for part in [MASKS, OVERLAYS] {
            let part = folder.join(part);
            fs::create_dir_all(&part)
                .with_context(|| format!("cannot make the folder {}", part.display()))?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            names,
            objects,
            numbers: Vec::new(),
            shown: Vec::new(),
        })
    }

    fn take(&mut self, found: &TrackedFrame) -> Result<()> {
        let FrameName { name, stem } = &self.names[found.frame];
        self.write(MASKS, &format!("{stem}.png"), &encode_mask(&found.labels)?)?;
        let overlay = LabelOverlay {
            unpainted: Some(0),
            ..LabelOverlay::default()
        };
        let overlay = overlay.draw(&found.image, found.labels.view());
        let bytes = encode_jpeg(&overlay, QUALITY).map_err(|error| anyhow!("{name}: {error}"))?;
        self.write(OVERLAYS, &format!("{stem}.jpg"), &bytes)?;

        let pixels = sizes(&found.labels, self.objects);
        if self.is_shown(found.frame) {
            let lost = pixels.iter().filter(|pixels| **pixels == 0).count();
            self.shown.push(GalleryImage {
                image: Some(overlay),
                title: file_name(name),
                caption: match lost {
                    0 => String::new(),
                    lost => format!("{lost} of {} not found", self.objects),
                },
            });
        }
        self.numbers
            .push(json!({ "frame": name, "pixels": pixels }));
        Ok(())
    }

    /// Whether the picture shows a frame: a few, spread evenly, with the first and the last. In
    /// place of one that is left out it shows the next.
    fn is_shown(&self, frame: usize) -> bool {
        let last = self.names.len().saturating_sub(1);
        let steps = SHOWN.min(self.names.len()).saturating_sub(1);
        let due = (0..=steps).filter(|step| step * last / steps.max(1) <= frame);
        due.count() > self.shown.len()
    }

    fn write(&self, folder: &str, name: &str, bytes: &[u8]) -> Result<()> {
        let file = self.folder.join(folder).join(name);
        write_atomically(&file, bytes).with_context(|| format!("cannot write {}", file.display()))
    }

    fn picture(&self) -> RgbImage {
        let rows = self.shown.chunks(COLUMNS).map(<[_]>::to_vec).collect();
        gallery("Objects followed through frames", "", rows)
    }
}

/// The pixels of each object, from 1 on.
fn sizes(labels: &LabelMap, objects: usize) -> Vec<usize> {
    let mut sizes = vec![0; objects + 1];
    for label in labels.cells() {
        if let Some(size) = sizes.get_mut(*label) {
            *size += 1;
        }
    }
    sizes.split_off(1)
}
