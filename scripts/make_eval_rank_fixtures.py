#!/usr/bin/env python3
"""Writes tests/fixtures/eval/rank.json: effective ranks and the structure of patch tokens, by NumPy.

RankMe follows its paper (arXiv 2210.02885, section 3): the exponential of the entropy of singular values that add up to
1, each plus 1e-7. The structure of patch tokens is computed another way than in Rust: the parts of the variance by
projections, Moran's I by its matrix of weights.

The committed file was made with NumPy 2.4.6. Usage:

    pip install numpy
    python scripts/make_eval_rank_fixtures.py
"""

import json
from pathlib import Path

import numpy

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "eval" / "rank.json"


def rankme(rows):
    values = numpy.linalg.svd(rows.astype(numpy.float64), compute_uv=False)
    shares = values / values.sum() + 1e-7
    return float(numpy.exp(-(shares * numpy.log(shares)).sum()))


def rank_case(name, rows):
    rows = numpy.round(rows, 4).astype(numpy.float32)
    return {"name": name, "dim": rows.shape[1], "rows": [round(float(v), 4) for v in rows.ravel()], "rankme": rankme(rows)}


def adjacency(height, width):
    """1 where two patches share an edge."""
    places = [(y, x) for y in range(height) for x in range(width)]
    return numpy.array([[float(abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1) for b in places] for a in places])


def structure_case(name, tokens, height, width):
    tokens = numpy.round(tokens, 4).astype(numpy.float32)
    images, places, dim = tokens.shape
    centered = tokens.astype(numpy.float64) - tokens.mean(axis=(0, 1), dtype=numpy.float64)
    total = (centered**2).sum()

    # Projections that take the mean over images or over places.
    over_images = numpy.full((images, images), 1 / images)
    over_places = numpy.full((places, places), 1 / places)
    position = numpy.einsum("ij,jpd->ipd", over_images, centered)
    image = numpy.einsum("pq,iqd->ipd", over_places, centered)
    content = numpy.einsum("ij,pq,jqd->ipd", numpy.eye(images) - over_images, numpy.eye(places) - over_places, centered)

    weights = adjacency(height, width)
    products = numpy.einsum("ipd,iqd->pq", content, content)
    moran = places / weights.sum() * (weights * products).sum() / numpy.trace(products)
    chance = -1 / (places - 1)
    return {
        "name": name, "images": images, "rows": height, "columns": width, "dim": dim,
        "tokens": [round(float(v), 4) for v in tokens.ravel()],
        "image": float((image**2).sum() / total),
        "position": float((position**2).sum() / total),
        "content": float((content**2).sum() / total),
        "coherence": float((moran - chance) / (1 - chance)),
    }


def smooth(rng, images, height, width, dim):
    """Random tokens, averaged with their neighbours."""
    tokens = rng.standard_normal((images, height, width, dim))
    for _ in range(2):
        padded = numpy.pad(tokens, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
        tokens = (padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:] + tokens) / 5
    return tokens.reshape(images, height * width, dim)


def main():
    rng = numpy.random.default_rng(11)
    decaying = rng.standard_normal((40, 12)) @ numpy.diag(0.5 ** numpy.arange(12)) @ rng.standard_normal((12, 12))
    ranks = [
        rank_case("random", rng.standard_normal((40, 12)) + 0.5),
        rank_case("decaying spectrum", decaying),
        rank_case("fewer rows than columns", rng.standard_normal((7, 20))),
        rank_case("rank three", rng.integers(-3, 4, (30, 3)) @ rng.integers(-3, 4, (3, 10))),
    ]

    offsets = rng.standard_normal((5, 1, 3))
    places = rng.standard_normal((1, 12, 3))
    structures = [
        structure_case("noise", rng.standard_normal((6, 12, 3)), 3, 4),
        structure_case("smooth", smooth(rng, 5, 4, 5, 3) + 0.7, 4, 5),
        structure_case("image, place and content", offsets + places + smooth(rng, 5, 3, 4, 3), 3, 4),
        structure_case("a row of patches", smooth(rng, 4, 1, 6, 2), 1, 6),
    ]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"ranks": ranks, "structures": structures}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
