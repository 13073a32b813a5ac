#!/usr/bin/env python3
"""Writes tests/fixtures/eval/retrieval.json, retrieval.safetensors and gnd-*.pkl: what the reference makes of random
similarities, Pillow's thumbnails, torch's bilinear interpolation, and pickles of every protocol.

Scores come from `compute_map` of filipradenovic/revisitop (python/evaluate.py), whose folder is given; ties are in the
order of the list, as of a stable sort. The committed files were made with revisitop at its last commit, NumPy 2.4,
Pillow 13.0 and torch 2.15. Usage:

    pip install numpy pillow torch safetensors
    python scripts/make_eval_retrieval_fixtures.py REVISITOP
"""

import json
import pickle
import sys
from pathlib import Path

import numpy
import torch
from PIL import Image
from safetensors.numpy import save_file

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "eval"
KS = [1, 5, 10]


def number(value):
    return None if numpy.isnan(value) else float(value)


def case(name, compute_map, similarities, gnd):
    """`similarities` is [database, queries]."""
    ranks = numpy.argsort(-similarities, axis=0, kind="stable")
    setups = {
        "easy": (["easy"], ["junk", "hard"]),
        "medium": (["easy", "hard"], ["junk"]),
        "hard": (["hard"], ["junk", "easy"]),
    }
    scores = {}
    for setup, (right, ignored) in setups.items():
        wanted = []
        for query in gnd:
            join = lambda keys: numpy.concatenate([numpy.array(query[key], dtype=int) for key in keys])
            wanted.append({"ok": join(right), "junk": join(ignored)})
        mean, each, precision, _ = compute_map(ranks, wanted, KS)
        scores[setup] = {
            "map": float(mean),
            "each": [number(value) for value in each],
            "precision": [float(value) for value in precision],
        }
    return {"name": name, "similarities": similarities.T.tolist(), "gnd": gnd, "scores": scores}


def truth(rng, images, queries, sizes):
    gnd = []
    for _ in range(queries):
        order = rng.permutation(images).tolist()
        parts = {}
        for key, most in sizes.items():
            count = int(rng.integers(0, most + 1))
            parts[key], order = order[:count], order[count:]
        gnd.append(parts)
    return gnd


def scores(compute_map):
    rng = numpy.random.default_rng(3)
    usual = {"easy": 6, "hard": 5, "junk": 8}
    cases = [case("random", compute_map, rng.random((40, 12)).round(4), truth(rng, 40, 12, usual))]
    cases.append(case("ties", compute_map, rng.integers(0, 5, (40, 12)) / 4, truth(rng, 40, 12, usual)))
    nothing = truth(rng, 20, 6, {"easy": 3, "hard": 3, "junk": 0})
    nothing[0] = {"easy": [], "hard": [], "junk": []}
    nothing[1] = {"easy": [4], "hard": [], "junk": []}
    nothing[2] = {"easy": [], "hard": [7, 2], "junk": []}
    cases.append(case("queries without positives, no junk", compute_map, rng.random((20, 6)).round(4), nothing))
    every = [{"easy": list(range(5)), "hard": list(range(5, 9)), "junk": list(range(9, 12))}] * 2
    cases.append(case("nothing else", compute_map, rng.random((12, 2)).round(4), every))
    return cases


def sizes():
    rows = []
    rng = numpy.random.default_rng(4)
    for width, height, side in [(1024, 768, 512), (768, 1024, 512), (1, 900, 64), (900, 1, 64), (100, 80, 512)]:
        rows.append((width, height, side))
    for _ in range(60):
        rows.append(tuple(int(v) for v in (rng.integers(1, 300), rng.integers(1, 300), rng.integers(8, 120))))
    out = []
    for width, height, side in rows:
        image = Image.new("RGB", (width, height))
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        out.append([width, height, side, *image.size])
    return out


def tensors():
    rng = numpy.random.default_rng(5)
    pixels = rng.integers(0, 256, (53, 77, 3)).astype(numpy.uint8)
    pixels[10:40, 20:60] = numpy.linspace(0, 255, 40).astype(numpy.uint8)[None, :, None]
    out = {"source": pixels}
    for side in [50, 40, 23]:
        image = Image.fromarray(pixels)
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        out[f"thumbnail/{side}"] = numpy.array(image)

    normal = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
    normal = (normal - mean) / std
    for name, scale in [("half", 0.5), ("root", 2 ** (-1 / 2)), ("larger", 1.3)]:
        scaled = torch.nn.functional.interpolate(normal, scale_factor=scale, mode="bilinear", align_corners=False)
        out[name] = scaled.flatten().numpy()
    return out


def pickles():
    query = {"easy": [0, 3], "hard": numpy.array([2, 300]), "junk": numpy.array([], dtype=int), "bbx": [1.5, 2, 30, 40.25]}
    other = {"easy": numpy.array([5], dtype=">i4"), "hard": [], "junk": numpy.array([1, 200], dtype=numpy.uint8)}
    other["bbx"] = numpy.array([0, 0, 9.5, 8])
    content = {
        "imlist": [f"image_{number:06}" for number in range(301)],
        "qimlist": ["all_souls_000013", numpy.str_("radcliffe")],
        "gnd": [query, other],
    }
    content["qimlist"] = [str(name) for name in content["qimlist"]]
    for protocol in range(2, 6):
        (OUT / f"gnd-{protocol}.pkl").write_bytes(pickle.dumps(content, protocol))


def main():
    if not hasattr(numpy, "in1d"):
        numpy.in1d = numpy.isin
    sys.path.insert(0, str(Path(sys.argv[1]) / "python"))
    from evaluate import compute_map

    fixture = {"cases": scores(compute_map), "thumbnail_sizes": sizes()}
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "retrieval.json").write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
    save_file(tensors(), OUT / "retrieval.safetensors")
    pickles()


if __name__ == "__main__":
    main()
