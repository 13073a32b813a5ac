#!/usr/bin/env python3
"""Writes tests/fixtures/eval/coco.json: masks of random polygons and run lengths as pycocotools makes them.

Polygons are convex, concave, crossing themselves, tiny, and touch or leave the image. Each case holds the numbers of its
polygons, the size of the image, and the mask as compressed run lengths; some also as plain ones. The committed file was
made with pycocotools 2.0.11. Usage:

    pip install numpy pycocotools
    python scripts/make_coco_fixtures.py
"""

import json
from pathlib import Path

import numpy
from pycocotools import mask

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "eval"


def star(rng, center, radii, corners):
    angles = numpy.sort(rng.uniform(0, 2 * numpy.pi, corners))
    lengths = rng.uniform(*radii, corners)
    points = numpy.stack([center[0] + lengths * numpy.cos(angles), center[1] + lengths * numpy.sin(angles)], 1)
    return points.reshape(-1)


def polygons(rng, number, width, height):
    kind = number % 6
    center = rng.uniform(0, 1, 2) * (width, height)
    if kind == 0:  # concave, inside or over the edge
        return [star(rng, center, (1, 1 + max(width, height) / 2), rng.integers(3, 12))]
    if kind == 1:  # tiny
        return [star(rng, center, (0, 1.5), rng.integers(3, 6))]
    if kind == 2:  # crossing itself
        return [rng.uniform(0, 1, (rng.integers(4, 9), 2)).__mul__((width, height)).reshape(-1)]
    if kind == 3:  # along the edges
        return [numpy.array([0, 0, width, 0, width, height * rng.uniform(), width / 2, height, 0, height], dtype=float)]
    if kind == 4:  # several parts, one of them over the edge
        return [star(rng, rng.uniform(0, 1, 2) * (width, height), (1, 1 + width / 3), 6) for _ in range(3)]
    # corners at whole and half pixels, some twice
    points = rng.integers(-4, 2 * max(width, height) + 4, (5, 2)) / 2
    return [numpy.concatenate([points, points[-1:]]).reshape(-1)]


def main():
    rng = numpy.random.default_rng(0)
    cases = []
    for number in range(96):
        width, height = (int(side) for side in rng.integers(1, 40, 2))
        digits = int(rng.integers(0, 4))
        lists = []
        for part in polygons(rng, number, width, height):
            # Points that are further away are refused.
            near = numpy.clip(part.reshape(-1, 2), (-width, -height), (2 * width, 2 * height))
            lists.append([round(float(value), digits) for value in near.reshape(-1)])
        runs = mask.merge(mask.frPyObjects(lists, height, width))
        case = {
            "width": width,
            "height": height,
            "polygons": lists,
            "runs": runs["counts"].decode(),
            "area": int(mask.area(runs)),
        }
        cases.append(case)

    noise = []
    for share in [0.0, 0.02, 0.5, 0.9, 1.0]:
        width, height = (int(side) for side in rng.integers(20, 60, 2))
        pixels = numpy.asfortranarray(rng.uniform(size=(height, width)) < share).astype(numpy.uint8, order="F")
        plain = [0]
        for value in pixels.flatten(order="F"):
            if (len(plain) - 1) % 2 != value:
                plain.append(0)
            plain[-1] += 1
        coded = mask.encode(pixels)
        assert mask.frPyObjects({"size": [height, width], "counts": plain}, height, width)["counts"] == coded["counts"]
        noise.append({"width": width, "height": height, "plain": plain, "runs": coded["counts"].decode()})
    (OUT / "coco.json").write_text(json.dumps({"polygons": cases, "noise": noise}) + "\n")


if __name__ == "__main__":
    main()
