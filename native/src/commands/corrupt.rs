//! `ibot corrupt`: images as ImageNet-C corrupts them, in its folders.

mod folder;
mod sheet;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use ibot_core::image::RgbImage;
use ibot_core::image::corrupt::{Corruption, Severity};
use rayon::prelude::*;

use self::folder::{FileFormat, Target, claim, targets};
use self::sheet::draw_sheet;
use crate::data::{CorruptionOf, Dataset, encode_jpeg};
use crate::features::PassProgress;
use crate::files::write_atomically;
use crate::report::png::png_bytes;

const HELP: &str = "\
Examples:
  ibot corrupt photos/ --out photos-c
  ibot corrupt flowers/val.tar --out flowers-c --corruption fog,snow,jpeg_compression --severity 3
  ibot eval corruptions --data flowers/train.tar --val flowers/val.tar --model vit_small.pth --corrupted flowers-c

Outputs  OUT/<corruption>/<severity>/<class>/<name>.jpg of quality 85, as in ImageNet-C (without the class where images
         have none), and OUT/corruptions.png, which shows one image in all ways. Images keep their size.
A second call goes on where the first ended. It needs the same images, --seed and --format, and changes no file.
Frost is drawn by the program; everything else follows the library imagecorruptions.";

/// Quality of the JPEG files of ImageNet-C.
const QUALITY: u8 = 85;
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct CorruptArgs {
    /// Images: what `pretrain --data` takes
    #[arg(value_name = "DATA")]
    data: String,
    /// Folder for the corrupted images
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Corruptions by their names in ImageNet-C [default: all 19]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    corruption: Vec<Corruption>,
    /// Severities, 1 to 5 [default: all]
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    severity: Vec<Severity>,
    /// Most images, spread evenly over the data [default: all]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Seed of the corruptions
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Files to write; PNG loses nothing
    #[arg(long, value_enum, default_value = "jpeg")]
    format: FileFormat,
}

enum Corrupted {
    Written(usize),
    LeftOut(String),
}

/// Runs `ibot corrupt`. Images that cannot be read, or are too small, are named and left out.
pub fn run(args: &CorruptArgs) -> Result<()> {
    let data = Dataset::open(&args.data)?;
    println!("data    {}", data.description());
    let chosen = Corruption::settings(&args.corruption, &args.severity);
    let as_setting = |(kind, severity)| CorruptionOf {
        kind,
        severity,
        seed: args.seed,
    };
    let settings: Vec<CorruptionOf> = chosen.into_iter().map(as_setting).collect();
    // Before the first file: a folder of other images must not be mixed with these.
    claim(&args.out, &data, args.seed, args.format)?;

    let targets = targets(&data, args.limit, args.format);
    let progress = PassProgress::new("corrupting", targets.len(), true);
    let outcomes: Vec<Corrupted> = targets
        .par_iter()
        .map(|target| {
            let outcome = corrupt_image(target, &data, &settings, args);
            progress.add(1);
            outcome
        })
        .collect::<Result<_>>()?;
    drop(progress);

    let mut written = 0;
    let mut left_out = 0;
    for outcome in outcomes {
        match outcome {
            Corrupted::Written(files) => written += files,
            Corrupted::LeftOut(problem) => {
                eprintln!("warning: {problem} (left out)");
                left_out += 1;
            }
        }
    }
    ensure!(
        left_out < targets.len(),
        "none of the {left_out} images could be corrupted"
    );

    draw_sheet(&targets, &data, &settings, &args.out)?;
    // What was left out is none of these.
    let images = targets.len() - left_out;
    let there = images * settings.len() - written;
    println!(
        "wrote   {written} files of {images} images to {}; {there} were there already",
        args.out.display()
    );
    Ok(())
}

fn folder_of(out: &Path, setting: &CorruptionOf) -> PathBuf {
    out.join(setting.kind.name())
        .join(setting.severity.to_string())
}

fn corrupt_image(
    target: &Target,
    data: &Dataset,
    settings: &[CorruptionOf],
    args: &CorruptArgs,
) -> Result<Corrupted> {
    // Decoded once for all settings, and only if a file is missing.
    let mut image: Option<RgbImage> = None;
    let mut written = 0;
    for setting in settings {
        // Named by what it holds, so that an interrupted command goes on where it was.
        let path = folder_of(&args.out, setting).join(&target.path);
        if path.exists() {
            continue;
        }

        let source = match image.take() {
            Some(image) => image,
            None => match data.load(target.index) {
                Ok(image) => image,
                Err(problem) => return Ok(Corrupted::LeftOut(problem.to_string())),
            },
        };
        let corrupted = match setting.apply(&source, target.index) {
            Ok(corrupted) => corrupted,
            Err(problem) => {
                let name = data.name(target.index);
                return Ok(Corrupted::LeftOut(format!("{name}: {problem}")));
            }
        };
        image = Some(source);

        let bytes = match args.format {
            FileFormat::Jpeg => encode_jpeg(&corrupted, QUALITY).map_err(anyhow::Error::msg)?,
            FileFormat::Png => png_bytes(&corrupted)?,
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        write_atomically(&path, &bytes)?;
        written += 1;
    }
    Ok(Corrupted::Written(written))
}
