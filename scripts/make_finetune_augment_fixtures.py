#!/usr/bin/env python3
"""Writes tests/fixtures/finetune/{operations,view,mixing,sampler}.safetensors.

They hold what timm 0.4.12 and Pillow make of synthetic pictures and batches under the augmentation for learning from
labels. The Rust code (core/src/image/augment/supervised, core/src/finetune/{mix,repeated}.rs) is held against them. A
tensor's name says how it was made, for instance `source/Rotate/9.0/-1` (picture, operation, magnitude, sign).

The committed files were made with the versions in the metadata of every file. Nothing is downloaded. Usage:

    pip install pillow torch torchvision numpy safetensors
    pip install --no-deps timm==0.4.12
    python scripts/make_finetune_augment_fixtures.py
"""

import itertools
import math
import random
from pathlib import Path
from unittest import mock

import numpy as np
import PIL
import timm
import torch
from PIL import Image
from safetensors.numpy import save_file
from timm.data import auto_augment, mixup, random_erasing
from timm.data.transforms import RandomResizedCropAndInterpolation
from timm.loss import LabelSmoothingCrossEntropy
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

from make_augment_fixtures import bytes_of, picture

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "finetune"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FILL = tuple(min(255, round(255 * mean)) for mean in MEAN)

# Our names of the operations, and whether their strength has a sign.
PLAIN = ["AutoContrast", "Equalize", "Invert"]
ONE_WAY = ["Posterize", "Solarize", "SolarizeAdd"]
BOTH_WAYS = ["Rotate", "Color", "Contrast", "Brightness", "Sharpness", "ShearX", "ShearY", "TranslateX", "TranslateY"]


def timm_name(name):
    if name in ("Posterize", "Solarize", "Color", "Contrast", "Brightness", "Sharpness"):
        return name + "Increasing"
    return name + "Rel" if name.startswith("Translate") else name


def distort(image, name, magnitude, sign):
    """What timm's RandAugment makes of the image, with the drawn numbers given."""
    hparams = {"img_mean": FILL, "interpolation": Image.BICUBIC}
    op = auto_augment.AugmentOp(timm_name(name), prob=1.0, magnitude=magnitude, hparams=hparams)
    with mock.patch.object(random, "random", lambda: 0.75 if sign < 0 else 0.25):
        return op(image)


def operations():
    source = picture(37, 29, seed=5)
    narrow = Image.fromarray((60 + np.asarray(source) * np.array([0.3, 0.5, 0.1])).astype(np.uint8))
    tiny = source.crop((9, 9, 13, 11))
    made = {"source": source, "narrow": narrow, "tiny": tiny}
    for picture_name, magnitudes in (("source", (2.5, 9.0, 9.73)), ("narrow", (9.0,)), ("tiny", (6.0,))):
        image = made[picture_name]
        for name in PLAIN:
            made[f"{picture_name}/{name}/9.0/1"] = distort(image, name, 9.0, 1)
        for name, magnitude in itertools.product(ONE_WAY, magnitudes):
            made[f"{picture_name}/{name}/{magnitude}/1"] = distort(image, name, magnitude, 1)
        for name, magnitude, sign in itertools.product(BOTH_WAYS, magnitudes, (1, -1)):
            made[f"{picture_name}/{name}/{magnitude}/{sign}"] = distort(image, name, magnitude, sign)
    # The ends of the range.
    for name in ("Solarize", "SolarizeAdd"):
        made[f"source/{name}/10.0/1"] = distort(source, name, 10.0, 1)
    for name in ONE_WAY + BOTH_WAYS:
        made[f"source/{name}/0.0/1"] = distort(source, name, 0.0, 1)
    return made


def view():
    """One whole view; its parameters are repeated in the test. Then rectangles and distributions."""
    source = picture(117, 89, seed=6)
    image = F.hflip(F.resized_crop(source, 9, 21, 70, 81, [48, 48], InterpolationMode.BICUBIC))
    image = distort(distort(image, "Rotate", 8.7, -1), "Color", 9.4, 1)
    planes = F.normalize(F.to_tensor(image), MEAN, STD)
    torch.manual_seed(3)
    # One attempt: area and ratio of 7 x 13 pixels, then the corner.
    erasing = random_erasing.RandomErasing(1.0, mode="pixel", device="cpu")
    uniform = iter((7 * 13 / 48**2, math.log(7 / 13)))
    corner = iter((11, 5))
    with (
        mock.patch.object(random, "uniform", lambda *_: next(uniform)),
        mock.patch.object(random, "randint", lambda *_: next(corner)),
    ):
        planes = erasing(planes)
    noise = planes[:, 11:18, 5:18].contiguous()
    made = {"source": source, "view": planes.numpy(), "noise": noise.numpy()}
    made.update(rectangles())
    made.update(distributions())
    return made


def rectangles():
    """Height and width for given areas and height-to-width ratios; -1 where timm tries again."""
    made = {}
    for size, area, ratio in itertools.product((224, 32, 5), (0.021, 0.15, 0.333), (0.301, 0.8, 1.0, 3.3)):
        sides = []

        def randint(_, last, sides=sides, size=size):
            sides.append(size - last)
            return 0

        values = itertools.cycle((area, math.log(ratio)))
        erasing = random_erasing.RandomErasing(1.0, mode="pixel", device="cpu")
        with (
            mock.patch.object(random, "uniform", lambda *_, values=values: next(values)),
            mock.patch.object(random, "randint", randint),
        ):
            erasing(torch.zeros(3, size, size))
        made[f"rectangle/{size}/{area}/{ratio}"] = np.array(sides or (-1, -1), np.float32)
    return made


