#!/usr/bin/env python3
"""Writes tests/fixtures/augment/: what PIL and torchvision make of a synthetic picture.

The Rust augmentations (core/src/image/augment) are held against these files. A tensor's name says how it was made, for
instance `hue/-0.1` or `crop/LEFT/TOP/WIDTH/HEIGHT/SIZE`, so the tests need no second list of parameters.

The committed files were made with Pillow 13.0.0, torchvision 0.29.2, torch 2.15.0 and numpy 2.4.6; the versions are
also in the metadata of every file. Nothing is downloaded. Usage:

    pip install pillow torch torchvision numpy safetensors
    python scripts/make_augment_fixtures.py
"""

import math
from pathlib import Path

import numpy as np
import PIL
import torch
import torchvision
from PIL import Image, ImageFilter, ImageOps
from safetensors.numpy import save_file
from torchvision.transforms import InterpolationMode, RandomResizedCrop
from torchvision.transforms import functional as F

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "augment"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BICUBIC = InterpolationMode.BICUBIC


def picture(width, height, seed):
    """Sky over ground, discs, a fine grating and sensor noise: smooth, sharp and saturated areas alike."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    u, v = x / max(width - 1, 1), y / max(height - 1, 1)
    sky = np.stack([90 + 80 * v, 140 + 60 * v, 235 - 30 * u], -1)
    ground = np.stack([95 + 60 * u, 120 - 40 * v, 40 + 30 * u], -1)
    image = np.where((v + 0.1 * np.sin(6 * u) < 0.6)[..., None], sky, ground)
    for _ in range(9):
        cx, cy, radius = rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.04, 0.2)
        inside = ((u - cx) ** 2 + ((v - cy) * height / width) ** 2 < radius**2)[..., None]
        shade = (0.6 + 0.6 * (u - cx + radius) / (2 * radius))[..., None]
        image = np.where(inside, rng.integers(0, 256, 3) * shade, image)
    grating = ((x // 2 + y // 3) % 2 == 0) & (u > 0.7) & (v > 0.7)
    image = np.where(grating[..., None], 255 - image, image)
    image += rng.normal(0, 4, image.shape)
    return Image.fromarray(np.clip(np.rint(image), 0, 255).astype(np.uint8))


def bytes_of(image):
    return np.ascontiguousarray(np.asarray(image))


def color(source):
    made = {"source": source}
    for f in (0.6, 0.87, 1.0, 1.4):
        made[f"brightness/{f}"] = F.adjust_brightness(source, f)
    for f in (0.6, 0.93, 1.4):
        made[f"contrast/{f}"] = F.adjust_contrast(source, f)
    for f in (0.0, 0.8, 1.2):
        made[f"saturation/{f}"] = F.adjust_saturation(source, f)
    for f in (-0.4, -0.1, -0.003, 0.03, 0.1, 0.5):
        made[f"hue/{f}"] = F.adjust_hue(source, f)
    made["grayscale"] = F.to_grayscale(source, num_output_channels=3)
    made["solarize"] = ImageOps.solarize(source)
    made["flip"] = F.hflip(source)
    return made


def resize(source):
    made = {"source": source}
    boxes = [
        (0, 0, source.width, source.height, 48),  # down, non-square box, to every border
        (10, 5, 90, 71, 33),  # down, odd size
        (40, 30, 17, 23, 49),  # up
        (7, 11, 1, 1, 5),  # one pixel
        (3, 60, 97, 2, 24),  # very flat
        (20, 20, 32, 32, 32),  # no scaling
        (30, 12, 40, 61, 40),  # one axis unscaled
    ]
    for left, top, width, height, size in boxes:
        view = F.resized_crop(source, top, left, height, width, [size, size], BICUBIC)
        made[f"crop/{left}/{top}/{width}/{height}/{size}"] = view
    # Resize then CenterCrop, as in evaluation; the last one needs padding.
    for size, resize_to in ((32, 37), (48, 48), (31, 120), (56, 50)):
        made[f"eval/{size}/{resize_to}"] = F.center_crop(F.resize(source, resize_to, BICUBIC), [size, size])
    return made


def blur(source):
    made = {"source": source}
    for radius in (0.1, 0.3, 0.5, 1.0, 1.37, 2.0, 5.5):
        made[f"blur/{radius}"] = source.filter(ImageFilter.GaussianBlur(radius=radius))
    # Fewer pixels than the box is wide.
    tiny = source.crop((20, 20, 25, 22))
    made["tiny"] = tiny
    made["tiny-blur/2.0"] = tiny.filter(ImageFilter.GaussianBlur(radius=2.0))
    made["tiny-blur/9.0"] = tiny.filter(ImageFilter.GaussianBlur(radius=9.0))
    return made


def view(source):
    """Whole views; the parameters are repeated in the tests of core/src/image/augment/view.rs."""
    first = F.resized_crop(source, 9, 21, 70, 81, [48, 48], BICUBIC)
    first = F.adjust_contrast(F.hflip(first), 1.3)
    first = F.adjust_saturation(F.adjust_brightness(F.adjust_hue(first, -0.07), 0.8), 1.15)
    first = first.filter(ImageFilter.GaussianBlur(radius=1.3))
    second = F.resized_crop(source, 30, 50, 25, 31, [40, 40], BICUBIC)
    second = F.adjust_brightness(F.adjust_saturation(second, 0.85), 1.25)
    second = F.adjust_hue(F.adjust_contrast(second, 0.7), 0.09)
    third = F.to_grayscale(second, num_output_channels=3)
    second = ImageOps.solarize(second.filter(ImageFilter.GaussianBlur(radius=0.4)))
    small = source.crop((60, 50, 67, 55))
    normalized = F.normalize(F.to_tensor(small), MEAN, STD).numpy()
    return {
        "source": source,
        "blurred": first,
        "solarized": second,
        "grayscale": third,
        "small": small,
        "normalized": normalized,
    }


def draws():
    """Deciles of what torchvision draws as crops: relative area, log ratio, relative left and top offset."""
    torch.manual_seed(0)
    made = {}
    cases = [(400, 400, (0.14, 1.0)), (500, 333, (0.05, 0.4)), (333, 500, (0.4, 1.0)), (60, 400, (0.14, 1.0))]
    for width, height, scale in cases:
        image, rows = Image.new("RGB", (width, height)), []
        for _ in range(20000):
            top, left, h, w = RandomResizedCrop.get_params(image, scale, (3 / 4, 4 / 3))
            rows.append((w * h / (width * height), math.log(w / h), left / width, top / height))
        deciles = np.quantile(np.array(rows), np.linspace(0.1, 0.9, 9), axis=0).T
        made[f"crops/{width}/{height}/{scale[0]}/{scale[1]}"] = deciles.astype(np.float32)
    return made


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    small, large = picture(57, 43, seed=1), picture(117, 89, seed=2)
    # One entry: safetensors writes several in random order, and the files should come out the same every time.
    libraries = {"Pillow": PIL, "torchvision": torchvision, "torch": torch, "numpy": np}
    versions = ", ".join(f"{name} {library.__version__}" for name, library in libraries.items())
    metadata = {"made_with": versions}
    files = {
        "color": color(small),
        "resize": resize(large),
        "blur": blur(small),
        "view": view(large),
        "draws": draws(),
    }
    for name, made in files.items():
        arrays = {key: bytes_of(value) for key, value in made.items()}
        save_file(arrays, OUT / f"{name}.safetensors", metadata=metadata)


if __name__ == "__main__":
    main()
