#!/usr/bin/env python3
"""Writes tests/fixtures/eval/segmentation.json: what scikit-learn, NumPy and PyTorch compute of segmentations.

- scores: confusion_matrix and jaccard_score of label maps with an ignored label.
- soft: in-context segmentation. The 30 nearest patches of a memory by cosine, a softmax of cosine / 0.02, the mean of
  their labels' shares, and torch's bilinear interpolation (align_corners off) before the largest class is taken.
- hard: KNeighborsClassifier with the cosine distance, which gives each pixel of a patch the most frequent label that the
  neighbours have at that place, the smallest of equally frequent ones.
- regression: LogisticRegression with an intercept on features that StandardScaler standardised. It minimises the sum of
  cross-entropies * C + |W|^2 / 2; written is that divided by n C.

The committed file was made with scikit-learn 1.9.1, NumPy 2.4.6 and PyTorch 2.15.0. Usage:

    pip install scikit-learn torch
    python scripts/make_eval_segmentation_fixtures.py
"""

import json
from pathlib import Path

import numpy
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix, jaccard_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "eval" / "segmentation.json"
TEMPERATURE = 0.02


def score(name, rng, classes, ignored, pixels, share_right, absent=()):
    truth = rng.choice([c for c in range(classes) if c not in absent], pixels)
    guess = rng.choice([c for c in range(classes) if c not in absent], pixels)
    predicted = numpy.where(rng.random(pixels) < share_right, truth, guess)
    truth[rng.random(pixels) < 0.15] = ignored
    counts = truth != ignored
    own, found = truth[counts], predicted[counts]
    present = sorted(set(own) | set(found))
    iou = [None] * classes
    for c, value in zip(present, jaccard_score(own, found, labels=present, average=None)):
        iou[c] = float(value)
    return {
        "name": name,
        "classes": classes,
        "ignored": ignored,
        "truth": truth.tolist(),
        "predicted": predicted.tolist(),
        "confusion": confusion_matrix(own, found, labels=range(classes)).tolist(),
        "iou": iou,
        "mean_iou": float(jaccard_score(own, found, average="macro")),
        "pixel_accuracy": float(accuracy_score(own, found)),
    }


def rows(rng, count, dim):
    # What is written is what is computed with.
    return numpy.round(rng.standard_normal((count, dim)) + 0.5, 3).astype(numpy.float32)


def unit(values):
    values = values.astype(numpy.float64)
    return values / numpy.linalg.norm(values, axis=1, keepdims=True)


def soft(rng):
    dim, classes, k, height, width = 6, 4, 30, 3, 4
    bank, queries = rows(rng, 90, dim), rows(rng, height * width, dim)
    pixels = rng.integers(0, classes, (len(bank), 16))
    # Most patches have few classes.
    pixels = numpy.minimum(pixels, rng.integers(0, classes, (len(bank), 1)))
    shares = numpy.stack([(pixels == c).mean(axis=1) for c in range(classes)], axis=1)
    cosines = unit(queries) @ unit(bank).T
    nearest = numpy.argsort(-cosines, axis=1)[:, :k]
    near = numpy.take_along_axis(cosines, nearest, axis=1) / TEMPERATURE
    weights = numpy.exp(near - near.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    votes = (weights[:, :, None] * shares[nearest]).sum(axis=1)
    size = (13, 10)
    grid = torch.tensor(votes).reshape(1, height, width, classes).permute(0, 3, 1, 2)
    map = torch.nn.functional.interpolate(grid, size=size, mode="bilinear", align_corners=False).argmax(dim=1)
    return {
        "dim": dim,
        "classes": classes,
        "k": k,
        "temperature": TEMPERATURE,
        "bank": bank.flatten().tolist(),
        "shares": shares.tolist(),
        "queries": queries.flatten().tolist(),
        "nearest": nearest.tolist(),
        "votes": votes.flatten().tolist(),
        "rows": height,
        "columns": width,
        "map_rows": size[0],
        "map_columns": size[1],
        "map": map.flatten().tolist(),
    }


def hard(rng):
    dim, classes, cells = 5, 3, 4
    bank, queries = rows(rng, 80, dim), rows(rng, 20, dim)
    labels = rng.integers(0, classes, (len(bank), cells))
    predictions = {}
    for k in [1, 3, 10, 30]:
        model = KNeighborsClassifier(k, metric="cosine", algorithm="brute").fit(bank.astype(numpy.float64), labels)
        predictions[k] = model.predict(queries.astype(numpy.float64)).tolist()
    return {
        "dim": dim,
        "classes": classes,
        "cells": cells,
        "bank": bank.flatten().tolist(),
        "labels": labels.tolist(),
        "queries": queries.flatten().tolist(),
        "predictions": [{"k": k, "labels": labels} for k, labels in predictions.items()],
    }


def regression(rng):
    dim, classes, count = 5, 4, 60
    labels = numpy.concatenate([numpy.arange(classes), rng.integers(0, classes, count - classes)])
    centers = rng.standard_normal((classes, dim)) * 3
    train = numpy.round(centers[labels] + 2 * rng.standard_normal((count, dim)) + 5, 3).astype(numpy.float32)
    val = numpy.round(centers[rng.integers(0, classes, 30)] + 2 * rng.standard_normal((30, dim)) + 5, 3)
    val = val.astype(numpy.float32)
    scaler = StandardScaler().fit(train.astype(numpy.float64))
    scaled = scaler.transform(train.astype(numpy.float64))
    fits = []
    for c in [1e-3, 0.1, 10.0]:
        model = LogisticRegression(C=c, tol=1e-10, max_iter=100000).fit(scaled, labels)
        logits = scaled @ model.coef_.T + model.intercept_
        largest = logits.max(axis=1, keepdims=True)
        sums = numpy.log(numpy.exp(logits - largest).sum(axis=1)) + largest[:, 0]
        loss = (sums - logits[numpy.arange(count), labels]).mean()
        fits.append({
            "c": c,
            "objective": float(loss + (model.coef_**2).sum() / (2 * count * c)),
            "predictions": model.predict(scaler.transform(val.astype(numpy.float64))).tolist(),
        })
    return {
        "dim": dim,
        "classes": classes,
        "train": train.flatten().tolist(),
        "labels": labels.tolist(),
        "val": val.flatten().tolist(),
        "fits": fits,
    }


def main():
    rng = numpy.random.default_rng(16)
    fixture = {
        "scores": [
            score("four classes", rng, 4, 255, 300, 0.6),
            score("a class that does not occur", rng, 5, 255, 200, 0.5, absent=[3]),
            score("two classes", rng, 2, 9, 100, 0.8),
        ],
        "soft": soft(rng),
        "hard": hard(rng),
        "regression": regression(rng),
    }
    OUT.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
