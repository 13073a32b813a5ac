#!/usr/bin/env python3
"""Writes tests/fixtures/eval/video.json and video.safetensors: what the references make of masks, of a video of random
tokens, and of frames of many sizes.

Region similarity, boundary accuracy and their statistics come from davisvideochallenge/davis2017-evaluation, propagation
and the sizes of frames from evaluation/eval_video_segmentation.py of bytedance/ibot; the folders of both are given. The
committed files were made with both at their last commits, OpenCV 4.14, NumPy 2.4, Pillow 13.0, scikit-image 0.26 and
torch 2.15. Usage:

    pip install "opencv-python-headless<5" numpy pillow scikit-image scipy pandas torch safetensors
    python scripts/make_eval_video_fixtures.py DAVIS2017_EVALUATION IBOT
"""

import importlib.util
import json
import sys
import tempfile
import types
from pathlib import Path

import cv2
import numpy
import torch
from PIL import Image
from safetensors.numpy import save_file

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "eval"


def runs(mask):
    """A mask as pairs of a label and how many pixels have it."""
    flat = mask.reshape(-1)
    starts = numpy.flatnonzero(numpy.diff(flat, prepend=-1))
    lengths = numpy.diff(starts, append=len(flat))
    return [[int(flat[start]), int(length)] for start, length in zip(starts, lengths)]


def blobs(rng, rows, columns, objects):
    y, x = numpy.mgrid[:rows, :columns]
    mask = numpy.zeros((rows, columns), dtype=int)
    for label in range(1, objects + 1):
        center = rng.random(2) * (rows, columns)
        radii = (0.1 + 0.25 * rng.random(2)) * (rows, columns)
        mask[((y - center[0]) / radii[0]) ** 2 + ((x - center[1]) / radii[1]) ** 2 < 1] = label
    return mask


def moved(rng, mask):
    """The mask as a tracker might find it: shifted, with a bitten edge."""
    found = numpy.roll(mask, rng.integers(-3, 4, 2), (0, 1))
    row, column = rng.integers(0, mask.shape[0]), rng.integers(0, mask.shape[1])
    found[row : row + 6, column : column + 6] = 0
    return found


def judge(metrics, utils, name, truth, found, objects):
    truth, found = numpy.stack(truth), numpy.stack(found)
    case = {"name": name, "rows": truth.shape[1], "columns": truth.shape[2], "objects": []}
    case["truth"] = [runs(mask) for mask in truth]
    case["found"] = [runs(mask) for mask in found]
    for label in range(1, objects + 1):
        region = numpy.atleast_1d(metrics.db_eval_iou(truth == label, found == label))
        boundary = numpy.atleast_1d(metrics.db_eval_boundary(truth == label, found == label))
        case["objects"].append({
            "region": region.tolist(),
            "boundary": boundary.tolist(),
            "region_statistics": [float(value) for value in utils.db_statistics(region)],
            "boundary_statistics": [float(value) for value in utils.db_statistics(boundary)],
        })
    return case


def scores(metrics, utils):
    rng = numpy.random.default_rng(1)
    cases = []
    for name, rows, columns, objects, frames in [
        ("one object", 40, 60, 1, 7),
        ("three objects", 40, 60, 3, 10),
        ("a large frame", 260, 330, 2, 2),
        ("a tall frame", 70, 31, 2, 5),
        ("one frame", 30, 30, 2, 1),
    ]:
        truth = [blobs(rng, rows, columns, objects) for _ in range(frames)]
        cases.append(judge(metrics, utils, name, truth, [moved(rng, mask) for mask in truth], objects))

    empty = numpy.zeros((20, 30), dtype=int)
    point, corner, full, line = empty.copy(), empty.copy(), empty + 1, empty.copy()
    point[8, 11] = 1
    corner[-1, -1] = 1
    line[:, -1] = 1
    masks = [empty, point, corner, full, line, blobs(rng, 20, 30, 1)]
    truth = [mask for mask in masks for _ in masks]
    cases.append(judge(metrics, utils, "empty, one pixel, full", truth, masks * len(masks), 1))
    one = [numpy.array([[1]]), numpy.array([[0]])]
    cases.append(judge(metrics, utils, "frames of one pixel", one + one, one + one[::-1], 1))
    row = [numpy.array([[0, 1, 1, 0, 0, 1]]), numpy.array([[0, 0, 1, 1, 0, 0]])]
    cases.append(judge(metrics, utils, "frames of one row", row, row[::-1], 1))
    return cases


def statistics(utils):
    rng = numpy.random.default_rng(2)
    cases = []
    for count in [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 38, 67, 102]:
        values = (rng.random(count) * 8).round() / 8
        cases.append({"values": values.tolist(), "expected": [float(value) for value in utils.db_statistics(values)]})
    return cases


