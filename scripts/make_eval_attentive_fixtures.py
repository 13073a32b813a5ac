#!/usr/bin/env python3
"""Writes tests/fixtures/eval/attentive.safetensors: an attentive probe in PyTorch.

The probe is written the plain way, with keys and values of every token and PyTorch's own attention.
core/src/eval/attentive is held against its logits before training, its loss after each of six steps of
torch.optim.AdamW, and the smaller of its weights after the last.

The committed file was made with torch 2.15.0. Nothing is downloaded. Usage:

    pip install torch safetensors
    python scripts/make_eval_attentive_fixtures.py
"""

import math
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "eval"
IMAGES, PATCHES, WIDTH, HEADS, CLASSES, QUERIES = 10, 6, 128, 2, 4, 3
RATE, WEIGHT_DECAY, STEPS = 2e-3, 0.1, 6


class AttentiveProbe(nn.Module):
    def __init__(self):
        super().__init__()
        self.queries = nn.Parameter(torch.randn(QUERIES, WIDTH))
        self.key = nn.Linear(WIDTH, WIDTH, bias=False)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.classifier = nn.Linear(WIDTH, CLASSES)

    def forward(self, tokens):
        def split(x):
            return x.unflatten(-1, (HEADS, WIDTH // HEADS)).transpose(-3, -2)

        queries = split(self.queries).expand(len(tokens), -1, -1, -1)
        found = nn.functional.scaled_dot_product_attention(queries, split(self.key(tokens)), split(self.value(tokens)))
        return self.classifier(self.norm(found.transpose(1, 2).flatten(2).mean(1)))


def main():
    torch.manual_seed(0)
    labels = torch.arange(IMAGES) % CLASSES
    tokens = torch.randn(IMAGES, PATCHES, WIDTH) + torch.randn(CLASSES, 1, WIDTH)[labels]
    probe = AttentiveProbe()
    made = {f"before/{name}": value.clone() for name, value in probe.state_dict().items()}
    made |= {"tokens": tokens, "labels": labels.float(), "logits": probe(tokens).detach()}

    decayed = [parameter for parameter in probe.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in probe.parameters() if parameter.ndim == 1]
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE)
    losses = []
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        loss = nn.functional.cross_entropy(probe(tokens), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(nn.functional.cross_entropy(probe(tokens), labels).detach())
    made["losses"] = torch.stack(losses)
    for name in ("queries", "value.bias", "norm.weight", "classifier.weight"):
        made[f"after/{name}"] = probe.state_dict()[name]

    OUT.mkdir(parents=True, exist_ok=True)
    save_file(made, OUT / "attentive.safetensors", metadata={"torch": torch.__version__})


if __name__ == "__main__":
    main()