def deciles(rows):
    return np.quantile(np.array(rows), np.linspace(0.1, 0.9, 9), axis=0).T.astype(np.float32)


def distributions():
    """Deciles of relative area, log ratio and relative corner of crops and of erased rectangles."""
    random.seed(0)
    made = {}
    for width, height in ((300, 200), (60, 400)):
        image, rows = Image.new("RGB", (width, height)), []
        for _ in range(20000):
            top, left, h, w = RandomResizedCropAndInterpolation.get_params(image, (0.08, 1.0), (3 / 4, 4 / 3))
            rows.append((w * h / (width * height), math.log(w / h), left / width, top / height))
        made[f"crops/{width}/{height}"] = deciles(rows)

    erasing, rows = random_erasing.RandomErasing(1.0, mode="pixel", device="cpu"), []
    for _ in range(20000):
        drawn, randint = [], random.randint

        def record(low, high, drawn=drawn, randint=randint):
            drawn.append((high, randint(low, high)))
            return drawn[-1][1]

        # The pixels play no part here.
        with (
            mock.patch.object(random, "randint", record),
            mock.patch.object(random_erasing, "_get_pixels", lambda *_, **__: 0.0),
        ):
            erasing(torch.zeros(1, 224, 224))
        if drawn:
            (free_rows, top), (free_columns, left) = drawn
            h, w = 224 - free_rows, 224 - free_columns
            rows.append((h * w / 224**2, math.log(h / w), top / 224, left / 224))
    made["erased"] = deciles(rows)
    return made


def mixing():
    """Batches mixed by timm with given draws, and their targets."""
    torch.manual_seed(4)
    images = torch.randn(4, 3, 9, 9)
    labels = torch.tensor([2, 0, 4, 4])
    made = {"images": images.numpy()}

    def mix(lam, use_cutmix, centre=()):
        mixer = mixup.Mixup(0.8, 1.0, label_smoothing=0.1, num_classes=5)
        coordinates = iter(centre)
        with (
            mock.patch.object(mixer, "_params_per_batch", lambda: (lam, use_cutmix)),
            mock.patch.object(np.random, "randint", lambda *_, **__: next(coordinates)),
            mock.patch.object(mixup.mixup_target, "__defaults__", (1.0, 0.0, "cpu")),
        ):
            mixed, targets = mixer(images.clone(), labels)
        return mixed.numpy(), targets.numpy()

    for lam in (0.3, 0.8125, 0.99):
        made[f"mixup/{lam}"], made[f"mixup-targets/{lam}"] = mix(lam, False)
    for lam, row, column in ((0.3, 4, 5), (0.6, 0, 8), (0.01, 8, 2), (0.995, 3, 3)):
        numbers = f"{lam}/{row}/{column}"
        made[f"cutmix/{numbers}"], made[f"cutmix-targets/{numbers}"] = mix(lam, True, (row, column))
    for smoothing in (0.1, 0.25):
        targets = mixup.mixup_target(labels, 5, 1.0, smoothing, device="cpu")
        made[f"smooth-targets/{smoothing}"] = targets.numpy()

    logits = torch.randn(4, 5)
    made["logits"] = logits.numpy()
    made["smoothed-loss"] = LabelSmoothingCrossEntropy(0.1)(logits, labels).reshape(1).numpy()

    # What the border leaves of a share of Beta(1, 1), in images of 32 pixels.
    np.random.seed(0)
    drawn = [mixup.cutmix_bbox_and_lam((3, 32, 32), np.random.beta(1.0, 1.0))[1] for _ in range(50000)]
    made["cutmix-mean"] = np.array([np.mean(drawn)], np.float32)
    return made


def sampler():
    """DeiT's sampler of repeated augmentation, written down from its definition."""
    made, images, repeats = {}, 1000, 3
    for epoch in (0, 1):
        generator = torch.Generator()
        generator.manual_seed(epoch)
        order = torch.randperm(images, generator=generator).tolist()
        made[f"permutation/{epoch}"] = np.array(order, np.float32)
        for world in (2, 3):
            samples = math.ceil(images * repeats / world)
            entries = [image for image in order for _ in range(repeats)]
            entries += entries[: samples * world - len(entries)]
            for rank in range(world):
                taken = entries[rank::world][: images // 256 * 256 // world]
                made[f"sampler/{epoch}/{world}/{rank}"] = np.array(taken, np.float32)
    return made


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    # One entry: safetensors writes several in random order, and the files should come out the same every time.
    libraries = {"timm": timm, "Pillow": PIL, "torch": torch, "numpy": np}
    versions = ", ".join(f"{name} {library.__version__}" for name, library in libraries.items())
    files = {"operations": operations(), "view": view(), "mixing": mixing(), "sampler": sampler()}
    for name, made in files.items():
        arrays = {key: bytes_of(value) for key, value in made.items()}
        save_file(arrays, OUT / f"{name}.safetensors", metadata={"made_with": versions})


if __name__ == "__main__":
    main()
