#!/usr/bin/env python3
"""Writes tests/fixtures/eval/discovery.json: objects that SciPy finds in grids of tokens.

The cut is that of TokenCut (arXiv 2202.11539): cosines above 0.2 become 1, others 1e-5, and the second generalised
eigenvector is cut at its mean. The expansion is that of LOST (arXiv 2109.14279). Components have sides in common. The
committed file was made with SciPy 1.17 and NumPy 2.4. Usage:

    pip install numpy scipy
    python scripts/make_eval_discovery_fixtures.py
"""

import json
from pathlib import Path

import numpy
from scipy.linalg import eigh
from scipy.ndimage import label

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "eval"


def component(inside, seed):
    labels, _ = label(inside)
    return labels == labels.flat[seed]


def cut(tokens, shape):
    """`None` where the result hangs on rounding."""
    unit = tokens / numpy.linalg.norm(tokens, axis=1, keepdims=True)
    cosines = unit @ unit.T
    assert numpy.abs(cosines - 0.2).min() > 1e-5
    weights = numpy.where(cosines > 0.2, 1.0, 1e-5)
    degrees = numpy.diag(weights.sum(1))
    values, vectors = eigh(degrees - weights, degrees, subset_by_index=[1, 2])
    second = vectors[:, 0]
    magnitudes = numpy.abs(second)
    seed = numpy.argmax(magnitudes)
    ties = magnitudes > (1 - 1e-3) * magnitudes[seed]
    if values[1] - values[0] < 1e-3 or ties.sum() > 1 or numpy.abs(second - second.mean()).min() < 1e-4 * magnitudes[seed]:
        return None
    inside = second > second.mean()
    if not inside[seed]:
        inside = ~inside
    return component(inside.reshape(shape), seed)


def expand(tokens, shape, candidates):
    products = tokens @ tokens.T
    assert numpy.abs(products).min() > 1e-5
    alike = products > 0
    numpy.fill_diagonal(alike, False)
    order = numpy.argsort(alike.sum(1), kind="stable")
    first, chosen = order[0], order[:candidates]
    seeds = chosen[products[first, chosen] > 0]
    total = products[seeds].sum(0)
    return component((total > 0).reshape(shape), first)


def bits(mask):
    return [int(value) for value in mask.reshape(-1)]


def scene(rng):
    """Two blocks of object patches, one larger, before a background of other directions."""
    rows, columns, dim = int(rng.integers(6, 12)), int(rng.integers(6, 12)), 6
    background, thing = rng.normal(size=(2, dim))
    tokens = background + 0.8 * rng.normal(size=(rows, columns, dim))
    for size in (2, 3):
        top, left = rng.integers(0, rows - size), rng.integers(0, columns - size)
        noise = 0.5 * rng.normal(size=(size, size, dim))
        tokens[top : top + size, left : left + size] = 1.5 * thing - 0.5 * background + noise
    flat = tokens.reshape(-1, dim).astype(numpy.float32).astype(numpy.float64).round(4)
    candidates = 12
    found = cut(flat, (rows, columns))
    return found is not None and {
        "rows": rows,
        "columns": columns,
        "dim": dim,
        "tokens": [float(value) for value in flat.reshape(-1)],
        "candidates": candidates,
        "cut": bits(found),
        "expanded": bits(expand(flat, (rows, columns), candidates)),
    }


def mask(rng, share):
    rows, columns = int(rng.integers(3, 12)), int(rng.integers(3, 12))
    inside = rng.uniform(size=(rows, columns)) < share
    seed = int(rng.integers(0, rows * columns))
    inside.flat[seed] = True
    found = component(inside, seed)
    lines, places = numpy.where(found)
    across, down = 100 / columns, 60 / rows
    bounds = [places.min() * across, lines.min() * down, (places.max() + 1) * across, (lines.max() + 1) * down]
    return {
        "rows": rows,
        "columns": columns,
        "mask": bits(inside),
        "seed": seed,
        "component": bits(found),
        "bounds": [float(side) for side in bounds],
    }


def main():
    rng = numpy.random.default_rng(1)
    scenes = []
    while len(scenes) < 8:
        found = scene(rng)
        if found:
            scenes.append(found)
    masks = [mask(rng, share) for share in (0.2, 0.4, 0.5, 0.6, 0.7, 0.8) for _ in range(3)]
    (OUT / "discovery.json").write_text(json.dumps({"scenes": scenes, "masks": masks}) + "\n")


if __name__ == "__main__":
    main()
