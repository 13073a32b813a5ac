#!/usr/bin/env python3
"""Writes tests/fixtures/eval/robustness.json: calibration, AURRA and salient patches, by NumPy.

They are written anew from the definitions of the official evaluations: of ImageNet-A, whose loop over bins of 100
answers leaves out the last one, and of occlusion, which hides the patches above a share of the sum of attention.

The committed file was made with NumPy 2.4.6. Usage:

    pip install numpy
    python scripts/make_eval_robustness_fixtures.py
"""

import json
from pathlib import Path

import numpy

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "eval" / "robustness.json"
BIN = 100


def rms_error(confidence, right, bins):
    squares = [len(b) * (confidence[b].mean() - right[b].mean()) ** 2 for b in bins]
    return float(numpy.sqrt(sum(squares) / len(confidence)))


def calibration(rng, count):
    # All values differ, so that the order of equal ones does not matter.
    confidence = numpy.round(rng.permutation(count) / count * 0.8 + rng.uniform(0.1, 0.1 + 0.5 / count), 7)
    right = rng.uniform(size=count) < confidence**1.5
    order = numpy.argsort(confidence)
    edges = [BIN * i for i in range(max(count // BIN, 1))] + [count]
    bins = [order[a:b] for a, b in zip(edges[:-1], edges[1:])]

    falling = right[order[::-1]]
    return {
        "confidence": confidence.tolist(),
        "right": right.tolist(),
        "all": rms_error(confidence, right, bins),
        "all_but_last": rms_error(confidence, right, bins[:-1]),
        "aurra": float((numpy.cumsum(falling) / numpy.arange(1, count + 1)).mean()),
    }


def salient(attention, share):
    attention = numpy.asarray(attention, dtype=numpy.float32)
    order = numpy.argsort(attention, kind="stable")
    mass = numpy.cumsum(attention[order].astype(numpy.float64))
    chosen = numpy.zeros(len(attention), dtype=bool)
    chosen[order] = mass / mass[-1] > 1 - share
    return {"attention": attention.tolist(), "lambda": share, "chosen": chosen.tolist()}


def main():
    rng = numpy.random.default_rng(16)
    cases = [salient([0.1, 0.2, 0.3, 0.4], 0.5)]
    for patches in (16, 49):
        attention = numpy.round(rng.gamma(0.7, size=patches) / patches, 6)
        cases += [salient(attention, tenth / 10) for tenth in range(1, 11)]
    found = {"calibration": [calibration(rng, count) for count in (1050, 1000, 60)], "salient": cases}
    OUT.write_text(json.dumps(found, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
