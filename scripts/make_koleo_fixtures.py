#!/usr/bin/env python3
"""Writes tests/fixtures/pretrain/koleo.json: KoLeo losses and their gradients, by lightly.

The loss of two crops is the sum of both, as DINOv2 adds it up. The committed file was made with lightly 1.6.0 and
PyTorch 2.15.0. Usage:

    pip install torch lightly
    python scripts/make_koleo_fixtures.py
"""

import json
from pathlib import Path

import torch
from lightly.loss.koleo_loss import KoLeoLoss

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "pretrain" / "koleo.json"


def case(name, tokens, globals_number):
    tokens = (tokens * 1e4).round() / 1e4
    tokens = tokens.float().double().requires_grad_()
    loss = sum(KoLeoLoss()(crop) for crop in tokens.chunk(globals_number))
    loss.backward()
    return {
        "name": name,
        "globals": globals_number,
        "dim": tokens.shape[1],
        "tokens": [round(v, 4) for v in tokens.detach().flatten().tolist()],
        "loss": loss.item(),
        "gradient": tokens.grad.flatten().tolist(),
    }


def main():
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    crowded = 1 + 0.02 * normal(8, 4)
    cases = [
        case("two crops", 3 * normal(10, 6), 2),
        case("tokens that lie close together", crowded, 1),
        case("of two images, each is the nearest of the other", normal(4, 3), 2),
    ]
    OUT.write_text(json.dumps(cases) + "\n")


if __name__ == "__main__":
    main()
