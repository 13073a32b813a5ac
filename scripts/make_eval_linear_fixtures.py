#!/usr/bin/env python3
"""Writes tests/fixtures/eval/linear.safetensors: what PyTorch makes of the linear evaluation.

Four of the official 45 heads learn for 20 steps (torch.nn.Linear, SGD with momentum, CosineAnnealingLR after every
epoch, the last batch of an epoch smaller). core/src/eval/linear is held against their weights after every step, and
against the learning rates, losses and accuracies of torch. A bilinear crop of torchvision is there for the views.

The committed file was made with torch 2.15.0 and torchvision 0.29.2. Nothing is downloaded. Usage:

    pip install pillow torch torchvision numpy safetensors
    python scripts/make_eval_linear_fixtures.py
"""

from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "eval"
IMAGES, WIDTH, CLASSES, BATCH, EPOCHS = 112, 12, 5, 32, 5
# Places in the sweep: 1e-4, 7e-3, 0.3 and 4, times batch / 256.
HEADS = (0, 24, 29, 39)


def sweep_rates(batch):
    return [digit * 10.0**exponent * batch / 256 for exponent in range(-4, 1) for digit in range(1, 10)]


def cosine(epochs):
    """The factor of CosineAnnealingLR in every epoch."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs, eta_min=0)
    factors = []
    for _ in range(epochs):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return torch.tensor(factors, dtype=torch.float64)


def train(features, labels, order, weight, rate):
    head = torch.nn.Linear(WIDTH, CLASSES)
    with torch.no_grad():
        head.weight.copy_(weight)
        head.bias.zero_()
    optimizer = torch.optim.SGD(head.parameters(), rate, momentum=0.9, weight_decay=0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS, eta_min=0)
    trajectory = []
    for epoch in range(EPOCHS):
        for images in order[epoch].split(BATCH):
            loss = torch.nn.functional.cross_entropy(head(features[images]), labels[images])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            trajectory.append(torch.cat([head.weight.detach().T, head.bias.detach()[None]]))
        schedule.step()
    return head, torch.stack(trajectory)


def crops(made):
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (45, 61, 3), dtype=np.uint8)
    pixels[10:30, 5:50] //= 3
    source = Image.fromarray(pixels)
    made["source"] = torch.from_numpy(pixels)
    for left, top, width, height, size in ((0, 0, 61, 45, 32), (7, 3, 40, 30, 24), (11, 9, 12, 15, 40)):
        view = F.resized_crop(source, top, left, height, width, [size, size], InterpolationMode.BILINEAR)
        made[f"bilinear/{left}/{top}/{width}/{height}/{size}"] = torch.from_numpy(np.array(view))


def main():
    torch.manual_seed(0)
    labels = torch.arange(IMAGES) % CLASSES
    features = torch.randn(IMAGES, WIDTH) + 0.8 * torch.randn(CLASSES, WIDTH)[labels]
    order = torch.stack([torch.randperm(IMAGES) for _ in range(EPOCHS)])
    weight = torch.empty(CLASSES, WIDTH).normal_(0, 0.01)
    rates = sweep_rates(1024)

    made = {
        "features": features,
        "labels": labels.float(),
        "order": order.float(),
        "weight": weight.T.contiguous(),
        "rates": torch.tensor(rates, dtype=torch.float64).float(),
        "cosine": cosine(100).float(),
    }
    for head in HEADS:
        trained, trajectory = train(features, labels, order, weight, sweep_rates(BATCH)[head])
        made[f"trajectory/{head}"] = trajectory
        with torch.no_grad():
            logits = trained(features)
        loss = torch.nn.functional.cross_entropy(logits, labels)
        right = logits.argmax(1) == labels
        made[f"score/{head}"] = torch.stack([loss, right.float().mean()])
    crops(made)

    OUT.mkdir(parents=True, exist_ok=True)
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__}
    save_file(made, OUT / "linear.safetensors", metadata=versions)


if __name__ == "__main__":
    main()