def official(folder):
    """The module of propagation, on the CPU and without what it imports for networks."""
    torch.Tensor.cuda = lambda tensor, *_, **__: tensor
    for name in ["utils", "models"]:
        sys.modules[name] = types.ModuleType(name)
    if "tqdm" not in sys.modules:
        sys.modules["tqdm"] = types.SimpleNamespace(tqdm=lambda values: values)
    path = Path(folder) / "evaluation" / "eval_video_segmentation.py"
    spec = importlib.util.spec_from_file_location("official_video", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Tokens:
    """A network that gives frame after frame the tokens it was made with."""

    def __init__(self, frames, patch):
        self.frames = iter(frames)
        self.patch_embed = types.SimpleNamespace(patch_size=patch)

    def get_intermediate_layers(self, image, n):
        tokens = next(self.frames)
        return [torch.cat([torch.zeros(1, 1, tokens.shape[1]), torch.from_numpy(tokens)[None]], 1)]


def video(module, name, seed, rows, columns, patch, size, frames, objects, last, radius, neighbours, tensors):
    """Propagates random tokens that change slowly, so that patches have right neighbours."""
    rng = numpy.random.default_rng(seed)
    tokens = [rng.standard_normal((rows * columns, 8)).astype(numpy.float32)]
    for _ in range(1, frames):
        drift = rng.standard_normal((rows * columns, 8)).astype(numpy.float32)
        tokens.append(numpy.roll(tokens[-1], 1, 0) + 0.35 * drift)
    width, height = size
    first = blobs(rng, height, width, objects).astype(numpy.uint8)

    module.args = types.SimpleNamespace(
        n_last_frames=last, size_mask_neighborhood=radius, topk=neighbours, patch_size=patch
    )
    module.read_frame = lambda _: (torch.zeros(3, rows * patch, columns * patch), height, width)
    propagate, soft = module.label_propagation, []

    def recorded(*inputs):
        result = propagate(*inputs)
        soft.append(result[0][0].numpy().copy())
        return result

    module.label_propagation = recorded
    with tempfile.TemporaryDirectory() as folder:
        module.args.output_dir = folder
        Image.fromarray(first).save(Path(folder) / "first.png")
        small = numpy.array(Image.fromarray(first).resize((columns, rows), 0)).astype(numpy.float32)
        first_seg = module.to_one_hot(torch.from_numpy(small)[None])
        names = [f"/none/{frame:05}.jpg" for frame in range(frames)]
        palette = numpy.zeros((256, 3), dtype=numpy.uint8)
        network = Tokens(tokens, patch)
        module.eval_video_tracking_davis(module.args, network, names, "none", first_seg, first, palette)
        labels = [numpy.array(Image.open(Path(folder) / "none" / f"{frame:05}.png")) for frame in range(1, frames)]
    module.label_propagation = propagate

    tensors[f"{name}/tokens"] = numpy.stack(tokens)
    # Patch by patch, as ours.
    tensors[f"{name}/soft"] = numpy.stack(soft).transpose(0, 2, 3, 1).copy()
    return {
        "name": name, "rows": rows, "columns": columns, "patch": patch, "size": size, "last": last, "radius": radius,
        "neighbours": neighbours, "objects": objects, "small": small.astype(int).reshape(-1).tolist(),
        "first": runs(first.astype(int)), "labels": [runs(mask.astype(int)) for mask in labels],
    }


def frame_sizes(module):
    sizes = [(854, 480), (480, 854), (1920, 1080), (640, 360), (500, 500), (481, 480), (910, 480), (300, 1000), (853, 480)]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for width, height in sizes:
            file = str(Path(folder) / "frame.png")
            Image.new("RGB", (width, height)).save(file)
            tensor, _, _ = module.read_frame(file)
            rows.append([width, height, tensor.shape[2], tensor.shape[1]])
    return rows


def nearest():
    """Which pixels Pillow's nearest neighbour takes along an axis."""
    cases = []
    for length, wanted in [(854, 52), (832, 854), (480, 30), (826, 854), (7, 7), (5, 13), (64, 1000), (1, 4), (9, 1)]:
        axis = numpy.arange(length, dtype=numpy.int32)[None]
        image = Image.fromarray(axis, mode="I").resize((wanted, 1), 0)
        cases.append({"length": length, "sources": numpy.array(image)[0].tolist()})
    return cases


def resized(tensors):
    rng = numpy.random.default_rng(5)
    pixels = rng.integers(0, 256, (47, 61, 3)).astype(numpy.uint8)
    pixels[8:40, 10:50] = numpy.linspace(0, 255, 40).astype(numpy.uint8)[None, :, None]
    tensors["source"] = pixels
    for width, height in [(58, 47), (61, 30), (64, 48), (90, 100), (20, 13), (1, 1)]:
        tensors[f"bilinear/{width}/{height}"] = cv2.resize(pixels, (width, height))


def main():
    sys.path.insert(0, sys.argv[1])
    from davis2017 import metrics, utils

    module = official(sys.argv[2])
    tensors = {}
    resized(tensors)
    fixture = {
        "scores": scores(metrics, utils),
        "statistics": statistics(utils),
        "frame_sizes": frame_sizes(module),
        "nearest": nearest(),
    }
    fixture["videos"] = [
        video(module, "several objects", 7, 7, 9, 16, (150, 112), 7, 3, 3, 2, 5, tensors),
        video(module, "everywhere", 8, 5, 6, 14, (84, 70), 4, 1, 7, 0, 3, tensors),
        video(module, "wide", 9, 11, 19, 4, (77, 45), 4, 2, 2, 3, 5, tensors),
    ]
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "video.json").write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
    save_file(tensors, OUT / "video.safetensors")


if __name__ == "__main__":
    main()
