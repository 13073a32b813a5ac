//! `ibot corrupt`: images as ImageNet-C corrupts them, in its folders.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, ValueEnum};
use ibot_core::image::RgbImage;
use ibot_core::image::corrupt::{Corruption, Severity};
use ibot_core::image::resize::resize;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::data::{CorruptionOf, Dataset, encode_jpeg};
use crate::features::PassProgress;
use crate::files::write_atomically;
use crate::report::png::{png_bytes, save_png};
use crate::report::sheet::{Panel, Sheet, SheetRow};

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
/// What the images in the folder were made of.
const ORIGIN: &str = "corrupted.json";
/// Longest side of an image in the picture of all corruptions, wide enough for their names.
const SHOWN: usize = 144;

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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum FileFormat {
    Jpeg,
    Png,
}

/// What must be equal for a folder to be filled further.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct CopyOrigin {
    images: String,
    digest: String,
    seed: u64,
    format: FileFormat,
}

/// An image of the data, and the path of its copies below the folder of a setting.
struct Target {
    index: usize,
    path: PathBuf,
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
    claim(&args.out, &data, args)?;

    let targets = targets(&data, args);
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
    let images = targets.len() - left_out;
    let there = images * settings.len() - written;
    println!(
        "wrote   {written} files of {images} images to {}; {there} were there already",
        args.out.display()
    );
    Ok(())
}

/// Makes the folder, or makes sure that it holds corrupted images of the same data.
fn claim(folder: &Path, data: &Dataset, args: &CorruptArgs) -> Result<()> {
    let origin = CopyOrigin {
        images: data.description(),
        digest: data.digest().to_owned(),
        seed: args.seed,
        format: args.format,
    };
    let file = folder.join(ORIGIN);
    if let Ok(text) = fs::read_to_string(&file) {
        let kept: CopyOrigin = serde_json::from_str(&text)
            .with_context(|| format!("{} cannot be read; choose another --out", file.display()))?;
        ensure!(
            kept == origin,
            "{} holds images of {} with seed {}, as {:?} files; choose another --out",
            folder.display(),
            kept.images,
            kept.seed,
            kept.format,
        );
        return Ok(());
    }

    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    if entries.next().is_some() {
        bail!(
            "{} is not empty and no folder of corrupted images; choose another --out",
            folder.display()
        );
    }
    write_atomically(&file, serde_json::to_string(&origin)?.as_bytes())?;
    Ok(())
}

/// The images with a path of its own for each, the class first.
fn targets(data: &Dataset, args: &CorruptArgs) -> Vec<Target> {
    let extension = match args.format {
        FileFormat::Jpeg => "jpg",
        FileFormat::Png => "png",
    };
    let chosen = data.subset(args.limit.unwrap_or(usize::MAX), 0);
    let mut taken = HashSet::new();
    let mut targets = Vec::new();
    // All images, so that a name does not depend on which of them are chosen.
    for index in 0..data.len() {
        let class = data
            .label(index)
            .and_then(|class| data.classes().get(class));
        let folder = class.map(|class| safe(class)).unwrap_or_default();

        let name = data.name(index).into_owned();
        let stem = Path::new(&name).file_stem().unwrap_or_default();
        let mut stem = safe(&stem.to_string_lossy());
        // Images of one name can come from several folders of a class.
        while !taken.insert((folder.clone(), stem.clone())) {
            stem = format!("{stem}-{index}");
        }
        if chosen.binary_search(&index).is_ok() {
            let path = Path::new(&folder).join(format!("{stem}.{extension}"));
            targets.push(Target { index, path });
        }
    }
    targets
}

/// The text with only what every file system takes, and as no way out of the folder.
fn safe(text: &str) -> String {
    let is_safe = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let safe = text.replace(|c| !is_safe(c), "-");
    match safe.strip_prefix('.') {
        Some(rest) => format!("-{rest}"),
        None => safe,
    }
}

fn folder_of(out: &Path, setting: &CorruptionOf) -> PathBuf {
    out.join(setting.kind.name())
        .join(setting.severity.to_string())
}

/// Writes the files of an image that are not there yet.
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

/// One image in all settings, a row for each corruption.
fn draw_sheet(
    targets: &[Target],
    data: &Dataset,
    settings: &[CorruptionOf],
    out: &Path,
) -> Result<()> {
    let loaded = targets
        .iter()
        .find_map(|target| Some((target.index, data.load(target.index).ok()?)));
    let Some((index, image)) = loaded else {
        return Ok(());
    };

    let mut rows: Vec<SheetRow> = Vec::new();
    for (place, setting) in settings.iter().enumerate() {
        let Ok(corrupted) = setting.apply(&image, index) else {
            continue;
        };
        let is_first = place == 0 || settings[place - 1].kind != setting.kind;
        let title = if is_first {
            rows.push(SheetRow::default());
            setting.kind.name().replace('_', " ")
        } else {
            setting.severity.to_string()
        };
        if let Some(row) = rows.last_mut() {
            row.panels.push(Panel::new(title, vec![shown(&corrupted)]));
        }
    }
    let sheet = Sheet {
        title: "Corruptions".to_owned(),
        note: format!("{}, from weak to strong", data.name(index)),
        rows,
        ..Sheet::default()
    };
    save_png(&sheet.into_image(), &out.join("corruptions.png"))?;
    Ok(())
}

fn shown(image: &RgbImage) -> RgbImage {
    let scale = SHOWN as f64 / image.width().max(image.height()) as f64;
    let side = |length: usize| (length as f64 * scale).round() as usize;
    resize(image, side(image.width()), side(image.height()))
}
